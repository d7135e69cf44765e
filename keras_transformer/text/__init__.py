"""Text to token ids and back. No Keras."""
