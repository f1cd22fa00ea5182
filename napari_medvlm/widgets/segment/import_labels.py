"""Taking a labels layer that is there: to start from, or as objects that must not be touched."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QGridLayout, QWidget

from napari_medvlm.data.prompts import InitialMask
from napari_medvlm.layers import labels_of, named_labels_of
from napari_medvlm.layers.convert import role
from napari_medvlm.layers.label_names import names_of
from napari_medvlm.sessions.segment.session import SegmentationSession
from napari_medvlm.widgets.parts.buttons import button
from napari_medvlm.widgets.parts.layer_combo import LayerChoice

if TYPE_CHECKING:
    from napari import Viewer
    from napari.layers import Labels

OWN = (None, "labels")
"""Roles of layers with labels of a person or a file; layers of others show a session's masks."""


class LabelsRow(QWidget):
    """A labels layer and what to do with it.

    Attributes
    ----------
    start_requested
        The layer is the initial mask of the active object.
    import_requested
        Its labels become locked objects.
    """

    start_requested = Signal(object)
    import_requested = Signal(object)

    def __init__(self, viewer: Viewer) -> None:
        super().__init__()
        from napari.layers import Labels

        self.choice = LayerChoice(
            viewer, lambda layer: isinstance(layer, Labels) and role(layer) in OWN
        )
        self.choice.setToolTip("A labels layer on the same image.")
        self.start = button(
            "Use as initial mask", "Use the layer as initial mask of the active object."
        )
        self.take = button("Import locked", "Import each label as a locked object.")
        self.start.clicked.connect(lambda: self.start_requested.emit(self.choice.layer))
        self.take.clicked.connect(lambda: self.import_requested.emit(self.choice.layer))
        self.choice.chosen.connect(self._on_chosen)
        self._on_chosen(self.choice.layer)
        layout = QGridLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.choice, 0, 0, 1, 2)
        layout.addWidget(self.start, 1, 0)
        layout.addWidget(self.take, 1, 1)

    def _on_chosen(self, layer: object) -> None:
        for widget in (self.start, self.take):
            widget.setEnabled(layer is not None)


def start_from(session: SegmentationSession, layer: Labels) -> None:
    """Make the labels of a layer the initial mask of the active object."""
    labels = labels_of(layer, session.volume)
    session.add(InitialMask.of(session.volume, labels != 0))


def import_locked(session: SegmentationSession, layer: Labels) -> None:
    """Make each label of a layer a locked object."""
    named = named_labels_of(layer, session.volume, names_of(layer))
    session.import_labels(named.values, named.names, named.tracking_uids, named.covered)
