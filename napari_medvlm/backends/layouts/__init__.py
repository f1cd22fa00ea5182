"""Checkpoints in the layouts of their authors, converted to the layout of transformers."""
