"""The table of what was found, and of what was not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from qtpy.QtCore import QEvent, QSignalBlocker, Qt, Signal
from qtpy.QtGui import QBrush, QColor, QIcon, QPixmap
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTreeWidget, QTreeWidgetItem

from napari_medvlm.data.grounding import NotFound
from napari_medvlm.layers.region_boxes import DisplayedRegion
from napari_medvlm.widgets.parts.plain_text import plain
from napari_medvlm.widgets.parts.text_color import TextColor

PHRASE, SCORE, LOCATION, SLICE, SOURCE, AGREES = range(6)
HEAD = ["Phrase", "Score", "S, P, L (mm)", "Slice", "Source", "IoU"]
AXES = "zyx"


class RegionTable(QTreeWidget):
    """A row for each region, in the order of the phrases, and one for each phrase without any.

    Attributes
    ----------
    chosen
        Number of the region whose row the person chose.
    """

    chosen = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self.setHeaderLabels(HEAD)
        self.setRootIsDecorated(False)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setToolTip(
            "Click a row to jump to it. Phrases that were not found show their best score."
        )
        header = self.header()
        header.setStretchLastSection(False)
        header.setSectionResizeMode(SOURCE, QHeaderView.ResizeMode.Stretch)
        header.setMinimumSectionSize(40)
        self.setColumnWidth(PHRASE, 170)
        for column in (SCORE, LOCATION, SLICE, AGREES):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.ResizeToContents)
        self.setColumnHidden(AGREES, True)
        self.currentItemChanged.connect(self._on_current)

    def show_regions(
        self,
        shown: Sequence[DisplayedRegion],
        missing: Sequence[NotFound],
        agreement: Mapping[str, float] | None = None,
    ) -> None:
        """Show regions and phrases without any.

        Parameters
        ----------
        agreement
            For each phrase its intersection over union with the reference, if there is one.
        """
        current, selected = self.key, set(self.selected)
        with QSignalBlocker(self):
            self.clear()
            for region in shown:
                self.addTopLevelItem(_region_item(region))
            for absent in missing:
                self.addTopLevelItem(_missing_item(absent))
            self._dim_missing()
            self.setColumnHidden(AGREES, agreement is None)
            for row in range(self.topLevelItemCount()):
                item = self.topLevelItem(row)
                iou = (agreement or {}).get(item.text(PHRASE).strip().lower())
                item.setText(AGREES, "" if iou is None else f"{iou:.2f}")
        if current is not None:
            self.choose(current)
        with QSignalBlocker(self):
            for row in range(self.topLevelItemCount()):
                item = self.topLevelItem(row)
                item.setSelected(item.data(PHRASE, Qt.ItemDataRole.UserRole) in selected)

    def changeEvent(self, event: QEvent | None) -> None:  # noqa: N802  # Qt's name
        """Take the colours of another theme."""
        super().changeEvent(event)
        if event is not None and event.type() == QEvent.Type.StyleChange:
            self._dim_missing()

    def _dim_missing(self) -> None:
        gray = QBrush(QColor(TextColor.GRAY.on(self)))
        with QSignalBlocker(self):
            for row in range(self.topLevelItemCount()):
                item = self.topLevelItem(row)
                if item.data(PHRASE, Qt.ItemDataRole.UserRole) is None:
                    for column in range(item.columnCount()):
                        item.setForeground(column, gray)

    def choose(self, key: int) -> None:
        """Go to a region's row without emitting a signal."""
        with QSignalBlocker(self):
            for row in range(self.topLevelItemCount()):
                item = self.topLevelItem(row)
                if item.data(PHRASE, Qt.ItemDataRole.UserRole) == key:
                    self.setCurrentItem(item)

    @property
    def key(self) -> int | None:
        """Number of the region in the current row."""
        item = self.currentItem()
        return None if item is None else item.data(PHRASE, Qt.ItemDataRole.UserRole)

    @property
    def selected(self) -> tuple[int, ...]:
        """Numbers of the regions in the selected rows."""
        keys = [item.data(PHRASE, Qt.ItemDataRole.UserRole) for item in self.selectedItems()]
        return tuple(key for key in keys if key is not None)

    def _on_current(self, item: QTreeWidgetItem | None) -> None:
        key = None if item is None else item.data(PHRASE, Qt.ItemDataRole.UserRole)
        if key is not None:
            self.chosen.emit(key)


def _region_item(shown: DisplayedRegion) -> QTreeWidgetItem:
    region = shown.region
    score = "" if region.score is None else f"{region.score:.2f}"
    center = ", ".join(f"{v:.0f}" for v in region.center_mm)
    slice_text = "" if region.slice is None else f"{AXES[region.slice.axis]} {region.slice.index}"
    source = f"{shown.backend}: {region.name}" if region.name else shown.backend
    item = QTreeWidgetItem([region.phrase, score, center, slice_text, source, ""])
    item.setData(PHRASE, Qt.ItemDataRole.UserRole, shown.key)
    patch = QPixmap(14, 14)
    patch.fill(QColor(shown.color))
    item.setIcon(PHRASE, QIcon(patch))
    item.setToolTip(SOURCE, plain(source))
    return item


def _missing_item(region: NotFound) -> QTreeWidgetItem:
    score = "" if region.best_score is None else f"({region.best_score:.2f})"
    item = QTreeWidgetItem([region.phrase, score, "not found", "", region.reason, ""])
    for column in range(item.columnCount()):
        item.setToolTip(column, plain(region.reason))
    return item
