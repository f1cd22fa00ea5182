"""Figures of grounding and answers show the values of their tables, and are files for a paper."""

from xml.etree import ElementTree

import pytest

from napari_medvlm.evaluation.ground.outcomes import (
    Outcome,
    PhraseResult,
    ScoredBox,
    scored_regions,
)
from napari_medvlm.evaluation.plots.curves import evenly
from napari_medvlm.evaluation.plots.group_means import MAX_GROUPS, Group, shown_groups
from tests.evaluation import pages
from tests.evaluation.segment.test_report import Page

SVG = "{http://www.w3.org/2000/svg}text"


def texts(path):
    return {element.text for element in ElementTree.parse(path).getroot().iter(SVG)}


@pytest.mark.parametrize(
    ("write", "name", "words"),
    [
        (pages.ground_page, "classes", {"IoU", "spleen (9)", "left kidney (9)"}),
        (pages.ground_page, "scores", {"Reliability", "Risk and coverage"}),
        (pages.ask_page, "kinds", {"yes/no (12)", "open (6)"}),
        (pages.ask_page, "confidence", {"Reliability", "Risk and coverage"}),
    ],
)
def test_a_report_links_its_figures_as_files(tmp_path, write, name, words):
    path = write(tmp_path / "out", tmp_path / "images")
    page = Page(path.read_text("utf-8"))
    for ending in ("pdf", "svg"):
        assert f"{name}.{ending}" in page.links
    assert (path.parent / f"{name}.pdf").read_bytes().startswith(b"%PDF")
    assert words <= texts(path.parent / f"{name}.svg")


def test_a_score_is_right_from_half_an_overlap_with_any_wanted_region():
    box = ScoredBox(low=(0, 0, 0), high=(1, 2, 2))
    boxes = tuple(box.model_copy(update={"score": score}) for score in (0.9, 0.8, None))
    result = PhraseResult(phrase="it", label="it", iou=0.5, pointed=True, wanted=(box, box),
                          predicted=boxes,
                          overlaps=((0.2, 0.5), (0.4, 0.1), (1.0, 0.0)))  # fmt: skip
    outcome = Outcome(case="a", results=(result,))
    assert scored_regions(outcome) == [(0.9, True), (0.8, False)]


def test_of_many_groups_those_with_the_lowest_means_are_drawn():
    groups = [Group(f"g{n:02d}", (n / 100, n / 100), None) for n in range(40)]
    shown = shown_groups([*groups, Group("without values", (), None)])
    assert [group.label for group in shown] == [f"g{n:02d}" for n in reversed(range(MAX_GROUPS))]


def test_single_values_are_drawn_evenly_over_their_ranks():
    assert evenly(range(1000), 4) == [0, 333, 666, 999]
    assert evenly(range(3), 4) == [0, 1, 2]
