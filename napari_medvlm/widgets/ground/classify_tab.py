"""Labels for the picture: how likely each is, as bars, and the descriptors behind them."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtCore import QSignalBlocker, Qt, QUrl
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import (
    QCheckBox,
    QFormLayout,
    QHBoxLayout,
    QHeaderView,
    QProgressBar,
    QPushButton,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_medvlm.backends.base import Task
from napari_medvlm.data.classification import LabelQuery
from napari_medvlm.data.errors import SettingsError
from napari_medvlm.data.grounding import Scope
from napari_medvlm.data.prompts import Box
from napari_medvlm.data.volume import Volume
from napari_medvlm.io.journal import new_journal
from napari_medvlm.language.descriptor_sheet import copy_for_user, load_sheet
from napari_medvlm.ledger.region_records import ImageReference
from napari_medvlm.sessions.classify import LabellingSession
from napari_medvlm.widgets.models.backend_combo import BackendChoice
from napari_medvlm.widgets.parts.progress import RunRow
from napari_medvlm.widgets.parts.text_field import TextField
from napari_medvlm.widgets.runtime.notify import guarded, show_all
from napari_medvlm.widgets.runtime.threads import MainThreadQueue
from napari_medvlm.worker.runner import Runner

NAME, BAR = range(2)


class LabelsTab(QWidget):
    """Judges labels on what the dock's scope says, or on the region that is chosen there.

    Parameters
    ----------
    runner
        Who does the work.
    where
        Gives the scope, the chosen region or `None`, the model and the device.
    """

    def __init__(
        self, runner: Runner, where: Callable[[], tuple[Scope, Box | None, str | None, str]]
    ) -> None:
        super().__init__()
        self._runner = runner
        self._where = where
        self.session: LabellingSession | None = None
        self.backend = BackendChoice(Task.LABEL)
        self.edit = TextField()
        self.edit.setPlaceholderText("pleural effusion\npneumothorax\nno finding")
        self.edit.setToolTip("Labels, one per line.")
        self.exclusive = QCheckBox("Mutually exclusive")
        self.exclusive.setToolTip("Otherwise each label is scored against its negation.")
        self.describe = QCheckBox("By descriptors")
        self.describe.setToolTip(
            "Score each finding by its visual descriptors (Xplainer). Uncheck a "
            "descriptor to leave it out."
        )
        self.edit_descriptors = QPushButton("Edit descriptors…")
        self.edit_descriptors.setToolTip(
            "Open your own copy of the findings and their descriptors. It is read at each run."
        )
        self.only_region = QCheckBox("Selected region only")
        self.only_region.setToolTip("Show the model only the region that is selected in the table.")
        self.run = RunRow("Classify", "Estimate the probability of each label.")
        self.tree = QTreeWidget()
        self.tree.setToolTip("Labels and their descriptors. Uncheck a descriptor to leave it out.")
        self.tree.setHeaderLabels(["Label", "Probability"])
        self.tree.header().setSectionResizeMode(NAME, QHeaderView.ResizeMode.Stretch)
        self._lay_out()
        self._changed = MainThreadQueue(lambda _: self.refresh(), self)
        self._progressed = MainThreadQueue(lambda updates: self._on_progress(updates[-1]), self)
        self._failed = MainThreadQueue(show_all, self)
        self.run.run_requested.connect(guarded(self.judge))
        self.run.cancel_requested.connect(guarded(self.cancel))
        self.edit_descriptors.clicked.connect(guarded(lambda _checked: self.open_descriptors()))
        self.tree.itemChanged.connect(guarded(self._on_checked))

    def bind(self, volume: Volume | None) -> None:
        """Judge another volume from now on."""
        if self.session is not None:
            self.session.close()
        self.session = None
        if volume is not None:
            journal = new_journal(ImageReference.of(volume), "label")
            self.session = LabellingSession(volume, self._runner, journal=journal)
            self.session.changed.connect(self._changed)
            self.session.progressed.connect(self._progressed)
            self.session.failed.connect(self._failed)
        self.refresh()

    def judge(self) -> None:
        """Have the labels judged."""
        if self.session is None:
            return
        labels = tuple(dict.fromkeys(filter(None, map(str.strip, self._lines()))))
        sheet = load_sheet()
        known = sheet.descriptors if self.describe.isChecked() else {}
        scope, region, model, device = self._where()
        query = LabelQuery(
            labels,
            self.exclusive.isChecked(),
            {label: known[label.lower()] for label in labels if label.lower() in known},
            sheet.sentences,
            scope,
            region if self.only_region.isChecked() else None,
        )
        self.session.ask(query, self.backend.name, model, device)
        self.refresh()

    def open_descriptors(self) -> None:
        """Open the user's table of descriptors in the program of the system for YAML files.

        Raises
        ------
        SettingsError
            If it cannot be written.
        """
        try:
            file = copy_for_user()
        except OSError as error:
            raise SettingsError(
                f"The table of descriptors cannot be written: {error}.",
                "Make the settings folder writable.",
            ) from error
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(file)))

    def cancel(self) -> None:
        """Stop judging."""
        if self.session is not None:
            self.session.cancel()

    def refresh(self) -> None:
        """Show the bars as they are now."""
        session = self.session
        self.run.show_state(
            ready=session is not None and self.backend.count() > 0,
            busy=session is not None and session.pending,
        )
        with QSignalBlocker(self.tree):
            self.tree.clear()
            if session is None or session.labelling is None:
                return
            for label, value in session.probabilities.items():
                item = QTreeWidgetItem([label, ""])
                self.tree.addTopLevelItem(item)
                self.tree.setItemWidget(item, BAR, _bar(value))
                for text, own in session.labelling.descriptors.get(label, {}).items():
                    self._add_descriptor(item, label, text, own)
                item.setExpanded(True)

    def _add_descriptor(self, item: QTreeWidgetItem, label: str, text: str, value: float) -> None:
        assert self.session is not None
        child = QTreeWidgetItem([text, ""])
        used = self.session.is_used(label, text)
        child.setCheckState(NAME, Qt.CheckState.Checked if used else Qt.CheckState.Unchecked)
        item.addChild(child)
        self.tree.setItemWidget(child, BAR, _bar(value))

    def _on_checked(self, item: QTreeWidgetItem, column: int) -> None:
        if self.session is None or column != NAME or item.parent() is None:
            return
        used = item.checkState(NAME) == Qt.CheckState.Checked
        self.session.override(item.parent().text(NAME), item.text(NAME), used)

    def _on_progress(self, updates: object) -> None:
        if self.session is not None and self.session.pending and isinstance(updates, tuple):
            self.run.show_progress(*updates)

    def _lines(self) -> list[str]:
        return str(self.edit.toPlainText()).splitlines()

    def _lay_out(self) -> None:
        form = QFormLayout()
        form.addRow("Backend", self.backend)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(form)
        self.edit.setMaximumHeight(90)
        described = QHBoxLayout()
        described.addWidget(self.describe)
        described.addWidget(self.edit_descriptors)
        described.addStretch()
        layout.addWidget(self.edit)
        layout.addWidget(self.exclusive)
        layout.addLayout(described)
        for widget in (self.only_region, self.run, self.tree):
            layout.addWidget(widget)


def _bar(value: float | None) -> QProgressBar:
    bar = QProgressBar()
    bar.setRange(0, 1000)
    bar.setValue(0 if value is None else round(1000 * value))
    bar.setFormat("all descriptors are off" if value is None else f"{value:.3f}")
    return bar
