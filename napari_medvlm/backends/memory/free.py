"""Free memory of the computer and of NVIDIA graphics cards, without torch."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

MIB = 1 << 20


@dataclass(frozen=True)
class GpuMemory:
    """A graphics card, and how much of its memory is free, in MiB."""

    name: str
    free_mib: int


@dataclass(frozen=True)
class Memory:
    """Free memory in MiB.

    Parameters
    ----------
    ram_mib
        What the computer could give to a program now.
    cards
        The graphics cards that can be asked; none if nvidia-ml-py is not installed.
    """

    ram_mib: int
    cards: tuple[GpuMemory, ...] = ()

    @property
    def most_mib(self) -> int:
        """The most that one model could have."""
        return max([self.ram_mib, *(card.free_mib for card in self.cards)])

    def __str__(self) -> str:
        cards = [f"{card.name}: {gigabytes(card.free_mib)}" for card in self.cards]
        return "; ".join([f"{gigabytes(self.ram_mib)} of RAM", *cards])


def free() -> Memory:
    """Measure the free memory; takes a few milliseconds, more with graphics cards."""
    import psutil

    return Memory(int(psutil.virtual_memory().available // MIB), tuple(_cards()))


def gigabytes(mib: int) -> str:
    """A number of MiB in words."""
    return f"{mib * MIB / 1e9:.1f} GB"


def _cards() -> Iterator[GpuMemory]:
    try:
        import pynvml
    except ImportError:
        return
    nvml: Any = pynvml
    with contextlib.suppress(nvml.NVMLError):  # no driver, or none that answers
        nvml.nvmlInit()
        try:
            for number in range(nvml.nvmlDeviceGetCount()):
                card = nvml.nvmlDeviceGetHandleByIndex(number)
                name = nvml.nvmlDeviceGetName(card)
                name = name.decode() if isinstance(name, bytes) else str(name)
                yield GpuMemory(name, int(nvml.nvmlDeviceGetMemoryInfo(card).free // MIB))
        finally:
            nvml.nvmlShutdown()
