"""Image-text models are asked as the catalog says, and what they write lies where they saw it."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
import transformers as hf
from numpy.testing import assert_allclose
from PIL import Image
from transformers.models.qwen2_vl.image_processing_qwen2_vl import smart_resize

from napari_medvlm.backends.box_formats import GRAMMARS
from napari_medvlm.backends.detection.generated_boxes import look_of
from napari_medvlm.backends.detection.letterbox import framed
from napari_medvlm.backends.dispatch import ground
from napari_medvlm.backends.models import transformers_loader
from napari_medvlm.backends.models.catalog import ANY, answering_row, row_for, rows
from napari_medvlm.backends.vlm.backend import VLMBackend
from napari_medvlm.data.errors import BackendUnavailable, Cancelled, InvalidPrompt
from napari_medvlm.data.grounding import GroundQuery, Scope
from tests.backends import tiny_models as tiny
from tests.backends.detection.queries import NAMES, asked, force, in_picture, picture, volume_of

# PaliGemma's processor turns torch's tensors into arrays in a way that numpy 2 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

FAMILIES = {
    "qwen2.5": tiny.qwen25, "qwen3": tiny.qwen3, "internvl": tiny.internvl,
    "paligemma": tiny.paligemma,
}  # fmt: skip
PARTS = {
    "qwen3": '[{"bbox_2d": [100, 250, 500, 750], "label": "left kidney"}]',
    "internvl": "<ref>left kidney</ref><box>[[100, 250, 500, 750]]</box>",
    "paligemma": "<loc0256><loc0102><loc0768><loc0512> left kidney",
}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    return {name: make(tmp_path_factory.mktemp(f"tiny{k}")) for k, (name, make) in
            enumerate(FAMILIES.items())}  # fmt: skip


@pytest.fixture(params=list(FAMILIES))
def family(request):
    return request.param


@pytest.fixture
def load(folders, monkeypatch):
    def loaded(family, longest=24):
        monkeypatch.setattr(
            VLMBackend, "settings", {**VLMBackend.settings, "max_new_tokens": longest}
        )
        backend = VLMBackend()
        backend.load(str(folders[family]), "cpu")
        return backend

    return loaded


@pytest.mark.parametrize("name", NAMES)
def test_the_text_is_the_librarys(load, folders, family, name):
    volume, slice_ref = volume_of(name)
    result = asked(load(family), volume, slice_ref, "left kidney")
    model = hf.AutoModelForImageTextToText.from_pretrained(folders[family]).eval()
    processor = hf.AutoProcessor.from_pretrained(folders[family])
    image = Image.fromarray(picture(volume, slice_ref).pixels)
    text = f"<image>{result.prompts['left kidney']}"
    if processor.chat_template:
        words = {"type": "text", "text": result.prompts["left kidney"]}
        text = processor.apply_chat_template(
            [{"role": "user", "content": [{"type": "image", "image": image}, words]}],
            add_generation_prompt=True, tokenize=False,
        )  # fmt: skip
    inputs = processor(images=[image], text=[text], return_tensors="pt")
    with torch.inference_mode():
        tokens = model.generate(**inputs, do_sample=False, max_new_tokens=24)
    written = processor.decode(tokens[0, inputs["input_ids"].shape[1] :])
    for end in ("<|im_end|>", "<|endoftext|>", "<eos>", "<pad>"):
        written = written.replace(end, "")
    assert result.texts == (written.strip(),)


@pytest.mark.parametrize("name", NAMES)
def test_pixels_of_the_image_that_the_processor_made_come_back(load, name):
    backend = load("qwen2.5", 120)
    volume, slice_ref = volume_of(name)
    shown = picture(volume, slice_ref)
    height, width = smart_resize(*shown.size, 28, 28 * 28, 84 * 84)
    assert (height, width) != shown.size
    force(backend, '```json\n[{"bbox_2d": [7, 3, 21, 17], "label": "left kidney"}]\n```')
    (region,) = asked(backend, volume, slice_ref, "left kidney").regions
    across, down = shown.size[1] / width, shown.size[0] / height
    wanted = [7 * across, 3 * down, 21 * across, 17 * down]
    assert_allclose(in_picture(region, shown), wanted, atol=1e-3)
    assert region.name == "left kidney"
    assert region.score is None
    start, stop = region.box.bounds(volume.grid)
    assert (start[slice_ref.axis], stop[slice_ref.axis]) == (slice_ref.index, slice_ref.index + 1)


@pytest.mark.parametrize("family", PARTS)
@pytest.mark.parametrize("name", NAMES)
def test_parts_of_the_picture_come_back(load, family, name):
    backend = load(family, 120)
    volume, slice_ref = volume_of(name)
    shown = picture(volume, slice_ref)
    force(backend, PARTS[family])
    result = asked(backend, volume, slice_ref, "left kidney")
    height, width = shown.size
    wanted = np.array([0.1, 0.25, 0.5, 0.75]) * (width, height, width, height)
    assert_allclose(in_picture(result.regions[0], shown), wanted, atol=0.0005 * max(shown.size))
    assert result.texts == (PARTS[family],)
    assert not [note for note in result.notes if note.startswith("'left kidney'")]


@pytest.mark.parametrize(
    ("model", "kind", "text"),
    [
        ("org/MedVision__SFT-7b", "qwen2_5_vl", "0.1000, 0.2500, 0.5000, 0.7500"),
        (
            "google/medgemma-1.5-4b-it",
            "gemma3",
            '[{"box_2d": [250, 100, 750, 500], "label": "mass"}]',
        ),
        ("google/paligemma2-3b", "paligemma", "<loc0256><loc0102><loc0768><loc0512> mass"),
        ("microsoft/maira-2", "llava", "<obj>mass<box><x10><y25><x50><y75></box></obj>"),
        (
            "Luxuriant16/medrega",
            "internvl",
            "<ref>mass</ref><box>[[100, 250, 500, 749]]</box>: bright.",
        ),
        ("MedSG-Bench/MedSeq-Grounder", "qwen2_vl", "<|box_start|>(100,250),(500,750)<|box_end|>"),
    ],
)
@pytest.mark.parametrize("name", ["portrait", "landscape"])
def test_each_family_of_the_catalog_is_read_in_its_own_way(model, kind, text, name):
    shown = picture(*volume_of(name))
    row = row_for("vlm", model, kind)
    look = look_of(
        text, "mass", shown, shown=framed(shown.pixels, row.square), grammar=row.grammar,
        asked=("mass",),
    )  # fmt: skip
    (seen,) = look.seen
    wanted = np.array([0.1, 0.25, 0.5, 0.75]) * (*shown.size[::-1], *shown.size[::-1])
    assert_allclose(seen.bounds, wanted, atol=0.006 * max(shown.size))
    assert not look.notes


def test_an_origin_at_the_lower_left_is_the_lower_left():
    shown = picture(*volume_of("portrait"))
    look = look_of(
        "0.1, 0.7, 0.5, 0.9", "mass", shown, shown=framed(shown.pixels, 0), grammar="medvision"
    )
    height, width = shown.size
    assert_allclose(look.seen[0].bounds, [0.1 * width, 0.1 * height, 0.5 * width, 0.3 * height])


def test_points_are_places_in_the_picture():
    volume, slice_ref = volume_of("landscape")
    shown = picture(volume, slice_ref)
    text = '<points x1="25" y1="50" x2="75" y2="10" alt="nodule">nodule</points>'
    look = look_of(text, "nodule", shown, shown=framed(shown.pixels, 0), grammar="molmo")
    height, width = shown.size
    positions = [seen.points[0] for seen in look.seen]
    assert_allclose(positions, [(0.25 * width, 0.5 * height), (0.75 * width, 0.1 * height)])


def test_one_thing_on_neighbouring_slices_is_one_box(load):
    backend = load("qwen3", 120)
    volume, _ = volume_of("square")
    force(backend, PARTS["qwen3"])
    backend.set_volume(volume)
    query = GroundQuery(("left kidney",), Scope(axis=0))
    (region,) = ground(backend, volume, query, lambda *_: None).regions
    start, stop = region.box.bounds(volume.grid)
    assert (start[0], stop[0]) == (0, 4)


def test_what_cannot_be_read_is_reported_and_is_not_found(load, family):
    result = asked(load(family), *volume_of("square"), "left kidney", "spleen")
    assert not result.regions
    assert [missing.phrase for missing in result.not_found] == ["left kidney", "spleen"]
    assert len(result.texts) == 2
    assert (
        "'left kidney': the model was stopped after 24 tokens, before it finished." in result.notes
    )
    assert any("has no box in the form" in note for note in result.notes)


def test_a_box_of_something_else_is_reported_and_not_given(load):
    backend = load("internvl", 120)
    force(backend, PARTS["internvl"])
    result = asked(backend, *volume_of("square"), "spleen")
    assert not result.regions
    assert any("left kidney" in note for note in result.notes)


def test_a_prompt_in_place_of_a_phrase_is_sent_in_the_template(load):
    result = asked(
        load("internvl", 4), *volume_of("square"), "mass", prompts={"mass": "bright nodule"}
    )
    assert result.prompts["mass"].endswith("describes: <ref>bright nodule</ref>")


def test_the_same_again_is_the_same_and_the_image_is_left_alone(load, family):
    volume, slice_ref = volume_of("sagittal and oblique")
    before = volume.data.copy()
    volume.data.flags.writeable = False
    backend = load(family)
    first, second = (asked(backend, volume, slice_ref, "spleen") for _ in range(2))
    assert first.texts == second.texts
    assert np.array_equal(volume.data, before)


def test_a_cancel_is_passed_on_while_the_model_writes(load, family):
    volume, slice_ref = volume_of("square")
    backend, messages = load(family), []

    def stop_at_the_fifth(fraction, message=""):
        messages.append((fraction, message))
        if len(messages) == 5:
            raise Cancelled

    backend.set_volume(volume)
    query = GroundQuery(("spleen",), Scope.of_slice(slice_ref.axis, slice_ref.index))
    with pytest.raises(Cancelled):
        ground(backend, volume, query, stop_at_the_fifth)
    assert set(messages) == {(0.0, "slice 1 of 1")}
    assert asked(backend, volume, slice_ref, "spleen").texts


def test_words_with_a_meaning_of_their_own_for_the_model_are_refused(load):
    with pytest.raises(InvalidPrompt, match="holds <|image_pad|>"):
        asked(load("qwen2.5"), *volume_of("square"), "a <|image_pad|> of the lung")


def test_a_kind_of_model_that_is_not_known_is_not_asked_for_places(load, monkeypatch):
    monkeypatch.setattr(transformers_loader, "kind_of", lambda folder: "blip-2")
    with pytest.raises(BackendUnavailable, match=r"how the blip-2 model .*Qwen2\.5-VL"):
        asked(load("qwen3"), *volume_of("square"), "spleen")


def test_code_that_a_model_brings_is_not_run(tmp_path):
    folder = tmp_path / "luodian" / "otter"
    folder.mkdir(parents=True)
    marker = tmp_path / "ran"
    (folder / "code.py").write_text(f"open({str(marker)!r}, 'w')", "utf-8")
    auto = {"AutoConfig": "code.Config", "AutoModelForImageTextToText": "code.Model"}
    (folder / "config.json").write_text(
        json.dumps({"model_type": "otter", "auto_map": auto}), "utf-8"
    )
    with pytest.raises(BackendUnavailable, match="it is not trusted"):
        VLMBackend().load(str(folder), "cpu")
    assert not marker.exists()


def test_a_missing_model_is_not_downloaded_and_the_command_is_named():
    with pytest.raises(BackendUnavailable, match="medvlm models download Qwen/no-such-model"):
        VLMBackend().load("Qwen/no-such-model", "cpu")


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.title)
def test_a_row_of_the_catalog_can_be_asked_and_read(row):
    if row.answers and row.kinds != (ANY,):
        assert all(answering_row(row.example, kind) is row for kind in row.kinds)
    if not row.prompt:
        return
    assert all(row_for(row.backend, row.example, kind) is row for kind in row.kinds)
    written = ["sentence", "list"] if row.backend == "detector" else GRAMMARS
    gives_masks = row.backend == "sam3" or row.asked_by == "predict_forward"
    assert row.grammar in written or gives_masks
    assert "left lung" in row.filled("left lung")


def test_a_model_in_the_librarys_cache_is_known_by_its_name():
    model_path = "/home/me/.cache/huggingface/hub/models--RioJune--AG-KD-merged/snapshots/0123abc/"
    assert row_for("florence", model_path, "florence2").square == 512
    assert row_for("florence", "/data/some-model", "florence2").square == 0
