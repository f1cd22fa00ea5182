"""Correcting a registration by hand: shifts and rotations of the prior."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from qtpy.QtWidgets import QDoubleSpinBox, QGridLayout, QLabel, QWidget

from napari_medvlm.data.geometry.grid import FloatArray
from napari_medvlm.widgets.parts.buttons import button, on_click

SHIFTS = ("Up, mm", "Back, mm", "Left, mm")
TURNS = ("Turn, °", "Tilt, °", "Nod, °")
SHIFT_TIPS = ("superior", "posterior", "the patient's left")
TURN_TIPS = ("the vertical axis", "the front-to-back axis", "the right-to-left axis")


class CorrectionForm(QWidget):
    """Six numbers and Apply.

    Parameters
    ----------
    apply
        Called with the correction, see `matrix`, after which the numbers are 0 again.
    """

    def __init__(self, apply: Callable[[], object]) -> None:
        super().__init__()
        self.shifts = [_spin(500, f"Shift the prior to {tip}, in mm.") for tip in SHIFT_TIPS]
        self.turns = [_spin(180, f"Rotate the prior about {tip}.") for tip in TURN_TIPS]
        self.apply_button = button("Apply", "Move the registered prior by these numbers.")
        layout = QGridLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for column, (names, spins) in enumerate(((SHIFTS, self.shifts), (TURNS, self.turns))):
            for row, (name, spin) in enumerate(zip(names, spins, strict=True)):
                layout.addWidget(QLabel(name), row, 2 * column)
                layout.addWidget(spin, row, 2 * column + 1)
        layout.addWidget(self.apply_button, 3, 0, 1, 4)
        on_click(self.apply_button, apply)

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
        for spin in (*self.shifts, *self.turns):
            spin.setValue(0)


def _spin(limit: float, tooltip: str) -> QDoubleSpinBox:
    spin = QDoubleSpinBox()
    spin.setRange(-limit, limit)
    spin.setDecimals(1)
    spin.setToolTip(tooltip)
    return spin
