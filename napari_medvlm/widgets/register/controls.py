"""The widgets of the Register dock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QComboBox, QFormLayout, QVBoxLayout, QWidget

from napari_medvlm.data.geometry.pairing import PairingKind
from napari_medvlm.layers.pairing.pairing_layers import PairedStudies, is_study
from napari_medvlm.widgets.parts.buttons import button, row_of
from napari_medvlm.widgets.parts.collapsible import Collapsible
from napari_medvlm.widgets.parts.job_bar import JobBar
from napari_medvlm.widgets.parts.layer_combo import LayerChoice
from napari_medvlm.widgets.parts.wrapped_label import WrappedLabel
from napari_medvlm.widgets.register.comparison import NOT_PAIRED, ComparisonForm
from napari_medvlm.widgets.register.correction import CorrectionForm
from napari_medvlm.widgets.register.landmarks import LandmarkForm
from napari_medvlm.widgets.register.quality_text import quality_text

if TYPE_CHECKING:
    from napari import Viewer

KIND_LABELS = {
    "Rigid": PairingKind.RIGID,
    "Affine": PairingKind.AFFINE,
    "Deformable": PairingKind.DEFORMABLE,
    "Same positions": PairingKind.IDENTITY,
    "DICOM registration…": PairingKind.SPATIAL_REGISTRATION,
}


class RegisterControls(QWidget):
    """The choice of two images, the buttons, and the forms to compare and correct.

    Parameters
    ----------
    viewer
        Whose images are offered.
    comparison, correction, landmarks
        The forms that are shown below the buttons.
    """

    def __init__(
        self,
        viewer: Viewer,
        comparison: ComparisonForm,
        correction: CorrectionForm,
        landmarks: LandmarkForm,
    ) -> None:
        super().__init__()
        self.comparison, self.correction, self.landmarks = comparison, correction, landmarks
        self.current = LayerChoice(viewer, is_study)
        self.current.setToolTip("The image of today.")
        self.prior = LayerChoice(viewer, is_study)
        self.prior.setToolTip("The earlier image of the same patient.")
        self.kind_choice = QComboBox()
        self.kind_choice.addItems(list(KIND_LABELS))
        self.kind_choice.setToolTip(
            "Rigid: shift and rotate. Affine: scale as well. Deformable: soft tissue as well; "
            "needs picsl-greedy. Same positions: compare without registering. DICOM registration: "
            "use the transform of a file."
        )
        self.register_button = button("Register", "Register the prior to the current image.")
        self.undo_button = button("Undo", "Go back to the registration before the last correction.")
        self.redo_button = button("Redo", "Go forward to the registration that was undone last.")
        self.remove_button = button("Remove", "Remove the registered prior and the comparisons.")
        self.job = JobBar("Stop the registration.")
        self.quality = WrappedLabel(NOT_PAIRED)
        self.to_prior = button("Go to prior", "Show this position in the prior itself.")
        self.to_current = button("Go to current", "Show the prior's position in the current image.")
        self.carry_button = button(
            "Carry over", "Copy the selected points, shapes or labels of the prior."
        )
        self._lay_out()
        self._choose_two()

    @property
    def kind(self) -> PairingKind:
        """The kind of registration that is chosen."""
        return KIND_LABELS[self.kind_choice.currentText()]

    def show_state(self, studies: PairedStudies | None, *, can_undo: bool, can_redo: bool) -> None:
        """Show the quality of the pairing, and enable what can be pressed.

        Parameters
        ----------
        studies
            The paired studies, if there are any.
        can_undo
            Whether there is an earlier registration of these studies.
        can_redo
            Whether a registration was undone.
        """
        is_idle = not self.job.busy
        can_compare = studies is not None and is_idle
        self.register_button.setEnabled(is_idle)
        for widget in (
            self.remove_button, self.to_prior, self.to_current, self.carry_button,
            self.correction, self.landmarks,
        ):  # fmt: skip
            widget.setEnabled(can_compare)
        self.undo_button.setEnabled(can_undo and is_idle)
        self.redo_button.setEnabled(can_redo and is_idle)
        self.landmarks.show_errors(None if studies is None else studies.pairing)
        self.comparison.show_state(can_compare)
        self.quality.show_text(NOT_PAIRED if studies is None else quality_text(studies.pairing))

    def _lay_out(self) -> None:
        form = QFormLayout()
        form.addRow("Current", self.current)
        form.addRow("Prior", self.prior)
        form.addRow("Kind", self.kind_choice)
        layout = QVBoxLayout(self)
        layout.addLayout(form)
        layout.addLayout(row_of(self.register_button, self.remove_button))
        layout.addLayout(row_of(self.undo_button, self.redo_button))
        layout.addWidget(self.job)
        layout.addWidget(self.quality)
        layout.addWidget(self.comparison)
        layout.addLayout(row_of(self.to_prior, self.to_current, self.carry_button))
        tooltip = "Shift and rotate the registered prior, also by keys."
        layout.addWidget(Collapsible("Correct by hand", tooltip, self.correction))
        tooltip = "Mark pairs of points, see the error, and register by them."
        layout.addWidget(Collapsible("Landmarks", tooltip, self.landmarks))
        layout.addStretch()

    def _choose_two(self) -> None:
        """Start with the last image as the current one and the one before as the prior."""
        if self.current.count() > 1:
            self.current.setCurrentIndex(self.current.count() - 1)
            self.prior.setCurrentIndex(self.current.count() - 2)
