"""The tokenizers of other people's checkpoints. No Keras."""
