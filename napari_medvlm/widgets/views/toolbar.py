"""The controls of the Views dock."""

from __future__ import annotations

from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import QCheckBox, QComboBox, QHBoxLayout, QSizePolicy, QSpinBox, QWidget

from napari_medvlm.settings.view_layout import Layout, ViewLayout
from napari_medvlm.widgets.runtime.accessible_names import set_accessible_names
from napari_medvlm.widgets.runtime.dock_input import DockInput


class ViewsToolbar(QWidget):
    """The layout, and whether 3D and the crosshair are shown.

    Attributes
    ----------
    arranged
        The `ViewLayout` that a person chose.
    """

    arranged = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.layouts = QComboBox()
        self.layouts.setToolTip("Where the other planes are.")
        self.layouts.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.layouts.setMinimumContentsLength(6)
        for layout in Layout:
            self.layouts.addItem(layout.value, layout)
        self.volume = QCheckBox("3D")
        self.volume.setToolTip("Show the volume in 3D too.")
        self.crosshair = QCheckBox("Crosshair")
        self.crosshair.setToolTip("Show where the planes cut; drag it to move them (Shift+C).")
        self.reach = QSpinBox()
        self.reach.setRange(0, 100)
        self.reach.setSpecialValueText("±0 mm")
        self.reach.setPrefix("±")
        self.reach.setSuffix(" mm")
        self.reach.setButtonSymbols(QSpinBox.ButtonSymbols.NoButtons)
        self.reach.setFixedWidth(64)
        self.reach.setKeyboardTracking(False)
        self.reach.setToolTip(
            "Prompts, boxes and rulers up to this far from the slice are drawn dashed, with their "
            "distance to it."
        )
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(2)  # with the Segment dock, all fits on 1366 pixels
        for part in (self.layouts, self.volume, self.crosshair, self.reach):
            row.addWidget(part)
        row.addStretch(1)
        set_accessible_names(self)
        self._input = DockInput(self)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self.layouts.activated.connect(self._emit)
        self.volume.clicked.connect(self._emit)
        self.crosshair.clicked.connect(self._emit)
        self.reach.valueChanged.connect(self._emit)

    @property
    def arrangement(self) -> ViewLayout:
        """What the controls show."""
        return ViewLayout(
            self.layouts.currentData(),
            self.volume.isChecked(),
            self.crosshair.isChecked(),
            self.reach.value(),
        )

    def show_arrangement(self, arrangement: ViewLayout) -> None:
        """Set the controls."""
        with QSignalBlocker(self):
            self.layouts.setCurrentIndex(self.layouts.findText(arrangement.layout.value))
            self.volume.setChecked(arrangement.has_3d)
            self.crosshair.setChecked(arrangement.has_crosshair)
            self.reach.setValue(arrangement.reach_mm)
        self.volume.setEnabled(arrangement.layout is not Layout.SINGLE)

    def _emit(self, _: object = None) -> None:
        self.arranged.emit(self.arrangement)
