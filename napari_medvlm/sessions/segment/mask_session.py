"""Edits of a segmentation session that start from masks: paint, merge, split, import labels."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.data.errors import GeometryMismatch, InvalidPrompt
from napari_medvlm.data.mask import Mask
from napari_medvlm.ledger.records import Event, Overlap
from napari_medvlm.sessions.segment import edits, mask_edits
from napari_medvlm.sessions.segment.session_view import SessionView


class MaskSession(SessionView, ABC):
    """The edits of a session for which its masks are needed."""

    _closed: bool

    @abstractmethod
    def _append(self, *events: Event) -> None:
        """Add an entry of these events to the ledger; masks follow."""

    def paint(self, painted: Mapping[int, Mask | NDArray[np.bool_]]) -> None:
        """Edit masks by hand: add voxels to objects, or erase them from all, as one edit.

        The voxels stay as they are in all later masks. They are removed from other objects unless
        the rule is `Overlap.BOTH`; voxels of locked objects stay theirs. An id without an object
        begins one.

        Parameters
        ----------
        painted
            The voxels on the volume's grid by object id; 0 erases.

        Raises
        ------
        GeometryMismatch
            If the masks have another shape than the volume.
        ObjectLocked
            If the object is locked, or all voxels belong to locked ones.
        """
        self._require_open()
        masks = {i: m if isinstance(m, Mask) else Mask.of(m) for i, m in painted.items()}
        for mask in masks.values():
            if mask.shape != self.volume.shape:
                raise GeometryMismatch(
                    f"The mask has the shape {mask.shape}, the image {self.volume.shape}.",
                    "Resample the mask to the image first.",
                )
        masks = {i: mask for i, mask in masks.items() if mask.voxels}
        grid = self.volume.grid
        self._append(*mask_edits.paint(self.now, grid, masks, self.own_mask))

    def redraw(self, box: tuple[slice, slice, slice]) -> None:
        """Draw a box ``(z, y, x)`` of `labels` again, over what was written into them."""
        self._engine.redraw(box)

    def merge(self, object_id: int, *others: int) -> None:
        """Make other objects part of one; they are gone, their voxels are in it.

        Raises
        ------
        InvalidPrompt
            If prompts of one of them have no mask yet.
        """
        self._require_answered(object_id, *others)
        masks = {i: self._engine.belonging(i) for i in (object_id, *others)}
        prompt_id = self.ledger.next_prompt_id()
        self._append(*edits.merge(self.now, self.volume.grid, prompt_id, masks))

    def split(self, object_id: int) -> tuple[int, ...]:
        """Make each piece of an object but the largest an object of its own; their ids.

        Raises
        ------
        InvalidPrompt
            If it is one piece, or prompts of it have no mask yet.
        """
        self._require_answered(object_id)
        mask = self._engine.belonging(object_id)
        prompt_id = self.ledger.next_prompt_id()
        object_ids, events = edits.split(self.now, self.volume.grid, prompt_id, object_id, mask)
        self._append(*events)
        return object_ids

    def import_labels(
        self,
        labels: NDArray[np.integer],
        names: Mapping[int, str] | None = None,
        tracking_uids: Mapping[int, str] | None = None,
        covered: Mapping[int, Mask] | None = None,
    ) -> tuple[int, ...]:
        """Take the labels of an array ``(z, y, x)`` on the volume's grid as locked objects.

        They are never overwritten, count as negative for others, and are written to DICOM with
        their tracking UIDs. Regions that overlap (``covered``, see `NamedLabels`) set the rule
        `Overlap.BOTH`.
        """
        grid, prompt_id = self.volume.grid, self.ledger.next_prompt_id()
        masks = edits.label_masks(labels, grid, covered or {})
        ids, events = edits.take_masks(self.now, grid, prompt_id, masks, names, tracking_uids)
        self._append(*(edits.set_overlap(self.now, Overlap.BOTH) if covered else ()), *events)
        return ids

    def _require_open(self) -> None:
        if self._closed:
            raise InvalidPrompt("The session is closed.", "Open another one.")

    def _require_answered(self, *object_ids: int) -> None:
        """Refuse what goes on from masks where prompts would be lost."""
        waiting = self.pending_prompts()
        for object_id in object_ids:
            live = self.now.objects.get(object_id)
            if live is not None and waiting & live.prompts.keys():
                raise InvalidPrompt(
                    f"The mask of {live.info.name} does not follow all its prompts yet.",
                    "Wait for it or press Ask again, or take the prompts away.",
                )
