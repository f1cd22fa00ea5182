"""Choosing what a model sees of an image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QFormLayout, QHBoxLayout, QLabel, QSpinBox, QWidget

from napari_medvlm.data.answer import NamedMask
from napari_medvlm.data.errors import InvalidPrompt
from napari_medvlm.data.grounding import Scope
from napari_medvlm.data.prompts import Box, IndexArray
from napari_medvlm.data.region import Region
from napari_medvlm.data.volume import Volume, Window
from napari_medvlm.data.window_presets import CT_COLORS, windows
from napari_medvlm.layers import is_image
from napari_medvlm.layers.convert import volume_of
from napari_medvlm.layers.orientation import slice_in_view, visible_box
from napari_medvlm.layers.pairing.pairing_layers import paired_studies
from napari_medvlm.sessions.ask.image_selection import ImageSelection
from napari_medvlm.sessions.ask.other_images import NamedVolume
from napari_medvlm.sessions.ask.visual_prompts import VisualPrompting
from napari_medvlm.widgets.ground.scope import millimetres
from napari_medvlm.widgets.parts.layer_combo import LayerChoice

if TYPE_CHECKING:
    from napari import Viewer
    from napari.layers import Image, Layer

SLICE, AROUND, WHOLE, OBJECTS = range(4)
WHERE = ("Current slice", "Nearby slices", "Whole volume", "Object slices")
NO_CROP, CROP_VIEW, CROP_OBJECTS = range(3)
CROPS = ("Whole slices", "Visible area", "Around objects")
OWN, AS_SHOWN, COLORS = "As loaded", "As in viewer", "Three CT windows (MedGemma)"
HIDDEN = "not sent"
NOT_SENT, ALSO_SENT, AS_PRIOR = "none", "also sent", "as prior"


class ViewChoice(QWidget):
    """The slices, their part and window, another image, and how objects are shown.

    Attributes
    ----------
    changed
        Something else was chosen.
    """

    changed = Signal()

    def __init__(self, viewer: Viewer) -> None:
        super().__init__()
        self._viewer = viewer
        self._image: Layer | None = None
        self._windows: dict[str, tuple[Window, ...]] = {}
        self.where = _combo(WHERE, "Slices of the current plane to send.")
        self.reach = millimetres(20, "Distance to either side of the current slice, in mm.")
        self.every = millimetres(10, "Step between the slices sent, in mm.")
        self.montage = QSpinBox()
        self.montage.setRange(1, 36)
        self.montage.setSuffix(" per image")
        self.montage.setToolTip("Number of slices per image, side by side.")
        self.crop = _combo(CROPS, "Part of each slice to send.")
        self.window = _combo((), "Intensities shown to the model as black and white.")
        self.other = LayerChoice(viewer, lambda layer: is_image(layer) and layer is not self._image)
        self.other.setToolTip("Another sequence or a prior study, sent at the same positions.")
        self.with_other = _combo(
            (NOT_SENT, ALSO_SENT, AS_PRIOR),
            "Whether a second image is sent. As prior: at its registered positions, and the model "
            "is informed which study is which.",
        )
        self.pointing = _combo(
            (HIDDEN, *VisualPrompting), "How the selected objects are marked in the images sent."
        )
        self._lay_out()
        for box in (self.where, self.crop, self.window, self.with_other, self.pointing):
            box.currentIndexChanged.connect(self._on_changed)
        for spin in (self.reach, self.every, self.montage):
            spin.valueChanged.connect(self._on_changed)
        self._on_changed()

    def bind(self, layer: Image | None, volume: Volume | None) -> None:
        """Offer the windows of another image."""
        self._image = layer
        own = {} if volume is None else windows(volume)
        self._windows = {OWN: (), AS_SHOWN: ()}
        self._windows |= {name: (w,) for name, w in own.items() if name != OWN}
        if volume is not None and volume.is_hu:
            self._windows[COLORS] = CT_COLORS
        self.window.clear()
        self.window.addItems(list(self._windows))

    @property
    def title(self) -> str:
        """What is chosen, in a few words."""
        parts = [str(self.where.currentText()).lower()]
        if self.where.currentIndex() != SLICE:
            parts[0] += f", step {self.every.value():.0f} mm"
        if self.montage.value() > 1:
            parts.append(f"{self.montage.value()} per image")
        if self.crop.currentIndex() != NO_CROP:
            parts.append("cropped")
        if self.with_other.currentText() == AS_PRIOR:
            parts.append("with prior")
        if self.window.currentIndex() > 0:
            parts.append(str(self.window.currentText()))
        return "Images: " + " · ".join(parts)

    def view(
        self, volume: Volume, objects: Sequence[NamedMask], drawn: Sequence[Region] = ()
    ) -> ImageSelection:
        """What is chosen, about the plane and the place in view.

        Parameters
        ----------
        objects, drawn
            Masks, boxes and points that the question may be about.

        Raises
        ------
        InvalidPrompt
            If slices of objects are wanted, and there is no object.
        """
        shown = self.pointing.currentText() != HIDDEN
        regions = [Region.of_mask(o.name, o.mask, volume.grid, None, o.name) for o in objects]
        regions += drawn
        return ImageSelection(
            self._scope(volume, regions),
            self._part(volume, regions),
            self.montage.value(),
            self._chosen_windows(),
            self._others(volume),
            tuple(regions) if shown else (),
            VisualPrompting(self.pointing.currentText()) if shown else VisualPrompting.DRAWN,
        )

    def _scope(self, volume: Volume, regions: Sequence[Region]) -> Scope:
        in_view = slice_in_view(self._viewer, volume.grid)
        axis, every, where = in_view.axis, self.every.value(), self.where.currentIndex()
        if where == OBJECTS:
            start, stop = _around(volume, regions)
            return Scope(axis, int(start[axis]), int(stop[axis]), every)
        if where == WHOLE:
            return Scope(axis, slice_step_mm=every)
        if where == SLICE:
            return Scope.of_slice(axis, in_view.index)
        return Scope.near(in_view, self.reach.value(), volume.grid, every)

    def _part(self, volume: Volume, regions: Sequence[Region]) -> Box | None:
        if self.crop.currentIndex() == NO_CROP:
            return None
        if self.crop.currentIndex() == CROP_VIEW:
            return visible_box(self._viewer, volume)
        return Box.at_index(volume.grid, *_around(volume, regions))

    def _chosen_windows(self) -> tuple[Window, ...]:
        name = str(self.window.currentText())
        if name != AS_SHOWN or self._image is None:
            return self._windows.get(name, ())
        low, high = self._image.contrast_limits
        return (Window((low + high) / 2, high - low),)

    def _others(self, volume: Volume) -> tuple[NamedVolume, ...]:
        layer = self.other.layer
        if self.with_other.currentIndex() == 0 or layer is None:
            return ()
        other, is_prior = volume_of(layer), self.with_other.currentText() == AS_PRIOR
        studies = paired_studies(self._viewer)
        paired = is_prior and studies is not None and studies.current is volume
        if paired and studies is not None and other in (studies.moved, studies.prior):
            return (NamedVolume(layer.name, studies.prior, studies.pairing, is_prior),)
        return () if other is volume else (NamedVolume(layer.name, other, is_prior=is_prior),)

    def _on_changed(self, _: int = 0) -> None:
        where = self.where.currentIndex()
        self.reach.setEnabled(where == AROUND)
        self.every.setEnabled(where != SLICE)
        self.other.setEnabled(self.with_other.currentText() != NOT_SENT)
        self.changed.emit()

    def _lay_out(self) -> None:
        form = QFormLayout(self)
        form.setContentsMargins(4, 0, 0, 4)
        form.addRow("Slices", _row(self.where))
        form.addRow("", _row(QLabel("±"), self.reach, QLabel("step"), self.every, QLabel("mm")))
        form.addRow("Crop", _row(self.crop, self.montage))
        form.addRow("Window", self.window)
        form.addRow("Second image", _row(self.with_other, self.other))
        form.addRow("Objects", self.pointing)


def _around(volume: Volume, regions: Sequence[Region]) -> tuple[IndexArray, IndexArray]:
    """First index ``(z, y, x)`` and the one after the last of all regions together."""
    if not regions:
        raise InvalidPrompt(
            "No object is selected, so there are no object slices.",
            "Select an object, or choose other slices.",
        )
    bounds = [region.box.bounds(volume.grid) for region in regions]
    lowest = np.min([low for low, _ in bounds], axis=0)
    return lowest, np.max([high for _, high in bounds], axis=0)


def _combo(texts: Sequence[str], tooltip: str) -> QComboBox:
    box = QComboBox()
    box.addItems([str(text) for text in texts])
    box.setToolTip(tooltip)
    box.setMinimumContentsLength(6)
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    return box


def _row(*widgets: QWidget) -> QWidget:
    row = QWidget()
    layout = QHBoxLayout(row)
    layout.setContentsMargins(0, 0, 0, 0)
    for widget in widgets:
        layout.addWidget(widget, 0 if isinstance(widget, QLabel) else 1)
    return row
