"""The Follow-up dock: lesions of a prior study proposed and measured in the current one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QVBoxLayout

from napari_medvlm.backends.base import Progress
from napari_medvlm.data.errors import InvalidImage, InvalidPrompt
from napari_medvlm.data.label_image import NamedLabels
from napari_medvlm.layers.convert import named_labels_of
from napari_medvlm.layers.label_names import names_of
from napari_medvlm.layers.orientation import go_to
from napari_medvlm.layers.pairing.pairing_layers import PairedStudies
from napari_medvlm.layers.pairing.prior_outlines import PriorOutlines, moved_lesions
from napari_medvlm.layers.pairing.proposed_points import ProposedPoints
from napari_medvlm.sessions.followup.comparison import RowOptions
from napari_medvlm.sessions.followup.followed import FollowUp
from napari_medvlm.sessions.followup.gone_edits import GoneEdits
from napari_medvlm.sessions.followup.matching import Studies
from napari_medvlm.sessions.followup.review import Decision, LesionReview, review_of
from napari_medvlm.sessions.followup.segmenting import Segmenter
from napari_medvlm.sessions.segment.edits import NewObject
from napari_medvlm.sessions.segment.session import SegmentationSession
from napari_medvlm.widgets.followup.controls import NOT_PAIRED, FollowUpControls
from napari_medvlm.widgets.followup.current_objects import CurrentObjects
from napari_medvlm.widgets.followup.exports import export_reports, export_table
from napari_medvlm.widgets.followup.lesion_states import (
    lesion_states,
    proposed_points,
    summary_text,
)
from napari_medvlm.widgets.parts.buttons import on_click
from napari_medvlm.widgets.register.commands import register_dock_of
from napari_medvlm.widgets.runtime.dock import Dock
from napari_medvlm.widgets.runtime.notify import guarded
from napari_medvlm.widgets.runtime.threads import DeferredCalls, in_background
from napari_medvlm.widgets.segment.commands import dock_of

if TYPE_CHECKING:
    from napari import Viewer

REFRESH_MS = 150


class FollowUpDock(Dock):
    """Propose points, decide on them, and read what became of the lesions.

    Attributes
    ----------
    controls
        The widgets of the dock.
    review
        The proposed points and the decisions; None before.
    result
        What the table shows; None before.
    """

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__()
        self.viewer = napari_viewer
        self.review: LesionReview | None = None
        self.result: FollowUp | None = None
        self._points: ProposedPoints | None = None
        self._outlines: PriorOutlines | None = None
        self._gone: GoneEdits | None = None
        self._version = 0
        self._register = register_dock_of(napari_viewer)
        self._segment = dock_of(napari_viewer)
        self.controls = FollowUpControls(napari_viewer)
        self.table, self.job = self.controls.table, self.controls.job
        layout = QVBoxLayout(self.body)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.controls)
        self._objects = CurrentObjects(self._segment, self)
        self._refresh = DeferredCalls(self, self.refresh)
        self._connect()
        self._on_pairing(self._register.studies)

    def close_dock(self) -> None:
        """Stop what runs and remove the proposed points; objects stay."""
        self.job.cancel()
        self._end()
        self._objects.close()
        self._register.pairing_changed.disconnect(self._on_pairing)

    def propose(self) -> None:
        """Locate the lesions of the prior in the current image."""
        studies, layer = self._paired(), self.controls.lesions.layer
        layers = self._register.paired_layers
        if layer is None or layers is None:
            raise InvalidImage(
                "No lesions of the prior are chosen.", "Open their labels, or segment them first."
            )
        self._segment.image.choose(layers[0])
        pair = Studies(studies.current, studies.prior, studies.pairing)
        names = names_of(layer)

        def work(progress: Progress) -> tuple[LesionReview, NamedLabels]:
            review = review_of(pair, named_labels_of(layer, pair.prior, names), progress)
            return review, moved_lesions(layer, studies)

        def show(located: tuple[LesionReview, NamedLabels]) -> None:
            review, lesions = located
            self._on_proposed(review)
            self._outlines = PriorOutlines(self.viewer, lesions, pair.current, layer.colormap)

        self.job.start(work, show, "Locating lesions")

    def accept(self, values: Sequence[int]) -> None:
        """Segment lesions at their proposed points; those that look gone become gone."""
        review, session = self._review(), self._objects.require_session()
        uids = self._objects.tracking_uids
        asked = [v for v in values if review.decision(v, uids) is Decision.PROPOSED]
        gone = [v for v in asked if review.proposal(v).is_gone]
        self._mark_gone(gone, True)
        asked = [v for v in asked if v not in gone]
        outside = [review.proposal(v) for v in asked if review.proposal(v).is_outside]
        if outside:
            raise InvalidPrompt(
                f"{outside[0].lesion.name} lies outside the current image.",
                "Drag its point into the image, or mark the lesion as gone.",
            )
        self._refresh.begin()
        if asked:
            self._start_segmenting(review, session, asked)

    def accept_all(self) -> None:
        """Accept all points that are not decided yet and lie in the current image."""
        review = self._review()
        self.accept([v for v in review.values if not review.proposal(v).is_outside])

    def mark_gone(self, values: Sequence[int]) -> None:
        """Mark lesions as gone, or take that back; the object of an accepted one is removed."""
        review, uids = self._review(), self._objects.tracking_uids
        decisions = {value: review.decision(value, uids) for value in values}
        for value in [v for v in values if decisions[v] is Decision.ACCEPTED]:
            self._objects.remove(review.proposal(value).lesion.tracking_uid)
        self._mark_gone([v for v in values if decisions[v] is not Decision.GONE], True)
        self._mark_gone([v for v in values if decisions[v] is Decision.GONE], False)
        self._refresh.begin()

    def _mark_gone(self, values: Sequence[int], is_gone: bool) -> None:
        if values and self._gone is not None:
            self._gone.mark(values, is_gone)

    def _on_gone(self) -> None:
        self._segment.row.refresh()
        self._refresh.begin()

    def refresh(self) -> None:
        """Measure the objects as they are and show the table."""
        review = self.review
        if review is None:
            return
        self._version += 1
        version, objects = self._version, self._objects.listed()
        options = RowOptions(self.table.nodes, self.controls.parsed_dates)
        others = self.controls.others.isChecked()
        self._show_points()

        def show(result: FollowUp) -> None:
            if version == self._version and review is self.review:
                self._show_result(result)

        in_background(
            lambda: review.follow_up(objects, options, others_are_new=others), guarded(show)
        )

    def save_table(self) -> None:
        """Ask for a file and write the table."""
        export_table(self, self._require_result())

    def save_reports(self) -> None:
        """Ask for a folder, and write a segmentation and a report of each study there."""
        export_reports(self, self.job, self._review(), self._require_result())

    def _start_segmenting(
        self, review: LesionReview, session: SegmentationSession, values: Sequence[int]
    ) -> None:
        segmenter = Segmenter(self._segment.choice, self._segment.runner)
        backtest = self.controls.backtest.isChecked()

        def work(progress: Progress) -> tuple[NewObject, ...]:
            return review.new_objects(values, segmenter, backtest=backtest, progress=progress)

        def add(objects: tuple[NewObject, ...]) -> None:
            if session is self._objects.session:
                session.add_objects(objects)

        self.job.start(work, add, "Segmenting")

    def _on_proposed(self, review: LesionReview) -> None:
        self._end()
        self._register.comparison.show_current()
        self.review = review
        self._objects.study = review.studies.current
        edits = GoneEdits(review, lambda: self._objects.last_edit)
        self._gone = self._segment.row.other_edits = edits
        self._gone.changed.connect(self._on_gone)
        self._points = points = ProposedPoints(self.viewer, review.studies.current)
        points.moved.connect(guarded(self._on_moved))
        points.deleted.connect(guarded(lambda value: self.mark_gone([value])))
        points.accept_pressed.connect(guarded(self.accept))
        self.refresh()

    def _on_moved(self, value: int, spl_mm: Any) -> None:
        review = self._review()
        try:
            if self.job.busy:
                raise InvalidPrompt("Lesions are being segmented.", "Wait, or press Cancel.")
            review.move(value, spl_mm)
        finally:
            self._refresh.begin()

    def _on_chosen(self, row: int) -> None:
        """Move all views to a lesion."""
        review, result = self.review, self.result
        if review is None or result is None or not 0 <= row < len(result.lesions):
            return
        lesion = result.lesions[row]
        here = lesion.current.center_mm
        if here is None and lesion.value:
            here = review.proposal(lesion.value).point_mm
        if here is not None:
            go_to(self.viewer, here)
        if self._points is not None and lesion.value:
            self._points.select(lesion.value)

    def _on_pairing(self, studies: PairedStudies | None) -> None:
        """Start again with another pairing, as the points depend on it."""
        self._end()
        self.controls.show_pair(studies)
        self._show_state()

    def _end(self) -> None:
        points, self._points = self._points, None
        outlines, self._outlines = self._outlines, None
        self._gone = self._segment.row.other_edits = None
        self._segment.row.refresh()
        self.review = self.result = self._objects.study = None
        if points is not None:
            points.close()
        if outlines is not None:
            outlines.close()
        self.table.show_lesions((), {})
        self.controls.summary.show_text("")
        self._show_state()

    def _show_points(self) -> None:
        if self._points is not None:
            self._points.show(proposed_points(self._review(), self._objects.tracking_uids))

    def _show_result(self, result: FollowUp) -> None:
        self.result = result
        states = lesion_states(self._review(), self._objects.tracking_uids)
        self.table.show_lesions(result.lesions, states)
        self.controls.summary.show_text(summary_text(result))
        self._show_state()

    def _show_state(self) -> None:
        self.controls.show_state(
            is_paired=self._register.studies is not None,
            has_review=self.review is not None,
            result=self.result,
        )

    def _paired(self) -> PairedStudies:
        if self._register.studies is None:
            raise InvalidImage("Nothing is registered.", NOT_PAIRED)
        return self._register.studies

    def _review(self) -> LesionReview:
        if self.review is None:
            raise InvalidImage("No points are proposed.", "Press Propose points first.")
        return self.review

    def _require_result(self) -> FollowUp:
        if self.result is None:
            raise InvalidImage("Nothing is measured yet.", "Press Propose points first.")
        return self.result

    def _connect(self) -> None:
        controls = self.controls
        for pressed, action in (
            (controls.propose_button, self.propose), (controls.all_button, self.accept_all),
            (controls.csv_button, self.save_table), (controls.report_button, self.save_reports),
            (controls.accept_button, self._accept_selected),
            (controls.gone_button, self._gone_selected),
        ):  # fmt: skip
            on_click(pressed, action)
        self.table.accept_pressed.connect(guarded(self._accept_selected))
        self.table.gone_pressed.connect(guarded(self._gone_selected))
        self.table.chosen.connect(guarded(self._on_chosen))
        self.table.nodes_changed.connect(self._refresh.begin)
        controls.others.toggled.connect(lambda _: self._refresh.begin())
        controls.dates.editingFinished.connect(self._refresh.begin)
        self.job.busy_changed.connect(self._show_state)
        self._register.pairing_changed.connect(self._on_pairing)
        self._objects.changed.connect(lambda: self._refresh.begin(REFRESH_MS))

    def _accept_selected(self) -> None:
        self.accept(self.table.selected)

    def _gone_selected(self) -> None:
        self.mark_gone(self.table.selected)
