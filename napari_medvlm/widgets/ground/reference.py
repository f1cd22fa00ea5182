"""Reference regions next to what was found, and how well both agree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QWidget

from napari_medvlm.data.colors import REFERENCE
from napari_medvlm.data.region import Region
from napari_medvlm.data.volume import Volume
from napari_medvlm.evaluation.metrics.region_agreement import agreement
from napari_medvlm.evaluation.references.read import read_references, references_of_labels
from napari_medvlm.layers.label_names import named_labels
from napari_medvlm.layers.region_boxes import DisplayedRegion
from napari_medvlm.layers.region_layers import RegionLayers
from napari_medvlm.widgets.parts.buttons import button, on_click
from napari_medvlm.widgets.parts.plain_text import PlainLabel
from napari_medvlm.widgets.runtime.notify import show_message

if TYPE_CHECKING:
    from napari import Viewer

FILES = "Boxes (*.json *.csv *.tsv)"


class ReferenceRow(QWidget):
    """Loads reference regions, shows them in white and compares.

    Attributes
    ----------
    changed
        There are other reference regions than before.
    """

    changed = Signal()

    def __init__(self, viewer: Viewer) -> None:
        super().__init__()
        self._viewer = viewer
        self._volume: Volume | None = None
        self._layers: RegionLayers | None = None
        self.regions: tuple[Region, ...] = ()
        self.summary = PlainLabel()
        self.summary.setToolTip(
            "Mean IoU over all phrases; fraction of phrases with IoU of at least 0.5; "
            "average precision of all boxes at IoU 0.5."
        )
        from_file = button("Reference file…", "Compare with boxes from a COCO JSON or CSV file.")
        from_labels = button("Reference labels", "Compare with the named labels layers.")
        on_click(from_file, self._ask_file)
        on_click(from_labels, self._take_labels)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for widget in (from_file, from_labels, self.summary):
            layout.addWidget(widget)

    def bind(self, volume: Volume | None) -> None:
        """Compare in another volume from now on."""
        if self._layers is not None:
            self._layers.close()
        self._volume, self.regions = volume, ()
        self.summary.setText("")
        self.setEnabled(volume is not None)
        self._layers = (
            None
            if volume is None
            else RegionLayers(self._viewer, volume, "Reference", lambda _: None)
        )

    def load(self, path: Path) -> None:
        """Take the reference regions of a file."""
        assert self._volume is not None
        self._take(read_references(path, self._volume))

    def compare(self, compared: Sequence[Region]) -> Mapping[str, float] | None:
        """Intersection over union of each phrase, ``None`` without a reference."""
        if not self.regions or self._volume is None:
            return None
        result = agreement(compared, self.regions, self._volume.grid)
        average = result.average_precision
        precision = "" if average is None else f", AP {average:.2f}"
        self.summary.setText(
            f"mIoU {result.mean_iou:.2f}, Acc@0.5 {result.accuracy_at_half:.2f}{precision}"
        )
        return {item.phrase.strip().lower(): item.iou for item in result.phrases}

    def _ask_file(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Reference boxes", "", FILES)
        if path:
            self.load(Path(path))

    def _take_labels(self) -> None:
        if self._volume is None:
            return
        labels = named_labels(self._viewer, self._volume)
        if not labels:
            show_message("No labels layer has names: its features need the columns index and name.")
            return
        volume = self._volume
        self._take(tuple(r for item in labels for r in references_of_labels(item, volume)))

    def _take(self, regions: tuple[Region, ...]) -> None:
        self.regions = regions
        if self._layers is not None:
            self._layers.show(
                [
                    DisplayedRegion(key, region, REFERENCE, "reference")
                    for key, region in enumerate(regions)
                ]
            )
        self.changed.emit()
