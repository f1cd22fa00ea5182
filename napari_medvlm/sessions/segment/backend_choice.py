"""Which backends a segmentation session takes."""

from __future__ import annotations

from napari_medvlm.backends import registry
from napari_medvlm.backends.base import BackendInfo, Task
from napari_medvlm.data.errors import BackendUnavailable


def segmenting_backend(name: str) -> BackendInfo:
    """The info of a backend that segments from prompts.

    Raises
    ------
    BackendUnavailable
        If there is no such backend, or it does not segment from prompts.
    """
    info = registry.info(name)
    if Task.SEGMENT in info.tasks:
        return info
    way = "Choose another backend."
    if Task.GROUND in info.tasks:
        way = f"It locates phrases: napari-medvlm ground IMAGE PHRASE --backend {name} --out FILE."
    elif Task.ANSWER in info.tasks:
        way = f"It answers questions: napari-medvlm ask IMAGE QUESTION --backend {name}."
    raise BackendUnavailable(f"{info.title} does not segment from points or boxes.", way)
