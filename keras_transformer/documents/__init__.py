"""A file in its own format, translated and written back."""
