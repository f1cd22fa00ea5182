"""Whether napari is adding a layer: no other may be added meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari.components import LayerList


class Insertions:
    """Knows whether a layer is being added to a list of layers.

    napari moves the sliders while it adds a layer. A layer that is added in answer to that would
    be added before napari's widget of the list has the first one: it then raises at each drawing.

    Parameters
    ----------
    layers
        The layers of a viewer.
    on_end
        Called after a layer was added.

    Attributes
    ----------
    is_running
        Whether a layer is being added.
    """

    def __init__(self, layers: LayerList, on_end: Callable[[], object]) -> None:
        self._layers = layers
        self._on_end = on_end
        self.is_running = False
        layers.events.inserting.connect(self._on_inserting)
        layers.events.inserted.connect(self._on_inserted)

    def close(self) -> None:
        """Stop watching."""
        self._layers.events.inserting.disconnect(self._on_inserting)
        self._layers.events.inserted.disconnect(self._on_inserted)

    def _on_inserting(self, _: Any) -> None:
        self.is_running = True

    def _on_inserted(self, _: Any) -> None:
        self.is_running = False
        self._on_end()
