"""The widgets of the Follow-up dock."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from qtpy.QtWidgets import QCheckBox, QFormLayout, QLineEdit, QVBoxLayout, QWidget

from napari_medvlm.data.errors import GeometryMismatch
from napari_medvlm.data.geometry.grid import same_grid
from napari_medvlm.layers.convert import KEY, labels_and_grid, role
from napari_medvlm.layers.pairing.pairing_layers import PairedStudies
from napari_medvlm.sessions.followup.follow import parsed_dates, study_dates
from napari_medvlm.sessions.followup.followed import FollowUp
from napari_medvlm.widgets.followup.table import LesionTable
from napari_medvlm.widgets.parts.buttons import button, row_of
from napari_medvlm.widgets.parts.job_bar import JobBar
from napari_medvlm.widgets.parts.layer_combo import LayerChoice
from napari_medvlm.widgets.parts.wrapped_label import WrappedLabel

if TYPE_CHECKING:
    from napari import Viewer
    from napari.layers import Layer

NOT_PAIRED = "Register the prior to the current image in the Register dock, then propose points."


class FollowUpControls(QWidget):
    """The choices, the table of lesions and the buttons.

    Parameters
    ----------
    viewer
        Whose labels layers are offered as lesions.
    """

    def __init__(self, viewer: Viewer) -> None:
        super().__init__()
        self.pair = WrappedLabel(NOT_PAIRED)
        self.lesions = LayerChoice(viewer, _is_lesions)
        self.lesions.setToolTip("Labels of the lesions in the prior.")
        self.dates = QLineEdit()
        self.dates.setPlaceholderText("2026-01-31, 2026-06-30")
        self.dates.setToolTip("Dates of the prior and the current image, for doubling times.")
        self.backtest = QCheckBox("Check reliability")
        self.backtest.setChecked(True)
        self.backtest.setToolTip(
            "Plant a known change at each lesion and measure it before the lesion is segmented."
        )
        self.others = QCheckBox("Other objects are new")
        self.others.setChecked(True)
        self.others.setToolTip("Count other objects of the current image as new lesions.")
        self.propose_button = button("Propose points", "Locate the lesions in the current image.")
        self.job = JobBar("Stop.")
        self.table = LesionTable()
        self.accept_button = button("Accept", "Segment the selected lesions (Enter).")
        self.gone_button = button("Gone", "Mark the selected lesions as gone, or not (Delete).")
        self.all_button = button("Accept all", "Accept all proposed points.")
        self.summary = WrappedLabel()
        self.csv_button = button("Export CSV…", "Save the table.")
        self.report_button = button(
            "Save reports…", "Save DICOM SEG and SR of both studies, when all points are decided."
        )
        self._lay_out()

    @property
    def parsed_dates(self) -> tuple[date, date] | None:
        """The dates of the prior and the current study; None if no dates are entered.

        Raises
        ------
        InvalidPrompt
            If the text is not two dates, or the second is not later.
        """
        text = self.dates.text().strip()
        return parsed_dates(text) if text else None

    def show_pair(self, studies: PairedStudies | None) -> None:
        """Show the paired studies and their dates, and choose the labels of the prior."""
        if studies is None:
            self.pair.show_text(NOT_PAIRED)
            return
        self.pair.show_text(f"{studies.prior.name} → {studies.current.name}")
        dates = study_dates(studies.prior, studies.current)
        self.dates.setText("" if dates is None else ", ".join(d.isoformat() for d in dates))
        self._choose_lesions(studies)

    def show_state(self, *, is_paired: bool, has_review: bool, result: FollowUp | None) -> None:
        """Enable what can be pressed.

        Parameters
        ----------
        is_paired
            Whether two studies are registered.
        has_review
            Whether points are proposed.
        result
            What the table shows, if anything.
        """
        is_idle = not self.job.busy
        self.propose_button.setEnabled(is_idle and is_paired)
        for widget in (self.accept_button, self.gone_button, self.all_button):
            widget.setEnabled(is_idle and has_review)
        self.csv_button.setEnabled(result is not None)
        has_masks = result is not None and result.masks is not None
        self.report_button.setEnabled(is_idle and has_masks)

    def _choose_lesions(self, studies: PairedStudies) -> None:
        """Choose the first labels on the grid of the prior that are no masks of the current."""
        for index in range(self.lesions.count()):
            layer = self.lesions.itemData(index)
            try:
                _, its_grid = labels_and_grid(layer)
            except (GeometryMismatch, ValueError):
                continue
            is_current = layer.metadata.get(KEY, {}).get("volume") is studies.current
            if same_grid(its_grid, studies.prior.grid) and not is_current:
                self.lesions.setCurrentIndex(index)
                return

    def _lay_out(self) -> None:
        form = QFormLayout()
        form.addRow("Lesions", self.lesions)
        form.addRow("Dates", self.dates)
        layout = QVBoxLayout(self)
        layout.addWidget(self.pair)
        layout.addLayout(form)
        layout.addLayout(row_of(self.backtest, self.others))
        layout.addWidget(self.propose_button)
        layout.addWidget(self.job)
        layout.addWidget(self.table, 1)
        layout.addLayout(row_of(self.accept_button, self.gone_button, self.all_button))
        layout.addWidget(self.summary)
        layout.addLayout(row_of(self.csv_button, self.report_button))


def _is_lesions(layer: Layer) -> bool:
    from napari.layers import Labels

    return isinstance(layer, Labels) and role(layer) in (None, "labels", "mask")
