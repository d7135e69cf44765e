"""Text files to token ids to batches."""

from .pairs import read_pairs as read_pairs
