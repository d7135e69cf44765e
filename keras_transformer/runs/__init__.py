"""A run is a directory: what is in it, and files that appear whole or not at all."""
