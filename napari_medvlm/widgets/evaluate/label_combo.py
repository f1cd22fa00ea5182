"""Choosing a label of a layer: the truth, or one side of a comparison."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QSignalBlocker, QTimer, Signal
from qtpy.QtWidgets import QComboBox, QHBoxLayout, QWidget

from napari_medvlm.data.errors import InvalidImage, InvalidReference
from napari_medvlm.data.label_image import NamedLabels
from napari_medvlm.evaluation.segment.cases import integer_labels
from napari_medvlm.io import read_volume
from napari_medvlm.layers import labels_data
from napari_medvlm.layers.difference_layer import has_labels, values_in
from napari_medvlm.layers.label_names import names_of
from napari_medvlm.widgets.parts.layer_combo import LayerChoice
from napari_medvlm.widgets.parts.plain_text import plain
from napari_medvlm.widgets.runtime.notify import guarded
from napari_medvlm.widgets.runtime.threads import in_background

if TYPE_CHECKING:
    from napari import Viewer
    from napari.layers import Labels


REST_MS = 300
"""How long after a stroke of the brush the labels are looked through."""
DATA = ("data", "features", "labels_update")
"""Events of a layer after which it may have other labels."""


class LabelChoice(QWidget):
    """A labels layer and one of its labels, by name where it has one; kept up to date.

    Attributes
    ----------
    changed
        Another layer or label is chosen.
    """

    changed = Signal()

    def __init__(self, viewer: Viewer, tooltip: str) -> None:
        super().__init__()
        self.layers = LayerChoice(viewer, has_labels)
        self.labels = QComboBox()
        self._followed: Labels | None = None
        self._last: tuple[Labels | None, int | None] = (None, None)
        for box in (self.layers, self.labels):
            box.setToolTip(tooltip)
            box.currentTextChanged.connect(partial(_show_full_text, box, tooltip))
            box.setMinimumContentsLength(6)
            box.setSizeAdjustPolicy(
                QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
            )
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.layers, 1)
        layout.addWidget(self.labels, 1)
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(REST_MS)
        self._rest.timeout.connect(self._on_rest)
        self.layers.chosen.connect(guarded(lambda _: self._follow()))
        self.labels.currentIndexChanged.connect(lambda _: self._notify())
        self._follow()

    def _on_rest(self) -> None:
        guarded(self._look)()

    @property
    def layer(self) -> Labels | None:
        """The layer chosen."""
        return self.layers.layer

    @property
    def value(self) -> int | None:
        """The label chosen; `None` while there is none."""
        return self.labels.currentData()

    @property
    def name(self) -> str:
        """What the label is called."""
        return str(self.labels.currentText())

    @property
    def named(self) -> bool:
        """Whether the layer names the label."""
        return self.layer is not None and self.value in names_of(self.layer)

    def chosen(self) -> tuple[Labels, int]:
        """The layer and the label; `InvalidReference` if there is none."""
        if self.layer is None or self.value is None:
            raise InvalidReference(
                "No label is selected.", "Open or draw a labels layer and select one of its labels."
            )
        return self.layer, self.value

    def choose(self, layer: Labels, value: int | None = None) -> None:
        """Choose a layer, and one of its labels if it is known already."""
        self.layers.choose(layer)
        if value is not None and self.labels.findData(value) >= 0:
            self.labels.setCurrentIndex(self.labels.findData(value))

    def _follow(self) -> None:
        """Look through another layer."""
        for layer, what in ((self._followed, "disconnect"), (self.layer, "connect")):
            if layer is not None:
                for name in DATA:
                    getattr(getattr(layer.events, name), what)(self._on_data)
        self._followed = self.layer
        self._offer({})
        self._look()

    def _on_data(self, _: Any = None) -> None:
        self._rest.start()

    def _look(self) -> None:
        """Offer the named labels; where there are no names, all that there are."""
        layer = self.layer
        if layer is None:
            return
        names = names_of(layer)
        if names:
            self._offer(names)
            return
        in_background(
            lambda: values_in(layer),
            guarded(lambda label_values: self._on_values(layer, label_values)),
        )

    def _on_values(self, layer: Labels, values: list[int]) -> None:
        if layer is self.layer:
            self._offer({value: f"label {value}" for value in values})

    def _offer(self, names: dict[int, str]) -> None:
        texts = {
            self.labels.itemData(i): self.labels.itemText(i) for i in range(self.labels.count())
        }
        if texts != names:
            before = self.value
            with QSignalBlocker(self.labels):
                self.labels.clear()
                for value, name in names.items():
                    self.labels.addItem(name, value)
                if before in names:
                    self.labels.setCurrentIndex(self.labels.findData(before))
        self._notify()

    def _notify(self) -> None:
        if (self.layer, self.value) != self._last:
            self._last = self.layer, self.value
            self.changed.emit()


def _show_full_text(box: QComboBox, tooltip: str, text: str) -> None:
    """Long names are cut off in the box."""
    box.setToolTip(plain(f"{text}: {tooltip}" if text else tooltip))


def read_reference(path: Path) -> tuple[Any, dict[str, Any], str]:
    """The labels of a file as a napari layer: data, keywords, layer type.

    Raises
    ------
    InvalidImage
        If it cannot be read, or holds no labels.
    """
    from napari_medvlm.io.dicom_objects.seg_read import is_seg, read_seg

    if is_seg(path):
        return labels_data(read_seg(path))
    drawn = read_volume(path)
    if drawn.is_color:
        raise InvalidImage(
            f"{path.name} is a colour image.", "Save the labels as integers instead."
        )
    return labels_data(NamedLabels(integer_labels(drawn.data, path), drawn.grid, {}, drawn.name))
