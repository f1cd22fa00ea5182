"""Segmenting by name: words become objects."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QModelIndex, QStringListModel, Qt
from qtpy.QtWidgets import QCompleter, QFormLayout, QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from napari_medvlm.backends import registry
from napari_medvlm.backends.automatic.base import EVERYTHING
from napari_medvlm.backends.base import Task
from napari_medvlm.backends.models.resolve import resolve
from napari_medvlm.data.errors import InvalidImage, MedVLMError
from napari_medvlm.layers.label_names import named_labels
from napari_medvlm.sessions.ground.located import Located
from napari_medvlm.sessions.ground.session import GroundingSession
from napari_medvlm.sessions.segment.by_name import findings
from napari_medvlm.sessions.segment.session import SegmentationSession
from napari_medvlm.widgets.models.backend_combo import BackendChoice
from napari_medvlm.widgets.models.model_picker import ModelRow
from napari_medvlm.widgets.parts.buttons import button, on_click
from napari_medvlm.widgets.parts.progress import RunRow
from napari_medvlm.widgets.runtime.notify import guarded, show_all, show_message
from napari_medvlm.widgets.runtime.threads import MainThreadQueue, in_background
from napari_medvlm.worker.runner import Runner

if TYPE_CHECKING:
    from napari import Viewer


class PhraseCompleter(QCompleter):
    """Completes the last of some phrases with semicolons between them."""

    def __init__(self, edit: QLineEdit) -> None:
        super().__init__(edit)
        self._edit = edit
        self._words = QStringListModel(self)
        self.setModel(self._words)
        self.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        self.setFilterMode(Qt.MatchFlag.MatchContains)
        edit.setCompleter(self)

    def set_words(self, words: list[str]) -> None:
        """Offer these words."""
        self._words.setStringList(words)

    def splitPath(self, path: str | None) -> list[str]:  # noqa: N802  # Qt's name
        """What is completed: what follows the last semicolon."""
        return [(path or "").rpartition(";")[2].strip()]

    def pathFromIndex(self, index: QModelIndex) -> str:  # noqa: N802  # Qt's name
        """The whole line with the completed word at its end."""
        before, semicolon, _ = self._edit.text().rpartition(";")
        return f"{before}{semicolon}{' ' if semicolon else ''}{index.data()}"


class ByName(QWidget):
    """A line for names, who looks for them, and a button to find them.

    Each name that is found is an object of the session that `bind` sets.

    Parameters
    ----------
    viewer
        Whose named label layers may answer a name.
    runner
        Who does the work.
    """

    def __init__(self, viewer: Viewer, runner: Runner) -> None:
        super().__init__()
        self._viewer = viewer
        self._runner = runner
        self._session: SegmentationSession | None = None
        self._looking: GroundingSession | None = None
        self.words: tuple[str, ...] = ()
        self.edit = QLineEdit()
        self.edit.setPlaceholderText("left hippocampus; right putamen")
        self.edit.setToolTip("Structure names, separated by semicolons. Press Enter to find them.")
        self.completer = PhraseCompleter(self.edit)
        self.everything = button(
            "All structures", "Create an object for each structure that the model knows."
        )
        self.backend = BackendChoice(Task.GROUND)
        self.model = ModelRow()
        self.run = RunRow("Find", "Find the named structures; each becomes an object. (Enter)")
        self._changed = MainThreadQueue(lambda _: self._refresh(), self)
        self._progressed = MainThreadQueue(lambda updates: self._on_progress(updates[-1]), self)
        self._failed = MainThreadQueue(show_all, self)
        self._lay_out()
        self._connect()
        self._use_backend()

    def bind(self, session: SegmentationSession | None) -> None:
        """Make objects of a session from now on; what was looked for before is given up."""
        if self._looking is not None:
            self._looking.close()
        self._session, self._looking = session, None
        if session is not None:
            looking = GroundingSession(session.volume, self.backend.name, self._runner)
            looking.changed.connect(self._changed)
            looking.progressed.connect(self._progressed)
            looking.failed.connect(self._failed)
            self._looking = looking
            self._offer()
        self._refresh()

    def find(self, *phrases: str) -> None:
        """Look for names: those given, else those of the line."""
        if self._looking is None or self._session is None:
            raise InvalidImage("No image is open.", "Open an image and choose it in the dock.")
        self._looking.use(self.backend.name, self.model.model, self.model.device)
        self._looking.ask(
            list(phrases) or [part.strip() for part in self.edit.text().split(";")],
            labels=named_labels(self._viewer, self._session.volume),
        )
        self._refresh()

    def cancel(self) -> None:
        """Stop looking; the objects that were made stay."""
        if self._looking is not None:
            self._looking.cancel()

    def _refresh(self) -> None:
        looking = self._looking
        if looking is not None:
            for phrase, located in looking.located.items():
                looking.forget(phrase)
                self._make(located)
        busy = looking is not None and bool(looking.pending)
        self.run.show_state(ready=looking is not None, busy=busy)

    @guarded
    def _make(self, located: Located) -> None:
        """Make objects of the regions, and report names without a region."""
        session = self._session
        if session is None:
            return
        info = registry.info(session.backend)
        results = findings(located.grounding, session.volume, info.prompts)
        for named in results.objects:
            session.take(named.name, named.prompt, f"{located.phrase}, found by {located.backend}")
        for text in results.missing:
            show_message(text)

    def _on_progress(self, latest: Any) -> None:
        if self._looking is not None and self._looking.pending:
            self.run.show_progress(*latest)

    def _use_backend(self) -> None:
        name = self.backend.name
        self.model.setEnabled(registry.info(name).weights_licence != "none")
        self.everything.setEnabled(registry.supports_all_structures(name))
        self._offer()

    def _offer(self) -> None:
        """Offer the names that the chosen model knows: they stand in files, which may be slow."""
        chosen = self.backend.name, self.model.model
        in_background(lambda: (chosen, _vocabulary(*chosen)), guarded(self._on_vocabulary))

    def _on_vocabulary(self, read: tuple[tuple[str, str | None], tuple[str, ...]]) -> None:
        chosen, words = read
        if chosen != (self.backend.name, self.model.model):
            return
        own: list[str] = []
        if self._session is not None:
            for labels in named_labels(self._viewer, self._session.volume):
                own += labels.names.values()
        self.words = tuple(dict.fromkeys([*own, *words]))
        self.completer.set_words(list(self.words))

    def _lay_out(self) -> None:
        row = QHBoxLayout()
        row.addWidget(self.edit)
        row.addWidget(self.everything)
        form = QFormLayout()
        form.addRow("Names", row)
        form.addRow("Backend", self.backend)
        form.addRow("Model", self.model)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(form)
        layout.addWidget(self.run)

    def _connect(self) -> None:
        self.edit.returnPressed.connect(guarded(lambda: self.find()))
        self.run.run_requested.connect(guarded(lambda: self.find()))
        self.run.cancel_requested.connect(guarded(self.cancel))
        on_click(self.everything, lambda: self.find(EVERYTHING))
        self.backend.chosen.connect(guarded(lambda _: self._use_backend()))
        self.model.chosen.connect(guarded(self._offer))


def _vocabulary(name: str, model: str | None) -> tuple[str, ...]:
    """The names that a model knows; none if it cannot be read; *Find* reports the error."""
    with suppress(MedVLMError):
        return registry.vocabulary(name, resolve(model))
    return ()
