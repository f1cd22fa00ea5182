"""Scribble prompts as a Labels layer: label 1 says *this*, label 2 *not this*."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.data.colors import NEGATIVE, POSITIVE
from napari_medvlm.data.errors import InvalidPrompt
from napari_medvlm.data.geometry.grid import Grid
from napari_medvlm.data.prompts import Scribble
from napari_medvlm.layers.colormaps import label_colormap
from napari_medvlm.layers.prompts.base import PromptLayer
from napari_medvlm.sessions.segment.session import SegmentationSession

if TYPE_CHECKING:
    from napari.layers import Labels

LARGEST = 200_000
THIS, NOT_THIS = 1, 2
HALF_WAY = 1e-3
"""Voxels from the middle between two slices within which both are looked at."""
Voxels = NDArray[np.int64]


class StrokeMap:
    """The strokes of a session as labels, which the layers of all its views share.

    Attributes
    ----------
    values
        ``(z, y, x)``: what the layers show and napari paints on.
    before
        The same without what was painted since the last edit of the session.
    shown
        The prompts that are drawn, by id; `None` if they are to be drawn again.
    version
        Counts the changes: a layer that has drawn an older one is refreshed.
    """

    def __init__(self, shape: tuple[int, int, int]) -> None:
        self.values = np.zeros(shape, np.uint8)
        self.before = np.zeros(shape, np.uint8)
        self.shown: tuple[tuple[int, Scribble], ...] | None = ()
        self.version = 0

    def draw(self, prompts: tuple[tuple[int, Scribble], ...], grid: Grid) -> None:
        """Draw these prompts and nothing else; slices without any are not written to."""
        for plane in (*self.values, *self.before):
            if plane.any():
                plane[...] = 0
        for _, prompt in prompts:
            voxels = tuple(prompt.voxels(grid).T)
            self.values[voxels] = self.before[voxels] = THIS if prompt.positive else NOT_THIS
        self.shown = prompts
        self.version += 1


_stroke_maps: WeakKeyDictionary[SegmentationSession, StrokeMap] = WeakKeyDictionary()


def stroke_map(session: SegmentationSession, grid: Grid) -> StrokeMap:
    """The strokes of a session, made when they are first asked for."""
    if session not in _stroke_maps:
        _stroke_maps[session] = StrokeMap(grid.shape)
    return _stroke_maps[session]


class ScribblesLayer(PromptLayer[Scribble]):
    """Strokes of napari's brush. Erasing part of a stroke changes its prompt.

    The layers of all views of a session share one array, see `StrokeMap`.
    """

    role: ClassVar[str] = "scribbles"
    name: ClassVar[str] = "Scribbles (1: positive, 2: negative)"
    kinds: ClassVar[tuple[type[Any], ...]] = (Scribble,)

    _has_changed = False
    """Whether the last look at the layer found anything new."""
    _is_early = False
    """Whether something was announced and not found."""

    def set_polarity(self, positive: bool) -> None:
        """Choose what the next strokes say."""
        super().set_polarity(positive)
        if self._layer is not None:
            self._layer.selected_label = THIS if positive else NOT_THIS

    def _make(self) -> Labels:
        from napari.layers import Labels

        self._strokes = stroke_map(self.session, self.grid)
        self._drawn = self._strokes.version
        layer = Labels(
            self._strokes.values,
            name=self.name,
            affine=self.grid.affine,
            colormap=label_colormap({NOT_THIS: NEGATIVE}, other=POSITIVE),
            opacity=0.9,
        )
        layer.brush_size = max(1.0, self._seen_mm(3.0, 1 / 100, 1 / 20) / min(self.grid.spacing))
        layer.selected_label = THIS if self.positive else NOT_THIS
        layer.events.paint.connect(self._on_paint)
        layer.events.labels_update.connect(self._on_update)
        return layer

    def _on_paint(self, _: Any) -> None:
        self._has_changed = False
        self._edited()
        self._is_early = not self._has_changed

    def _on_update(self, _: Any) -> None:
        """Read the event that napari emits before it paints: it does so with its polygons."""
        if self._is_early:
            self._is_early = False
            self._edited()

    def _push(self) -> None:
        """Read the stroke as what differs from the prompts that were shown."""
        strokes_map, part = self._strokes, self._painted_part()
        before, after = strokes_map.before[part], np.asarray(self._layer.data[part])
        first = np.array([s.start for s in part])
        differs = before != after
        strokes = {
            True: differs & (after != 0) & (after != NOT_THIS),
            False: differs & (after == NOT_THIS),
        }
        erased = np.argwhere(differs & (after == 0)) + first
        self._has_changed = bool(differs.any())
        was_whole = strokes_map.shown == tuple(self.mine().items())
        strokes_map.shown = None
        if self._has_changed:
            before[...] = strokes_map.values[part] = after
            is_drawn = self._drawn == strokes_map.version
            strokes_map.version += 1
            self._drawn = strokes_map.version if is_drawn else self._drawn
        self._erase(erased)
        for positive, painted in strokes.items():
            voxels = np.argwhere(painted) + first
            if len(voxels) > LARGEST:
                raise InvalidPrompt(
                    f"The scribble covers {len(voxels)} voxels; the maximum is {LARGEST}.",
                    "Use a smaller brush, or draw a lasso.",
                )
            if len(voxels):
                self.session.add(Scribble.at_index(self.grid, voxels, positive))
        if was_whole:  # it is all there: drawn again, a next stroke that has begun would be lost
            strokes_map.shown = tuple(self.mine().items())

    def _painted_part(self) -> tuple[slice, ...]:
        """Where napari can have painted: the slice in view, or everywhere with a 3D brush."""
        part = [slice(0, n) for n in self.grid.shape]
        dims = self.viewer.dims
        if self._layer.n_edit_dimensions == 2 and dims.ndisplay == 2:
            axis = dims.order[-3] - (dims.ndim - 3)
            at = float(self.grid.to_index(dims.point[-3:])[axis])
            # Half-way between two slices napari may have painted on either.
            low, high = np.ceil(at - 0.5 - HALF_WAY), np.floor(at + 0.5 + HALF_WAY) + 1
            part[axis] = slice(max(int(low), 0), max(int(high), 1))
        return tuple(part)

    def _erase(self, voxels: Voxels) -> None:
        if not len(voxels):
            return
        gone, changed = [], {}
        for i, prompt in self.mine().items():
            own = prompt.voxels(self.grid)
            left = own[~_contained(own, voxels, self.grid.shape)]
            if not len(left):
                gone.append(i)
            elif len(left) < len(own):
                changed[i] = Scribble.at_index(self.grid, left, prompt.positive)
        if changed:
            self.session.change(changed)
        if gone:
            self.session.remove(*gone)

    def _show(self, prompts: Mapping[int, Scribble], pending: frozenset[int]) -> None:
        layer, strokes_map, wanted = self._layer, self._strokes, tuple(prompts.items())
        if strokes_map.shown != wanted:
            strokes_map.draw(wanted, self.grid)
        if layer.data is not strokes_map.values:  # as after napari's "Convert data type"
            layer.data = strokes_map.values
        if self._drawn != strokes_map.version:
            self._drawn = strokes_map.version
            layer.refresh()


def _contained(voxels: Voxels, others: Voxels, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    flat = [np.ravel_multi_index(tuple(v.T), shape) for v in (voxels, others)]
    return np.isin(flat[0], flat[1])
