"""Controls of how the viewer shows an image: window and slab."""
