"""Linked views: side views that show the layers of a viewer in other planes, and one cursor."""
