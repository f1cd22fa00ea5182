"""The Ask dock: questions about an image, and answers whose sentences show where they come from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QFormLayout, QVBoxLayout

from napari_medvlm.backends import registry
from napari_medvlm.backends.base import Task
from napari_medvlm.data.answer import NamedMask
from napari_medvlm.data.errors import BackendUnavailable, InvalidPrompt, MedVLMError
from napari_medvlm.data.volume import Volume
from napari_medvlm.io.journal import new_journal
from napari_medvlm.layers.orientation import name_axes, orient
from napari_medvlm.layers.question_objects import labels_among, masks_of, regions_of
from napari_medvlm.ledger.ledger import Ledger
from napari_medvlm.ledger.region_records import ImageReference
from napari_medvlm.sessions.ask.session import AskSession
from napari_medvlm.sessions.earlier import EarlierSession
from napari_medvlm.sessions.export.conversation import export
from napari_medvlm.widgets.ask import commands
from napari_medvlm.widgets.ask.attachments import Attachments, QuestionDraft
from napari_medvlm.widgets.ask.conversation_bar import ConversationRow
from napari_medvlm.widgets.ask.conversation_view import ConversationView
from napari_medvlm.widgets.ask.question_box import QuestionBox
from napari_medvlm.widgets.checks.quality_note import QualityNote
from napari_medvlm.widgets.commands import bind_keys
from napari_medvlm.widgets.dock import SessionDock
from napari_medvlm.widgets.models.server_banner import ServerBanner
from napari_medvlm.widgets.models.server_picker import ServerRow
from napari_medvlm.widgets.open_image import Prepared, prepare
from napari_medvlm.widgets.parts.dialogs import TALKS, ask_where_to_save
from napari_medvlm.widgets.parts.progress import RunRow
from napari_medvlm.widgets.parts.resume_bar import ResumeBar
from napari_medvlm.widgets.runtime.notify import guarded, show_message
from napari_medvlm.widgets.runtime.threads import MainThreadQueue, in_background

if TYPE_CHECKING:
    from napari import Viewer
    from napari.layers import Image

LOOK_UP_MS = 600
"""How long the name of a model must rest before its server is looked up."""
WIDTH = 400
SERVER = "server"
NO_KINDS = "This backend answers from measurements; answer types do not apply."


class AskDock(SessionDock[AskSession]):
    """Parts of the dock, connected to a session of the image that is chosen."""

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__(napari_viewer, Task.ANSWER)
        self.server = ServerRow()
        self.banner = ServerBanner()
        self.resume = ResumeBar("Restore the conversations.")
        self.quality = QualityNote()
        self.along = Attachments(napari_viewer)
        self.conversations = ConversationRow()
        self.reading = ConversationView(napari_viewer, self.image)
        self.box = QuestionBox()
        self.run = RunRow("Ask", "Ask the question. (Enter)")
        self._look_up_due = QTimer(self)
        self._lay_out()
        self._changed = MainThreadQueue(lambda _: self._refresh(), self)
        self._progressed = MainThreadQueue(lambda updates: self._on_progress(updates[-1]), self)
        self._connect()
        bind_keys(napari_viewer, napari_viewer, commands.__name__)
        self._use_backend()
        self._open(self.image.layer)

    # Actions.

    def ask(self) -> None:
        """Ask what stands in the box; the objects that go along are gathered off this thread."""
        session = self._session()
        asked = self.along.asked(self.box)
        if not asked.text:
            raise InvalidPrompt(
                "The question is empty.", "Type a question or choose one from Templates."
            )
        session.use(*self._answerer)
        self.box.clear()
        in_background(
            lambda: (session, asked, masks_of(asked.chosen, session.volume)),
            guarded(lambda gathered: self._send(*gathered)),
        )

    def stop(self) -> None:
        """Stop the answers that are on their way; what has come stays."""
        if self.session is not None:
            self.session.cancel()

    def export(self) -> None:
        """Ask for a file, and write the conversation that is shown to it, off this thread."""
        session = self._session()
        path = ask_where_to_save(self, "Export the conversation", "conversation.html", TALKS)
        if path is None:
            return
        talk = session.active
        in_background(
            lambda: export(path, session.volume, talk),
            guarded(lambda _: show_message(f"Conversation exported to {path}.")),
        )

    def close_dock(self) -> None:
        """Leave the image, end the worker and stop listening."""
        self.box.dictate.close_recording()
        super().close_dock()

    # How an image becomes a session.

    def _open(self, layer: Image | None) -> None:
        self._end()
        if layer is None:
            self._when_open.clear()
        else:
            in_background(lambda: (layer, prepare(layer, "ask")), guarded(self._on_prepared))

    def _on_prepared(self, prepared_image: tuple[Image, Prepared]) -> None:
        layer, prepared = prepared_image
        if layer is self.image.layer and self.session is None:
            self._begin(prepared.volume)
            self.resume.offer(*prepared.sessions)
            self._run_when_open()

    def resume_session(self, earlier: EarlierSession) -> None:
        """Continue earlier conversations about the open image as they are on the disk now."""
        self._begin(self._session().volume, earlier.path, earlier.reload())

    def _begin(
        self, volume: Volume, journal: Path | None = None, ledger: Ledger | None = None
    ) -> None:
        """Ask about a volume, from the start or from where it ended."""
        self._end()
        session = AskSession(
            volume,
            self.backend.name,
            self._runner,
            journal=journal or new_journal(ImageReference.of(volume), "ask"),
            ledger=ledger,
        )
        self.session = session
        self._opened += [session, self.reading.bind(session)]
        for notice in session.notices:
            show_message(notice)
        self.along.bind(self.image.layer, volume)
        self.quality.look_at(volume)
        session.changed.connect(self._changed)
        session.progressed.connect(self._progressed)
        session.failed.connect(self._failed)
        orient(self.viewer)
        name_axes(self.viewer)
        self._refresh()

    def _end(self) -> None:
        super()._end()
        self.reading.leave()
        self.resume.offer()
        self.along.bind(None, None)
        self.quality.look_at(None)
        self._refresh()

    def _send(
        self, session: AskSession, asked: QuestionDraft, objects: tuple[NamedMask, ...]
    ) -> None:
        """Ask, now that the objects are gathered; what could not be asked stands in the box."""
        if session is not self.session:
            return
        try:
            if asked.changes is None:
                self.reading.shown = self._ask(session, asked, objects)
            else:
                self.reading.shown = session.edit(asked.changes, asked.text)
        except MedVLMError:
            if not self.box.text:
                self.box.write(asked.text)
            raise
        finally:
            self._refresh()

    def _ask(
        self, session: AskSession, asked: QuestionDraft, objects: tuple[NamedMask, ...]
    ) -> int:
        view = None
        if not asked.measures:
            view = self.along.view.view(session.volume, objects, regions_of(asked.chosen))
        return session.ask(
            asked.text,
            kind=asked.kind,
            options=asked.options,
            context=asked.context,
            selection=view,
            masks={named_mask.name: named_mask.mask for named_mask in objects},
            labels=labels_among(asked.chosen),
            tools=asked.tools,
        )

    # What is shown.

    def _refresh(self) -> None:
        """Show the active conversation, and one of its answers in the picture."""
        session = self.session
        self.run.show_state(
            ready=session is not None, busy=bool(session is not None and session.pending)
        )
        active = None if session is None else session.active
        self.conversations.show_conversations(
            () if session is None else session.conversations, None if active is None else active.id
        )
        self.reading.refresh()

    def _on_progress(self, latest: Any) -> None:
        if self.session is not None and self.session.pending:
            self.run.show_progress(*latest)

    # Signals of the parts.

    def _edit(self, exchange: int) -> None:
        self.box.change(exchange, self._session().turn(exchange).question)

    def _again(self, exchange: int) -> None:
        session = self._session()
        session.use(*self._answerer)
        self.reading.shown = session.regenerate(exchange)

    def _use_backend(self) -> None:
        self.model.turn_to(self.backend.name)
        self.along.use(self.backend.name)
        self.box.allow_kinds(not self.along.measures, NO_KINDS)
        served = self.backend.name == SERVER
        self._form.setRowVisible(self.server, served)
        self._form.setRowVisible(self.model, not served and not self.along.measures)
        self._look_up()

    @property
    def _answerer(self) -> tuple[str, str | None, str]:
        """Backend, model and device that are chosen."""
        row = self.server if self.backend.name == SERVER else self.model
        return self.backend.name, None if self.along.measures else row.model, row.device

    def _look_up(self) -> None:
        """Find out where the model is and what it can do, off this thread."""
        chosen = self._answerer
        self.banner.look_up(chosen[1])
        if not self.along.measures:
            in_background(lambda: (chosen, _without_tools(*chosen[:2])), guarded(self._on_looked))

    def _on_looked(self, prepared_image: tuple[tuple[str, str | None, str], str]) -> None:
        chosen, reason = prepared_image
        if chosen == self._answerer:
            self.along.refuse_tools(reason)

    def _offer_templates(self) -> None:
        if self.session is not None:
            self.box.offer(self.along.templates(self.session.volume))

    # Wiring.

    def _lay_out(self) -> None:
        form = self._form = QFormLayout()
        form.addRow("Image", self._image_row())
        form.addRow(self.quality)
        form.addRow("Backend", self.backend)
        form.addRow("Model", self.model)
        form.addRow("Server", self.server)
        self.run.cancel.setText("Stop")
        self.run.cancel.setToolTip("Stop; the partial answer remains. (Shift+Escape)")
        self.setMinimumWidth(WIDTH)
        layout = QVBoxLayout(self.body)
        layout.setSpacing(4)
        layout.addLayout(form)
        for part in (self.banner, self.resume, self.conversations):
            layout.addWidget(part)
        layout.addWidget(self.reading, 1)
        for part in (self.along, self.box, self.run):
            layout.addWidget(part)

    def _on_look_up_due(self) -> None:
        guarded(self._look_up)()

    def _connect(self) -> None:
        self.image.chosen.connect(guarded(self._open))
        self.backend.chosen.connect(guarded(lambda _: self._use_backend()))
        self._look_up_due.setSingleShot(True)
        self._look_up_due.setInterval(LOOK_UP_MS)
        self._look_up_due.timeout.connect(self._on_look_up_due)
        self.model.edit.textChanged.connect(lambda _: self._look_up_due.start())
        self.server.changed.connect(self._look_up_due.start)
        self.banner.allowed_changed.connect(guarded(self.server.fetch_models))
        self.resume.accepted.connect(guarded(self.resume_session))
        self.box.asked.connect(guarded(self.ask))
        self.box.left.connect(guarded(self.stop))
        self.box.menu.aboutToShow.connect(guarded(self._offer_templates))
        self.run.run_requested.connect(guarded(self.ask))
        self.run.cancel_requested.connect(guarded(self.stop))
        talks = self.conversations
        talks.selected.connect(guarded(lambda talk: self._session().select(talk)))
        talks.new_requested.connect(guarded(lambda: self._session().new()))
        talks.renamed.connect(guarded(lambda talk, title: self._session().rename(talk, title)))
        talks.export_requested.connect(guarded(self.export))
        talks.removed.connect(guarded(lambda talk: self._session().remove(talk)))
        self.reading.signals.regenerate_requested.connect(guarded(self._again))
        self.reading.signals.edit_requested.connect(guarded(self._edit))


def _without_tools(backend: str, model: str | None) -> str:
    """Why a model calls no tools; empty: it may, or that is not known yet."""
    try:
        return registry.tools_unsupported_reason(backend, model)
    except BackendUnavailable:  # reported when it is asked
        return ""
