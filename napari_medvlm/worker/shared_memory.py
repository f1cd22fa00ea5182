"""Volumes in shared memory: the caller owns the blocks, the worker looks at them."""

from __future__ import annotations

import os
import secrets
import sys
from collections import OrderedDict
from dataclasses import replace
from multiprocessing import resource_tracker
from multiprocessing.shared_memory import SharedMemory

import numpy as np

from napari_medvlm.data.errors import OutOfMemory
from napari_medvlm.data.volume import Volume
from napari_medvlm.worker.messages import Request, RunJob

KEPT_VOLUMES = 2
PREFIX = "medvlm_"
"""How the names of blocks begin; then comes the process that owns them."""
NO_VOXELS = np.zeros((1, 1, 1), np.uint8)


class SharedVolumes:
    """The caller's side: each volume is copied into a block once, the latest two are kept."""

    def __init__(self) -> None:
        self._blocks: OrderedDict[int, tuple[Volume, SharedMemory]] = OrderedDict()

    def run(self, job: int, request: Request) -> RunJob:
        """The message that asks for a request, with its volume parked.

        Raises
        ------
        OutOfMemory
            If the shared memory does not suffice.
        """
        volume = request.volume
        block = self._park(volume)
        stripped = Volume(
            NO_VOXELS, volume.affine, volume.modality, volume.name, volume.source, volume.window,
            suv=volume.suv,
        )  # fmt: skip
        return RunJob(
            job=job,
            request=replace(request, volume=stripped),
            block=block.name,
            dtype=volume.data.dtype.str,
            shape=volume.data.shape,
        )

    def clear(self) -> None:
        """Free all blocks."""
        while self._blocks:
            self._free()

    def _park(self, volume: Volume) -> SharedMemory:
        if id(volume) not in self._blocks:
            while len(self._blocks) >= KEPT_VOLUMES:
                self._free()
            _require_space(volume.data.nbytes)
            name = f"{PREFIX}{os.getpid()}_{secrets.token_hex(4)}"
            block = SharedMemory(name, create=True, size=max(volume.data.nbytes, 1))
            view = np.ndarray(volume.data.shape, volume.data.dtype, buffer=block.buf)
            np.copyto(view, volume.data)
            self._blocks[id(volume)] = volume, block
        self._blocks.move_to_end(id(volume))
        return self._blocks[id(volume)][1]

    def _free(self) -> None:
        _, (_, block) = self._blocks.popitem(last=False)
        block.close()
        block.unlink()


class SharedVolumeReader:
    """The worker's side: the volumes in blocks that were named lately."""

    def __init__(self) -> None:
        self._seen: OrderedDict[str, tuple[SharedMemory, Volume]] = OrderedDict()

    def request(self, run: RunJob) -> Request:
        """The request with its volume's voxels, read-only; the same volume for the same block."""
        if run.block not in self._seen:
            block = attach(run.block)
            data = np.ndarray(run.shape, np.dtype(run.dtype), buffer=block.buf)
            data.flags.writeable = False
            self._seen[run.block] = block, replace(run.request.volume, data=data)
            while len(self._seen) > KEPT_VOLUMES:
                self._seen.popitem(last=False)
        self._seen.move_to_end(run.block)
        return replace(run.request, volume=self._seen[run.block][1])


def attach(name: str) -> SharedMemory:
    """Look at another process's block without becoming its owner.

    Before Python 3.13 a process that only looks is taken for an owner too, whose end would free the
    block: https://github.com/python/cpython/issues/82300.
    """
    if sys.version_info >= (3, 13):
        return SharedMemory(name=name, track=False)
    register = resource_tracker.register
    resource_tracker.register = lambda *_: None
    try:
        return SharedMemory(name=name)
    finally:
        resource_tracker.register = register


def _require_space(nbytes: int) -> None:
    """Linux kills who writes to a full shared memory, so look before."""
    if not os.path.isdir("/dev/shm"):
        return
    free = os.statvfs("/dev/shm").f_bavail * os.statvfs("/dev/shm").f_frsize
    if nbytes > free:
        raise OutOfMemory(
            f"The image needs {nbytes / 2**30:.2f} GiB of shared memory; "
            f"{free / 2**30:.2f} GiB are free.",
            "Close other images, crop the image, or enlarge /dev/shm.",
        )
