"""The Segment dock: click in a scan, get a mask."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFormLayout, QVBoxLayout

from napari_medvlm.backends import registry
from napari_medvlm.backends.base import Task
from napari_medvlm.data.errors import Cancelled, MedVLMError
from napari_medvlm.io.journal import new_journal
from napari_medvlm.layers.views.session_views import LinkedSessionLayers
from napari_medvlm.layers.volume_notes import unshown_notes
from napari_medvlm.ledger.ledger import Ledger
from napari_medvlm.sessions.earlier import EarlierSession, check_image
from napari_medvlm.sessions.segment.session import SegmentationSession
from napari_medvlm.settings.chosen_models import is_chosen
from napari_medvlm.widgets.commands import bind_keys
from napari_medvlm.widgets.display.controls import DisplayControls
from napari_medvlm.widgets.dock import SessionDock
from napari_medvlm.widgets.open_image import Prepared, prepare
from napari_medvlm.widgets.parts.progress import READING, ProgressRow
from napari_medvlm.widgets.parts.resume_bar import ResumeBar
from napari_medvlm.widgets.runtime.notify import guarded, show, show_message
from napari_medvlm.widgets.runtime.resources import PausedGC
from napari_medvlm.widgets.runtime.threads import (
    BETWEEN_MS,
    DeferredCalls,
    MainThreadQueue,
    in_background,
)
from napari_medvlm.widgets.segment.ask_for_models import ask_for_models
from napari_medvlm.widgets.segment.import_labels import LabelsRow, import_locked, start_from
from napari_medvlm.widgets.segment.layer_keys import LayerKeys
from napari_medvlm.widgets.segment.more_panels import SegmentFolds
from napari_medvlm.widgets.segment.object_panel import ObjectPanel
from napari_medvlm.widgets.segment.precompute import PreparePlane
from napari_medvlm.widgets.segment.prompt_toolbar import Tool, Tools
from napari_medvlm.widgets.segment.session_toolbar import SessionRow
from napari_medvlm.widgets.segment.timing import PENDING_MS, REST_MS, SOON_MS, is_fast
from napari_medvlm.widgets.segment.tool_layers import ToolLayers
from napari_medvlm.worker.messages import Request
from napari_medvlm.worker.runner import Job

if TYPE_CHECKING:
    from napari import Viewer
    from napari.layers import Image

KEYS = "napari_medvlm.widgets.segment.commands"
"""Module of the commands whose keys the dock binds."""


class SegmentDock(SessionDock[SegmentationSession]):
    """Parts of the dock, connected to a session of the image that is chosen."""

    session_changed = Signal(object)  # the session that is now worked on, or None

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__(napari_viewer, Task.SEGMENT)
        self._layers: LinkedSessionLayers | None = None
        self._taken: list[tuple[Image, str, Any, str]] = []
        self._reading = False
        self._is_new = True
        self.display = DisplayControls(napari_viewer, self.window_control)
        self.beforehand = PreparePlane(napari_viewer, self._runner)
        self.resume = ResumeBar()
        self.tools = Tools()
        self._tool_layers = ToolLayers(napari_viewer, self.tools, self)
        self.labels = LabelsRow(napari_viewer)
        self.objects = ObjectPanel()
        self.folds = SegmentFolds(napari_viewer, self._runner)
        self.progress = ProgressRow()
        self.row = SessionRow()
        self.row.rulers = lambda: self.folds.measure.rulers_drawn
        self._lay_out()
        self._changed = MainThreadQueue(self._on_changed, self)
        self._measured = MainThreadQueue(lambda _: self._show_objects(), self)
        self._progressed = MainThreadQueue(lambda updates: self._on_progress(updates[-1]), self)
        self._restarted = MainThreadQueue(
            lambda texts: show_message(f"{texts[-1]} It was restarted; nothing is lost."), self
        )
        self._noted = MainThreadQueue(lambda notes: show_message(str(notes[-1])), self)
        self._removed = MainThreadQueue(self._on_removed, self)
        self._clicked = DeferredCalls(self, self._show_points)
        self._rest = DeferredCalls(self, self._show_prompts, self._show_objects, self._show_panel)
        self._connect()
        self._use_backend()
        bind_keys(napari_viewer, napari_viewer, KEYS)
        self._layer_keys = LayerKeys(napari_viewer, KEYS)
        self._open(self.image.layer)

    def close_dock(self) -> None:
        """Leave the image, end the worker and unbind the keys of the active layer."""
        self._layer_keys.close()
        self.display.close()
        super().close_dock()

    def new_object(self) -> None:
        """Begin another object; its first prompts are positive."""
        self._session()
        self.objects.add_object()

    def toggle_masks(self) -> None:
        """Show or hide the masks of all objects."""
        if self._layers is not None and self._session().now.objects:
            self._layers.mask.toggle()

    def _show_object(self, object_id: int, is_shown: bool) -> None:
        if self._layers is not None:
            self._layers.show_object(object_id, is_shown)

    def _locate(self, object_id: int) -> None:
        if self._layers is not None:
            self._layers.mask.go_to(object_id)

    def cancel(self) -> None:
        """End the polygon that is being drawn, or else stop what is being computed."""
        if self._layers is not None and self._layers.finish_drawing():
            return
        if self.session is not None:
            self.session.cancel()

    def open_session(self) -> None:
        """Ask for a session file as soon as the image is prepared."""
        self.when_open(self.row.open_session)

    def take(self, layer: Image, name: str, prompt: Any, origin: str) -> None:
        """Make an object of a prompt that was found in an image, as soon as that is open."""
        self._taken.append((layer, name, prompt, origin))
        if self.image.layer is not layer:
            self.image.choose(layer)
        elif self.session is not None:
            self.session.take(name, prompt, origin)

    def go_on(self, ledger: Ledger, journal: Path | None = None) -> None:
        """Go on with a session of the image that is open, with the model that made its masks.

        Models that only the file names are used after a question. A journal is this user's own.
        """
        check_image(ledger, self._session().volume)
        ask_for_models(self, ledger, journal, partial(self._go_on, ledger, journal))

    def _go_on(self, ledger: Ledger, journal: Path | None) -> None:
        latest = ledger.last_prediction
        if (
            latest is not None
            and self.backend.offers(latest.backend)
            and is_chosen(latest.backend, latest.model)
        ):
            self.backend.choose(latest.backend)
            self.model.turn_to(latest.backend)
            self.model.name(latest.model or "")
            self._use_backend()
        self._begin(Prepared(self._session().volume), ledger, journal)

    def resume_session(self, earlier: EarlierSession) -> None:
        """Continue an earlier session of the open image as it is on the disk now."""
        prompts = sum(len(live.prompts) for live in self._session().now.objects.values())
        self.go_on(earlier.reload(), earlier.path)
        if prompts:
            show_message("Your new prompts are in the list of earlier sessions.")

    def _open(self, layer: Image | None) -> None:
        """Prepare another image off this thread; the tools wait for it."""
        self._end()
        self.display.follow(layer)
        if layer is None:
            self._when_open.clear()
            return
        self._reading = True
        self._allow_tools()
        self.progress.show_reading()
        in_background(
            lambda: (layer, prepare(layer)), guarded(self._on_prepared), self._on_unreadable
        )

    def _on_unreadable(self, error: Exception) -> None:
        self._reading = False
        self._allow_tools()
        self.progress.show_state(busy=False, waiting=0, can_ask=False)
        show(error)

    def _on_prepared(self, prepared_image: tuple[Image, Prepared]) -> None:
        layer, prepared = prepared_image
        if layer is self.image.layer:
            self._reading = False
        if layer is not self.image.layer or self.session is not None:
            return
        for note in unshown_notes(prepared.volume):
            show_message(note)
        self._begin(prepared)
        self.resume.offer(*prepared.sessions)
        if self._is_new and not prepared.sessions:
            self._choose_point()
        self._is_new = False
        self._run_when_open()

    def _choose_point(self) -> None:
        """Choose *Point*, so that the first click in the image segments.

        The tool stays as it is in 3D and while a layer other than the image is worked on.
        """
        active = self.viewer.layers.selection.active
        is_2d = self.viewer.dims.ndisplay == 2
        if is_2d and self.tools.tool is Tool.LOOK and active in (None, self.image.layer):
            self.tools.choose(Tool.POINT)

    def _begin(
        self, prepared: Prepared, ledger: Ledger | None = None, journal: Path | None = None
    ) -> None:
        """Work on a volume, from the start or from a ledger."""
        ledger = ledger or Ledger.of(prepared.volume)
        session = SegmentationSession(
            prepared.volume,
            self.backend.name,
            self._runner,
            model=self.model.model,
            device=self.model.device,
            ledger=ledger,
            journal=journal or new_journal(ledger.image),
        )
        self._end()
        self.session = session
        session.changed.connect(self._changed)
        session.measured.connect(self._measured)
        session.progressed.connect(self._progressed)
        session.failed.connect(self._failed)
        session.restarted.connect(self._restarted)
        session.noted.connect(self._noted)
        for notice in session.notices:
            show_message(notice)
        self._layers = LinkedSessionLayers(self.viewer, session, show, self._removed)
        self._opened += [PausedGC(), session, self._layers]
        self._layers.points.slab = self.display.slab_view
        self._tool_layers.bind(self._layers)
        self._bind(session)
        self._warm_up()
        self._on_view(None)
        self._on_changed([None])
        self._taken = [taken for taken in self._taken if taken[0] is self.image.layer]
        for _, name, prompt, origin in self._taken:
            session.take(name, prompt, origin)

    def _end(self) -> None:
        """Leave the image that was worked on; its journal is finished."""
        super()._end()
        self._layers = None
        self._tool_layers.bind(None)
        self.resume.offer()
        self._bind(None)

    def _bind(self, session: SegmentationSession | None) -> None:
        self.objects.bind(session)
        self.folds.bind(session)
        self.row.bind(session)
        self.beforehand.bind(session)
        self._allow_tools()
        self.session_changed.emit(session)

    def _warm_up(self) -> None:
        """Have the model loaded and the image looked at, before the first click."""
        if self.session is None:
            return
        model, device = self.model.model, self.model.device
        job = self._runner.submit(Request(self.backend.name, self.session.volume, model, device))
        job.add_done_callback(self._on_warm)

    def _on_warm(self, job: Job) -> None:
        """Report on the runner's thread that a model cannot be used, before it is needed."""
        try:
            job.wait()
        except Cancelled:
            pass
        except MedVLMError as error:
            self._failed(error)

    def _on_changed(self, boxes: list[object]) -> None:
        if self.session is None or self._layers is None:
            return
        layers, redrawn = self._layers, any(box is not None for box in boxes)
        if redrawn:
            before = layers.mask.layer
            layers.redraw()
            # napari runs events as it makes a slider: the image may be taken away meanwhile.
            if self._layers is not layers:
                if before is None:
                    layers.mask.remove()
                return
        if None in boxes:
            self._clicked.begin(SOON_MS if is_fast(self.session.ledger) else BETWEEN_MS)
        self._rest.begin(PENDING_MS if self.session.pending and not redrawn else REST_MS)

    def _on_removed(self, layers: list[Any]) -> None:
        if self._layers is not None and self.image.layer in self.viewer.layers:
            for layer in layers:
                self._layers.removed(layer)

    def _show_points(self) -> None:
        """Show what was clicked; what is drawn by other tools is there already."""
        if self._layers is not None:
            self._layers.pull_points()

    def _show_prompts(self) -> None:
        if self._layers is not None:
            self._layers.pull()

    def _show_objects(self) -> None:
        if self.session is not None:
            self.objects.refresh()

    def _show_panel(self) -> None:
        if self.session is None:
            return
        self.row.refresh()
        self.folds.refresh()
        self.progress.show_state(
            busy=bool(self.session.pending),
            waiting=len(self.session.pending_prompts()),
            can_ask=self.session.active is not None,
        )

    def _on_progress(self, latest: Any) -> None:
        if self.session is not None and self.session.pending:
            self.progress.show_progress(*latest)

    def _lay_out(self) -> None:
        form = QFormLayout()
        form.addRow("Image", self._image_row())
        form.addRow("Backend", self.backend)
        form.addRow("Model", self.model)
        self.display.add_rows(form)
        form.addRow("Labels", self.labels)
        layout = QVBoxLayout(self.body)
        layout.addLayout(form)
        layout.addWidget(self.beforehand)
        for part in (self.resume, self.tools, self.objects, self.folds, self.progress, self.row):
            layout.addWidget(part, 1 if part is self.objects else 0)

    def _connect(self) -> None:
        self.image.chosen.connect(guarded(self._open))
        self.model.turn_to(self.backend.name)
        self.backend.chosen.connect(self.model.turn_to)
        self.backend.chosen.connect(guarded(lambda _: self._use_backend()))
        self.model.chosen.connect(guarded(self._use_backend))
        self.row.opened.connect(guarded(self.go_on))
        self.resume.accepted.connect(guarded(self.resume_session))
        self.objects.object_added.connect(self.tools.set_positive)
        self.objects.list.shown_changed.connect(guarded(self._show_object))
        self.objects.list.located.connect(guarded(self._locate))
        self.tools.size_stepped.connect(guarded(lambda by: self._session().step_size(by)))
        self.labels.start_requested.connect(guarded(lambda x: start_from(self._session(), x)))
        self.labels.import_requested.connect(guarded(lambda x: import_locked(self._session(), x)))
        self.progress.cancel_requested.connect(guarded(self.cancel))
        self.progress.again_requested.connect(guarded(lambda: self._session().ask_again()))

    def _allow_tools(self) -> None:
        if self.session is None:
            self.tools.disable(READING if self._reading else "Open an image first.")
        else:
            info = registry.info(self.backend.name)
            self.tools.allow_kinds(info, self.backend.currentText())

    def _use_backend(self) -> None:
        info = registry.info(self.backend.name)
        self.model.setEnabled(info.weights_licence != "none")
        self.beforehand.offer(self.choice)
        if self.session is not None:
            self.session.use(info.name, self.model.model, self.model.device)
            self._warm_up()
        self._allow_tools()
