"""Computing the masks of a session again, and comparing them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from napari_medvlm.data.mask import Mask
from napari_medvlm.data.volume import Volume
from napari_medvlm.ledger.ledger import Ledger
from napari_medvlm.ledger.records import Predicted, Record
from napari_medvlm.sessions.segment.edits import remove_objects
from napari_medvlm.sessions.segment.session import SegmentationSession
from napari_medvlm.worker.runner import Runner


@dataclass(frozen=True)
class Replayed:
    """An object that was computed again.

    Attributes
    ----------
    backend
        Who made the mask now; `None` if it follows from the prompts alone.
    identical
        Whether it equals the recorded mask voxel for voxel, both before edits by hand; `None` if
        none was recorded.
    voxels_recorded, voxels_replayed
        Size of the recorded mask (`None` if none was recorded) and of the new one, before edits by
        hand.
    mask
        The new mask with all edits by hand, on the volume's grid.
    edits
        Number of edits by hand in it.
    """

    object_id: int
    name: str
    backend: str | None
    identical: bool | None
    voxels_recorded: int | None
    voxels_replayed: int
    mask: Mask
    edits: int = 0


def replay(
    ledger: Ledger,
    volume: Volume,
    backend: str | None = None,
    *,
    model: str | None = None,
    device: str = "cpu",
    runner: Literal["worker", "inline"] | Runner = "worker",
) -> tuple[Replayed, ...]:
    """Compute the masks of all live objects again, with the same steps.

    Parameters
    ----------
    ledger
        The session; it is not changed.
    volume
        The image that the session is about.
    backend, model
        Who makes the masks; `None`: who made them then, if the user chose that model before.

    Raises
    ------
    SessionFileError
        If the session is about another image.
    BackendUnavailable
        If only the session names a model, see `chosen_models`.
    MedVLMError
        If a mask cannot be computed.
    """
    records = ledger.records if backend is None else _by(ledger.records, backend, model)
    again = Ledger(ledger.image, records)
    with SegmentationSession(
        volume, backend or "embedded", runner, model=model, device=device, ledger=again
    ) as session:
        session.wait()
        return tuple(_compare(ledger, session, object_id) for object_id in ledger.now.objects)


@dataclass(frozen=True)
class Compared:
    """An object's mask by two backends, from the same prompts in the same steps.

    Attributes
    ----------
    then, now
        The mask as it was made, and that of the other backend.
    backend_recorded, backend_replayed
        Who made them; `None` if the mask follows from the prompts alone.
    dice
        Twice what both share over the sum of both; 1 if both are empty.
    volume_recorded_ml, volume_replayed_ml
        Their sizes in millilitres.
    """

    object_id: int
    name: str
    then: Mask
    now: Mask
    backend_recorded: str | None
    backend_replayed: str | None
    dice: float
    volume_recorded_ml: float
    volume_replayed_ml: float

    def __str__(self) -> str:
        change = self.volume_replayed_ml - self.volume_recorded_ml
        return (
            f"{self.name}: Dice {self.dice:.3f}, {self.volume_recorded_ml:.2f} mL then, "
            f"{self.volume_replayed_ml:.2f} mL now ({change:+z.2f} mL)"
        )


def compared(then: Mask, now: Replayed, backend_recorded: str | None, volume: Volume) -> Compared:
    """Compare a mask with what another backend made of its prompts."""
    voxel_ml = volume.grid.voxel_ml
    total = then.voxels + now.mask.voxels
    shared = int(np.count_nonzero(then.full() & now.mask.full()))
    return Compared(
        object_id=now.object_id,
        name=now.name,
        then=then,
        now=now.mask,
        backend_recorded=backend_recorded,
        backend_replayed=now.backend,
        dice=2 * shared / total if total else 1.0,
        volume_recorded_ml=then.voxels * voxel_ml,
        volume_replayed_ml=now.mask.voxels * voxel_ml,
    )


def only(ledger: Ledger, object_id: int) -> Ledger:
    """A copy of a ledger in which one object alone is live."""
    copy = Ledger(ledger.image, ledger.records)
    others = [i for i in copy.now.objects if i != object_id]
    if others:
        copy.append(*remove_objects(copy.now, others))
    return copy


def _by(records: Iterable[Record], backend: str, model: str | None) -> list[Record]:
    """The same records, as if another backend had been asked."""
    changes = {"backend": backend, "model": model}
    return [r.model_copy(update=changes) if isinstance(r, Predicted) else r for r in records]


def _compare(ledger: Ledger, session: SegmentationSession, object_id: int) -> Replayed:
    live = ledger.now.objects[object_id]
    then, now = ledger.prediction_of(live), session.ledger.prediction_of(live)
    mask = session.own_mask(object_id)
    computed = session.mask_before_edits(object_id)
    computed = mask if computed is None else computed
    return Replayed(
        object_id=object_id,
        name=live.info.name,
        backend=None if now is None else now.backend,
        identical=None if then is None else then.digest == computed.digest,
        voxels_recorded=None if then is None else then.voxels,
        voxels_replayed=computed.voxels,
        mask=mask,
        edits=len(live.current_edits()),
    )
