"""Labels of images on the command line."""
