"""The Register dock: a prior is registered to a current image and compared with it."""

from __future__ import annotations

from functools import partial
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QVBoxLayout

from napari_medvlm.backends.base import Progress
from napari_medvlm.data.errors import InvalidImage
from napari_medvlm.data.geometry.pairing import Pairing, PairingKind
from napari_medvlm.layers import volume_of
from napari_medvlm.layers.orientation import go_to, orient, position_in_view
from napari_medvlm.layers.pairing.carry import carried
from napari_medvlm.layers.pairing.pairing_layers import PairedStudies
from napari_medvlm.sessions.earlier import EarlierSession
from napari_medvlm.sessions.pairing_session import PairingSession
from napari_medvlm.sessions.register import corrected, header_facts, quality_after, register
from napari_medvlm.widgets.commands import bind_keys
from napari_medvlm.widgets.parts.buttons import on_click
from napari_medvlm.widgets.parts.dialogs import ask, ask_what_to_open
from napari_medvlm.widgets.register.comparison import NOT_PAIRED, ComparisonForm
from napari_medvlm.widgets.register.controls import RegisterControls
from napari_medvlm.widgets.register.correction import CorrectionForm
from napari_medvlm.widgets.register.earlier_pairings import EarlierPairings
from napari_medvlm.widgets.register.landmarks import LandmarkForm
from napari_medvlm.widgets.register.pairing_history import PairingHistory, resumed_studies
from napari_medvlm.widgets.runtime.dock import Dock
from napari_medvlm.widgets.runtime.notify import guarded, warn
from napari_medvlm.widgets.runtime.resources import close_all
from napari_medvlm.widgets.runtime.threads import MainThreadQueue
from napari_medvlm.worker.environment_runner import RoutedRunner

if TYPE_CHECKING:
    from napari import Viewer
    from napari.layers import Image

COMMANDS = "napari_medvlm.widgets.register.commands"
DICOM_FILES = "DICOM (*.dcm *.DCM);;All files (*)"


class RegisterDock(Dock):
    """Choose two images, register, compare, correct, and carry positions over.

    Attributes
    ----------
    controls
        The widgets of the dock.
    comparison
        Shows the registered prior and compares it with the current image.
    studies
        The paired volumes and their transform; None while nothing is registered.
    session
        The ledger of the pairings; None while nothing is registered.
    history
        The pairings of the studies, with undo and redo.
    pairing_changed
        The studies that are paired now, or None.
    """

    pairing_changed = Signal(object)

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__()
        self.viewer = napari_viewer
        self.studies: PairedStudies | None = None
        self.history = PairingHistory()
        self._runner = RoutedRunner()
        self.comparison = ComparisonForm(napari_viewer)
        self.correction = CorrectionForm(self.correct)
        self.landmarks = LandmarkForm(
            lambda: self._studies().pairing, lambda: position_in_view(self.viewer), self._replace
        )
        self.controls = RegisterControls(
            napari_viewer, self.comparison, self.correction, self.landmarks
        )
        self.job = self.controls.job
        self.earlier = EarlierPairings(
            self.controls.current,
            self.controls.prior,
            lambda: self.studies is None and not self.job.busy,
        )
        layout = QVBoxLayout(self.body)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.earlier)
        layout.addWidget(self.controls)
        self._connect()
        self._show_state()
        self.earlier.look()

    def close_dock(self) -> None:
        """Stop a registration, remove all layers and end the worker."""
        self.job.cancel()
        self.remove_pairing()
        self._runner.stop()

    @property
    def session(self) -> PairingSession | None:
        """The ledger of the pairings."""
        return self.history.session

    @property
    def paired_layers(self) -> tuple[Image, Image] | None:
        """The layers of the current image and the prior, while they are registered."""
        layers = self.comparison.layers
        return None if layers is None or self.studies is None else (layers.current, layers.prior)

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

    def remove_pairing(self) -> None:
        """Remove the registered prior and the comparisons."""
        self.studies = None
        self.comparison.clear()
        self.history.end()
        self.landmarks.clear()
        self._show_state()
        self.pairing_changed.emit(None)

    def correct(self) -> None:
        """Move the registered prior by the numbers of the form."""
        pairing = self._corrected(self._studies())
        self._replace(pairing)

    def form_of_pairing(self) -> CorrectionForm:
        """The form of the correction by hand; raises `InvalidImage` if nothing is registered."""
        self._studies()
        return self.correction

    def undo(self) -> None:
        """Go back to the registration before the last correction or fit."""
        self._show_again(self.history.undo())

    def redo(self) -> None:
        """Go forward to the registration that was undone last."""
        self._show_again(self.history.redo())

    def resume(self, earlier: EarlierSession) -> None:
        """Continue an earlier registration of the two images."""
        current, prior = self._chosen()
        volumes, ledger = (volume_of(current), volume_of(prior)), earlier.reload()
        self.remove_pairing()
        self.comparison.begin(current, prior)

        def work(_: Progress) -> PairedStudies:
            return resumed_studies(*volumes, ledger)

        def show(studies: PairedStudies) -> None:
            self.history.resume(studies, ledger, earlier.path)
            self._show(studies)

        self.job.start(work, show, "Reading the registration")

    def go_to_prior(self) -> None:
        """Move the planes from a position in the current image to the same one in the prior."""
        pairing = self._studies().pairing
        self._go(pairing.to_prior(position_in_view(self.viewer)), show_original=True)

    def go_to_current(self) -> None:
        """Move the planes from a position in the prior to the same one in the current image."""
        pairing = self._studies().pairing
        self._go(pairing.to_current(position_in_view(self.viewer)), show_original=False)

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
        kind, path = self.controls.kind, None
        if kind is PairingKind.SPATIAL_REGISTRATION:
            path = ask_what_to_open(self, "DICOM Spatial Registration", DICOM_FILES)
            if path is None:
                return
            kind = PairingKind.IDENTITY
        self.remove_pairing()
        self.earlier.offer()
        self.comparison.begin(current, prior)

        def work(progress: Progress) -> PairedStudies:
            pairing = register(
                *volumes, kind, spatial_registration=path, other_patient=other_patient,
                progress=progress, runner=self._runner,
            )  # fmt: skip
            return PairedStudies.of(*volumes, pairing)

        self.job.start(work, self._on_registered, "Registering")

    def _replace(self, pairing: Pairing) -> None:
        """Use another pairing of the two studies; `undo` takes it back."""
        studies = self._studies()

        def work(progress: Progress) -> PairedStudies:
            checked = quality_after(studies.current, studies.prior, pairing)
            return PairedStudies.of(studies.current, studies.prior, checked)

        self.job.start(work, self._on_registered, "Computing the agreement")

    def _on_registered(self, studies: PairedStudies) -> None:
        """Show a new pairing, which is an entry of the ledger."""
        if self.comparison.layers is None:
            return
        self.history.use(studies)
        self._show(studies)

    def _show_again(self, studies: PairedStudies | None) -> None:
        if studies is not None:
            self._show(studies)

    def _corrected(self, studies: PairedStudies) -> Pairing:
        """The pairing with the numbers of the form, which are about the image's centre."""
        volume = studies.current
        center = volume.grid.to_world((np.array(volume.shape) - 1) / 2)
        return corrected(studies.pairing, self.correction.matrix(center))

    def _preview(self) -> None:
        """Show the prior where the numbers of the form put it; without any, where it is."""
        studies = self.studies
        if studies is None or self.job.busy:
            return
        moved = studies.moved
        if not self.correction.is_empty:
            pairing = self._corrected(studies)
            moved = PairedStudies.of(studies.current, studies.prior, pairing).moved
        self.comparison.preview(moved)

    def _show(self, studies: PairedStudies) -> None:
        self.studies = studies
        self.earlier.offer()
        self.correction.clear()
        self.comparison.show_studies(studies)
        orient(self.viewer)
        self._show_state()
        self.pairing_changed.emit(studies)

    def _go(self, spl_mm: Any, *, show_original: bool) -> None:
        self.comparison.show_original(show_original)
        go_to(self.viewer, [float(v) for v in spl_mm])

    def _chosen(self) -> tuple[Image, Image]:
        current, prior = self.controls.current.layer, self.controls.prior.layer
        if current is None or prior is None or current is prior:
            raise InvalidImage(
                "Two different images are needed.", "Open both and choose them in the dock."
            )
        return current, prior

    def _studies(self) -> PairedStudies:
        if self.studies is None:
            raise InvalidImage("Nothing is registered.", NOT_PAIRED)
        return self.studies

    def _connect(self) -> None:
        controls = self.controls
        for pressed, action in (
            (controls.register_button, self.start), (controls.remove_button, self.remove_pairing),
            (controls.undo_button, self.undo), (controls.redo_button, self.redo),
            (controls.to_prior, self.go_to_prior),
            (controls.to_current, self.go_to_current), (controls.carry_button, self.carry),
        ):  # fmt: skip
            on_click(pressed, action)
        self.comparison.changed.connect(self._show_state)
        self.job.busy_changed.connect(self._show_state)
        self.job.busy_changed.connect(self._preview)  # of keys pressed meanwhile
        self.correction.changed.connect(self._preview)
        self.earlier.accepted.connect(guarded(self.resume))
        self._removed = MainThreadQueue(self._on_removed, self)
        self.viewer.layers.events.removed.connect(self._on_layer_removed)
        bind_keys(self.viewer, self.viewer, COMMANDS)
        self.destroyed.connect(partial(close_all, [], self._runner))

    def _on_layer_removed(self, event: Any) -> None:
        self._removed(event.value)

    def _on_removed(self, removed: list[Any]) -> None:
        """End the pairing if one of its images was removed; untick a comparison that was."""
        layers = self.comparison.layers
        if layers is None:
            return
        if any(layer in (layers.current, layers.prior) for layer in removed):
            self.job.cancel()
            self.remove_pairing()
            warn("An image of the pair was removed, so the pairing is removed as well.")
            return
        self._show_state()

    def _show_state(self) -> None:
        self.controls.show_state(
            self.studies, can_undo=self.history.can_undo, can_redo=self.history.can_redo
        )
