"""The napari layers in which prompts are drawn."""
