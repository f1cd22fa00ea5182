"""A read-only table of values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from qtpy.QtWidgets import QAbstractItemView, QTableWidget, QTableWidgetItem

HEIGHT_PX = 150
LEAST_HEIGHT_PX = 110
"""Shows the header and two rows."""


class ValueTable(QTableWidget):
    """A read-only table of texts and numbers.

    Parameters
    ----------
    columns
        The titles of the columns.
    """

    def __init__(self, columns: Sequence[str], tooltip: str) -> None:
        super().__init__(0, len(columns))
        self.setHorizontalHeaderLabels(list(columns))
        self.verticalHeader().hide()
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setToolTip(tooltip)
        self.setMaximumHeight(HEIGHT_PX)
        self.setMinimumHeight(LEAST_HEIGHT_PX)

    def show_rows(self, rows: Sequence[Sequence[Any]]) -> None:
        """Show these rows, with five digits of each float; NaN is an empty cell."""
        self.setRowCount(len(rows))
        for number, cells in enumerate(rows):
            for column, value in enumerate(cells):
                self._show_cell(number, column, _text(value))
        self.resizeColumnsToContents()

    def _show_cell(self, row: int, column: int, text: str) -> None:
        item = self.item(row, column)
        if item is None:
            self.setItem(row, column, QTableWidgetItem(text))
        elif item.text() != text:
            item.setText(text)


def _text(value: Any) -> str:
    if isinstance(value, float):
        return "" if np.isnan(value) else f"{value:.5g}"
    return str(value)
