"""A case of an evaluation of places or answers in a window: the question next to the truth."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from napari.layers import Layer
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QListWidget, QVBoxLayout, QWidget

from napari_medvlm.data.colors import DETECTED, TRUTH
from napari_medvlm.data.errors import SessionFileError
from napari_medvlm.data.prompts import Box
from napari_medvlm.data.region import Region, SliceRef
from napari_medvlm.data.volume import Volume
from napari_medvlm.evaluation.ask.items import Item
from napari_medvlm.evaluation.ask.outcomes import Outcome as Answered
from napari_medvlm.evaluation.ask.summary import right_of
from napari_medvlm.evaluation.ground.cases import Case
from napari_medvlm.evaluation.ground.outcomes import Outcome as Grounded
from napari_medvlm.evaluation.references.image_stack import read_stack
from napari_medvlm.io import read_volume
from napari_medvlm.layers import layer_data
from napari_medvlm.layers.answer_layers import look_at
from napari_medvlm.layers.region_boxes import DisplayedRegion
from napari_medvlm.layers.region_layers import RegionLayers
from napari_medvlm.widgets.runtime.notify import guarded

if TYPE_CHECKING:
    from napari import Viewer

Json = dict[str, Any]


class EvaluatedPlaces(QWidget):
    """Phrases of a case with how well each was found; a click shows its places.

    Parameters
    ----------
    viewer, volume
        Where places are shown, and what they lie in.
    outcome
        What came of the case.
    """

    def __init__(self, viewer: Viewer, volume: Volume, outcome: Grounded) -> None:
        super().__init__()
        self.outcome = outcome
        self.places = _Places(viewer, volume)
        self.phrases = QListWidget()
        self.phrases.setWordWrap(True)
        self.phrases.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        for result in outcome.results:
            counts = f"{len(result.predicted)} found, {len(result.wanted)} expected"
            iou = f"IoU {result.iou:.3f}, " if result.wanted else ""
            self.phrases.addItem(f"{result.phrase}: {iou}{counts}")
        layout = QVBoxLayout(self)
        layout.addWidget(QLabel(LEGEND))
        layout.addWidget(self.phrases)
        self.phrases.currentRowChanged.connect(guarded(self._on_row))

    def choose(self, phrase: str) -> None:
        """Show the places of a phrase; those of the first if it is empty.

        Raises
        ------
        SessionFileError
            If the case has no such phrase.
        """
        known = [result.phrase for result in self.outcome.results]
        if phrase and phrase not in known:
            raise SessionFileError(
                f"The case {self.outcome.case!r} has no phrase {phrase!r}.",
                f"It has: {', '.join(known)}.",
            )
        self.phrases.setCurrentRow(known.index(phrase) if phrase else 0)

    def _on_row(self, row: int) -> None:
        result = self.outcome.results[row]
        self.places.show(
            [(scored_box.low, scored_box.high, scored_box.score) for scored_box in result.wanted],
            [
                (scored_box.low, scored_box.high, scored_box.score)
                for scored_box in result.predicted
            ],
        )


class EvaluatedAnswer(QLabel):
    """A question with the right answer and the one that was given."""

    def __init__(self, item: Item, outcome: Answered) -> None:
        super().__init__(_answer_html(item, outcome))
        self.setTextFormat(Qt.TextFormat.RichText)
        self.setWordWrap(True)
        self.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.setMargin(8)
        self.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)


Corners = tuple[Sequence[float], Sequence[float], float | None]
LEGEND = f'<b style="color:{TRUTH}">reference</b>, <b style="color:{DETECTED}">found</b>'


class _Places:
    """Wanted and found boxes as two layers."""

    def __init__(self, viewer: Viewer, volume: Volume) -> None:
        self._viewer = viewer
        self._volume = volume
        self._truth = RegionLayers(viewer, volume, "Reference", lambda _: None, "found truth")
        self._results = RegionLayers(viewer, volume, "Found", lambda _: None)

    def show(self, wanted: Sequence[Corners], predicted: Sequence[Corners]) -> None:
        """Show the boxes, and go to the first wanted one, else to the first found one."""
        pairs = [self._regions(corners) for corners in (wanted, predicted)]
        for layers, regions, color in zip(
            (self._truth, self._results), pairs, (TRUTH, DETECTED), strict=True
        ):
            layers.show([DisplayedRegion(k, region, color, "") for k, region in enumerate(regions)])
        first = (pairs[0] or pairs[1])[:1]
        if first:
            look_at(self._viewer, self._volume, first)

    def _regions(self, places: Sequence[Corners]) -> list[Region]:
        volume, region_list = self._volume, []
        for low, high, score in places:
            box = Box.at_index(volume, low, high)
            flat = [axis for axis in range(3) if high[axis] - low[axis] <= 1]
            slice_ref = SliceRef(flat[0], int(low[flat[0]])) if flat else None
            region_list.append(Region("", box, score, slice=slice_ref))
        return region_list


def show_words(viewer: Viewer, task: str, content: Json, phrase: str = "") -> QWidget:
    """Put a case of a run of `ground` or `ask` into a viewer; the text next to the picture.

    Parameters
    ----------
    content
        The case's file in the run.
    phrase
        Of grounding: which phrase to show first.

    Raises
    ------
    SessionFileError
        If the run is older than this and does not keep its cases, or has no such phrase.
    InvalidImage
        If an image cannot be read any more.
    """
    source = content.get("source")
    if source is None:
        raise SessionFileError(
            f"The run does not store the input of case {content['case']!r}.",
            "It was written by an earlier version; repeat the run in another folder.",
        )
    return (
        _grounding(viewer, Case.model_validate(source), Grounded.model_validate(content), phrase)
        if task == "ground"
        else _answer(viewer, Item.model_validate(source), Answered.model_validate(content))
    )


def _grounding(viewer: Viewer, case: Case, outcome: Grounded, phrase: str) -> QWidget:
    volume = read_stack(case.images)
    viewer.add_layer(Layer.create(*layer_data(volume)))
    panel = EvaluatedPlaces(viewer, volume, outcome)
    viewer.window.add_dock_widget(panel, name=f"Phrases of {case.name}", area="right")
    panel.choose(phrase)
    return panel


def _answer(viewer: Viewer, item: Item, outcome: Answered) -> QWidget:
    volumes = [read_volume(path) for path in item.images]
    for number, volume in enumerate(volumes):
        layer = viewer.add_layer(Layer.create(*layer_data(volume)))
        layer.visible = number == 0
        if item.captions and item.captions[number]:
            layer.name = item.captions[number]
    panel = EvaluatedAnswer(item, outcome)
    viewer.window.add_dock_widget(panel, name=f"Question {item.name}", area="right")
    if outcome.wanted or outcome.boxes:
        shown = (
            [(low, high, None) for low, high in boxes] for boxes in (outcome.wanted, outcome.boxes)
        )
        _Places(viewer, volumes[0]).show(*shown)
    return panel


def _answer_html(item: Item, outcome: Answered) -> str:
    verdict = {True: "right", False: "wrong", None: ""}[outcome.correct]
    if outcome.exact is not None:
        verdict = "same text" if outcome.exact else "different text"
    if outcome.refused:
        verdict = "refused"
    figures = {
        "F1": outcome.f1,
        "IoU": outcome.iou,
        "relative error": outcome.error,
        "confidence": outcome.confidence,
    }
    known = [f"{name} {value:.3f}" for name, value in figures.items() if value is not None]
    options = "".join(f"<li>{escape(option)}</li>" for option in item.options)
    lines = [
        f"<b>{escape(item.prompt_text)}</b>",
        f"<ol type=A>{options}</ol>" if options and item.prompt_text == item.question else "",
        f'<b style="color:{TRUTH}">{escape(right_of(item))}</b>',
        f'<b style="color:{DETECTED}">{escape(outcome.text) or "(no answer)"}</b>',
        ", ".join(filter(None, (verdict, *known))),
        escape(" ".join(outcome.notes)),
    ]
    return "".join(f"<p>{line}</p>" for line in lines if line)
