"""Retry with less memory, fallback by fallback, with notes for the user."""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from napari_medvlm.backends.base import Progress
from napari_medvlm.backends.memory.out_of_memory import give_back, is_out_of_memory
from napari_medvlm.data.errors import OutOfMemory

logger = logging.getLogger(__name__)
T = TypeVar("T")


def nothing() -> None:
    """Do nothing."""


@dataclass(frozen=True)
class Fallback:
    """A way to need less memory.

    Parameters
    ----------
    words
        How it goes on then: ``"one slice at a time"``.
    take
        Does it; it holds until `MemoryFallbacks.renew`.
    """

    words: str
    take: Callable[[], object]


FREED = Fallback("after freeing unused memory", nothing)


class MemoryFallbacks:
    """Tries a request again where the memory did not suffice, each time with less.

    What was kept for later is freed first; then the rungs are taken one after the other. A rung
    that was taken holds for the requests that follow, until `renew`.

    Parameters
    ----------
    title, device
        Who needs the memory, and where, for messages.
    rungs
        Ways to need less, the least harmful first.
    free
        Forgets what is kept only to be faster.
    usual
        Undoes all rungs.
    """

    def __init__(
        self,
        title: str,
        device: str,
        rungs: Sequence[Fallback] = (),
        *,
        free: Callable[[], object] = nothing,
        usual: Callable[[], object] = nothing,
    ) -> None:
        self._title, self._device = title, device
        self._rungs, self._free, self._usual = tuple(rungs), free, usual
        self.taken = 0

    def renew(self) -> None:
        """Work as usual again: another volume may need less."""
        if self.taken:
            self.taken = 0
            self._usual()

    def tried(self, call: Callable[[], T], progress: Progress) -> tuple[T, tuple[str, ...]]:
        """The result of a call, retried with less memory, and notes on the fallbacks used.

        Raises
        ------
        OutOfMemory
            If the last rung does not help either.
        """
        freed = False
        for rung in (None, FREED, *self._rungs[self.taken :]):
            try:
                if rung is not None:
                    freed = True
                    self._take(rung, progress)
                return call(), self._notes(freed)
            except (MemoryError, RuntimeError) as error:
                if not is_out_of_memory(error):
                    raise
                logger.warning("Out of memory: %s", self._title, exc_info=True)
        tried = "".join(f", {rung.words}" for rung in self._rungs)
        raise OutOfMemory(
            f"Out of memory: {self._title} on {self._device}"
            + (f", also{tried[1:]}." if tried else "."),
            "Close other programs, crop the image, or choose a smaller model or the CPU.",
        )

    def _take(self, rung: Fallback, progress: Progress) -> None:
        progress(0.0, f"Out of memory: trying again {rung.words}")
        self._free()
        gc.collect()
        give_back(self._device)
        if rung is not FREED:
            self.taken += 1
            rung.take()

    def _notes(self, freed: bool) -> tuple[str, ...]:
        """Notes for the user on what was done to save memory."""
        if not (self.taken or freed):
            return ()
        applied = [rung.words for rung in self._rungs[: self.taken]] or [FREED.words]
        until = " until another image is opened" if self.taken else ""
        return (f"Out of memory on {self._device}: {self._title} ran {', '.join(applied)}{until}.",)
