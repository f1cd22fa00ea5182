"""What a segmentation session shows: objects, masks and measurements, without changing them."""

from __future__ import annotations

import numpy as np

from napari_medvlm.backends.base import BackendInfo
from napari_medvlm.data.errors import InvalidPrompt
from napari_medvlm.data.mask import BoolArray, Mask
from napari_medvlm.data.measurements.measure import Measurement, measure
from napari_medvlm.data.volume import Volume
from napari_medvlm.ledger.ledger import Ledger
from napari_medvlm.ledger.records import Overlap
from napari_medvlm.ledger.state import LedgerState
from napari_medvlm.sessions.segment.engine import Engine
from napari_medvlm.sessions.segment.label_map import Labels


class SessionView:
    """The state of a segmentation session, for reading.

    Attributes
    ----------
    volume
        The image.
    ledger
        All edits of the session.
    active
        Id of the object that prompts go to; `None` if there is none.
    """

    volume: Volume
    ledger: Ledger
    active: int | None
    _engine: Engine
    _info: BackendInfo

    @property
    def notices(self) -> tuple[str, ...]:
        """What happened on opening: damaged records, a copy that is continued."""
        return self._engine.notices

    @property
    def now(self) -> LedgerState:
        """All live objects with their prompts."""
        return self.ledger.now

    @property
    def backend(self) -> str:
        """Name of the backend that makes the next masks."""
        return self._info.name

    @property
    def mask(self) -> BoolArray:
        """``(z, y, x)`` bool: the active object, as far as it was computed."""
        if self.active is None:
            return np.zeros(self.volume.shape, bool)
        return self.mask_of(self.active)

    def mask_of(self, object_id: int) -> BoolArray:
        """``(z, y, x)`` bool: what belongs to an object by the overlap rule.

        Raises
        ------
        InvalidPrompt
            If there is no such object.
        """
        self.require_object(object_id)
        return self.belonging(object_id).full()

    def belonging(self, object_id: int) -> Mask:
        """What belongs to an object by the overlap rule; empty if there is no such object."""
        return self._engine.belonging(object_id)

    def own_mask(self, object_id: int) -> Mask:
        """An object's mask as it was computed, whatever others cover of it."""
        return self._engine.label_map.belonging(object_id, Overlap.BOTH)

    def mask_before_edits(self, object_id: int) -> Mask | None:
        """The mask that a backend returned, without edits by hand; None if it is not there."""
        return self._engine.before_edits(object_id)

    def require_object(self, object_id: int) -> None:
        """Raise `InvalidPrompt` unless there is an object of that id."""
        if object_id in self.now.objects:
            return
        ids = ", ".join(map(str, self.now.objects)) or "none"
        raise InvalidPrompt(f"There is no object {object_id}.", f"The ids are: {ids}.")

    @property
    def labels(self) -> Labels:
        """``(z, y, x)`` uint8: the id of the object at each voxel, 0 for none. Not a copy.

        With larger ids another array, of uint16 or uint32, takes its place.
        """
        return self._engine.label_map.labels

    @property
    def pending(self) -> frozenset[int]:
        """Objects whose mask is on its way."""
        return self._engine.pending

    def pending_prompts(self) -> frozenset[int]:
        """Prompts that the masks do not yet follow."""
        return self._engine.unanswered()

    def last_measurement(self, object_id: int) -> Measurement | None:
        """The last measurement of an object, made while masks are shown; `None` before."""
        return self._engine.measurements.get(object_id)

    def measurement(self, object_id: int) -> Measurement:
        """Size and intensity of what belongs to an object, measured now; raises as `mask_of`."""
        self.require_object(object_id)
        return measure(self.volume, self._engine.belonging(object_id))
