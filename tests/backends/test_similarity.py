"""Similarities and labels are those of the libraries called by hand, in the right place."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from PIL import Image
from scipy.spatial.transform import Rotation

from napari_medvlm.backends import calling
from napari_medvlm.backends.clip_models import load_model
from napari_medvlm.backends.descriptors import load_descriptors
from napari_medvlm.backends.similarity import NEUTRAL, SimilarityBackend, squared, unsquared
from napari_medvlm.backends.zero_shot import TEMPLATES, Judge
from napari_medvlm.errors import BackendUnavailable, Cancelled, InvalidPrompt, MedVLMError
from napari_medvlm.grounding import GroundQuery, Scope, SliceRef
from napari_medvlm.labelling import LabelQuery, combined
from napari_medvlm.prompts import Box
from napari_medvlm.slicing import picture_of
from napari_medvlm.volume import Volume, Window
from tests.backends.tiny_clip import OPEN_CLIP, save_clip, save_open_clip, save_siglip

PHRASES = ("left lung", "a mass", "heart", "tube", "effusion at the base", "rib", "0123", "Spine!")
SHAPES = {"square": (40, 40), "portrait": (56, 36), "landscape": (30, 64)}
GREY = Window(128, 256)
KINDS = ["clip", "siglip", "vit", "timm", "timm_map"]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A folder with a small model of each kind."""
    root = tmp_path_factory.mktemp("models")
    made = {"clip": save_clip(root / "clip"), "siglip": save_siglip(root / "siglip")}
    return made | {kind: save_open_clip(root / kind, kind) for kind in OPEN_CLIP}


def loaded(folder, volume):
    backend = SimilarityBackend()
    backend.load(str(folder), "cpu")
    backend.set_volume(volume)
    return backend


def go_on(fraction, message=""):
    pass


def axial(size, slices=1, seed=0):
    """Smooth noise, a pixel a millimetre: its axial pictures are its slices."""
    noise = np.random.default_rng(seed).integers(0, 256, (slices, *(n // 4 + 1 for n in size)))
    data = np.kron(noise, np.ones((1, 4, 4)))[:, : size[0], : size[1]]
    return Volume(data.astype(np.uint8), np.eye(4))


def sagittal():
    """An oblique volume with long voxels, and the place of a sagittal slice in it."""
    affine = np.eye(4)
    turn = Rotation.from_euler("xyz", [20, -15, 10], degrees=True).as_matrix()
    affine[:3, :3] = turn * (2.0, 1.0, 1.5)
    data = np.random.default_rng(3).integers(0, 256, (16, 30, 12)).astype(np.uint8)
    return Volume(data, affine), SliceRef(2, 5)


def by_hand_square(pixels):
    height, width = pixels.shape[:2]
    side = max(height, width)
    top, left = (side - height) // 2, (side - width) // 2
    around = ((top, side - height - top), (left, side - width - left), (0, 0))
    return Image.fromarray(np.pad(pixels, around))


# The libraries by hand: vectors of the texts (N, D) and of the patches (h, w, D), not yet of length
# 1. What a block's attention gives for a patch alone is its value path.


def by_hand_clip(folder, picture, texts):
    from transformers import CLIPModel, CLIPProcessor

    model, processor = CLIPModel.from_pretrained(folder), CLIPProcessor.from_pretrained(folder)
    given = processor(images=picture, text=texts, padding=True, return_tensors="pt")
    seen = model.vision_model(given["pixel_values"], output_hidden_states=True)
    block = model.vision_model.encoder.layers[-1]
    x = seen.hidden_states[-2][0, 1:]
    attention = block.self_attn
    x = x + attention.out_proj(attention.v_proj(block.layer_norm1(x)))
    x = x + block.mlp(block.layer_norm2(x))
    places = model.visual_projection(model.vision_model.post_layernorm(x))
    return model(**given).text_embeds, places.reshape(4, 4, -1), model.logit_scale.exp()


def by_hand_siglip(folder, picture, texts):
    from transformers import SiglipModel, SiglipProcessor

    model, processor = SiglipModel.from_pretrained(folder), SiglipProcessor.from_pretrained(folder)
    given = processor(images=picture, text=texts, padding="max_length", return_tensors="pt")
    head, x = model.vision_model.head, model.vision_model(given["pixel_values"])[0][0]
    weight, bias = (part.chunk(3)[2] for part in (head.attention.in_proj_weight,
                                                  head.attention.in_proj_bias))  # fmt: skip
    x = head.attention.out_proj(x @ weight.T + bias)
    x = x + head.mlp(head.layernorm(x))
    return model(**given).text_embeds, x.reshape(4, 4, -1), model.logit_scale.exp()


def open_clip_by_hand(folder, picture, texts):
    import open_clip

    model = load_model(folder, "cpu")._model  # the library's own, with the text tower's folder
    config = {**model.visual.preprocess_cfg, "resize_mode": "shortest"}
    preprocess = open_clip.transform.image_transform_v2(
        open_clip.transform.PreprocessCfg(**config), is_train=False
    )
    tokens = open_clip.get_tokenizer(f"local-dir:{folder}")(texts)
    return model, preprocess(picture)[None], model.encode_text(tokens)


def by_hand_vit(folder, picture, texts):
    model, pixels, vectors = open_clip_by_hand(folder, picture, texts)
    visual = model.visual
    blocks = visual.forward_intermediates(pixels, indices=[-2], output_fmt="NLC")
    block, x = visual.transformer.resblocks[-1], blocks["image_intermediates"][0][0]
    weight, bias = (w.chunk(3)[2] for w in (block.attn.in_proj_weight, block.attn.in_proj_bias))
    x = x + block.attn.out_proj(block.ln_1(x) @ weight.T + bias)
    x = x + block.mlp(block.ln_2(x))
    return vectors, (visual.ln_post(x) @ visual.proj).reshape(4, 4, -1), model.logit_scale.exp()


def by_hand_timm(folder, picture, texts):
    model, pixels, vectors = open_clip_by_hand(folder, picture, texts)
    trunk = model.visual.trunk
    x = trunk.forward_intermediates(
        pixels, indices=[len(trunk.blocks) - 2], output_fmt="NLC", intermediates_only=True
    )[0][0]
    block = trunk.blocks[-1]
    attention = block.attn
    x = x + block.ls1(attention.proj(attention.norm(attention.qkv(block.norm1(x)).chunk(3, -1)[2])))
    x = x + block.ls2(block.mlp(block.norm2(x)))
    places = model.visual.head(trunk.fc_norm(trunk.norm(x)))
    return vectors, places.reshape(10, 10, -1), model.logit_scale.exp()


def by_hand_timm_map(folder, picture, texts):
    model, pixels, vectors = open_clip_by_hand(folder, picture, texts)
    trunk = model.visual.trunk
    pool, x = trunk.attn_pool, trunk.forward_features(pixels)[0, trunk.num_prefix_tokens :]
    x = pool.proj(pool.kv(x).chunk(2, -1)[1])
    x = x + pool.mlp(pool.norm(x))
    return vectors, trunk.fc_norm(x).reshape(10, 10, -1), model.logit_scale.exp()


BY_HAND = {
    "clip": by_hand_clip,
    "siglip": by_hand_siglip,
    "vit": by_hand_vit,
    "timm": by_hand_timm,
    "timm_map": by_hand_timm_map,
}


def by_hand(kind, folder, pixels, phrases=PHRASES):
    """Values ``(height, width)`` of each phrase on a picture."""
    square = by_hand_square(pixels)
    with torch.no_grad():
        texts, places, scale = BY_HAND[kind](folder, square, [*phrases, NEUTRAL])
        cosines = torch.cosine_similarity(places[:, :, None], texts, dim=-1)
        both = torch.stack([cosines[..., :-1], cosines[..., -1:].expand_as(cosines[..., :-1])])
        values = torch.softmax(scale * both, dim=0)[0].permute(2, 0, 1)[None]
        on_square = torch.nn.functional.interpolate(values, size=square.size[::-1], mode="bilinear")
    side, (height, width) = square.size[0], pixels.shape[:2]
    top, left = (side - height) // 2, (side - width) // 2
    return dict(
        zip(phrases, on_square[0, :, top : top + height, left : left + width].numpy(), strict=True)
    )


def check_look(look, wanted):
    seen = {s.phrase: s for s in look.seen}
    assert set(seen) == {phrase for phrase, values in wanted.items() if values.max() >= 0.5}
    for phrase, values in wanted.items():
        assert look.best[phrase] == pytest.approx(values.max(), abs=1e-4)
    for phrase, found in seen.items():
        assert_allclose(found.heatmap, wanted[phrase], atol=1e-4)
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
    volume, where = sagittal()
    picture = picture_of(volume, where, GREY)
    wanted = by_hand(kind, folders[kind], picture.pixels)
    query = GroundQuery(PHRASES, Scope.of_slice(where.axis, where.index), window=GREY)
    backend = loaded(folders[kind], volume)
    assert check_look(backend.look([picture], query)[0], wanted)
    found = calling.ground(backend, volume, query, go_on)
    assert found.regions
    for region in found.regions:
        on_slice = region.heatmap.full()
        assert_allclose(on_slice, picture.heatmap(wanted[region.phrase]).full(), atol=1e-4)
        assert not on_slice[:, :, [4, 6]].any()
        assert region.score == pytest.approx(wanted[region.phrase].max(), abs=1e-4)
    assert {n.phrase: n.best_score for n in found.not_found} == pytest.approx(
        {p: v.max() for p, v in wanted.items() if v.max() < 0.5}, abs=1e-4
    )


def test_what_is_asked_again_is_answered_the_same(folders):
    volume = axial(SHAPES["portrait"], slices=6)
    first = loaded(folders["clip"], volume)
    query = GroundQuery(PHRASES)
    once = calling.ground(first, volume, query, go_on)
    calling.ground(first, volume, GroundQuery(("something else", *PHRASES[:2])), go_on)
    for backend in (first, loaded(folders["clip"], volume)):
        again = calling.ground(backend, volume, query, go_on)
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


def test_what_is_sent_is_told(folders):
    volume = axial(SHAPES["square"])
    query = GroundQuery(("mass",), prompts={"mass": "a round opacity"})
    found = calling.ground(loaded(folders["clip"], volume), volume, query, go_on)
    assert found.prompts == {"mass": "a round opacity"}
    assert any(NEUTRAL in note for note in found.notes)
    wanted = by_hand("clip", folders["clip"], picture_of(volume, SliceRef(0, 0)).pixels,
                     ("a round opacity",))  # fmt: skip
    scores = [r.score for r in found.regions] + [n.best_score for n in found.not_found]
    assert scores == pytest.approx([wanted["a round opacity"].max()], abs=1e-4)


class Brightness:
    """A model in whose space a patch lies nearer to every phrase, the brighter it is."""

    logit_scale, logit_bias = 8.0, None

    def __init__(self, size, patch=4):
        self.size, self.patch, self.grid = size, patch, size // patch
        self.covered = (self.grid * patch / size,) * 2

    def encode_text(self, texts):
        return np.array([(0, 1) if t == NEUTRAL else (1, 0) for t in texts], np.float32)

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
    backend._model, backend._texts = Brightness(side), {}
    backend.set_volume(volume)
    index = (14, 25, 15)[axis]
    query = GroundQuery(("bright",), Scope.of_slice(axis, index), window=GREY)
    (region,) = calling.ground(backend, volume, query, go_on).regions
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
    kept = np.logical_and(*within)
    assert_allclose(back[kept], (wanted @ (100, 1))[kept], rtol=1e-4)


def library_logits(folders, kind, picture, texts):
    """Logits ``(texts,)`` of transformers' own model for a picture."""
    from transformers import AutoModel, AutoProcessor

    model = AutoModel.from_pretrained(folders[kind])
    processor = AutoProcessor.from_pretrained(folders[kind])
    square = by_hand_square(picture)
    given = processor(images=square, text=texts, padding="max_length", return_tensors="pt")
    with torch.no_grad():
        out = model(**given)
        mean = out.text_embeds.reshape(-1, len(TEMPLATES), out.text_embeds.shape[-1]).mean(1)
        cosines = torch.cosine_similarity(out.image_embeds, mean)
        bias = model.logit_bias if kind == "siglip" else 0.0
        return out.logits_per_image[0], cosines * model.logit_scale.exp() + bias


LABELS = ("edema", "mass", "normal chest")
IN_TEMPLATES = [template.format(label) for label in LABELS for template in TEMPLATES]


@pytest.mark.parametrize("kind", ["clip", "siglip"])
@pytest.mark.parametrize("shape", SHAPES)
def test_labels_that_exclude_each_other_are_those_of_the_library(folders, kind, shape):
    volume = axial(SHAPES[shape], slices=3)
    query = LabelQuery(LABELS, window=GREY)
    found = calling.label(loaded(folders[kind], volume), volume, query, go_on)
    each = [
        torch.softmax(library_logits(folders, kind, picture, IN_TEMPLATES)[1], 0)
        for picture in (picture_of(volume, ref, GREY).pixels for ref in found.slices)
    ]
    wanted = dict(zip(LABELS, torch.stack(each).mean(0).tolist(), strict=True))
    assert found.probabilities == pytest.approx(wanted, abs=1e-4)
    assert sum(found.probabilities.values()) == pytest.approx(1)
    assert len(found.slices) == 3
    assert found.prompts["mass"].splitlines() == [t.format("mass") for t in TEMPLATES]


def test_labels_by_open_clip_are_those_of_the_library(folders):
    volume = axial(SHAPES["portrait"])
    query = LabelQuery(LABELS, exclusive=False, window=GREY)
    pixels = by_hand_square(picture_of(volume, SliceRef(0, 0), GREY).pixels)
    for kind in ("vit", "timm", "resnet"):
        texts = [f"there is {no}{label}" for label in LABELS for no in ("", "no ")]
        with torch.no_grad():
            model, image, vectors = open_clip_by_hand(folders[kind], pixels, texts)
            cosines = torch.cosine_similarity(model.encode_image(image), vectors).reshape(-1, 2)
            wanted = torch.softmax(model.logit_scale.exp() * cosines, 1)[:, 0].tolist()
        found = calling.label(loaded(folders[kind], volume), volume, query, go_on)
        assert list(found.probabilities.values()) == pytest.approx(wanted, abs=1e-4)


def test_a_label_alone_is_judged_against_its_absence(folders):
    volume = axial(SHAPES["landscape"])
    query = LabelQuery(("mass",), exclusive=False, window=GREY)
    found = calling.label(loaded(folders["clip"], volume), volume, query, go_on)
    picture = picture_of(volume, SliceRef(0, 0), GREY).pixels
    texts = ["there is mass", "there is no mass", "to make three"]
    logits, _ = library_logits(folders, "clip", picture, texts)
    assert found.probabilities["mass"] == pytest.approx(logits[:2].softmax(0)[0].item(), abs=1e-4)
    assert found.prompts == {"mass": "there is mass\nthere is no mass"}


def test_siglip_gives_each_label_its_own_probability(folders):
    volume = axial(SHAPES["landscape"])
    query = LabelQuery(LABELS, exclusive=False, window=GREY)
    found = calling.label(loaded(folders["siglip"], volume), volume, query, go_on)
    picture = picture_of(volume, SliceRef(0, 0), GREY).pixels
    _, logits = library_logits(folders, "siglip", picture, IN_TEMPLATES)
    wanted = dict(zip(LABELS, logits.sigmoid().tolist(), strict=True))
    assert found.probabilities == pytest.approx(wanted, abs=1e-4)
    assert all(0 <= p <= 1 for p in found.probabilities.values())


def test_descriptors_speak_for_their_label(folders):
    volume = axial(SHAPES["square"], slices=2)
    descriptors = {"mass": ("round opacity", "spiculated opacity", "lobulated margin")}
    query = LabelQuery(("mass", "edema"), exclusive=False, descriptors=descriptors, window=GREY)
    backend = loaded(folders["clip"], volume)
    found = calling.label(backend, volume, query, go_on)
    own = found.descriptors["mass"]
    assert list(own) == list(descriptors["mass"])
    texts = [f"there is {no}round opacity indicating mass" for no in ("", "no ")] + ["a third"]
    pairs = [
        library_logits(folders, "clip", picture_of(volume, ref, GREY).pixels, texts)[0][:2]
        for ref in found.slices
    ]
    wanted = torch.stack(pairs).softmax(1)[:, 0].mean().item()
    assert own["round opacity"] == pytest.approx(wanted, abs=1e-4)
    assert found.prompts["mass: round opacity"].splitlines() == texts[:2]
    assert found.probabilities["mass"] == pytest.approx(np.prod(list(own.values())) ** (1 / 3))
    without = combined(own, off=["spiculated opacity"])
    two = own["round opacity"] * own["lobulated margin"]
    assert without == pytest.approx(two**0.5)
    assert without != pytest.approx(found.probabilities["mass"], rel=1e-6)
    assert 0 <= found.probabilities["edema"] <= 1
    one_of = calling.label(
        backend, volume, LabelQuery(query.labels, descriptors=descriptors, window=GREY), go_on
    )
    total = sum(found.probabilities.values())
    assert one_of.probabilities == pytest.approx(
        {name: p / total for name, p in found.probabilities.items()}
    )


def test_a_region_is_cut_out_with_its_margin(folders):
    volume = axial((60, 80), slices=4)
    region = Box.at_index(volume, (1, 20, 30), (3, 40, 40))
    query = LabelQuery(LABELS, region=region, window=GREY)
    backend = loaded(folders["clip"], volume)
    found = calling.label(backend, volume, query, go_on)
    assert [ref.index for ref in found.slices] == [1, 2]
    assert "10%" in found.notes[0]
    each = []
    for ref in found.slices:
        cut = picture_of(volume, ref, GREY).pixels[18:42, 28:42]
        each.append(library_logits(folders, "clip", cut, IN_TEMPLATES)[1].softmax(0))
    wanted = dict(zip(LABELS, torch.stack(each).mean(0).tolist(), strict=True))
    assert found.probabilities == pytest.approx(wanted, abs=1e-4)
    beside = LabelQuery(LABELS, region=region, scope=Scope.of_slice(0, 0))
    with pytest.raises(InvalidPrompt, match="on none of the 1 slices"):
        calling.label(backend, volume, beside, go_on)


def test_far_apart_logits_do_not_overflow():
    images = np.array([[1, 0]], np.float32)
    vectors = {"there is a": (1, 0), "there is no a": (-1, 0)}
    judge = Judge(images, lambda text: np.array(vectors[text], np.float32), 1e4, None)
    assert judge.judge(LabelQuery(("a",), exclusive=False))[0] == {"a": 1.0}


def test_cancel_gets_through(folders):
    volume = axial(SHAPES["square"])
    backend = loaded(folders["clip"], volume)

    def stop(fraction, message=""):
        raise Cancelled

    with pytest.raises(Cancelled):
        calling.ground(backend, volume, GroundQuery(PHRASES), stop)
    with pytest.raises(Cancelled):
        calling.label(backend, volume, LabelQuery(LABELS), stop)


def test_what_cannot_be_loaded_is_told_with_the_remedy(folders, tmp_path):
    backend = SimilarityBackend()
    with pytest.raises(BackendUnavailable, match="no model of its own") as failed:
        backend.load(None, "cpu")
    assert "Download" in failed.value.hint
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
    with pytest.raises(BackendUnavailable, match="no vision transformer"):
        calling.ground(backend, volume, GroundQuery(PHRASES), go_on)


def test_the_table_of_descriptors_is_complete_and_checked(tmp_path):
    table = load_descriptors()
    assert len(table) >= 14
    assert all(4 <= len(set(texts)) == len(texts) <= 7 for texts in table.values())
    own = tmp_path / "own.yaml"
    own.write_text("cyst:\n  - round lucency\n")
    assert load_descriptors(own) == {"cyst": ("round lucency",)}
    for text in ("- a list", "cyst: round", "cyst: [1]", "cyst: [", "cyst: []"):
        own.write_text(text)
        with pytest.raises(MedVLMError, match=r"own\.yaml"):
            load_descriptors(own)
    with pytest.raises(MedVLMError, match="cannot be read"):
        load_descriptors(tmp_path / "missing.yaml")
