"""What the figures were measured with."""
