"""Between the docks: an answer's regions to Segment, and who looks for phrases in Ground."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_medvlm.data.conversation import Exchange
from napari_medvlm.data.errors import InvalidPrompt
from napari_medvlm.data.prompts import InitialMask
from napari_medvlm.data.volume import Volume
from napari_medvlm.widgets.commands import dock_of

if TYPE_CHECKING:
    from napari import Viewer
    from napari.layers import Image


def hand_on(
    viewer: Viewer, layer: Image, volume: Volume, exchange: Exchange | None, claim: int | None
) -> None:
    """Make objects of the Segment dock of the regions of a claim.

    Raises
    ------
    InvalidPrompt
        If there is no region.
    """
    claims = () if exchange is None or exchange.answer is None else exchange.answer.claims
    regions = () if claim is None or claim >= len(claims) else claims[claim].regions
    if exchange is None or not regions:
        raise InvalidPrompt(
            "No sentence with a region is chosen.", "Click a sentence that is linked first."
        )
    dock = dock_of(viewer)
    for region in regions:
        prompt = region.box if region.mask is None else InitialMask.of(volume, region.mask)
        name = region.name or region.phrase
        dock.take(layer, name, prompt, f"{name}, answered by {exchange.backend}")


def ground_backend(viewer: Viewer) -> tuple[str, str | None]:
    """The backend and model of the Ground dock; the embedded one if that dock is not open."""
    from napari_medvlm.widgets.ground import GroundDock

    for widget in viewer.window.dock_widgets.values():
        if isinstance(widget, GroundDock):
            return widget.backend.name, widget.model.model
    return "embedded", None
