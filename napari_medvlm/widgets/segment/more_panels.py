"""What the Segment dock has besides clicks, folded away until it is wanted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_medvlm.sessions.segment.session import SegmentationSession
from napari_medvlm.widgets.parts.collapsible import Fold
from napari_medvlm.widgets.runtime.notify import guarded
from napari_medvlm.widgets.segment.by_name import ByName
from napari_medvlm.widgets.segment.compare_model import OtherModel
from napari_medvlm.widgets.segment.measurements import MeasurePanel
from napari_medvlm.worker.runner import Runner

if TYPE_CHECKING:
    from napari import Viewer


class SegmentFolds(QWidget):
    """Segmenting by name, another model on the same prompts, and measurements."""

    def __init__(self, viewer: Viewer, runner: Runner) -> None:
        super().__init__()
        self.by_name = ByName(viewer, runner)
        self.other = OtherModel(viewer, runner)
        self.measure = MeasurePanel(viewer)
        self.folds = (
            Fold("By name", "Segment structures by name; each becomes an object.", self.by_name),
            Fold(
                "Second model",
                "Segment the active object with another model and the same prompts.",
                self.other,
            ),
            Fold("Measurements", "Sizes, intensities, distances and angles.", self.measure),
        )
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        for fold in self.folds:
            layout.addWidget(fold)
        self.folds[2].opened.connect(guarded(self.measure.refresh))

    def bind(self, session: SegmentationSession | None) -> None:
        """Work on a session from now on."""
        for part in (self.by_name, self.other, self.measure):
            part.bind(session)

    def refresh(self) -> None:
        """Follow the masks."""
        self.measure.refresh()
