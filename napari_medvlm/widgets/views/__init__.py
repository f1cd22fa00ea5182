"""The Views dock: the other planes of the image, linked to the viewer."""
