"""Text files to token ids to batches."""
