"""The curve of an evaluation as it grows: Dice and surface Dice against interactions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_medvlm.evaluation.segment.outcomes import Step

HEIGHT = 190
HIGHEST_START = 0.8
"""The axis of scores begins here at the latest, so that small differences stay small."""
DICE, NSD = "#ff7f0e", "#1f9bff"
"""Distinguishable without seeing red or green; also by their markers."""


def load_library() -> None:
    """Import what draws, which takes a while: to be called away from the window's thread."""
    import matplotlib.backends.backend_agg
    import matplotlib.figure  # noqa: F401


class Curve(QWidget):
    """Drawn by matplotlib, which is imported with the first curve and not before.

    Attributes
    ----------
    chosen
        The interaction, from 1, that the person clicked at.
    """

    chosen = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self._canvas: Any = None
        self._axes: Any = None
        self.points: dict[str, list[float]] = {}
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self.hide()

    def show_steps(self, steps: Sequence[Step], planned: int, at: int) -> None:
        """Draw the scores of all steps so far, and a line at one of them, from 1."""
        if self._canvas is None:
            self._make()
        self.show()
        self.points = {"Dice": [s.dice for s in steps], "NSD": [s.nsd for s in steps]}
        axes, ink = self._axes, self.palette().windowText().color().name()
        axes.clear()
        for (name, values), color, marker in zip(
            self.points.items(), (DICE, NSD), "os", strict=True
        ):
            numbers = range(1, len(values) + 1)
            axes.plot(numbers, values, color=color, marker=marker, ms=4, label=name)
        axes.axvline(at, color=ink, lw=1, ls=":")
        axes.set_xlim(0.5, planned + 0.5)
        axes.set_ylim(_lowest(self.points), 1.02)
        axes.set_xlabel("interactions", color=ink)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.tick_params(colors=ink)
        axes.set_facecolor("none")
        for side in axes.spines.values():
            side.set_color(ink)
        axes.grid(alpha=0.25)
        axes.legend(loc="lower right", fontsize=8, labelcolor=ink, framealpha=0)
        self._canvas.draw_idle()

    def _make(self) -> None:
        from matplotlib.backends.backend_qtagg import FigureCanvasQTAgg
        from matplotlib.figure import Figure

        figure = Figure(facecolor=self.palette().window().color().name())
        figure.subplots_adjust(left=0.12, right=0.98, top=0.96, bottom=0.24)
        self._axes = figure.add_subplot()
        self._canvas = FigureCanvasQTAgg(figure)
        self._canvas.setFixedHeight(HEIGHT)
        self._canvas.setToolTip("Click to show the mask after that interaction.")
        self._canvas.mpl_connect("button_press_event", self._on_click)
        self.layout().addWidget(self._canvas)

    def _on_click(self, event: Any) -> None:
        if event.xdata is not None:
            last = len(self.points["Dice"])
            self.chosen.emit(min(max(round(event.xdata), 1), last))


def _lowest(points: dict[str, list[float]]) -> float:
    """Where the axis of scores begins: good curves would be flat lines on one from 0."""
    least = min(value for values in points.values() for value in values)
    return max(min(math.floor(least * 10) / 10, HIGHEST_START), 0.0)
