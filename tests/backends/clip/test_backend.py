"""Heatmaps are those of the libraries called by hand, and lie where the picture does."""

import json
import shutil

import numpy as np
import pytest
from numpy.testing import assert_allclose
from PIL import Image

from napari_medvlm.backends import dispatch
from napari_medvlm.backends.clip.backend import NEUTRAL, SimilarityBackend, squared, unsquared
from napari_medvlm.data.classification import LabelQuery
from napari_medvlm.data.errors import BackendUnavailable, Cancelled
from napari_medvlm.data.grounding import GroundQuery, Scope
from napari_medvlm.data.region import SliceRef
from napari_medvlm.data.slice_image import picture_of
from napari_medvlm.data.volume import Volume
from tests.backends.clip.by_hand import (
    GREY,
    KINDS,
    PHRASES,
    SHAPES,
    axial,
    by_hand,
    go_on,
    loaded,
    sagittal,
)
from tests.backends.clip.tiny_clip import save_all


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    return save_all(tmp_path_factory.mktemp("models"))


def check_look(look, wanted):
    seen = {s.phrase: s for s in look.seen}
    assert set(seen) == {phrase for phrase, values in wanted.items() if values.max() >= 0.5}
    for phrase, values in wanted.items():
        assert look.best[phrase] == pytest.approx(values.max(), abs=1e-4)
    for phrase, result in seen.items():
        assert_allclose(result.heatmap, wanted[phrase], atol=1e-4)
    return len(seen)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", SHAPES)
def test_heatmaps_are_those_of_the_library(folders, kind, shape):
    volume = axial(SHAPES[shape])
    picture = picture_of(volume, SliceRef(0, 0), GREY)
    (look,) = loaded(folders[kind], volume).look([picture], GroundQuery(PHRASES))
    assert check_look(look, by_hand(kind, folders[kind], picture.pixels))


@pytest.mark.parametrize("kind", KINDS)
def test_heatmaps_of_a_sagittal_slice_of_an_oblique_volume(folders, kind):
    volume, slice_ref = sagittal()
    picture = picture_of(volume, slice_ref, GREY)
    wanted = by_hand(kind, folders[kind], picture.pixels)
    query = GroundQuery(PHRASES, Scope.of_slice(slice_ref.axis, slice_ref.index), window=GREY)
    backend = loaded(folders[kind], volume)
    assert check_look(backend.look([picture], query)[0], wanted)
    result = dispatch.ground(backend, volume, query, go_on)
    assert result.regions
    for region in result.regions:
        on_slice = region.heatmap.full()
        assert_allclose(on_slice, picture.heatmap(wanted[region.phrase]).full(), atol=1e-4)
        assert not on_slice[:, :, [4, 6]].any()
        assert region.score == pytest.approx(wanted[region.phrase].max(), abs=1e-4)
    assert {n.phrase: n.best_score for n in result.not_found} == pytest.approx(
        {p: v.max() for p, v in wanted.items() if v.max() < 0.5}, abs=1e-4
    )


def test_a_repeated_question_gets_the_same_answer(folders):
    volume = axial(SHAPES["portrait"], slices=6)
    first = loaded(folders["clip"], volume)
    query = GroundQuery(PHRASES)
    once = dispatch.ground(first, volume, query, go_on)
    dispatch.ground(first, volume, GroundQuery(("something else", *PHRASES[:2])), go_on)
    for backend in (first, loaded(folders["clip"], volume)):
        again = dispatch.ground(backend, volume, query, go_on)
        assert [(r.phrase, r.score) for r in again.regions] == [
            (r.phrase, r.score) for r in once.regions
        ]
        for a, b in zip(again.regions, once.regions, strict=True):
            assert np.array_equal(a.heatmap.full(), b.heatmap.full())


@pytest.mark.parametrize("kind", KINDS)
def test_a_heatmap_does_not_depend_on_what_else_is_asked(folders, kind):
    volume = axial(SHAPES["square"], slices=2)
    backend = loaded(folders[kind], volume)
    pictures = [picture_of(volume, SliceRef(0, k), GREY) for k in (0, 1)]
    together = backend.look(pictures, GroundQuery(PHRASES))
    for picture, look in zip(pictures, together, strict=True):
        for seen in look.seen:
            (alone,) = backend.look([picture], GroundQuery((seen.phrase,)))
            assert_allclose(alone.seen[0].heatmap, seen.heatmap, atol=1e-5)


def test_what_is_sent_is_reported(folders):
    volume = axial(SHAPES["square"])
    query = GroundQuery(("mass",), prompts={"mass": "a round opacity"})
    result = dispatch.ground(loaded(folders["clip"], volume), volume, query, go_on)
    assert result.prompts == {"mass": "a round opacity"}
    assert any(NEUTRAL in note for note in result.notes)
    assert result.ran_on == "cpu, float32"
    wanted = by_hand("clip", folders["clip"], picture_of(volume, SliceRef(0, 0)).pixels,
                     ("a round opacity",))  # fmt: skip
    scores = [r.score for r in result.regions] + [n.best_score for n in result.not_found]
    assert scores == pytest.approx([wanted["a round opacity"].max()], abs=1e-4)


class Brightness:
    """A model in whose space a patch lies nearer to every phrase, the brighter it is."""

    logit_scale, patch_scale, logit_bias = 8.0, 8.0, None

    def __init__(self, size, patch=4):
        self.size, self.patch, self.grid = size, patch, size // patch
        self.covered = (self.grid * patch / size,) * 2

    def encode_text(self, texts):
        return np.array([(0, 1) if t == NEUTRAL else (1, 0) for t in texts], np.float32)

    encode_phrases = encode_text

    def is_cut(self, text):
        return False

    def encode_patches(self, pictures):
        resized = [Image.fromarray(p).convert("L").resize((self.size,) * 2) for p in pictures]
        used = np.stack(resized)[:, : self.grid * self.patch, : self.grid * self.patch] / 255
        cells = used.reshape(-1, self.grid, self.patch, self.grid, self.patch).mean(axis=(2, 4))
        return np.stack([np.sin(cells * np.pi / 2), np.cos(cells * np.pi / 2)], -1)


@pytest.mark.parametrize("side", [64, 71], ids=["patches cover all", "patches leave a margin"])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_the_heatmap_lies_where_the_picture_is(axis, side):
    volume, _ = sagittal()
    data = np.zeros((32, 40, 48), np.uint8)
    block = np.s_[8:20, 18:36, 6:24]
    data[block] = 255
    volume = Volume(data, volume.affine)
    backend = SimilarityBackend()
    backend._model, backend._phrases = Brightness(side), {}
    backend.set_volume(volume)
    index = (14, 25, 15)[axis]
    query = GroundQuery(("bright",), Scope.of_slice(axis, index), window=GREY)
    (region,) = dispatch.ground(backend, volume, query, go_on).regions
    heat = np.take(region.heatmap.full(), index, axis)
    truth = np.take(data, index, axis) > 0
    assert region.score == pytest.approx(1 / (1 + np.exp(-8)), abs=1e-3)
    inner = np.pad(truth, 6)[2:-10, 2:-10] & np.pad(truth, 6)[10:-2, 10:-2]
    outer = truth | np.roll(truth, 5, 0) | np.roll(truth, -5, 0)
    outer |= np.roll(outer, 5, 1) | np.roll(outer, -5, 1)
    assert heat[inner].min() > 0.9
    assert heat[~outer].max() < 0.1
    start, stop = region.box.bounds(volume.grid)
    for k in set(range(3)) - {axis}:
        assert abs(start[k] - block[k].start) <= 3
        assert abs(stop[k] - block[k].stop) <= 3


@pytest.mark.parametrize("size", [*SHAPES.values(), (37, 12)])
@pytest.mark.parametrize("covered", [(1.0, 1.0), (56 / 60, 56 / 60), (0.9, 1.0)])
def test_values_return_to_the_pixels_that_they_came_from(size, covered):
    pixels = np.full((*size, 3), 255, np.uint8)
    side = squared(pixels, covered).shape[0]
    inside = squared(pixels, covered)[..., 0] > 0
    assert inside.sum() == size[0] * size[1]
    assert not inside[int(np.ceil(side * covered[0])) :].any()
    rows, columns = ((np.arange(20) + 0.5) * side * part / 20 for part in covered)
    values = rows[:, None] * 100 + columns  # where each patch's centre is on the square
    wanted = np.argwhere(inside) + 0.5
    back = unsquared(values, size, covered).reshape(-1)
    ends = [(line[0], line[-1]) for line in (rows, columns)]
    within = [(low <= at) & (at <= high) for (low, high), at in zip(ends, wanted.T, strict=True)]
    in_range = np.logical_and(*within)
    assert_allclose(back[in_range], (wanted @ (100, 1))[in_range], rtol=1e-4)


def test_cancel_is_passed_on(folders):
    volume = axial(SHAPES["square"])
    backend = loaded(folders["clip"], volume)

    def stop(fraction, message=""):
        raise Cancelled

    with pytest.raises(Cancelled):
        dispatch.ground(backend, volume, GroundQuery(PHRASES), stop)
    with pytest.raises(Cancelled):
        dispatch.label(backend, volume, LabelQuery(("mass",)), stop)


def test_a_model_that_cannot_be_loaded_is_reported_with_the_remedy(folders, tmp_path):
    backend = SimilarityBackend()
    with pytest.raises(BackendUnavailable, match="none was given") as failed:
        backend.load(None, "cpu")
    assert "google/medsiglip-448" in failed.value.hint
    with pytest.raises(BackendUnavailable, match="There is no folder"):
        backend.load(str(tmp_path / "nothing"), "cpu")
    with pytest.raises(BackendUnavailable, match="cannot be loaded"):
        backend.load(str(tmp_path), "cpu")
    (tmp_path / "open_clip_config.json").write_text(
        (folders["timm"] / "open_clip_config.json").read_text()
    )
    with pytest.raises(BackendUnavailable, match="no weights"):
        backend.load(str(tmp_path), "cpu")
    weights = "open_clip_model.safetensors"
    (tmp_path / weights).symlink_to(folders["timm"] / weights)
    with pytest.raises(BackendUnavailable, match=r"text tower, somewhere/tiny-bert.*config\.json"):
        backend.load(str(tmp_path), "cpu")
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    (tmp_path / "open_clip_config.json").unlink()
    with pytest.raises(BackendUnavailable, match="of type bert"):
        backend.load(str(tmp_path), "cpu")
    for device in ("cuda:99", "nonsense"):
        with pytest.raises(BackendUnavailable, match=f"There is no .*{device}"):
            backend.load(str(folders["clip"]), device)


def test_a_tower_without_patches_is_for_labels_only(folders):
    volume = axial(SHAPES["square"])
    backend = loaded(folders["resnet"], volume)
    with pytest.raises(BackendUnavailable, match="not a vision transformer"):
        dispatch.ground(backend, volume, GroundQuery(PHRASES), go_on)


def changed_copy(folder, target, name, change):
    """A copy of a model's folder with a change in one of its JSON files."""
    shutil.copytree(folder, target)
    content = json.loads((target / name).read_text())
    change(content)
    (target / name).write_text(json.dumps(content))
    return target


@pytest.mark.parametrize("options", [{"trust_remote_code": True}, {"bpe_path": "/etc/passwd"}])
def test_options_of_the_tokenizer_that_a_folder_sets_are_refused(folders, tmp_path, options):
    def change(content):
        content["model_cfg"]["text_cfg"]["tokenizer_kwargs"] = options

    folder = changed_copy(folders["timm"], tmp_path / "m", "open_clip_config.json", change)
    with pytest.raises(BackendUnavailable, match=f"sets {next(iter(options))} for its tokenizer"):
        SimilarityBackend().load(str(folder), "cpu")


def test_the_kernel_that_a_configuration_names_is_not_loaded(folders, tmp_path):
    def change(content):
        content["_attn_implementation"] = "owner/kernel"
        content["vision_config"]["_attn_implementation"] = "owner/kernel"

    folder = changed_copy(folders["clip"], tmp_path / "m", "config.json", change)
    volume = axial(SHAPES["square"])
    picture = picture_of(volume, SliceRef(0, 0), GREY)
    (look,) = loaded(folder, volume).look([picture], GroundQuery(PHRASES))
    (usual,) = loaded(folders["clip"], volume).look([picture], GroundQuery(PHRASES))
    assert look.best == usual.best


def test_a_kernel_for_the_text_tower_is_refused(folders, tmp_path):
    def change(content):
        content["attn_implementation"] = "owner/kernel"

    folder = changed_copy(folders["timm"], tmp_path / "m", "config.json", change)
    with pytest.raises(BackendUnavailable, match="names the kernel owner/kernel"):
        SimilarityBackend().load(str(folder), "cpu")
