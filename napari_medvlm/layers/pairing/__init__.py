"""Layers of a registered prior: shown over the current image, and compared with it."""
