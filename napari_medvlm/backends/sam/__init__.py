"""Segment Anything and its relatives, slice by slice and from slice to slice."""

from napari_medvlm.backends.sam.sam import SAMBackend

__all__ = ["SAMBackend"]
