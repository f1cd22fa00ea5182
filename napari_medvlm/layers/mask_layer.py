"""The objects' masks as one Labels layer."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_medvlm.data.errors import MedVLMError
from napari_medvlm.data.geometry.display import display_grid, displayed, is_aligned
from napari_medvlm.data.mask import Mask
from napari_medvlm.layers.colormaps import label_colormap, object_colors
from napari_medvlm.layers.convert import KEY, role
from napari_medvlm.layers.display.fixed_position import FixedPosition
from napari_medvlm.layers.mask_strokes import PaintedReslice, Stroke
from napari_medvlm.layers.orientation import axis_across, go_to, position_in_view
from napari_medvlm.layers.prompts.base import visible_mm
from napari_medvlm.layers.prompts.points import PointsLayer
from napari_medvlm.layers.prompts.scribbles import ScribblesLayer
from napari_medvlm.layers.prompts.shapes import ShapesLayer
from napari_medvlm.ledger.records import Overlap
from napari_medvlm.sessions.segment.session import SegmentationSession

if TYPE_CHECKING:
    from napari import Viewer
    from napari.layers import Labels, Layer

PROMPT_ROLES = (PointsLayer.role, ShapesLayer.role, ScribblesLayer.role)
LAYER_ROLES = (*PROMPT_ROLES, "mask")


class MaskLayer:
    """Shows the session's label map: a view of its memory, so only what changed is drawn again.

    What the user paints, fills or erases in it is an edit of the session, see
    `SegmentationSession.paint`. The selected label follows the active object, and the other way.

    Parameters
    ----------
    viewer
        The viewer that shows it.
    session
        The session whose masks it shows.
    on_error
        Called with the error of a stroke that the session refused.
    """

    role = "mask"
    """Entry of the layer's metadata by which it is found."""

    def __init__(
        self,
        viewer: Viewer,
        session: SegmentationSession,
        on_error: Callable[[MedVLMError], None] = lambda _: None,
    ) -> None:
        self.viewer = viewer
        self.session = session
        self._on_error = on_error
        self.positive = True
        self._pulling = False
        self._selected: int | None = None
        self._early: Stroke | None = None
        self._layer: Labels | None = None
        self._looks: object = None
        self._colors: dict[int, str] = {}
        self._shown: object = None
        self._hidden: set[int] = set()
        self._position: FixedPosition | None = None

    @property
    def layer(self) -> Labels | None:
        """The layer, if it is in the viewer."""
        is_there = self._layer is not None and self._layer in self.viewer.layers
        return self._layer if is_there else None

    def remove(self) -> None:
        """Take the layer out of the viewer."""
        if self.layer is not None:
            self.viewer.layers.remove(self.layer)
        self._layer = None

    def ready(self) -> Labels:
        """The layer, made if it is not there."""
        if self._layer is None or self._layer not in self.viewer.layers:
            below = [i for i, layer in enumerate(self.viewer.layers) if self._is_image(layer)]
            self._layer = self._make()
            self._position = FixedPosition(self._layer, lambda: None)
            self._shown = self._layer.data
            self.viewer.layers.insert(max(below, default=-1) + 1, self._layer)
            self._looks, self._colors = None, {}
        return self._layer

    def pull(self, redrawn: bool) -> None:
        """Show the objects as they are; ``redrawn`` means that voxels changed."""
        if not self.session.now.objects and self._layer is None:
            return
        active = self.viewer.layers.selection.active
        layer = self.ready()
        if active is not None and self.viewer.layers.selection.active is not active:
            self.viewer.layers.selection.active = active
        self._pulling = True
        once = layer.events.set_data.blocker() if redrawn else nullcontext()
        try:
            with once:  # drawn by the refresh below, with its colours
                self._color(layer)
                self._select(layer)
        finally:
            self._pulling = False
        is_replaced = layer.data is not self._shown  # as napari's "Convert data type" does
        if is_replaced or layer.metadata[KEY]["labels"] is not self.session.labels:
            layer.data = self._data()
            layer.metadata[KEY]["labels"] = self.session.labels
            self._shown = layer.data
        elif redrawn:
            with layer.events.blocker():  # else the list of layers is drawn too, with nothing new
                layer.refresh(extent=False, thumbnail=False)
            if not layer.visible:
                layer.events.set_data()  # napari emits nothing for hidden layers, and some listen

    def show_object(self, object_id: int, is_shown: bool) -> None:
        """Show or hide the mask of an object; it stays in the label map."""
        (self._hidden.discard if is_shown else self._hidden.add)(object_id)
        if self._layer is not None and self._layer in self.viewer.layers:
            self._color(self._layer)

    def toggle(self) -> None:
        """Show or hide all masks."""
        layer = self.ready()
        layer.visible = not layer.visible

    def go_to(self, object_id: int) -> None:
        """Move the planes into an object, unless the plane in view cuts it already."""
        mask = self.session.own_mask(object_id)
        voxels = np.argwhere(mask.crop)
        if not len(voxels):
            return
        grid = self.session.volume.grid
        world = grid.to_world(voxels + np.array(mask.start))
        axis, here = axis_across(self.viewer), position_in_view(self.viewer)
        if np.min(np.abs(world[:, axis] - here[axis])) > max(grid.spacing) / 2:
            center = world.mean(axis=0)
            nearest = world[np.argmin(np.linalg.norm(world - center, axis=1))]
            go_to(self.viewer, nearest.tolist())

    def release(self) -> None:
        """Let the user edit the layer, which is then theirs; called when the session ends.

        Without an object there is nothing to edit: the layer is removed.
        """
        layer = self._layer
        if layer is None or layer not in self.viewer.layers:
            return
        if self._position is not None:
            self._position.close()
        layer.events.paint.disconnect(self._on_paint)
        layer.events.labels_update.disconnect(self._on_update)
        layer.events.selected_label.disconnect(self._on_selected)
        for key in _undo_keys():
            layer.bind_key(key, None, overwrite=True)
        if not self.session.now.objects:
            self.viewer.layers.remove(layer)
            return
        layer.editable = False  # which ends napari's own history of the session's strokes
        layer.editable = True

        def give(_: object) -> None:
            layer.metadata[KEY]["role"] = "labels"

        layer.events.paint.connect(give)

    def _is_image(self, layer: Layer) -> bool:
        return role(layer) not in PROMPT_ROLES

    def _make(self) -> Labels:
        from napari.layers import Labels

        volume = self.session.volume
        layer = Labels(
            self._data(),
            name=f"Objects in {volume.name}",
            affine=display_grid(volume.grid).affine,
            opacity=0.5,
            blending="translucent_no_depth",
        )
        layer.metadata[KEY] = {
            "role": "mask",
            "volume": volume,
            "labels": self.session.labels,
            "covered": self._covered,
            "owner": layer.unique_id,
        }
        brush_mm = visible_mm(display_grid(volume.grid), 3.0, 1 / 100, 1 / 20)
        layer.brush_size = max(1.0, brush_mm / min(volume.spacing))
        layer.events.paint.connect(self._on_paint)
        layer.events.labels_update.connect(self._on_update)
        layer.events.selected_label.connect(self._on_selected)
        undo, redo = _undo_keys()
        layer.bind_key(undo, lambda _: self.session.undo(), overwrite=True)
        layer.bind_key(redo, lambda _: self.session.redo(), overwrite=True)
        return layer

    def _data(self) -> Any:
        """The label map on the display grid."""
        labels, grid = self.session.labels, self.session.volume.grid
        if is_aligned(grid.affine):
            return displayed(labels, grid, order=0)
        return PaintedReslice(labels, grid, display_grid(grid), order=0)

    def set_polarity(self, positive: bool) -> None:
        """Choose whether the brush paints or erases."""
        self.positive = positive
        if self.layer is not None and str(self.layer.mode) in ("paint", "erase"):
            self.layer.mode = "paint" if positive else "erase"

    def _on_paint(self, event: Any) -> None:
        """Add a stroke to the session and show the resulting mask."""
        assert self._layer is not None
        grid = self.session.volume.grid
        stroke = Stroke.of(event.value, self.session.labels.dtype)
        if not stroke.is_in(self._layer.data):  # napari emits the event before it draws polygons
            self._early = stroke
        try:
            self.session.paint(stroke.masks(grid, display_grid(grid)))
        except MedVLMError as error:
            self._on_error(error)
        self._redraw(stroke)

    def _on_update(self, _: Any) -> None:
        stroke, self._early = self._early, None
        if stroke is not None:
            self._redraw(stroke)

    def _redraw(self, stroke: Stroke) -> None:
        """Draw the labels of the session over what napari painted."""
        grid = self.session.volume.grid
        for mask in stroke.masks(grid, display_grid(grid)).values():
            self.session.redraw(mask.slices)
        if self._layer is not None:
            self._layer.refresh(extent=False, thumbnail=False)

    def _select(self, layer: Labels) -> None:
        """Have the brush paint the active object, or the next one if there is none."""
        active = self.session.active or self._next_id
        if active != self._selected and active <= np.iinfo(layer.data.dtype).max:
            self._selected = active
            layer.selected_label = active

    @property
    def _next_id(self) -> int:
        return 1 + max(self.session.now.objects, default=0)

    def _on_selected(self, _: Any) -> None:
        """Make the object of the label that a person chose for the brush the active one."""
        if self._pulling or self._layer is None:
            return
        label = int(self._layer.selected_label)
        if label != self.session.active and label in self.session.now.objects:
            self._selected = label
            self.session.activate(label)

    def _covered(self) -> dict[int, Mask]:
        """The voxels of objects at which others are drawn, where a voxel may belong to both."""
        session = self.session
        if session.now.overlap is not Overlap.BOTH:
            return {}
        covered = {}
        for object_id in session.now.objects:
            own = session.own_mask(object_id)
            hidden = own.crop & (session.labels[own.slices] != object_id)
            if hidden.any():
                covered[object_id] = Mask.in_box(hidden, own.start, own.shape)
        return covered

    def _color(self, layer: Labels) -> None:
        infos = [live.info for live in self.session.now.objects.values()]
        uids = {info.id: self.session.ledger.uid_of(info.id) for info in infos}
        looks = [(i.id, i.name, i.color, uids[i.id], i.id in self._hidden) for i in infos]
        if looks == self._looks:
            return
        self._looks = looks
        layer.metadata[KEY]["tracking_uids"] = uids
        colors = object_colors(infos, self._hidden)
        if colors != self._colors:
            self._colors = colors
            layer.colormap = label_colormap(colors)
        layer.features = {
            "index": [0, *(info.id for info in infos)],
            "object": ["none", *(info.name for info in infos)],
        }


def _undo_keys() -> tuple[Any, Any]:
    """The keys for undo and redo that napari binds to the history of a Labels layer."""
    from app_model.types import KeyCode, KeyMod

    undo = KeyMod.CtrlCmd | KeyCode.KeyZ
    return undo, KeyMod.CtrlCmd | KeyMod.Shift | KeyCode.KeyZ
