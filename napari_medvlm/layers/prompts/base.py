"""What the layers of prompts share: whose prompts they show, and how edits become gestures."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

import numpy as np

from napari_medvlm.data.errors import MedVLMError
from napari_medvlm.data.geometry.display import display_grid
from napari_medvlm.data.geometry.grid import Grid
from napari_medvlm.data.prompts import Prompt
from napari_medvlm.layers.convert import KEY
from napari_medvlm.layers.display.fixed_position import FixedPosition
from napari_medvlm.ledger.append_map import AppendMap
from napari_medvlm.sessions.segment.session import SegmentationSession

if TYPE_CHECKING:
    from napari import Viewer
    from napari.layers import Layer

HOLLOW, FILLED = "00", "80"
"""Opacity of the face of a point that is answered and of a pending one, as the end of a colour."""


P = TypeVar("P")


class PromptLayer(ABC, Generic[P]):
    """One of napari's own layers with the active object's prompts of some kinds.

    The ledger is the truth: `pull` makes the layer show it, and what the user edits in the layer is
    read by `_push` as gestures. An edit that the session refuses is reported and reverted.

    Parameters
    ----------
    viewer
        Where the layer lives; it is made when there is something to show, or by `ready`.
    session
        Whose prompts.
    on_error
        Called with edits that were refused.
    """

    role: ClassVar[str]
    """Entry of the layer's metadata by which it is found."""
    name: ClassVar[str]
    """What the layer is called when it is made."""
    kinds: ClassVar[tuple[type[Any], ...]]
    """The kinds of prompt that it shows."""

    def __init__(
        self,
        viewer: Viewer,
        session: SegmentationSession,
        on_error: Callable[[MedVLMError], None],
    ) -> None:
        self.viewer = viewer
        self.session = session
        self.grid: Grid = display_grid(session.volume.grid)
        self.positive = True
        self._on_error = on_error
        self._layer: Any = None
        self._position: FixedPosition | None = None
        self._pulling = False
        self._mine: tuple[AppendMap[Prompt], dict[int, P]] = AppendMap(), {}

    def _seen_mm(self, usual_mm: float, least: float, largest: float) -> float:
        return visible_mm(self.grid, usual_mm, least, largest)

    @abstractmethod
    def _make(self) -> Layer:
        """An empty layer, not yet in the viewer, whose edits call `_edited`."""

    @abstractmethod
    def _show(self, prompts: Mapping[int, P], pending: frozenset[int]) -> None:
        """Show these prompts, which are of this layer's kinds."""

    @abstractmethod
    def _push(self) -> None:
        """Read the layer and send the session what differs from the ledger."""

    def set_polarity(self, positive: bool) -> None:
        """Choose whether the next prompts say *this* or *not this*."""
        self.positive = positive

    def ready(self) -> Layer:
        """The layer, made if it is not there."""
        if not self._is_there:
            layer = self._make()
            layer.metadata[KEY] = {
                **layer.metadata.get(KEY, {}),
                "role": self.role,
                "volume": self.session.volume,
                "owner": layer.unique_id,
            }
            self.viewer.add_layer(layer)
            self._position = FixedPosition(layer, lambda: None)
            self._layer = layer  # not what the viewer returns, which may be a proxy
        return self._layer

    def pull(self) -> None:
        """Show the active object's prompts as the ledger has them."""
        prompts = self.mine()
        if not self._is_there and (self._layer is not None or not prompts):
            return  # there is nothing to show, or the layer was taken away just now
        active = self.viewer.layers.selection.active
        self.ready()
        with self._pulled():
            self._show(prompts, self.session.pending_prompts())
        if active is not None and self.viewer.layers.selection.active is not active:
            self.viewer.layers.selection.active = active

    @property
    def _is_there(self) -> bool:
        return self._layer is not None and self._layer in self.viewer.layers

    def mine(self) -> dict[int, P]:
        """The active object's prompts of this layer's kinds, by id."""
        live = self.session.now.objects.get(self.session.active or 0)
        if live is None:
            return {}
        before, mine = self._mine
        start = len(before) if live.prompts.extends(before) else 0
        mine = dict(mine) if start else {}
        for i, prompt in live.prompts.items_from(start):
            if isinstance(prompt, self.kinds):
                mine[i] = prompt
        self._mine = live.prompts, mine
        return dict(mine)

    def removed(self, layer: Layer) -> None:
        """The person took a layer out of the viewer: if it is this one, its prompts go too."""
        if layer is self._layer:
            self._layer = None
            ids = tuple(self.mine())
            if ids:
                self._try(lambda: self.session.remove(*ids))

    def _edited(self, *_: object) -> None:
        """To be called when a person changed the layer."""
        if not self._pulling:
            self._try(self._push)

    def _try(self, edit: Callable[[], object]) -> None:
        try:
            edit()
        except MedVLMError as error:
            self._on_error(error)
            self.session.changed.emit(None)

    @contextmanager
    def _pulled(self) -> Iterator[None]:
        self._pulling = True
        try:
            yield
        finally:
            self._pulling = False


def visible_mm(grid: Grid, usual_mm: float, least: float, largest: float) -> float:
    """A size in mm that can be seen and does not hide the image.

    Parameters
    ----------
    grid
        The display grid of the image.
    usual_mm
        The size for images as large as a patient.
    least, largest
        Limits as shares of the longest side of the image.
    """
    side_mm = float(np.max(np.multiply(grid.shape, grid.spacing)))
    return min(max(usual_mm, least * side_mm), largest * side_mm)


def new_rows(ids: Sequence[int], known: Container[int], drawn: Container[int]) -> list[int]:
    """Rows of a layer that are no prompt yet: just drawn, or pasted copies of another row.

    A row of a prompt that was drawn and is no longer live is neither: `pull` takes it away.

    Parameters
    ----------
    ids
        The prompt of each row, 0 if it has none.
    known
        The prompts that are live.
    drawn
        The prompts that were shown last.
    """
    first = {i: row for row, i in reversed(list(enumerate(ids)))}
    return [
        row
        for row, i in enumerate(ids)
        if i == 0 or (first[i] != row if i in known else i not in drawn)
    ]
