"""When the memory is too small: one error, whatever the library calls it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from napari_medvlm.data.errors import OutOfMemory

_MESSAGES = (
    *("out of memory", "can't allocate memory", "not enough memory", "failed to allocate"),
    *("bad_alloc", "cudaerrormemoryallocation"),
)
"""How libraries say so where the error has no type of its own."""


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error of any library means that memory is exhausted."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    return any(words in str(error).lower() for words in _MESSAGES)


@contextmanager
def out_of_memory_errors(title: str, device: str) -> Iterator[None]:
    """Raise `OutOfMemory` where the library runs out of memory, after its cache was given back.

    Parameters
    ----------
    title, device
        Who ran out, and where, for the message.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        give_back(device)
        raise OutOfMemory(
            f"Out of memory: {title} on {device}.",
            "Close other programs, crop the image, or choose a smaller model or the CPU.",
        ) from error


def give_back(device: str) -> None:
    """Free the memory of a device that torch has cached."""
    import torch

    if device.startswith("cuda"):
        torch.cuda.empty_cache()
