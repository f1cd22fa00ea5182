"""The table of lesions in two studies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from qtpy.QtCore import QSignalBlocker, QSize, Qt, Signal
from qtpy.QtGui import QKeyEvent, QResizeEvent
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTreeWidget, QTreeWidgetItem

from napari_medvlm.sessions.followup.followed import FollowedLesion
from napari_medvlm.widgets.parts.plain_text import plain

NAME, STATE, CHANGE, VOLUME, LONGEST, PERPENDICULAR, DOUBLING, NODE = range(8)
HEAD = (
    "Lesion",
    "State",
    "Change",
    "mL",
    "Long",
    "Perp.",
    "Days",
    "Node",
)
TIPS = {
    CHANGE: "Change of the volume in per cent; ~ marks one that is not reliable.",
    VOLUME: "Volume in millilitres in the prior and the current image.",
    LONGEST: "Longest diameter in mm in an axial slice, prior and current.",
    PERPENDICULAR: "Longest diameter in mm at a right angle to it, prior and current.",
    DOUBLING: "Days in which the volume doubled; needs the dates.",
    NODE: "A lymph node: its short axis counts.",
}
ENTER = (Qt.Key.Key_Return, Qt.Key.Key_Enter)
DELETE = (Qt.Key.Key_Delete, Qt.Key.Key_Backspace)
NARROWEST_PX, NAME_PX = 36, 120
"""The least width of a column, and the room for a long name before other columns are hidden.

The names take what is left, and are elided."""
WIDE_ONLY = (DOUBLING, PERPENDICULAR)
"""Columns that are hidden in a narrow dock, the first one first; tooltips have their values."""
VALUE_ROLE = Qt.ItemDataRole.UserRole


class LesionTable(QTreeWidget):
    """A row for each lesion, with its size in both studies.

    Attributes
    ----------
    chosen
        Number of the row that the person chose.
    accept_pressed, gone_pressed
        Enter or Delete was pressed.
    nodes_changed
        A lesion was marked as a lymph node, or is none any more.
    """

    chosen = Signal(int)
    accept_pressed = Signal()
    gone_pressed = Signal()
    nodes_changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setHeaderLabels(list(HEAD))
        self.setRootIsDecorated(False)
        self.setIndentation(0)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)  # names often differ at their end
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setToolTip("Click a row to go to the lesion. Enter accepts its point, Delete: gone.")
        for column, tip in TIPS.items():
            self.headerItem().setToolTip(column, tip)
        self.header().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        self.header().setStretchLastSection(False)
        self.header().setMinimumSectionSize(NARROWEST_PX)
        self.header().setSectionResizeMode(NAME, QHeaderView.ResizeMode.Stretch)
        self.itemPressed.connect(self._on_pressed)
        self.currentItemChanged.connect(self._on_pressed)
        self.itemChanged.connect(lambda _, column: column == NODE and self.nodes_changed.emit())

    @property
    def selected(self) -> list[int]:
        """Values of the selected lesions of the prior."""
        values = [int(item.data(NAME, VALUE_ROLE)) for item in self.selectedItems()]
        return [value for value in values if value]

    @property
    def nodes(self) -> frozenset[str]:
        """Names of the lesions that are lymph nodes."""
        items = map(self.topLevelItem, range(self.topLevelItemCount()))
        return frozenset(
            item.text(NAME) for item in items if item.checkState(NODE) is Qt.CheckState.Checked
        )

    def show_lesions(
        self, lesions: Sequence[FollowedLesion], open_states: Mapping[int, str]
    ) -> None:
        """Show rows; the selection stays.

        Parameters
        ----------
        open_states
            By value of a lesion, the state to show where nothing is measured.
        """
        selected, current = set(self.selected), self.indexOfTopLevelItem(self.currentItem())
        with QSignalBlocker(self):
            self.clear()
            for lesion in lesions:
                self.addTopLevelItem(_item(lesion, open_states.get(lesion.value, "")))
            for row in range(self.topLevelItemCount()):
                item = self.topLevelItem(row)
                if row == current:
                    self.setCurrentItem(item, NAME)
            for row in range(self.topLevelItemCount()):
                item = self.topLevelItem(row)
                item.setSelected(bool(item.data(NAME, VALUE_ROLE) in selected))
        self._fit_columns()

    def sizeHint(self) -> QSize:  # noqa: N802  # Qt's name
        """Eight rows."""
        return QSize(320, 220)

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802  # Qt's name
        """Show the columns that there is room for."""
        super().resizeEvent(event)
        self._fit_columns()

    def _fit_columns(self) -> None:
        widths = {
            column: max(self.sizeHintForColumn(column), self.header().sectionSizeHint(column))
            for column in range(NAME + 1, len(HEAD))
        }
        names = min(NAME_PX, self.sizeHintForColumn(NAME))
        room = self.viewport().width() - names - sum(widths.values())
        for column in WIDE_ONLY:
            self.setColumnHidden(column, room < 0)
            room += widths[column] if room < 0 else 0

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802  # Qt's name
        """Enter accepts, Delete marks as gone."""
        if event.key() in ENTER:
            self.accept_pressed.emit()
        elif event.key() in DELETE:
            self.gone_pressed.emit()
        else:
            super().keyPressEvent(event)

    def _on_pressed(self, item: QTreeWidgetItem | None, *_: object) -> None:
        if item is not None:
            self.chosen.emit(self.indexOfTopLevelItem(item))


def _item(lesion: FollowedLesion, open_state: str) -> QTreeWidgetItem:
    prior, current = lesion.prior, lesion.current
    now = lesion.is_measured
    reliability = lesion.reliability
    doubt = () if reliability is None else reliability.reasons
    change = lesion.change_text
    days = "" if lesion.doubling_days is None else f"{lesion.doubling_days:.0f}"
    texts = (
        lesion.name,
        str(lesion.state or open_state),
        f"~ {change}" if change and doubt else change,
        _pair(prior.volume_ml, current.volume_ml, now, 2),
        _pair(prior.longest_mm, current.longest_mm, now, 1),
        _pair(prior.perpendicular_mm, current.perpendicular_mm, now, 1),
        days,
        "",
    )
    item = QTreeWidgetItem(list(texts))
    item.setData(NAME, VALUE_ROLE, lesion.value)
    item.setFlags(item.flags() | Qt.ItemFlag.ItemIsUserCheckable)
    item.setCheckState(NODE, Qt.CheckState.Checked if lesion.is_node else Qt.CheckState.Unchecked)
    for column in (CHANGE, VOLUME, LONGEST, PERPENDICULAR, DOUBLING):
        item.setTextAlignment(column, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
    if lesion.is_target:
        font = item.font(NAME)
        font.setBold(True)
        item.setFont(NAME, font)
    perpendicular = texts[PERPENDICULAR].replace("\n", " ")
    notes = [
        f"Perpendicular: {perpendicular} mm.",
        *([f"Doubling: {days} days."] if days else []),
        *(["Counts in the sum of diameters."] if lesion.is_target else []),
        *lesion.notes,
        *doubt,
    ]
    for column in range(len(HEAD)):
        own = [lesion.name] if column == NAME else []
        item.setToolTip(column, plain("\n".join([*own, *notes])))
    return item


def _pair(prior: float, current: float, is_measured: bool, digits: int) -> str:
    """The values of both studies, one below the other: a dock is narrow."""
    before = f"{prior:.{digits}f}" if prior else "0"
    return f"{before}\n→ {current:.{digits}f}" if is_measured else before
