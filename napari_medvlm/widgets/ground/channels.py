"""Choosing the images, and writing the report, of a model that takes several of a patient."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QSignalBlocker
from qtpy.QtWidgets import QCheckBox, QComboBox, QFormLayout, QPlainTextEdit, QWidget

from napari_medvlm.backends import registry
from napari_medvlm.backends.models.resolve import resolve
from napari_medvlm.data.errors import InvalidPrompt, MedVLMError
from napari_medvlm.data.geometry.channels import channels_on_grid
from napari_medvlm.data.volume import Volume
from napari_medvlm.layers import is_image, volume_of
from napari_medvlm.widgets.models.backend_combo import BackendChoice
from napari_medvlm.widgets.models.model_picker import ModelRow
from napari_medvlm.widgets.runtime.notify import guarded
from napari_medvlm.widgets.runtime.threads import MainThreadQueue, in_background

if TYPE_CHECKING:
    from napari import Viewer
    from napari.layers import Image, Layer

REPORT_LINES = 5
"""Height of the field for a report."""
FRAME = "QPlainTextEdit { border: 1px solid rgba(128, 128, 128, 160); }"
"""Shows where the field is, which has the colour of the dock in napari's themes."""
SAME = (
    {"t1", "t1n", "t1w"},
    {"t1c", "t1ce", "t1gd", "t1post"},
    {"t2", "t2w"},
    {"flair", "t2f", "t2flair"},
)
"""Names of the same MR sequence; the channel's own name goes first."""


class ChannelRows(QWidget):
    """A list of layers for each channel of the chosen model; hidden if it takes a single image.

    A model that sees the report with the images has a field for its text, too.

    Parameters
    ----------
    viewer
        Whose image layers are offered.
    backend, model
        The choices whose channels are shown.
    """

    def __init__(self, viewer: Viewer, backend: BackendChoice, model: ModelRow) -> None:
        super().__init__()
        self._viewer = viewer
        self._backend, self._model = backend, model
        self.boxes: dict[str, QComboBox] = {}
        self.resample = QCheckBox("Resample to the image")
        self.resample.setToolTip(
            "Resample channels on other grids linearly to the image chosen above."
        )
        self._form = QFormLayout(self)
        self._form.setContentsMargins(0, 0, 0, 0)
        self._form.addRow(self.resample)
        self.report = QPlainTextEdit()
        self.report.setPlaceholderText("Paste the report of this examination")
        self.report.setToolTip("The text that the model sees together with the images.")
        self.report.setAccessibleName("Input report")
        self.report.setTabChangesFocus(True)
        self.report.setStyleSheet(FRAME)
        self.report.setFixedHeight(REPORT_LINES * self.report.fontMetrics().lineSpacing())
        self._form.addRow("Input report", self.report)
        self._form.setRowVisible(self.report, False)
        self._removed = MainThreadQueue(lambda _: self._refresh(), self)
        viewer.layers.events.inserted.connect(self._refresh)
        viewer.layers.events.removed.connect(self._on_removed)
        model.chosen.connect(self.read)
        self.hide()

    @property
    def names(self) -> tuple[str, ...]:
        """The channels of the chosen model."""
        return tuple(self.boxes)

    @property
    def takes_report(self) -> bool:
        """Whether the chosen model sees the report, too."""
        return self._form.isRowVisible(self.report)

    @property
    def report_text(self) -> str:
        """The report for the chosen model; empty if it takes none."""
        return self.report.toPlainText().strip() if self.takes_report else ""

    @property
    def layers(self) -> dict[str, Image]:
        """The layer of each channel.

        Raises
        ------
        InvalidPrompt
            If a channel has none.
        """
        chosen = {name: box.currentData() for name, box in self.boxes.items()}
        missing = [name for name, layer in chosen.items() if layer is None]
        if missing:
            raise InvalidPrompt(
                f"No layer is chosen for: {', '.join(missing)}.",
                "Choose an image layer for each channel below the model.",
            )
        return chosen

    def read(self) -> None:
        """Show the channels of the chosen model: they are read from files, which may be slow."""
        chosen = self._backend.name, self._model.model
        in_background(lambda: (chosen, *_inputs(*chosen)), guarded(self._on_read))

    def volumes(
        self, image: Layer | None, volume: Volume, done: Callable[[Mapping[str, Volume]], None]
    ) -> None:
        """Read the chosen layers on another thread, on the grid of the image.

        Parameters
        ----------
        image, volume
            The layer of the session's image, and its volume.
        done
            Called on the window's thread with the image of each channel.
        """
        layers, resample = self.layers, self.resample.isChecked()

        def work() -> Mapping[str, Volume]:
            images = {k: volume if v is image else volume_of(v) for k, v in layers.items()}
            channels = channels_on_grid(images, volume, resample)
            return {channel.name: channel.volume for channel in channels}

        in_background(work, guarded(done))

    def _on_read(self, read: tuple[tuple[str, str | None], tuple[str, ...], bool]) -> None:
        chosen, names, takes_report = read
        if chosen != (self._backend.name, self._model.model):
            return
        self._form.setRowVisible(self.report, takes_report)
        if names != self.names:
            self._show(names)
        self.setVisible(bool(names) or takes_report)

    def _show(self, names: Sequence[str]) -> None:
        while self.boxes:
            self._form.removeRow(self.boxes.popitem()[1])
        for row, name in enumerate(names):
            box = QComboBox()
            box.setToolTip(f"The image that the model takes as {name}.")
            self.boxes[name] = box
            self._form.insertRow(row, name, box)
        self._refresh()

    def _refresh(self, _: Any = None) -> None:
        """Offer the image layers, and preselect those that are named as a channel."""
        layers = [layer for layer in self._viewer.layers if is_image(layer)]
        for layer in layers:
            layer.events.name.connect(self._refresh)
        for name, box in self.boxes.items():
            before = box.currentData()
            with QSignalBlocker(box):
                box.clear()
                box.addItem("Choose a layer", None)
                for layer in layers:
                    box.addItem(layer.name, layer)
                chosen = before if before in layers else _named(name, layers)
                box.setCurrentIndex(0 if chosen is None else layers.index(chosen) + 1)

    def _on_removed(self, _: Any) -> None:
        self._removed(None)


def _named(channel: str, layers: Sequence[Layer]) -> Layer | None:
    """The only layer whose name has the channel's name, or another of the same sequence."""
    own = re.sub(r"[^a-z0-9]", "", channel.casefold())
    same = next((names for names in SAME if own in names), {own})
    for names in ({own}, same):
        fits = [v for v in layers if names & set(re.split(r"[^a-z0-9]+", v.name.casefold()))]
        if len(fits) == 1:
            return fits[0]
    return None


def _inputs(name: str, model: str | None) -> tuple[tuple[str, ...], bool]:
    """The channels of a model, and whether it takes a report.

    Neither if they cannot be read, which grounding will report.
    """
    with suppress(MedVLMError):
        path = resolve(model)
        return registry.channels(name, path), registry.takes_report(name, path)
    return (), False
