"""The studies of a search, and their series with pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from qtpy.QtCore import QSize, Qt, Signal
from qtpy.QtGui import QIcon, QPixmap
from qtpy.QtWidgets import QTreeWidget, QTreeWidgetItem

from napari_medvlm.io.archive.base import Study, StudySeries

COLUMNS = ("Patient / series", "ID, no.", "Date", "Modality", "Description", "Count")
PICTURE = 48
ROLE = Qt.ItemDataRole.UserRole


class StudyTree(QTreeWidget):
    """Studies, whose series are asked for when one is unfolded.

    Attributes
    ----------
    opened
        A study was unfolded for the first time.
    series_activated
        A series was double-clicked.
    """

    opened = Signal(object)
    series_activated = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.setHeaderLabels(COLUMNS)
        self.setToolTip("Studies and their series. Double-click a series to load it.")
        self.setIconSize(QSize(PICTURE, PICTURE))
        self.itemExpanded.connect(self._on_expanded)
        self.itemDoubleClicked.connect(self._on_double_click)

    def show_studies(self, studies: Sequence[Study]) -> None:
        """Show the studies of a search instead of the former ones."""
        self.clear()
        for study in studies:
            count = "" if study.series is None else f"{study.series} series"
            day = study.day.isoformat() if study.day else ""
            item = _item(
                study,
                study.patient_name or "no name",
                study.patient_id,
                day,
                ", ".join(study.modalities),
                study.description,
                count,
            )
            item.setChildIndicatorPolicy(QTreeWidgetItem.ChildIndicatorPolicy.ShowIndicator)
            self.addTopLevelItem(item)
        self._fit()

    def show_series(self, study: Study, listed: Sequence[StudySeries]) -> None:
        """Show the series of a study below it."""
        item = self._item_of(study)
        if item is None:
            return
        item.takeChildren()
        for series in listed:
            count = "" if series.images is None else f"{series.images} files"
            number = "" if series.number is None else str(series.number)
            name = series.description or "no description"
            item.addChild(_item(series, name, number, "", series.modality, "", count))
        self._fit()

    def show_picture(self, series: StudySeries, encoded: bytes) -> None:
        """Show the picture of a series, JPEG or PNG; what is no picture is left out."""
        pixmap, item = QPixmap(), self._item_of(series)
        if item is not None and pixmap.loadFromData(encoded):
            keep = Qt.AspectRatioMode.KeepAspectRatio
            smooth = Qt.TransformationMode.SmoothTransformation
            item.setIcon(0, QIcon(pixmap.scaled(PICTURE, PICTURE, keep, smooth)))
            self._fit()

    def chosen(self) -> StudySeries | None:
        """The series that is chosen, if one is."""
        item = self.currentItem()
        value = item.data(0, ROLE) if item is not None else None
        return value if isinstance(value, StudySeries) else None

    def studies(self) -> tuple[Study, ...]:
        """The studies that are shown."""
        rows = range(self.topLevelItemCount())
        return tuple(self.topLevelItem(row).data(0, ROLE) for row in rows)

    def choose(self, series: StudySeries) -> None:
        """Choose a series that is shown."""
        self.setCurrentItem(self._item_of(series))

    def _item_of(self, value: Study | StudySeries) -> QTreeWidgetItem | None:
        for row in range(self.topLevelItemCount()):
            item = self.topLevelItem(row)
            if item.data(0, ROLE) == value:
                return item
            for child in map(item.child, range(item.childCount())):
                if child.data(0, ROLE) == value:
                    return child
        return None

    def _on_expanded(self, item: QTreeWidgetItem) -> None:
        if not item.childCount():
            self.opened.emit(item.data(0, ROLE))

    def _on_double_click(self, item: QTreeWidgetItem, _: int) -> None:
        if isinstance(item.data(0, ROLE), StudySeries):
            self.series_activated.emit(item.data(0, ROLE))

    def _fit(self) -> None:
        for column in range(len(COLUMNS)):
            self.resizeColumnToContents(column)


def _item(value: Any, *texts: str) -> QTreeWidgetItem:
    tree_item = QTreeWidgetItem(list(texts))
    tree_item.setData(0, ROLE, value)
    return tree_item
