"""When the memory does not suffice: one error, whatever the library calls it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from napari_medvlm.errors import OutOfMemory

_TOLD = ("out of memory", "can't allocate memory", "not enough memory", "failed to allocate")
"""How torch says so on devices for which it has no error of its own."""


@contextmanager
def memory_told(title: str, device: str) -> Iterator[None]:
    """Raise `OutOfMemory` where the library runs out of memory, after its cache was given back.

    Parameters
    ----------
    title, device
        Who ran out, and where, for the message.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not (isinstance(error, MemoryError) or any(t in str(error).lower() for t in _TOLD)):
            raise
        _free(device)
        raise OutOfMemory(
            f"The memory of {device} did not suffice for {title}.",
            "Close other programs, crop the image, or choose a smaller model or the CPU.",
        ) from error


def _free(device: str) -> None:
    """Give back what the library keeps for later."""
    import torch

    if device.startswith("cuda"):
        torch.cuda.empty_cache()
