"""Outlines of the prior's lesions: in the view of the prior, and carried over in the viewer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_medvlm.data.geometry.grid import Grid
from napari_medvlm.data.label_image import NamedLabels
from napari_medvlm.data.volume import Volume
from napari_medvlm.layers.convert import labels_and_grid, labels_data
from napari_medvlm.layers.label_names import names_of
from napari_medvlm.layers.layer_set import LayerSet
from napari_medvlm.layers.pairing.carry import resampled
from napari_medvlm.layers.pairing.pairing_layers import PairedStudies
from napari_medvlm.layers.views.linked import linked_views

if TYPE_CHECKING:
    from napari import Viewer
    from napari.layers import Labels

KIND, ROLE = "follow-up", "prior outlines"
TITLE = "Outlines in the prior"
WIDTH = 1
"""Width of the outlines in voxels."""


def moved_lesions(layer: Labels, studies: PairedStudies) -> NamedLabels:
    """The lesions of the prior in the current image's frame.

    They are not resampled unless the pairing is deformable, which takes seconds.

    Parameters
    ----------
    layer
        The lesions in the prior's ``(S, P, L)`` mm.
    studies
        The pairing of the two volumes.
    """
    pairing = studies.pairing
    if pairing.displacement_mm is not None:
        return resampled(layer, pairing.to_prior, studies.current.grid, TITLE)
    values, own = labels_and_grid(layer)
    grid = Grid(own.shape, np.asarray(pairing.affine_mm @ own.affine))
    return NamedLabels(values, grid, names_of(layer), TITLE)


class PriorOutlines:
    """The outlines in a viewer, and in the view of the prior while that is open.

    Parameters
    ----------
    viewer
        The viewer with the current image.
    lesions
        The lesions in the current image's frame, see `moved_lesions`.
    current
        The current image.
    colormap
        Their colours.
    """

    def __init__(
        self, viewer: Viewer, lesions: NamedLabels, current: Volume, colormap: Any
    ) -> None:
        self._lesions, self._current, self._colormap = lesions, current, colormap
        self._in_viewer = LayerSet(viewer, current, KIND)
        self._in_prior: LayerSet | None = None
        self._linked = linked_views(viewer)
        self._add(self._in_viewer)
        self._linked.prior_changed.connect(self._on_prior)
        self._on_prior(self._linked.prior)

    def close(self) -> None:
        """Remove the outlines from both views."""
        self._linked.prior_changed.disconnect(self._on_prior)
        self._in_viewer.clear()
        if self._in_prior is not None:
            self._in_prior.clear()
            self._in_prior = None

    def _on_prior(self, view: Any) -> None:
        """Draw the outlines in the view of the prior when it opens."""
        if self._in_prior is not None:
            self._in_prior.clear()
        self._in_prior = None
        if view is not None:
            self._in_prior = LayerSet(view, self._current, KIND)
            self._add(self._in_prior)

    def _add(self, layers: LayerSet) -> None:
        """Add the outlines; the active layer stays the same."""
        from napari.layers import Layer

        layer: Any = Layer.create(*labels_data(self._lesions))
        layer.colormap, layer.contour, layer.opacity = self._colormap, WIDTH, 1.0
        layer.editable = False
        selection = layers.viewer.layers.selection
        active = selection.active
        layers.add(ROLE, layer)
        if active is not None and active in layers.viewer.layers:
            selection.active = active
