"""Embeddings of slices, computed once in batches and cached in memory and on disk."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from napari_medvlm.backends.sam.embedding_store import EmbeddingStore, Identity
from napari_medvlm.backends.sam.model import SamModel
from napari_medvlm.backends.sam.slice_backend import Plane

if TYPE_CHECKING:
    import torch

MEMORY_MIB = 1024
"""How much is kept in memory: 256 slices of the full-size networks."""
GPU_BATCH = 4
"""How many slices a graphics card is given at once. A processor is given one at a time: it gains
nothing by more, and each slice is a chance to cancel.

It is always the same number, the last picture repeated if need be: with another one the card adds
up in another order, and the same prompts could give another mask."""


class Embeddings:
    """The embeddings of slices by one network.

    Parameters
    ----------
    store
        Where they are kept on disk.
    memory_mib
        How much of them is kept in memory, the latest used.
    """

    def __init__(
        self, model: SamModel, store: EmbeddingStore, memory_mib: float = MEMORY_MIB
    ) -> None:
        self.store, self._model = store, model
        self._most = int(memory_mib * 2**20)
        self._held: OrderedDict[tuple[str, int], torch.Tensor] = OrderedDict()
        self._size = 0
        self._shower = ThreadPoolExecutor(1, "pictures")
        self.batch = GPU_BATCH if model.device.type == "cuda" else 1

    def forget(self) -> None:
        """Clear the memory cache."""
        self._held.clear()
        self._size = 0

    def identity(self, plane: Plane) -> Identity:
        """Cache key of a plane's embeddings."""
        window = "" if plane.window is None else repr(plane.window.limits)
        return {
            "image": plane.volume.digest,
            "model": self._model.digest,
            "recipe": self._model.recipe + (" half" if self._model.half else ""),
            "axis": str(plane.axis),
            "window": window,
        }

    def get(self, plane: Plane, index: int, prefetch: Sequence[int] = ()) -> torch.Tensor:
        """The embedding ``(c, h, w)`` of a slice, on the processor.

        Parameters
        ----------
        then
            Slices that are likely to follow; some may be computed together with it.
        """
        embedding = self._cached(plane, index)
        if embedding is not None:
            return embedding
        ahead = prefetch[: self._batch(plane) - 1]
        batch = [index, *(other for other in ahead if not self._is_cached(plane, other))]
        self._compute(plane, batch, self._shown(plane, batch))
        return self._held[self._key(plane, index)]

    def prepare(
        self, plane: Plane, wanted: Sequence[int], report: Callable[[float, str], None]
    ) -> int:
        """Compute missing embeddings and return their number.

        Pictures are made while others are computed. After the last slice of the plane all are on
        disk; before, the last few may still be on their way.
        """
        missing = [i for i in wanted if not self._is_cached(plane, i)]
        step = self._batch(plane)
        batches = [missing[k : k + step] for k in range(0, len(missing), step)]
        done = 0
        upcoming = None
        for number, batch in enumerate(batches):
            report(done / len(missing), f"slice {done + 1} of {len(missing)}")
            shown = upcoming.result() if upcoming else self._shown(plane, batch)
            following = batches[number + 1 : number + 2]
            upcoming = self._shower.submit(self._shown, plane, following[0]) if following else None
            self._compute(plane, batch, shown)
            done += len(batch)
        if plane.count - 1 in wanted:
            self.store.wait()
        report(1.0, f"{len(missing)} slices")
        return len(missing)

    def _batch(self, plane: Plane) -> int:
        return min(self.batch, plane.count)

    def _shown(self, plane: Plane, batch: Sequence[int]) -> list[torch.Tensor]:
        return [self._model.prepared(plane.picture(index).pixels) for index in batch]

    def _compute(self, plane: Plane, batch: Sequence[int], shown: list[torch.Tensor]) -> None:
        full = shown + shown[-1:] * (self._batch(plane) - len(shown))
        embedded = self._model.embed(full).cpu()
        for index, embedding in zip(batch, embedded[: len(batch)], strict=True):
            own = embedding.clone() if len(full) > 1 else embedding
            self._hold(plane, index, own)
            self.store.put(self.identity(plane), index, own.numpy())

    def _is_cached(self, plane: Plane, index: int) -> bool:
        cached = self._key(plane, index) in self._held
        return cached or self.store.has(self.identity(plane), index)

    def _cached(self, plane: Plane, index: int) -> torch.Tensor | None:
        import torch

        key = self._key(plane, index)
        if key in self._held:
            self._held.move_to_end(key)
            return self._held[key]
        stored = self.store.get(self.identity(plane), index)
        if stored is None:
            return None
        self._hold(plane, index, torch.from_numpy(stored))
        return self._held[key]

    def _hold(self, plane: Plane, index: int, embedding: torch.Tensor) -> None:
        self._held[self._key(plane, index)] = embedding
        self._size += embedding.nbytes
        while self._size > self._most and len(self._held) > self.batch:
            self._size -= self._held.popitem(last=False)[1].nbytes

    def _key(self, plane: Plane, index: int) -> tuple[str, int]:
        return repr(sorted(self.identity(plane).items())), index
