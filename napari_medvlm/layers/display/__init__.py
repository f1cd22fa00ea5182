"""How the viewer shows an image: its window and slabs of several slices."""
