"""Calling a backend: what is checked before, and after."""

from __future__ import annotations

from napari_medvlm.backends.base import Backend, ObjectPrompts, Progress
from napari_medvlm.errors import BackendFailed, PromptNotSupported
from napari_medvlm.results import Mask
from napari_medvlm.volume import Volume


def segment(backend: Backend, volume: Volume, prompts: ObjectPrompts, progress: Progress) -> Mask:
    """The mask of prompts on the volume that the backend was given last.

    It lies on the volume's grid for sure and is without the voxels of locked objects.

    Raises
    ------
    PromptNotSupported
        If the backend does not take a prompt of this kind.
    BackendFailed
        If the mask lies on another grid.
    """
    for prompt in prompts:
        if type(prompt) not in backend.info.prompts:
            raise PromptNotSupported(
                f"{backend.info.title} takes no {prompt.label}.",
                "Use another kind of prompt, or choose another backend.",
            )
    mask = backend.segment(prompts, progress)
    if mask.shape != volume.shape:
        raise BackendFailed(
            f"{backend.info.name} gave a mask of shape {mask.shape} for an image of "
            f"{volume.shape}.",
            "This is an error of the backend; please report it to its authors.",
        )
    return mask if prompts.excluded is None else mask.without(prompts.excluded)
