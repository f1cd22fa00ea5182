"""The report needs nothing else, and shows what it speaks of."""

import base64
import io
import json
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from napari_medvlm.evaluation.plots.curves import curve_of
from napari_medvlm.evaluation.runs.cases import SkippedCase
from napari_medvlm.evaluation.runs.report_images import planes
from napari_medvlm.evaluation.segment import report, summary
from napari_medvlm.evaluation.segment.plan import Plan
from tests.conftest import make_phantom


class Page(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.pictures, self.links, self.text, self.tags = [], [], "", []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        given = dict(attrs)
        if tag == "img":
            self.pictures.append(given)
        for key in ("href", "src"):
            if key in given:
                self.links.append(given[key])

    def handle_data(self, data):
        if self.lasttag in ("script", "style"):
            return
        self.text += " ".join(data.split()) + " "


@pytest.fixture(scope="module")
def page(finished):
    return Page((finished[0] / "report.html").read_text("utf-8"))


def decoded(picture):
    kind, _, content = picture["src"].partition(",")
    assert kind == "data:image/png;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(content))).convert("RGB"))


def test_the_worst_cases_are_shown_as_pictures_with_both_outlines(page):
    assert len(page.pictures) == 6
    for picture in page.pictures:
        pixels = decoded(picture).astype(int)
        assert pixels.shape[1] > 600
        for color in ((0, 163, 108), (255, 127, 14)):
            near = np.abs(pixels - color).sum(axis=2) < 60
            assert near.sum() > 100, f"no outline in {color} in {picture['alt']}"


def test_the_report_needs_nothing_from_outside(page, finished):
    assert "svg" in page.tags
    assert {"link", "iframe"}.isdisjoint(page.tags)
    out = finished[0]
    for link in page.links:
        if not link.startswith(("data:", "#")):
            assert (out / link.replace("%20", " ")).is_file(), link


def test_the_report_states_figures_skipped_cases_and_how_to_open_each(page, finished):
    out, reported = finished
    assert f"{reported['structures']['label 1']['dice'][-1]:.3f}" in page.text
    assert "2 cases could not be used" in page.text
    assert "another grid" in page.text
    for name in ("case_00", "case_03"):
        assert f"napari-medvlm evaluate open . {name} 'label 1'" in page.text
    assert "napari-medvlm" in page.text
    assert "label 2" in page.text


def test_the_first_line_names_the_prompts_of_the_plan(page):
    assert "first a point, then points at the largest error" in page.text


def test_each_heading_is_in_the_contents(page):
    anchors = [link for link in page.links if link.startswith("#")]
    assert anchors == [f"#section-{n + 1}" for n in range(page.tags.count("h2"))]


def test_curves_are_files_for_a_paper(finished):
    out = finished[0]
    assert (out / "curves.pdf").read_bytes().startswith(b"%PDF")
    svg = ElementTree.parse(out / "curves.svg").getroot()
    texts = {element.text for element in svg.iter("{http://www.w3.org/2000/svg}text")}
    assert {"label 1", "label 2", "Dice", "interactions"} <= texts


def test_a_curve_has_the_mean_and_the_interval_of_the_tables(finished):
    out, reported = finished
    cases = [json.loads(path.read_text()) for path in sorted((out / "cases").glob("*.json"))]
    rows = [
        (case["case"], "label 1", [step["dice"] for step in attempt["steps"]])
        for case in cases
        for attempt in case["attempts"]
        if attempt["structure"] == "label 1"
    ]
    curve, means = curve_of("label 1", rows), reported["structures"]["label 1"]
    assert curve.mean == pytest.approx(means["dice"])
    expected = means["intervals"]["dice"]
    assert curve.band[-1] == (None if expected is None else pytest.approx(tuple(expected)))
    assert curve.cases == tuple(tuple(values) for *_, values in rows)


def test_a_picture_shows_the_largest_error_and_survives_an_empty_mask():
    volume, left, _ = make_phantom(degrees=(0, 0, 20))
    both = [planes(volume, left, mask) for mask in (left, np.zeros_like(left))]
    assert both[0] != both[1]


def test_words_from_files_cannot_break_the_page(tmp_path):
    plan = Plan()
    reported = summary.summary([], [SkippedCase("<script>alert(1)</script>", "a & b")], plan)
    settings = {"plan": plan.model_dump(mode="json"), "data": {}, "provenance": {}}
    path = report.write_report(tmp_path, reported, settings, [])
    page = Page(path.read_text("utf-8"))
    assert page.tags.count("script") == 1, "only the page's own, which sorts tables"
    assert "<script>alert(1)</script>" in page.text


def test_means_stand_with_their_intervals_and_settings_read_well(page, finished):
    of = finished[1]["structures"]["label 1"]
    if of["intervals"]["dice"] is not None:  # None where all cases are equal
        low, high = of["intervals"]["dice"]
        assert low <= of["dice"][-1] <= high
        assert f"{low:.3f} to {high:.3f}" in page.text
    assert "structures all " in page.text
    assert "None" not in page.text
    assert "[" not in page.text
