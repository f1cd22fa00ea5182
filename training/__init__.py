"""Training, export and evaluation of the bundled promptable 3D segmentation network."""
