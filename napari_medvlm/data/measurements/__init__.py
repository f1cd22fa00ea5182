"""Measurements of masks and images, tables of them, and rulers."""
