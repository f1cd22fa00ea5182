"""The size of voxels, asked for where a file lacks it or has it wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import (
    QApplication,
    QDialog,
    QDialogButtonBox,
    QDoubleSpinBox,
    QFormLayout,
    QWidget,
)

from napari_medvlm.data.errors import InvalidImage
from napari_medvlm.data.volume import UNTOLD_SIZE, Volume
from napari_medvlm.layers import is_image, layer_data
from napari_medvlm.layers.convert import volume_of
from napari_medvlm.widgets.parts.plain_text import PlainLabel
from napari_medvlm.widgets.runtime.notify import guarded

if TYPE_CHECKING:
    import napari

AXES = ("Between slices", "Between rows", "Between columns")
LEAST_MM, MOST_MM = 0.0001, 1000.0


class SpacingDialog(QDialog):
    """Three sizes in millimetres, beginning with those that the volume has."""

    def __init__(self, volume: Volume, parent: QWidget | None) -> None:
        super().__init__(parent)
        self.setWindowTitle(f"Voxel size of {volume.name}")
        self.sizes = [_size(mm) for mm in volume.spacing]
        about = PlainLabel(
            UNTOLD_SIZE
            if volume.spacing_is_assumed
            else (
                "Lengths and volumes depend on it. A new session starts; earlier prompts "
                "are not carried over."
            )
        )
        about.setWordWrap(True)
        buttons = QDialogButtonBox(
            QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel
        )
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        form = QFormLayout(self)
        form.addRow(about)
        for name, box in zip(AXES, self.sizes, strict=True):
            form.addRow(name, box)
        form.addRow(buttons)

    @property
    def spacing(self) -> list[float]:
        """Along ``(z, y, x)`` in millimetres."""
        return [box.value() for box in self.sizes]


def ask_spacing(volume: Volume, parent: QWidget | None) -> Volume | None:
    """The volume with the size that a person gives; `None` if they leave it as it is."""
    dialog = SpacingDialog(volume, parent)
    return volume.spaced(dialog.spacing) if dialog.exec() else None


@guarded
def set_spacing(viewer: napari.Viewer) -> None:
    """Ask for the size of the voxels of the selected image, and show it in that."""
    from napari.layers import Image, Layer

    layer = viewer.layers.selection.active
    if not isinstance(layer, Image) or not is_image(layer):
        raise InvalidImage("No image is selected.", "Select an image in the layer list.")
    spaced = ask_spacing(volume_of(layer), QApplication.activeWindow())
    if spaced is not None:
        layer_index = viewer.layers.index(layer)
        viewer.layers.remove(layer)
        viewer.layers.insert(layer_index, Layer.create(*layer_data(spaced)))
        viewer.reset_view()


def _size(mm: float) -> QDoubleSpinBox:
    box = QDoubleSpinBox()
    box.setDecimals(4)
    box.setRange(LEAST_MM, MOST_MM)
    box.setValue(mm)
    box.setSuffix(" mm")
    box.setToolTip("Distance between the centres of neighbouring voxels, in mm.")
    return box
