"""The Ground dock: words become boxes, masks and heatmaps in the right place."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFormLayout, QHBoxLayout, QTabWidget, QVBoxLayout

from napari_medvlm.backends.base import Task
from napari_medvlm.data.errors import InvalidPrompt
from napari_medvlm.data.grounding import Scope
from napari_medvlm.data.prompts import Box, InitialMask
from napari_medvlm.data.volume import Volume
from napari_medvlm.io.journal import new_journal
from napari_medvlm.language.finding_descriptions import Knowledge
from napari_medvlm.layers.label_names import named_labels
from napari_medvlm.layers.orientation import go_to, name_axes, orient
from napari_medvlm.layers.region_boxes import DisplayedRegion
from napari_medvlm.layers.region_layers import RegionLayers
from napari_medvlm.ledger.ledger import Ledger
from napari_medvlm.ledger.region_records import ImageReference
from napari_medvlm.sessions.earlier import EarlierSession
from napari_medvlm.sessions.ground.session import GroundingSession
from napari_medvlm.widgets.checks.fold import TrustFold
from napari_medvlm.widgets.checks.quality_note import QualityNote
from napari_medvlm.widgets.dock import SessionDock
from napari_medvlm.widgets.ground.channels import ChannelRows
from napari_medvlm.widgets.ground.classify_tab import LabelsTab
from napari_medvlm.widgets.ground.phrase_list import PhraseList
from napari_medvlm.widgets.ground.reference import ReferenceRow
from napari_medvlm.widgets.ground.region_details import region_details
from napari_medvlm.widgets.ground.region_filters import RegionFilters
from napari_medvlm.widgets.ground.region_table import RegionTable
from napari_medvlm.widgets.ground.report_tab import ReportTab
from napari_medvlm.widgets.ground.scope import ScopeRow
from napari_medvlm.widgets.open_image import Prepared, prepare
from napari_medvlm.widgets.parts.buttons import button, on_click
from napari_medvlm.widgets.parts.plain_text import PlainLabel
from napari_medvlm.widgets.parts.progress import RunRow
from napari_medvlm.widgets.parts.resume_bar import ResumeBar
from napari_medvlm.widgets.runtime.notify import guarded, show_message
from napari_medvlm.widgets.runtime.threads import MainThreadQueue, in_background

if TYPE_CHECKING:
    from napari import Viewer
    from napari.layers import Image


class GroundDock(SessionDock[GroundingSession]):
    """Parts of the dock, connected to a session of the image that is chosen."""

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__(napari_viewer, Task.GROUND)
        self._layers: RegionLayers | None = None
        self._shown: dict[int, DisplayedRegion] = {}
        self.quality = QualityNote()
        self.resume = ResumeBar("Restore the phrases and the boxes of their regions.")
        self.channels = ChannelRows(napari_viewer, self.backend, self.model)
        self.phrases = PhraseList()
        self.report = ReportTab()
        self.labels = LabelsTab(self._runner, self._where)
        self.tabs = QTabWidget()
        self.scope = ScopeRow()
        self.run = RunRow("Ground", "Search for the phrases in the image.")
        self.filters = RegionFilters()
        self.table = RegionTable()
        self.details = PlainLabel()
        self.trust = TrustFold(napari_viewer, scrolls=True)
        self.reference = ReferenceRow(napari_viewer)
        self._lay_out()
        self._changed = MainThreadQueue(lambda _: self._refresh(), self)
        self._progressed = MainThreadQueue(lambda updates: self._on_progress(updates[-1]), self)
        self._connect()
        self._open(self.image.layer)

    # Actions.

    def ground(self) -> None:
        """Look for all phrases of the list."""
        session = self._session()
        self.phrases.remember()
        session.use(self.backend.name, self.model.model, self.model.device)
        ask = partial(
            session.ask,
            self.phrases.phrases,
            self.scope.scope(self.viewer, session.volume),
            labels=named_labels(self.viewer, session.volume),
            descriptions=self._descriptions(),
            report=self.channels.report_text,
        )

        def ask_with(channels: Mapping[str, Volume]) -> None:
            if session is self.session:
                ask(channels=channels)
                self._refresh()

        if self.channels.names:
            self.channels.volumes(self.image.layer, session.volume, ask_with)
        else:
            ask_with({})

    def cancel(self) -> None:
        """Stop the search; regions that were located stay."""
        if self.session is not None:
            self.session.cancel()

    def choose(self, key: int) -> None:
        """Go to a region, and mark it."""
        shown = self._shown.get(key)
        if shown is None or self._layers is None:
            return
        go_to(self.viewer, shown.region.center_mm.tolist())
        self._layers.choose(key)
        self._show_details(shown)

    def send_to_segment(self) -> None:
        """Make objects of the Segment dock of the regions in the selected rows."""
        from napari_medvlm.widgets.segment.commands import dock_of

        chosen = [self._shown[key] for key in self.table.selected if key in self._shown]
        if not chosen:
            raise InvalidPrompt("No region is selected.", "Select a row of the table first.")
        volume = self._session().volume
        dock = dock_of(self.viewer)
        for displayed in chosen:
            region = displayed.region
            prompt = region.box if region.mask is None else InitialMask.of(volume, region.mask)
            origin = f"{displayed.label}, found by {displayed.backend}"
            dock.take(self.image.layer, region.phrase, prompt, origin)

    def forget(self) -> None:
        """Remove all regions from the viewer."""
        self._session().forget()
        self._choose_none()

    def _where(self) -> tuple[Scope, Box | None, str | None, str]:
        """The scope, the region chosen, the model and the device."""
        shown = self._shown.get(-1 if self.table.key is None else self.table.key)
        region = None if shown is None else shown.region.box
        scope = self.scope.scope(self.viewer, self._session().volume)
        return scope, region, self.model.model, self.model.device

    # How an image becomes a session.

    def _open(self, layer: Image | None) -> None:
        self._end()
        if layer is None:
            self._when_open.clear()
        else:
            in_background(lambda: (layer, prepare(layer, "ground")), guarded(self._on_prepared))

    def _on_prepared(self, result: tuple[Image, Prepared]) -> None:
        layer, prepared = result
        if layer is self.image.layer and self.session is None:
            self._begin(prepared.volume)
            self.resume.offer(*prepared.sessions)
            self._run_when_open()

    def resume_session(self, earlier: EarlierSession) -> None:
        """Continue an earlier session of the open image as it is on the disk now."""
        self._begin(self._session().volume, earlier.path, earlier.reload())
        self.phrases.set_phrases(list(self._session().located))

    def _begin(
        self, volume: Volume, journal: Path | None = None, ledger: Ledger | None = None
    ) -> None:
        """Work on a volume, from the start or from a ledger."""
        session = GroundingSession(
            volume,
            self.backend.name,
            self._runner,
            journal=journal or new_journal(ImageReference.of(volume), "ground"),
            ledger=ledger,
        )
        self._end()
        self.session = session
        for notice in session.notices:
            show_message(notice)
        self._layers = RegionLayers(self.viewer, volume, "Found", self._on_box_chosen)
        self._opened += [session, self._layers]
        self.reference.bind(volume)
        self.labels.bind(volume)
        self.quality.look_at(volume)
        session.changed.connect(self._changed)
        session.progressed.connect(self._progressed)
        session.failed.connect(self._failed)
        orient(self.viewer)
        name_axes(self.viewer)
        self._refresh()

    def _end(self) -> None:
        super()._end()
        self._layers = None
        self._choose_none()
        self.resume.offer()
        self.reference.bind(None)
        self.labels.bind(None)
        self.quality.look_at(None)
        self._refresh()

    # Signals of the session.

    def _refresh(self) -> None:
        """Show what there is above the threshold, in the table and in the layers."""
        session = self.session
        self.run.show_state(
            ready=session is not None, busy=bool(session is not None and session.pending)
        )
        shown, missing = self.filters.passed(session) if session is not None else ([], [])
        self._shown = {displayed.key: displayed for displayed in shown}
        agreement = self.reference.compare([displayed.region for displayed in shown])
        self.table.show_regions(shown, missing, agreement)
        self.report.color({displayed.region.phrase: displayed.color for displayed in shown})
        if self._layers is not None:
            self._layers.show(shown)

    def _on_progress(self, latest: Any) -> None:
        if self.session is not None and self.session.pending:
            self.run.show_progress(*latest)

    def _on_box_chosen(self, key: int) -> None:
        self.table.choose(key)
        if key in self._shown and self._layers is not None:
            self._layers.choose(key)
            self._show_details(self._shown[key])

    def _choose_none(self) -> None:
        self.details.clear()
        self.trust.leave()
        if self._layers is not None:
            self._layers.choose(None)

    def _show_details(self, shown: DisplayedRegion) -> None:
        located = self._session().located[shown.region.phrase]
        self.details.setText(region_details(located, shown))
        self.trust.show_region(self._session(), shown.region)

    def _descriptions(self) -> Mapping[str, str]:
        if not self.phrases.describe.isChecked():
            return {}
        knowledge = Knowledge.load()
        described = {phrase: knowledge.describe(phrase) for phrase in self.phrases.phrases}
        return {phrase: known.text for phrase, known in described.items() if known is not None}

    def _on_report(self, phrases: list[str]) -> None:
        self.forget()
        if phrases:
            self.phrases.set_phrases(phrases)
            self.ground()

    # Wiring.

    def _lay_out(self) -> None:
        form = QFormLayout()
        form.addRow("Image", self._image_row())
        form.addRow(self.quality)
        form.addRow("Backend", self.backend)
        form.addRow("Model", self.model)
        form.addRow(self.channels)
        form.addRow("Search in", self.scope)
        self.tabs.addTab(self.phrases, "Phrases")
        self.tabs.addTab(self.report, "Report")
        self.tabs.addTab(self.labels, "Classify")
        self.details.setWordWrap(True)
        self.details.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        layout = QVBoxLayout(self.body)
        layout.addLayout(form)
        layout.addWidget(self.resume)
        layout.addWidget(self.tabs)
        layout.addWidget(self.run)
        layout.addWidget(self.filters)
        self.trust.hide()
        for widget in (self.table, self.details, self.trust, self.reference):
            layout.addWidget(widget)
        layout.addLayout(self._action_row())
        layout.setStretchFactor(self.table, 2)

    def _action_row(self) -> QHBoxLayout:
        row = QHBoxLayout()
        for text, tooltip, action in (
            (
                "Send to Segment",
                "Create objects from the selected rows, to refine by clicks.",
                self.send_to_segment,
            ),
            (
                "Clear",
                "Remove all regions from the viewer; they stay in the session file.",
                self.forget,
            ),
        ):
            action_button = button(text, tooltip)
            on_click(action_button, action)
            row.addWidget(action_button)
        return row

    def _connect(self) -> None:
        self.model.turn_to(self.backend.name)
        self.backend.chosen.connect(self.model.turn_to)
        self.backend.chosen.connect(guarded(lambda _: self.channels.read()))
        self.image.chosen.connect(guarded(self._open))
        self.resume.accepted.connect(guarded(self.resume_session))
        self.run.run_requested.connect(guarded(self.ground))
        self.run.cancel_requested.connect(guarded(self.cancel))
        self.filters.changed.connect(guarded(self._refresh))
        self.table.chosen.connect(guarded(self.choose))
        self.report.findings_extracted.connect(guarded(self._on_report))
        self.reference.changed.connect(guarded(self._refresh))
