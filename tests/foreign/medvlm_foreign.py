"""Backends of somebody else's package: a good one, and one for each way to go wrong."""

import os
import sys
import time

import numpy as np

from napari_medvlm.backends.base import Backend, BackendInfo
from napari_medvlm.data.errors import MedVLMError
from napari_medvlm.data.mask import Mask
from napari_medvlm.data.prompts import Point

NOT_A_BACKEND = 42


def describe(name, modules=()):
    return BackendInfo(
        name=name,
        title=name.title(),
        prompts=frozenset({Point}),
        code_licence="MIT",
        modules=modules,
    )


class Threshold(Backend):
    """All voxels at least as bright as the darkest positive point, but for the negative ones."""

    info = describe("threshold")

    def set_volume(self, volume):
        self.volume = volume

    def segment(self, prompts, progress):
        progress(0.5, "comparing")
        voxels = [(p.voxels(self.volume.grid)[0], p.positive) for p in prompts]
        level = min(self.volume.data[tuple(at)] for at, positive in voxels if positive)
        full = self.volume.data >= level
        for at, positive in voxels:
            full[tuple(at)] = positive
        return Mask.of(full)


class Slow(Threshold):
    """Takes a fifth of a second, and can be cancelled meanwhile."""

    info = describe("slow")

    def segment(self, prompts, progress):
        for step in range(20):
            progress(step / 20, "slowly")
            time.sleep(0.01)
        return super().segment(prompts, progress)


class Hung(Threshold):
    """Never tells its progress, so it cannot be cancelled."""

    info = describe("hung")

    def segment(self, prompts, progress):
        time.sleep(3600)


class Segfault(Threshold):
    """Reads where nothing is."""

    info = describe("segfault")

    def segment(self, prompts, progress):
        import ctypes

        print("about to read address 0")
        ctypes.string_at(0)


class Memory(Threshold):
    """Raises as torch does."""

    info = describe("memory")

    def segment(self, prompts, progress):
        error = type("OutOfMemoryError", (RuntimeError,), {})
        raise error("CUDA out of memory. Tried to allocate 20.00 GiB")


class MemoryOfProcessor(Threshold):
    """Raises as torch does where a processor's memory does not suffice."""

    info = describe("memory_of_processor")

    def segment(self, prompts, progress):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 B")


class Noisy(Threshold):
    """Prints a lot, without newlines and past Python."""

    info = describe("noisy")

    def segment(self, prompts, progress):
        print("no newline", end="")
        os.write(1, b"{'half a message" * 20000)
        os.write(2, np.random.default_rng(0).bytes(5000))
        return super().segment(prompts, progress)


class Raising(Threshold):
    """Has an error."""

    info = describe("raising")

    def segment(self, prompts, progress):
        raise ZeroDivisionError("division by zero in the model")


class Writing(Threshold):
    """Prints, and writes to the image."""

    info = describe("writing")

    def segment(self, prompts, progress):
        print("about to write")
        self.volume.data[0] = 0


class Misshapen(Threshold):
    """Gives a mask on another grid."""

    info = describe("misshapen")

    def segment(self, prompts, progress):
        return Mask.empty((1, 2, 3))


class ReturnsArray(Threshold):
    """Gives an array instead of a mask."""

    info = describe("returns_array")

    def segment(self, prompts, progress):
        return super().segment(prompts, progress).full()


class NoInfo(Threshold):
    """Has no info."""

    info = None


class Needy(Threshold):
    """Needs what nobody has."""

    info = describe("needy", modules=("a_module_that_nobody_has",))


class Where(Threshold):
    """Says which Python it runs in."""

    info = describe("where")

    def segment(self, prompts, progress):
        raise MedVLMError(sys.executable, f"{sys.prefix} as process {os.getpid()}")
