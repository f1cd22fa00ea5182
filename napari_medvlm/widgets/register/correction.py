"""Correcting a registration by hand: shifts and rotations of the prior."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import QDoubleSpinBox, QGridLayout, QLabel, QWidget

from napari_medvlm.data.geometry.grid import FloatArray
from napari_medvlm.widgets.parts.buttons import button, on_click
from napari_medvlm.widgets.parts.wrapped_label import WrappedLabel

SHIFTS = ("Up, mm", "Back, mm", "Left, mm")
TURNS = ("Turn, °", "Tilt, °", "Nod, °")
SHIFT_TIPS = ("superior", "posterior", "the patient's left")
TURN_TIPS = ("the vertical axis", "the front-to-back axis", "the right-to-left axis")

KEYS_TEXT = (
    "In the plane in view: Ctrl+Shift+arrow shifts by 1 mm, Ctrl+Shift+Page Up or Down turns by 1°."
)


class CorrectionForm(QWidget):
    """Six numbers with Apply and Reset; keys step them in the plane in view.

    Parameters
    ----------
    apply
        Called when the correction is to be used, see `matrix`.

    Attributes
    ----------
    changed
        A number was changed.
    """

    changed = Signal()

    def __init__(self, apply: Callable[[], object]) -> None:
        super().__init__()
        self.shifts = [_spin(500, f"Shift the prior to {tip}, in mm.") for tip in SHIFT_TIPS]
        self.turns = [_spin(180, f"Rotate the prior about {tip}.") for tip in TURN_TIPS]
        self.apply_button = button("Apply", "Register the prior where it is shown now.")
        self.reset_button = button("Reset", "Show the prior where it is registered.")
        layout = QGridLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for column, (names, spins) in enumerate(((SHIFTS, self.shifts), (TURNS, self.turns))):
            for row, (name, spin) in enumerate(zip(names, spins, strict=True)):
                layout.addWidget(QLabel(name), row, 2 * column)
                layout.addWidget(spin, row, 2 * column + 1)
        layout.addWidget(self.apply_button, 3, 0, 1, 2)
        layout.addWidget(self.reset_button, 3, 2, 1, 2)
        layout.addWidget(WrappedLabel(KEYS_TEXT), 4, 0, 1, 4)
        for spin in self._spins:
            spin.valueChanged.connect(self._on_value)
        on_click(self.apply_button, apply)
        on_click(self.reset_button, self.clear)

    @property
    def is_empty(self) -> bool:
        """Whether all numbers are 0."""
        return not any(spin.value() for spin in self._spins)

    def step(self, shift_mm: FloatArray, turn_degrees: FloatArray) -> None:
        """Add to the shifts and rotations along and about S, P, L."""
        steps = (*shift_mm, *turn_degrees)
        self._set([s.value() + by for s, by in zip(self._spins, steps, strict=True)])

    def matrix(self, center_mm: FloatArray) -> FloatArray:
        """The correction, 4 x 4 in the current image's ``(S, P, L)`` mm.

        Parameters
        ----------
        center_mm
            The point about which it rotates; rotations are about S, then P, then L.
        """
        from scipy.spatial.transform import Rotation

        degrees = [spin.value() for spin in self.turns]
        matrix = np.eye(4)
        matrix[:3, :3] = Rotation.from_euler("xyz", degrees, degrees=True).as_matrix()
        shift = np.array([spin.value() for spin in self.shifts])
        matrix[:3, 3] = center_mm - matrix[:3, :3] @ center_mm + shift
        return matrix

    def clear(self) -> None:
        """Set all numbers to 0."""
        self._set([0.0] * len(self._spins))

    @property
    def _spins(self) -> tuple[QDoubleSpinBox, ...]:
        return *self.shifts, *self.turns

    def _set(self, values: Sequence[float]) -> None:
        """Set all numbers with one `changed`, if any differs."""
        if [spin.value() for spin in self._spins] == list(values):
            return
        for spin, value in zip(self._spins, values, strict=True):
            with QSignalBlocker(spin):
                spin.setValue(value)
        self.changed.emit()

    def _on_value(self, _: float) -> None:
        self.changed.emit()


def _spin(limit: float, tooltip: str) -> QDoubleSpinBox:
    spin = QDoubleSpinBox()
    spin.setRange(-limit, limit)
    spin.setDecimals(1)
    spin.setToolTip(tooltip)
    return spin
