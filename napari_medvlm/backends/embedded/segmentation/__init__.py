"""Interactive segmentation without a model."""
