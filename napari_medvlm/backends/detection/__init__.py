"""Detectors and generators of boxes, slice by slice."""
