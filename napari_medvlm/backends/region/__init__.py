"""The embedded backend: a 3D region from prompts, without a model."""

from napari_medvlm.backends.region.backend import RegionBackend

__all__ = ["RegionBackend"]
