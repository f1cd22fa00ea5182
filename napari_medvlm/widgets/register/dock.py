"""The Register dock: a prior is registered to a current image and compared with it."""

from __future__ import annotations

from functools import partial
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QDoubleSpinBox, QFormLayout, QVBoxLayout

from napari_medvlm.backends.base import Progress
from napari_medvlm.data.errors import InvalidImage
from napari_medvlm.data.geometry.pairing import Pairing, PairingKind
from napari_medvlm.layers import volume_of
from napari_medvlm.layers.orientation import go_to, orient, place_in_view
from napari_medvlm.layers.pairing.carry import carried
from napari_medvlm.layers.pairing.pairing_layers import (
    CHECKERBOARD,
    SUBTRACTION,
    PairedStudies,
    PairingLayers,
    is_study,
)
from napari_medvlm.sessions.register import corrected, header_facts, quality_after, register
from napari_medvlm.widgets.commands import bind_keys
from napari_medvlm.widgets.parts.buttons import button, on_click, row_of
from napari_medvlm.widgets.parts.collapsible import Collapsible
from napari_medvlm.widgets.parts.dialogs import ask, ask_what_to_open
from napari_medvlm.widgets.parts.job_bar import JobBar
from napari_medvlm.widgets.parts.layer_combo import LayerChoice
from napari_medvlm.widgets.parts.wrapped_label import WrappedLabel
from napari_medvlm.widgets.register.correction import CorrectionForm
from napari_medvlm.widgets.register.landmarks import LandmarkForm
from napari_medvlm.widgets.register.quality_text import quality_text
from napari_medvlm.widgets.register.side_by_side import TITLE, PriorPanel
from napari_medvlm.widgets.runtime.dock import Dock
from napari_medvlm.widgets.runtime.notify import guarded, warn
from napari_medvlm.widgets.runtime.resources import close_all
from napari_medvlm.widgets.runtime.threads import MainThreadQueue
from napari_medvlm.worker.environment_runner import RoutedRunner

if TYPE_CHECKING:
    from napari import Viewer
    from napari.layers import Image

COMMANDS = "napari_medvlm.widgets.register.commands"
KIND_LABELS = {
    "Rigid": PairingKind.RIGID,
    "Affine": PairingKind.AFFINE,
    "Deformable": PairingKind.DEFORMABLE,
    "Same positions": PairingKind.IDENTITY,
    "DICOM registration…": PairingKind.SPATIAL_REGISTRATION,
}
DICOM_FILES = "DICOM (*.dcm *.DCM);;All files (*)"
NOT_PAIRED = "Choose the current image and its prior, then register."


class RegisterDock(Dock):
    """Choose two images, register, compare, correct, and carry positions over.

    Attributes
    ----------
    studies
        The paired volumes and their transform; None while nothing is registered.
    pairing_changed
        The studies that are paired now, or None.
    """

    pairing_changed = Signal(object)

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__()
        self.viewer = napari_viewer
        self.studies: PairedStudies | None = None
        self._shown: PairingLayers | None = None
        self._earlier: list[PairedStudies] = []
        self._beside: PriorPanel | None = None
        self._runner = RoutedRunner()
        self._make_widgets()
        self._lay_out()
        self._connect()
        self._choose_two()
        self._show_state()

    def close_dock(self) -> None:
        """Stop a registration, remove all layers and end the worker."""
        self.job.cancel()
        self.remove_pairing()
        self._runner.stop()

    @property
    def paired_layers(self) -> tuple[Image, Image] | None:
        """The layers of the current image and the prior, while they are registered."""
        if self._shown is None or self.studies is None:
            return None
        return self._shown.current, self._shown.prior

    def start(self) -> None:
        """Register the prior to the current image; asks first if the patients differ."""
        current, prior = self._chosen()
        volumes = volume_of(current), volume_of(prior)
        if header_facts(*volumes).other_patient:
            ask(
                self, "Another patient",
                f"<b>{escape(prior.name)}</b> has another Patient ID than "
                f"{escape(current.name)}.",
                "Register anyway", partial(self._start, current, prior, True),
            )  # fmt: skip
            return
        self._start(current, prior, False)

    def blink(self) -> None:
        """Show the registered prior instead of the current image, or the other way round."""
        self._pairing_layers().blink()

    def show_current(self) -> None:
        """Show the current image without the registered prior over it."""
        self._pairing_layers().show_over(False)

    def show_beside(self, on: bool) -> None:
        """Show the prior in a view of its own beside the current image, or over it again."""
        if not on:
            self._close_beside()
            return
        studies, shown = self._studies(), self._pairing_layers()
        if self._beside is not None:
            return
        low, high = shown.prior.contrast_limits
        self._beside = PriorPanel(self.viewer, studies.moved, (float(low), float(high)))
        self._beside.closed.connect(self._on_beside_closed)
        shown.show_over(False)
        self.viewer.window.add_dock_widget(self._beside, name=TITLE, area="right")
        self._show_state()

    def remove_pairing(self) -> None:
        """Remove the registered prior and the comparisons."""
        self._close_beside()
        shown, self._shown, self.studies = self._shown, None, None
        self._earlier.clear()
        self.landmarks.clear()
        if shown is not None:
            shown.close()
        self._show_state()
        self.pairing_changed.emit(None)

    def correct(self) -> None:
        """Move the registered prior by the numbers of the form."""
        studies = self._studies()
        volume = studies.current
        center = volume.grid.to_world((np.array(volume.shape) - 1) / 2)
        pairing = corrected(studies.pairing, self.correction.matrix(center))
        self.correction.clear()
        self._replace(pairing)

    def undo(self) -> None:
        """Go back to the registration before the last correction or fit."""
        if self._earlier:
            self._on_registered(self._earlier.pop())

    def _replace(self, pairing: Pairing) -> None:
        """Use another pairing of the two studies; `undo` takes it back."""
        studies = self._studies()

        def work(progress: Progress) -> PairedStudies:
            checked = quality_after(studies.current, studies.prior, pairing)
            return PairedStudies.of(studies.current, studies.prior, checked)

        def use(corrected_studies: PairedStudies) -> None:
            self._earlier.append(studies)
            self._on_registered(corrected_studies)

        self.job.start(work, use, "Computing the agreement")

    def go_to_prior(self) -> None:
        """Move the planes from a position in the current image to the same one in the prior."""
        pairing = self._studies().pairing
        self._go(pairing.to_prior(place_in_view(self.viewer)), show_original=True)

    def go_to_current(self) -> None:
        """Move the planes from a position in the prior to the same one in the current image."""
        pairing = self._studies().pairing
        self._go(pairing.to_current(place_in_view(self.viewer)), show_original=False)

    def carry(self) -> None:
        """Copy the selected points, shapes or labels of the prior to the current image."""
        studies, layer = self._studies(), self.viewer.layers.selection.active
        if layer is None:
            raise InvalidImage("No layer is selected.", "Select points, shapes or labels.")
        pairing = studies.pairing
        name = f"{layer.name} (carried over)"
        self.viewer.add_layer(
            carried(layer, pairing.to_current, pairing.to_prior, studies.current.grid, name)
        )

    def _start(self, current: Image, prior: Image, other_patient: bool) -> None:
        volumes = volume_of(current), volume_of(prior)
        kind = KIND_LABELS[self.kind.currentText()]
        path = None
        if kind is PairingKind.SPATIAL_REGISTRATION:
            path = ask_what_to_open(self, "DICOM Spatial Registration", DICOM_FILES)
            if path is None:
                return
            kind = PairingKind.IDENTITY
        self.remove_pairing()
        self._shown = PairingLayers(self.viewer, current, prior)

        def work(progress: Progress) -> PairedStudies:
            pairing = register(
                *volumes, kind, spatial_registration=path, other_patient=other_patient,
                progress=progress, runner=self._runner,
            )  # fmt: skip
            return PairedStudies.of(*volumes, pairing)

        self.job.start(work, self._on_registered, "Registering")

    def _on_registered(self, studies: PairedStudies) -> None:
        if self._shown is None:
            return
        self.studies = studies
        self._shown.show(studies)
        orient(self.viewer)
        if self._beside is not None and self._beside.view is not None:
            low, high = self._shown.prior.contrast_limits
            self._beside.view.show(studies.moved, (float(low), float(high)))
            self._shown.show_over(False)
        self._show_state()
        self.pairing_changed.emit(studies)

    def _close_beside(self) -> None:
        panel = self._beside
        if panel is not None and panel.view is not None:
            self.viewer.window.remove_dock_widget(panel)
        self._on_beside_closed()

    def _on_beside_closed(self) -> None:
        panel, self._beside = self._beside, None
        if panel is not None and self._shown is not None:
            self._shown.show_over(True)
        self._show_state()

    def _go(self, spl_mm: Any, *, show_original: bool) -> None:
        shown = self._pairing_layers()
        shown.show_original(show_original)
        go_to(self.viewer, [float(v) for v in spl_mm])

    def _chosen(self) -> tuple[Image, Image]:
        current, prior = self.current.layer, self.prior.layer
        if current is None or prior is None or current is prior:
            raise InvalidImage(
                "Two different images are needed.", "Open both and choose them in the dock."
            )
        return current, prior

    def _studies(self) -> PairedStudies:
        if self.studies is None:
            raise InvalidImage("Nothing is registered.", NOT_PAIRED)
        return self.studies

    def _pairing_layers(self) -> PairingLayers:
        self._studies()
        assert self._shown is not None
        return self._shown

    def _make_widgets(self) -> None:
        self.current = LayerChoice(self.viewer, is_study)
        self.current.setToolTip("The image of today.")
        self.prior = LayerChoice(self.viewer, is_study)
        self.prior.setToolTip("The earlier image of the same patient.")
        self.kind = QComboBox()
        self.kind.addItems(list(KIND_LABELS))
        self.kind.setToolTip(
            "Rigid: shift and rotate. Affine: scale as well. Deformable: soft tissue as well; "
            "needs picsl-greedy. Same positions: compare without registering. DICOM registration: "
            "use the transform of a file."
        )
        self.register_button = button("Register", "Register the prior to the current image.")
        self.remove_button = button("Remove", "Remove the registered prior and the comparisons.")
        self.job = JobBar("Stop the registration.")
        self.quality = WrappedLabel(NOT_PAIRED)
        self.blink_button = button("Blink", "Show the prior or the current image (Shift+G).")
        self.board = button("Checkerboard", "Show both in turn in fields.", checkable=True)
        self.difference = button("Subtract", "Show current minus prior.", checkable=True)
        self.beside = button("Side by side", "Show the prior in a view of its own.", checkable=True)
        self.threshold = QDoubleSpinBox()
        self.threshold.setRange(0, 1e9)
        self.threshold.setDecimals(1)
        self.threshold.setToolTip("Hide differences below this, in the current image's units.")
        self.to_prior = button("Go to prior", "Show this position in the prior itself.")
        self.to_current = button("Go to current", "Show the prior's position in the current image.")
        self.carry_button = button(
            "Carry over", "Copy the selected points, shapes or labels of the prior."
        )
        self.correction = CorrectionForm(self.correct)
        self.undo_button = button("Undo", "Go back to the registration before the last correction.")
        self.landmarks = LandmarkForm(
            lambda: self._studies().pairing, lambda: place_in_view(self.viewer), self._replace
        )

    def _lay_out(self) -> None:
        form = QFormLayout()
        form.addRow("Current", self.current)
        form.addRow("Prior", self.prior)
        form.addRow("Kind", self.kind)
        thresholds = QFormLayout()
        thresholds.addRow("Hide below", self.threshold)
        layout = QVBoxLayout(self.body)
        layout.addLayout(form)
        layout.addLayout(row_of(self.register_button, self.undo_button, self.remove_button))
        layout.addWidget(self.job)
        layout.addWidget(self.quality)
        layout.addLayout(row_of(self.beside, self.blink_button))
        layout.addLayout(row_of(self.board, self.difference))
        layout.addLayout(thresholds)
        layout.addLayout(row_of(self.to_prior, self.to_current, self.carry_button))
        tooltip = "Shift and rotate the registered prior."
        layout.addWidget(Collapsible("Correct by hand", tooltip, self.correction))
        tooltip = "Mark pairs of points, see the error, and register by them."
        layout.addWidget(Collapsible("Landmarks", tooltip, self.landmarks))
        layout.addStretch()

    def _connect(self) -> None:
        for pressed, action in (
            (self.register_button, self.start), (self.remove_button, self.remove_pairing),
            (self.undo_button, self.undo),
            (self.blink_button, self.blink), (self.to_prior, self.go_to_prior),
            (self.to_current, self.go_to_current), (self.carry_button, self.carry),
        ):  # fmt: skip
            on_click(pressed, action)
        self.beside.toggled.connect(guarded(self.show_beside))
        self.board.toggled.connect(partial(self._toggle, CHECKERBOARD))
        self.difference.toggled.connect(partial(self._toggle, SUBTRACTION))
        self.threshold.valueChanged.connect(self._on_threshold)
        self.job.busy_changed.connect(self._show_state)
        self._removed = MainThreadQueue(self._on_removed, self)
        self.viewer.layers.events.removed.connect(self._on_layer_removed)
        bind_keys(self.viewer, self.viewer, COMMANDS)
        self.destroyed.connect(partial(close_all, [], self._runner))

    def _choose_two(self) -> None:
        """Start with the last image as the current one and the one before as the prior."""
        if self.current.count() > 1:
            self.current.setCurrentIndex(self.current.count() - 1)
            self.prior.setCurrentIndex(self.current.count() - 2)

    def _toggle(self, comparison: str, on: bool) -> None:
        if self._shown is None or self.studies is None:
            return
        self._shown.toggle(comparison, on)
        if comparison == SUBTRACTION and on:
            self.threshold.setValue(self._shown.threshold)
        self._show_state()

    def _on_threshold(self, value: float) -> None:
        if self._shown is not None:
            self._shown.set_threshold(value)

    def _on_layer_removed(self, event: Any) -> None:
        self._removed(event.value)

    def _on_removed(self, layers: list[Any]) -> None:
        """End the pairing if one of its images was removed; untick a comparison that was."""
        if self._shown is None:
            return
        if any(layer in (self._shown.current, self._shown.prior) for layer in layers):
            self.job.cancel()
            self.remove_pairing()
            warn("An image of the pair was removed, so the pairing is removed as well.")
            return
        self._show_state()

    def _show_state(self) -> None:
        paired = self.studies is not None
        shown = self._shown
        self.register_button.setEnabled(not self.job.busy)
        for widget in (
            self.remove_button, self.blink_button, self.beside, self.board, self.difference,
            self.to_prior,
            self.to_current, self.carry_button, self.correction, self.landmarks,
        ):  # fmt: skip
            widget.setEnabled(paired and not self.job.busy)
        self.undo_button.setEnabled(bool(self._earlier) and not self.job.busy)
        self.landmarks.show_errors(self.studies.pairing if self.studies else None)
        for box, comparison in ((self.board, CHECKERBOARD), (self.difference, SUBTRACTION)):
            on = paired and shown is not None and shown.has(comparison)
            box.blockSignals(True)
            box.setChecked(on)
            box.blockSignals(False)
        self.beside.blockSignals(True)
        self.beside.setChecked(self._beside is not None)
        self.beside.blockSignals(False)
        self.threshold.setEnabled(self.difference.isChecked())
        self.quality.tell(quality_text(self.studies.pairing) if self.studies else NOT_PAIRED)
