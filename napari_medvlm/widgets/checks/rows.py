"""The checks as rows: a switch, what it costs, and what it came to in plain words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import QCheckBox, QComboBox, QHBoxLayout, QVBoxLayout, QWidget

from napari_medvlm.checks.base import Check
from napari_medvlm.data.check_result import CheckResult, Outcome
from napari_medvlm.layers import is_image, volume_of
from napari_medvlm.widgets.parts.plain_text import PlainLabel
from napari_medvlm.widgets.parts.text_color import TextColor
from napari_medvlm.widgets.parts.wrapped_label import WrappedLabel

if TYPE_CHECKING:
    from napari import Viewer
    from napari.layers import Layer

    from napari_medvlm.data.volume import Volume


SIGNS = {Outcome.PASSED: "✓", Outcome.FLAGGED: "⚠", Outcome.NOT_APPLICABLE: "○"}
COLORS = {Outcome.FLAGGED: TextColor.AMBER, Outcome.NOT_APPLICABLE: TextColor.GRAY}
INDENT_PX = 22


def asked_times(count: int) -> str:
    """How many requests something costs, in words."""
    return {0: "no model calls", 1: "1 model call"}.get(count, f"{count} model calls")


class CheckRow(QWidget):
    """One check.

    Attributes
    ----------
    toggled
        The person switched it on or off.
    """

    toggled = Signal()

    def __init__(self, check: Check) -> None:
        super().__init__()
        self.switch = QCheckBox(check.name.capitalize())
        self.switch.setToolTip(check.description)
        self.switch.setChecked(True)
        self.cost = PlainLabel()
        self.result = WrappedLabel()
        self.result.setContentsMargins(INDENT_PX, 0, 0, 0)
        self.result.hide()
        head = QHBoxLayout()
        head.addWidget(self.switch, 1)
        head.addWidget(self.cost)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addLayout(head)
        layout.addWidget(self.result)
        self.switch.toggled.connect(lambda _: self.toggled.emit())

    def show_finding(self, outcome: CheckResult | None) -> None:
        """Show what it came to; `None`: nothing yet."""
        if outcome is None:
            self.result.show_text("")
            return
        self.result.set_color(COLORS.get(outcome.verdict))
        self.result.show_text(
            f"{SIGNS[outcome.verdict]} {outcome.verdict.value}: {outcome.sentence}"
        )

    def show_running(self) -> None:
        """Say that it runs."""
        self.result.set_color(None)
        self.result.show_text("checking…")


class CheckRows(QWidget):
    """A row for each check.

    Attributes
    ----------
    toggled
        A check was switched on or off.
    """

    toggled = Signal()

    def __init__(self, checks: Sequence[Check]) -> None:
        super().__init__()
        self.rows = {check.name: CheckRow(check) for check in checks}
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        for row in self.rows.values():
            layout.addWidget(row)
            row.toggled.connect(self.toggled)

    @property
    def chosen(self) -> frozenset[str]:
        """Names of the checks that are switched on."""
        return frozenset(name for name, row in self.rows.items() if row.switch.isChecked())

    def show_costs(self, costs: Mapping[str, int]) -> None:
        """Show how many requests each takes."""
        for name, row in self.rows.items():
            row.cost.setText(asked_times(costs[name]) if name in costs else "")

    def show_findings(self, findings: Sequence[CheckResult]) -> None:
        """Show what checks came to."""
        by_check = {outcome.check: outcome for outcome in findings}
        for name, row in self.rows.items():
            row.show_finding(by_check.get(name))


FAR_AWAY = "Distant slices"


class OtherImage(QComboBox):
    """Slices far away, or an image of the viewer; looks for those whenever it is about to be used.

    It follows no events of the viewer: it lives on cards that come and go.

    Parameters
    ----------
    viewer
        Whose images are offered.
    """

    def __init__(self, viewer: Viewer) -> None:
        super().__init__()
        self._viewer = viewer
        self._read: tuple[Layer, Volume] | None = None
        self.setToolTip("Image to swap in: choose one with a different correct answer.")
        self.look()

    @property
    def volume(self) -> Volume | None:
        """The image chosen; `None`: slices far away, or the layer is gone."""
        layer = self.currentData()
        if layer is None or layer not in self._viewer.layers:
            return None
        if self._read is None or self._read[0] is not layer:
            self._read = layer, volume_of(layer)
        return self._read[1]

    def look(self) -> None:
        """Offer the images that are open now."""
        before = self.currentData()
        with QSignalBlocker(self):
            self.clear()
            self.addItem(FAR_AWAY, None)
            for layer in self._viewer.layers:
                if is_image(layer):
                    self.addItem(layer.name, layer)
                    if layer is before:
                        self.setCurrentIndex(self.count() - 1)

    def showPopup(self) -> None:  # noqa: N802  # Qt's name
        """Look again, then open."""
        self.look()
        super().showPopup()
