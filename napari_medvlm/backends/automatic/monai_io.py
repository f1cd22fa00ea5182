"""Volumes as MONAI's networks see them, and what such networks need besides.

MONAI holds images as ``(channel, x, y, z)`` with nibabel's affine, index to RAS millimetres; ours
are ``(z, y, x)``. Nothing is resampled here.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.backends.base import Progress
from napari_medvlm.backends.memory.out_of_memory import is_out_of_memory
from napari_medvlm.backends.models.trust import only_weights, trusted
from napari_medvlm.data.errors import BackendUnavailable
from napari_medvlm.data.geometry.frames import ras_matrix
from napari_medvlm.data.volume import Volume

if TYPE_CHECKING:
    import torch


def tensor_of(*volumes: Volume) -> Any:
    """Volumes as MONAI's loader gives NIfTI files of them.

    All lie on the grid of the first. A MetaTensor ``(channel, x, y, z)`` float32.
    """
    import torch
    from monai.data import MetaTensor
    from monai.utils import MetaKeys, SpaceKeys

    volume = volumes[0]
    data = np.stack([np.asarray(v.intensity().T, np.float32) for v in volumes])
    affine = torch.as_tensor(ras_matrix(volume.affine), dtype=torch.float64)
    meta = {
        MetaKeys.ORIGINAL_CHANNEL_DIM: 0,
        MetaKeys.ORIGINAL_AFFINE: affine.numpy().copy(),
        MetaKeys.SPATIAL_SHAPE: np.array(data.shape[1:]),
        MetaKeys.SPACE: SpaceKeys.RAS,
        "filename_or_obj": volume.name,
    }
    return MetaTensor(torch.from_numpy(data), affine=affine, meta=meta)


def array_of(answer: Any) -> NDArray[Any]:
    """A tensor ``(channel, x, y, z)`` as an array ``(channel, z, y, x)``."""
    array: NDArray[Any] = np.asarray(answer.detach().cpu()).transpose(0, 3, 2, 1)
    return array


def windows(size: Sequence[int], patch: Sequence[int], overlap: float) -> int:
    """Number of sliding windows that MONAI uses for an image size."""
    count = 1
    for length, side in zip(size, patch, strict=True):
        side = side if 0 < side < length else length
        step = max(int(side * (1 - overlap)), 1)
        count *= -(-(length - side) // step) + 1
    return count


def teller(total: int, progress: Progress) -> Callable[..., None]:
    """Create a callback to be called before each window; it reports the progress, which may
    raise `Cancelled`.
    """
    done = itertools.count()

    def report(*_: Any) -> None:
        now = next(done)
        progress(min(now / max(total, 1), 1.0) * 0.9, f"window {now + 1} of {max(total, now + 1)}")

    return report


@contextmanager
def monai_progress(network: torch.nn.Module, total: int, progress: Progress) -> Iterator[None]:
    """Report the progress before each window."""
    handle = network.register_forward_pre_hook(teller(total, progress))
    try:
        yield
    finally:
        handle.remove()


def state_of(path: Path, title: str) -> Mapping[str, Any]:
    """The weights in a checkpoint, read without running what it may hold besides.

    Raises
    ------
    BackendUnavailable
        If there is no such file, or it holds no weights that can be read so.
    """
    from argparse import Namespace

    import torch
    from torch.serialization import safe_globals

    if not path.is_file():
        raise BackendUnavailable(
            f"{title} : no weights at {path}.", "Choose the weights file or its folder."
        )
    try:
        with only_weights(path), safe_globals([Namespace]):  # the settings of a training
            state = torch.load(path, map_location="cpu", weights_only=not trusted(path))
    except (RuntimeError, EOFError, ValueError, OSError) as error:
        if is_out_of_memory(error):
            raise
        raise BackendUnavailable(
            f"{path} is damaged or unreadable.", "Download it again."
        ) from error
    for key in ("model", "model_state_dict", "state_dict"):
        if isinstance(state, Mapping) and isinstance(state.get(key), Mapping):
            return dict(state[key])
    return dict(state)


def fill(network: torch.nn.Module, state: Mapping[str, Any], path: Path) -> None:
    """Put weights into a network.

    Raises
    ------
    BackendUnavailable
        If they are for another network.
    """
    plain = {key.removeprefix("module."): value for key, value in state.items()}
    try:
        network.load_state_dict(plain)
    except RuntimeError as error:
        detail = str(error).strip().splitlines()[1:2]
        raise BackendUnavailable(
            f"The weights in {path} are for another network: {''.join(detail).strip()[:200]}",
            "Choose the weights for this configuration.",
        ) from error
