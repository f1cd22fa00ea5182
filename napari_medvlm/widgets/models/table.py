"""The table of models, and the description of the chosen one."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from qtpy.QtCore import QEvent, QSignalBlocker, Qt, Signal
from qtpy.QtGui import QColor, QResizeEvent
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QTreeWidget,
    QTreeWidgetItem,
    QWidget,
)

from napari_medvlm.backends.memory.free import Memory, gigabytes
from napari_medvlm.backends.models.download import megabytes
from napari_medvlm.backends.models.published import (
    FREE_WORDS,
    NOT_COMMERCIAL_WORDS,
    OWN_WORDS,
    in_words,
)
from napari_medvlm.settings.verified_models import UNTESTED
from napari_medvlm.widgets.parts.plain_text import plain
from napari_medvlm.widgets.parts.text_color import TextColor
from napari_medvlm.worker.model_status import ModelStatus

MODEL, USE, NEEDS, SIZE = range(4)
HEAD = ["Model", "Weights", "Needs", "Size"]
STATES = {
    "loaded": "Loaded",
    "added": "Added",
    "downloaded": "Downloaded",
    "no longer there": "Missing",
    "not downloaded": "Not downloaded",
    "not installed": "Backend not installed",
}
COLORS = {
    NOT_COMMERCIAL_WORDS: TextColor.RED,
    OWN_WORDS: TextColor.AMBER,
    FREE_WORDS: TextColor.GREEN,
}
FROM_WIDTH = {NEEDS: 310, SIZE: 360}
"""Columns that are shown from a width of the table in pixels on; names come first."""
SHORT = {NOT_COMMERCIAL_WORDS: "non-commercial", FREE_WORDS: "free", OWN_WORDS: "own terms"}


class ModelsTable(QTreeWidget):
    """A row for each model, under whether it is here.

    Attributes
    ----------
    chosen
        Another row is the current one, or what is known of it has changed.
    """

    chosen = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._rows: dict[str, ModelStatus] = {}
        self._memory: Memory | None = None
        self.setHeaderLabels(HEAD)
        self.setRootIsDecorated(False)
        self.setIndentation(10)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setToolTip("Click a model to show its task and requirements below.")
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        header = self.header()
        header.setStretchLastSection(False)
        header.setMinimumSectionSize(30)
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(MODEL, QHeaderView.ResizeMode.Stretch)
        self.currentItemChanged.connect(lambda *_: self.chosen.emit())

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802  # Qt's name
        """Leave room for the names: hide columns whose values the description has too."""
        super().resizeEvent(event)
        for column, width in FROM_WIDTH.items():
            self.setColumnHidden(column, self.width() < width)

    def changeEvent(self, event: QEvent | None) -> None:  # noqa: N802  # Qt's name
        """Show the rows in the colours of another theme."""
        super().changeEvent(event)
        is_style = event is not None and event.type() == QEvent.Type.StyleChange
        if is_style and self._memory is not None:
            self.show_models(tuple(self._rows.values()), self._memory)

    @property
    def row(self) -> ModelStatus | None:
        """The model in the current row."""
        item = self.currentItem()
        return None if item is None else self._rows.get(item.data(MODEL, Qt.ItemDataRole.UserRole))

    @property
    def models(self) -> tuple[str, ...]:
        """The names of all models, in their order."""
        return tuple(item.data(MODEL, Qt.ItemDataRole.UserRole) for item in self._items())

    def choose(self, name: str) -> None:
        """Go to a model's row, if there is one."""
        for item in self._items():
            if item.data(MODEL, Qt.ItemDataRole.UserRole) == name:
                self.setCurrentItem(item)

    def show_models(self, rows: Sequence[ModelStatus], memory: Memory) -> None:
        """Show models, and which of them need more than the memory that is free."""
        self._memory = memory
        current = self.row.model.name if self.row is not None else ""
        scroll = self.verticalScrollBar().value()
        with QSignalBlocker(self):
            self.clear()
            self._rows = {row.model.name: row for row in rows}
            for state, title in STATES.items():
                self._add_group(title, [row for row in rows if row.state == state], memory)
            self.expandAll()
            self.choose(current)
        self.verticalScrollBar().setValue(scroll)
        self.chosen.emit()

    def _add_group(self, title: str, rows: Sequence[ModelStatus], memory: Memory) -> None:
        if not rows:
            return
        group = QTreeWidgetItem([title])
        group.setFlags(Qt.ItemFlag.ItemIsEnabled)
        font = group.font(MODEL)
        font.setBold(True)
        group.setFont(MODEL, font)
        self.addTopLevelItem(group)
        group.setFirstColumnSpanned(True)
        for row in rows:
            group.addChild(_item(row, memory, self))

    def _items(self) -> list[QTreeWidgetItem]:
        groups = [self.topLevelItem(number) for number in range(self.topLevelItemCount())]
        return [group.child(number) for group in groups for number in range(group.childCount())]


def _item(row: ModelStatus, memory: Memory, table: QWidget) -> QTreeWidgetItem:
    model, about = row.model, row.model.about
    use = model.licence_in_words
    needs = gigabytes(about.memory_mib) if about.memory_mib else ""
    size = megabytes(model.bytes) if model.bytes else ""
    item = QTreeWidgetItem([about.title, SHORT.get(use, use), needs, size])
    item.setData(MODEL, Qt.ItemDataRole.UserRole, model.name)
    item.setToolTip(MODEL, plain(f"{about.title}: {row.state}, {row.tested}\n{row.does}"))
    licences = f"Weights: {use} ({about.weights_licence})\nCode: {about.code_licence}"
    item.setToolTip(USE, plain(licences))
    item.setToolTip(NEEDS, plain(f"Needs {needs or 'not known'}. Free: {memory}"))
    item.setToolTip(SIZE, "Size on disk" if size else "Shown before the download")
    for column in (NEEDS, SIZE):
        item.setTextAlignment(column, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
    if use in COLORS:
        item.setForeground(USE, QColor(COLORS[use].on(table)))
    if about.memory_mib > memory.most_mib:
        item.setForeground(NEEDS, QColor(TextColor.RED.on(table)))
    return item


def described(row: ModelStatus, memory: Memory, widget: QWidget) -> str:
    """The description of a model, in HTML with the colours for a widget."""
    model, about = row.model, row.model.about
    size = f", {megabytes(model.bytes)}" if model.bytes else ""
    lines = [
        f"<b>{escape(about.title)}</b>: {escape(row.state + size)}",
        f"For {escape(row.does)}." if row.does else "",
        escape(model.adapter),
        escape(about.notes),
        f"Weights: {_licence(about.weights_licence, widget)}."
        f" Code: {_licence(about.code_licence, widget)}.",
        _memory(about.memory_mib, memory, widget),
        _tested(row, widget),
        f"<small>{escape(str(model.path or model.about.source))}</small>",
    ]
    if row.obstacle:
        lines.append(_colored(escape(row.obstacle), TextColor.AMBER, widget))
    return "<br>".join(line for line in lines if line)


def _tested(row: ModelStatus, widget: QWidget) -> str:
    """The last run with the weights, and what the code was written for."""
    text = escape(row.tested[:1].upper() + row.tested[1:])
    source = row.model.about.format_source
    read = f" File format as in {escape(source)}." if source else ""
    if row.tested != UNTESTED:
        return f"{text}.{read}"
    return f"{_colored(f'{text}.', TextColor.AMBER, widget)} <i>Verify</i> tests it.{read}"


def _colored(text: str, color: TextColor, widget: QWidget) -> str:
    return f'<span style="color:{color.on(widget)}">{text}</span>'


def _licence(licence: str, widget: QWidget) -> str:
    words = in_words(licence)
    text = f"{words} ({escape(licence)})" if licence else words
    return _colored(text, COLORS[words], widget) if words in COLORS else text


def _memory(needed_mib: int, memory: Memory, widget: QWidget) -> str:
    if not needed_mib:
        return ""
    need_text = f"Needs {gigabytes(needed_mib)} of memory; free: {escape(str(memory))}."
    enough = needed_mib <= memory.most_mib
    return need_text if enough else _colored(need_text, TextColor.RED, widget)
