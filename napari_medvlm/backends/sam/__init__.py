"""Segment Anything and its relatives, slice by slice and from slice to slice."""

from napari_medvlm.backends.sam.backend import SAMBackend

__all__ = ["SAMBackend"]
