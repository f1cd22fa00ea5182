"""Metrics of segmentation, detection and text."""
