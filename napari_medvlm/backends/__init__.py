"""Backends: one model family a file, found by the entry-point group ``napari_medvlm.backends``."""
