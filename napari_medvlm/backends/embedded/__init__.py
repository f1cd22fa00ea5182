"""The embedded backend: a 3D region from prompts, without a model."""

from napari_medvlm.backends.embedded.backend import EmbeddedBackend

__all__ = ["EmbeddedBackend"]
