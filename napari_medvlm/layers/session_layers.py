"""All layers of one session in one viewer."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from napari_medvlm.data.errors import MedVLMError
from napari_medvlm.layers.convert import KEY, role
from napari_medvlm.layers.mask_layer import PROMPT_ROLES, MaskLayer
from napari_medvlm.layers.object_picking import ObjectPicking
from napari_medvlm.layers.prompts.base import PromptLayer
from napari_medvlm.layers.prompts.points import PointsLayer
from napari_medvlm.layers.prompts.scribbles import ScribblesLayer
from napari_medvlm.layers.prompts.shapes import ShapesLayer
from napari_medvlm.layers.prompts.size_scroll import SizeScroll
from napari_medvlm.sessions.segment.session import SegmentationSession

if TYPE_CHECKING:
    from napari import Viewer
    from napari.layers import Layer


class SessionLayers:
    """The masks and the active object's prompts of a session, as layers.

    Parameters
    ----------
    viewer
        Where they are shown.
    session
        What they show. What the user edits in them becomes gestures of the session.
    on_error
        Called with edits that the session refused.
    on_removed
        Called with each layer that is taken out of the viewer; it calls `removed` in a moment if
        the image is still there: removing everything is no edit of the prompts.
    """

    def __init__(
        self,
        viewer: Viewer,
        session: SegmentationSession,
        on_error: Callable[[MedVLMError], None],
        on_removed: Callable[[Layer], None],
    ) -> None:
        self.viewer = viewer
        self.session = session
        self._notify_removed = on_removed
        _clear(viewer, session)
        self.mask = MaskLayer(viewer, session, on_error)
        self.points = PointsLayer(viewer, session, on_error)
        self.shapes = ShapesLayer(viewer, session, on_error)
        self.scribbles = ScribblesLayer(viewer, session, on_error)
        self._picking = ObjectPicking(viewer, session)
        self._size_scroll = SizeScroll(viewer, session, on_error)
        viewer.layers.events.removed.connect(self._on_removed)
        for event in (viewer.dims.events.point, viewer.dims.events.order):
            event.connect(self._on_view)
        viewer.dims.events.ndisplay.connect(self._on_view)

    @property
    def _prompts(self) -> tuple[PromptLayer[Any], ...]:
        return self.points, self.shapes, self.scribbles

    def redraw(self) -> None:
        """Show the label map, whose voxels changed."""
        self.mask.pull(redrawn=True)

    def pull(self) -> None:
        """Show the objects' names and colours, and the prompts, as the session has them."""
        self.mask.pull(redrawn=False)
        for layer in self._prompts:
            layer.pull()

    def set_polarity(self, positive: bool) -> None:
        """Choose whether the next prompts say *this* or *not this*."""
        for layer in self._prompts:
            layer.set_polarity(positive)
        self.mask.set_polarity(positive)

    def use(self, layer: PromptLayer[Any] | MaskLayer | None, mode: str) -> None:
        """Make a layer the one that the mouse works on, in one of napari's modes."""
        if layer is None:
            active = self.viewer.layers.selection.active
            if active is not None:
                active.mode = mode
            return
        self.mask.ready()  # now: it takes a moment that the first click should not
        chosen = layer.ready()
        self.viewer.layers.selection.active = chosen
        chosen.mode = mode
        if layer is self.mask:
            self.mask.pull(redrawn=False)
            self.mask.set_polarity(self.mask.positive)

    def close(self) -> None:
        """Take the layers of prompts away; the masks stay as an ordinary labels layer."""
        self._picking.close()
        self._size_scroll.close()
        self.viewer.layers.events.removed.disconnect(self._on_removed)
        self.mask.release()
        for event in (self.viewer.dims.events.point, self.viewer.dims.events.order):
            event.disconnect(self._on_view)
        self.viewer.dims.events.ndisplay.disconnect(self._on_view)
        for layer in [layer for layer in self.viewer.layers if role(layer) in PROMPT_ROLES]:
            self.viewer.layers.remove(layer)

    def removed(self, layer: Layer) -> None:
        """The person took a layer away: if it is one of prompts, these go too."""
        for prompts in self._prompts:
            prompts.removed(layer)

    def _on_removed(self, event: Any) -> None:
        self._notify_removed(event.value)

    def _on_view(self, _: Any) -> None:
        self.shapes.follow_view()


def _clear(viewer: Viewer, session: SegmentationSession) -> None:
    """Take away what an earlier session of the same image left in the viewer.

    The image is known by its digest: opened again, or read from a layer of another reader, it is
    another `Volume`.
    """
    for layer in list(viewer.layers):
        volume = layer.metadata.get(KEY, {}).get("volume")
        is_left = role(layer) in (*PROMPT_ROLES, "mask")
        if is_left and (volume is session.volume or volume.digest == session.ledger.image.digest):
            viewer.layers.remove(layer)
