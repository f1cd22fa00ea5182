"""What undo and redo are called in their buttons and in the menu of the window."""

from types import SimpleNamespace

import numpy as np
from qtpy.QtGui import QAction
from qtpy.QtWidgets import QMainWindow

import napari_medvlm as nmv
from napari_medvlm.sessions.segment import edits
from napari_medvlm.widgets.segment.session_toolbar import SessionRow


def test_menu_entries_of_undo_and_redo_name_the_edit(qtbot):
    window, row = QMainWindow(), SessionRow()
    qtbot.addWidget(window)
    window.setCentralWidget(row)
    entries = {}
    for name in ("undo", "redo"):
        entries[name] = QAction(window.menuBar())
        entries[name].setObjectName(f"napari-medvlm.{name}")

    def shown():
        row.refresh()
        return [entry.text().removesuffix(" (Medical VLM)") for entry in entries.values()]

    volume = nmv.Volume(np.zeros((6, 7, 8), np.int16), np.eye(4))
    ledger = nmv.Ledger.of(volume)
    row.bind(SimpleNamespace(ledger=ledger))
    assert shown() == ["Undo edit", "Redo edit"]
    ledger.append(*edits.add(ledger.now, None, 1, nmv.Point.at_index(volume, (2, 3, 4))))
    assert shown() == ["Undo: add point", "Redo edit"]
    ledger.append(*edits.edit_object(ledger.now, 1, "Lung & pleura", None, None))
    assert shown() == ["Undo: edit object", "Redo edit"]
    ledger.undo()
    assert shown() == ["Undo: add point", "Redo: edit object"]
    row.bind(None)
    assert shown() == ["Undo edit", "Redo edit"]
