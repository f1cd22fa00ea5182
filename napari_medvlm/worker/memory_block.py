"""Blocks of shared memory: create, attach to and free them."""

from __future__ import annotations

import os
import secrets
import sys
from multiprocessing import resource_tracker
from multiprocessing.shared_memory import SharedMemory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.data.errors import OutOfMemory
from napari_medvlm.worker.job_messages import SharedArray

PREFIX = "medvlm_"
"""Start of the names of blocks; the number of the process that owns them follows."""


class Attached:
    """A block as numpy's array interface; the array references this, which holds the block."""

    def __init__(self, shared: SharedArray) -> None:
        self._block = attach(shared.block)
        array: NDArray[Any] = np.ndarray(
            shared.shape, np.dtype(shared.dtype), buffer=self._block.buf
        )
        array.flags.writeable = False
        self.__array_interface__ = array.__array_interface__


def attach(name: str) -> SharedMemory:
    """Attach to another process's block without becoming its owner.

    Before Python 3.13 every process that attaches to a block is registered as an owner, and its end
    frees the block: https://github.com/python/cpython/issues/82300.
    """
    if sys.version_info >= (3, 13):
        return SharedMemory(name=name, track=False)
    register = resource_tracker.register
    resource_tracker.register = lambda *_: None
    try:
        return SharedMemory(name=name)
    finally:
        resource_tracker.register = register


def new_block(array: NDArray[Any]) -> SharedMemory:
    """A block with a copy of an array."""
    name = f"{PREFIX}{os.getpid()}_{secrets.token_hex(4)}"
    block = SharedMemory(name, create=True, size=max(array.nbytes, 1))
    np.copyto(np.ndarray(array.shape, array.dtype, buffer=block.buf), array)
    return block


def free(block: SharedMemory) -> None:
    """Detach from a block and remove it."""
    block.close()
    block.unlink()


def free_bytes() -> float:
    """How many bytes of shared memory are free; infinite where that is not known."""
    if not os.path.isdir("/dev/shm"):
        return float("inf")
    return os.statvfs("/dev/shm").f_bavail * os.statvfs("/dev/shm").f_frsize


def require_space(nbytes: int) -> None:
    """Raise `OutOfMemory` if a block does not fit; Linux kills a process that overfills it."""
    available = free_bytes()
    if nbytes > available:
        raise OutOfMemory(
            f"The image needs {nbytes / 2**30:.2f} GiB of shared memory; "
            f"{available / 2**30:.2f} GiB are free.",
            "Close other images, crop the image, or enlarge /dev/shm.",
        )
