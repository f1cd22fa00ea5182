"""The list of earlier sessions of an image."""
