"""A sequence of images as one question, as MedSG-Bench asks it."""

from __future__ import annotations

import json

import numpy as np
import pytest
from numpy.testing import assert_allclose

from napari_medvlm.data.grounding import GroundQuery, Scope
from napari_medvlm.data.region import SliceRef
from napari_medvlm.data.slice_image import picture_of
from napari_medvlm.data.volume import Volume, Window
from napari_medvlm.evaluation.ground.cases import Layout
from napari_medvlm.evaluation.ground.datasets import find_cases
from napari_medvlm.evaluation.ground.measure import measure
from napari_medvlm.evaluation.ground.plan import Plan
from napari_medvlm.worker.environment_runner import RoutedRunner
from tests.backends import tiny_models as tiny
from tests.backends.detection.queries import force
from tests.backends.vlm.conversations import loaded
from tests.evaluation.text_runs import picture

VOLUME = Volume(
    np.tile(np.linspace(0, 255, 56), (3, 42, 1)).astype(np.uint8), np.diag([1.0, 1, 1, 1])
)
WINDOW = Window(127.5, 255)
QUESTION = "The box (8,6),(20,18) of the first image shows a lesion. Find it in the last."


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny.qwen25(tmp_path_factory.mktemp("qwen2.5-vl"))


def grounded(folder, text):
    backend = loaded(folder)
    backend.set_volume(VOLUME)
    force(backend, text)
    query = GroundQuery(
        ("lesion",), Scope(0), {"lesion": QUESTION}, window=WINDOW, is_sequence=True
    )
    return backend.ground(query, lambda *_: None)


def edges(region, index):
    corners = picture_of(VOLUME, SliceRef(0, index), WINDOW).pixel_of(region.box.corners())
    return [*corners.min(axis=0), *corners.max(axis=0)]


@pytest.mark.parametrize(("where", "index"), [("image 2", 1), ("the first image", 0)])
def test_a_box_lies_on_the_image_that_the_model_names(folder, where, index):
    found = grounded(folder, f'In {where}: [{{"bbox_2d": [7, 7, 14, 21], "label": "lesion"}}]')
    (region,) = found.regions
    assert (region.phrase, region.slice) == ("lesion", SliceRef(0, index))
    assert_allclose(edges(region, index), [7, 7, 14, 21], rtol=0.35)
    assert not found.notes
    assert found.slices == (SliceRef(0, 0), SliceRef(0, 1), SliceRef(0, 2))


def test_a_box_without_the_name_of_an_image_lies_on_the_last_with_a_note(folder):
    found = grounded(folder, '[{"bbox_2d": [7, 7, 14, 21], "label": "lesion"}]')
    (region,) = found.regions
    assert region.slice == SliceRef(0, 2)
    assert found.notes == (
        "'lesion': the model named no image; its box is taken to lie in the last one.",
    )


def test_a_box_of_the_question_is_in_the_models_own_form(folder):
    found = grounded(folder, "none")
    assert not found.regions
    assert found.not_found[0].reason == "The model wrote no box."
    text = found.prompts["lesion"]
    assert "(8,6),(20,18)" not in text
    assert text.startswith("The box ")
    assert '"bbox_2d": [' in text


def test_a_question_of_medsg_bench_is_scored_on_the_plane_of_the_box(folder, tmp_path):
    names = [f"one_{i}.png" for i in range(2)]
    for name in names:
        picture(tmp_path / name)
    record = {
        "task": "referring", "images": names, "answer": [9, 15, 16, 22],
        "question": "<image><image>Find <|object_ref_start|>Ventricle<|object_ref_end|>.",
    }  # fmt: skip
    (tmp_path / "t.json").write_text(json.dumps([record]))
    (case,) = find_cases(Layout.MEDSG, tmp_path, tmp_path / "t.json").cases
    assert case.question == "Find Ventricle."
    runner = RoutedRunner()
    try:
        outcome = measure(case, Plan(backend="vlm", model=str(folder)), runner)
    finally:
        runner.stop()
    assert not outcome.problem
    assert [result.phrase for result in outcome.results] == ["Ventricle"]
