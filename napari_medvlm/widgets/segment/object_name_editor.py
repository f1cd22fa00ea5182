"""Editing a name, with the terms next to it that DICOM has a code for."""

from __future__ import annotations

from qtpy.QtCore import QModelIndex, QStringListModel
from qtpy.QtWidgets import (
    QCompleter,
    QLineEdit,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from napari_medvlm.io.dicom_objects.coded_terms import Term, search
from napari_medvlm.widgets.runtime.notify import guarded

ABOUT = (
    "Listed terms are saved in DICOM with their SNOMED CT code, also with left or right"
    " before and a number after them; other names are saved as tissue."
)


class TermCompleter(QCompleter):
    """Offers the coded terms that have all words of what is typed, with their codes."""

    def __init__(self, edit: QLineEdit) -> None:
        super().__init__(edit)
        self.terms: tuple[Term, ...] = ()
        self._shown = QStringListModel(self)
        self.setModel(self._shown)
        self.setCompletionMode(QCompleter.CompletionMode.UnfilteredPopupCompletion)
        edit.textEdited.connect(guarded(self._offer))
        edit.setCompleter(self)

    def pathFromIndex(self, index: QModelIndex) -> str:  # noqa: N802  # Qt's name
        """The name alone, without its code."""
        return self.terms[index.row()].name

    def _offer(self, text: str) -> None:
        self.terms = search(text)
        self._shown.setStringList([str(term) for term in self.terms])


class CodedNames(QStyledItemDelegate):
    """Has names edited in a line that completes coded terms."""

    def createEditor(  # noqa: N802  # Qt's name
        self, parent: QWidget | None, option: QStyleOptionViewItem, index: QModelIndex
    ) -> QWidget | None:
        """A line with the list of terms."""
        edit = super().createEditor(parent, option, index)
        if isinstance(edit, QLineEdit):
            edit.setToolTip(ABOUT)
            TermCompleter(edit)
        return edit
