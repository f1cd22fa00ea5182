"""Data sets of all layouts are found and read as they lie on disk."""

import json
import pickle
import string

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from napari_medvlm.data.errors import GeometryMismatch, InvalidImage, InvalidReference
from napari_medvlm.data.volume import Volume
from napari_medvlm.evaluation.segment.case_reader import load
from napari_medvlm.evaluation.segment.cases import Case, Layout, Structure, chosen
from napari_medvlm.evaluation.segment.cases import require_known as require
from napari_medvlm.evaluation.segment.datasets import find_cases
from tests.evaluation.segment import data_sets


def found_in(tmp_path, layout):
    """The data set of a layout, written again; what is found in it."""
    if layout is Layout.PAIRS:
        return find_cases(layout, *data_sets.write_pairs(tmp_path))
    write = {
        Layout.NNUNET: data_sets.write_nnunet,
        Layout.MSD: data_sets.write_msd,
        Layout.CVPR25: data_sets.write_npz,
    }[layout]
    return find_cases(layout, write(tmp_path))


NAMES = {
    Layout.PAIRS: {"label 1": [1], "label 2": [2]},
    Layout.NNUNET: {"both": [1, 2], "right": [2]},
    Layout.MSD: {"left": [1], "right": [2]},
    Layout.CVPR25: {"Left blob": [1], "Right blob": [2]},
}


@pytest.mark.parametrize("layout", Layout)
def test_every_layout_gives_image_spacing_and_structures(tmp_path, layout):
    found = found_in(tmp_path, layout)
    assert not found.skipped
    assert len(found.cases) == 2
    for case, (name, volume, labels) in zip(found.cases, data_sets.cases(2), strict=True):
        assert case.name.endswith(name)
        loaded = load(case)
        assert loaded.volume.spacing == pytest.approx(volume.spacing)
        if layout is not Layout.CVPR25:
            assert np.array_equal(loaded.volume.data, volume.data)
        truths = {s.name: loaded.truth(s) for s in loaded.structures}
        assert list(truths) == list(NAMES[layout])
        for structure, values in NAMES[layout].items():
            assert np.array_equal(truths[structure], np.isin(labels, values))


def test_photographs_with_masks(tmp_path):
    pixels = np.zeros((20, 30), np.uint8)
    pixels[5:12, 6:15] = 255
    for folder, name in (("images", "a.jpg"), ("labels", "a.png")):
        (tmp_path / folder).mkdir()
        Image.fromarray(pixels).save(tmp_path / folder / name)
    for patterns in (("{case}", "{case}"), ("{case}.jpg", "{case}.png")):
        folders = tmp_path / "images", tmp_path / "labels"
        (case,) = find_cases(Layout.PAIRS, *folders, patterns=patterns).cases
        loaded = load(case)
        assert [s.name for s in loaded.structures] == ["label 255"]
        assert np.array_equal(loaded.truth(loaded.structures[0])[0], pixels == 255)


@pytest.mark.parametrize("layout", [Layout.NNUNET, Layout.CVPR25])
def test_what_a_mac_hides_beside_files_is_no_case(tmp_path, layout):
    found_in(tmp_path, layout)
    for path in [p for p in tmp_path.rglob("*") if p.suffix in (".gz", ".npz")]:
        path.with_name(f"._{path.name}").write_bytes(b"hidden")
    found = find_cases(layout, tmp_path)
    assert len(found.cases) == 2
    assert not found.skipped


def test_an_image_in_the_place_of_labels_is_reported(tmp_path):
    images, labels = data_sets.write_pairs(tmp_path, 1)
    _, volume, _ = next(data_sets.cases(1))
    many = np.arange(volume.data.size).reshape(volume.shape).astype(np.int16)
    data_sets.save_labels(labels / "case_00.nii.gz", many, volume)
    with pytest.raises(InvalidImage, match="different values: it is an image"):
        load(find_cases(Layout.PAIRS, images, labels).cases[0])


@pytest.mark.parametrize("layout", [Layout.NNUNET, Layout.MSD])
def test_another_channel(tmp_path, layout):
    found_in(tmp_path, layout)
    case = find_cases(layout, tmp_path, channel=1).cases[0]
    volume = next(data_sets.cases(1))[1]
    assert np.array_equal(load(case).volume.data, volume.data + 1000)
    none = find_cases(layout, tmp_path, channel=5) if layout is Layout.MSD else None
    if none:
        with pytest.raises(InvalidImage, match="no volume 5"):
            load(none.cases[0])


def test_the_images_folder_of_nnunet_stands_for_its_parent(tmp_path):
    data_sets.write_nnunet(tmp_path)
    assert len(find_cases(Layout.NNUNET, tmp_path / "imagesTr").cases) == 2


def test_nnunet_may_list_its_files(tmp_path):
    data_sets.write_nnunet(tmp_path, 1)
    content = json.loads((tmp_path / "dataset.json").read_text())
    images = [f"imagesTr/case_00_{c:04d}.nii.gz" for c in (0, 1)]
    content["dataset"] = {"patient 7": {"images": images, "label": "labelsTr/case_00.nii.gz"}}
    (tmp_path / "dataset.json").write_text(json.dumps(content))
    (case,) = find_cases(Layout.NNUNET, tmp_path).cases
    assert case.name == "patient 7"


def test_boxes_of_the_challenge_are_half_open_and_around_the_structure(tmp_path):
    case = find_cases(Layout.CVPR25, data_sets.write_npz(tmp_path)).cases[0]
    loaded = load(case)
    for structure in loaded.structures:
        (z0, y0, x0), (z1, y1, x1) = structure.box
        inside = np.argwhere(loaded.truth(structure))
        assert (z0, z1) == (inside[:, 0].min(), inside[:, 0].max() + 1)
        middle = inside[inside[:, 0] == np.unique(inside[:, 0])[(z1 - z0) // 2]]
        assert ((y0, x0) == middle[:, 1:].min(0)).all()
        assert ((y1, x1) == middle[:, 1:].max(0) + 1).all()


def test_labels_of_the_challenge_in_a_folder_of_their_own(tmp_path):
    data_sets.write_npz(tmp_path / "imgs", 1)
    (path,) = (tmp_path / "imgs").glob("*.npz")
    content = dict(np.load(path, allow_pickle=True))
    (tmp_path / "gts").mkdir()
    np.savez(tmp_path / "gts" / path.name, gts=content.pop("gts"))
    np.savez(path, **content)
    found = find_cases(Layout.CVPR25, tmp_path / "imgs", tmp_path / "gts")
    assert load(found.cases[0]).labels.max() == 2


class Evil:
    def __reduce__(self):
        return print, ("ran",)


def test_a_pickle_in_a_file_runs_nothing(tmp_path, capsys):
    case = find_cases(Layout.CVPR25, data_sets.write_npz(tmp_path, 1)).cases[0]
    content = dict(np.load(case.image, allow_pickle=True))
    content["boxes"] = np.array([Evil()], object)
    np.savez(case.image, **content)
    with pytest.raises(InvalidImage, match=r"it would run builtins\.print"):
        load(case)
    assert capsys.readouterr().out == ""
    assert pickle.loads(pickle.dumps(Evil())) is None, "else the test says nothing"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"imgs": None}, "has no array 'imgs'"),
        ({"gts": np.zeros((3, 3, 3))}, "has the shape"),
        ({"spacing": [1, 0, 1]}, "not three sizes"),
        ({"gts": np.full(data_sets.SHAPE, 0.5)}, "fractions"),
    ],
)
def test_damaged_files_of_the_challenge_are_reported(tmp_path, change, message):
    case = find_cases(Layout.CVPR25, data_sets.write_npz(tmp_path, 1)).cases[0]
    content = dict(np.load(case.image, allow_pickle=True)) | change
    np.savez(case.image, **{k: v for k, v in content.items() if v is not None})
    with pytest.raises((InvalidImage, GeometryMismatch), match=message):
        load(case)
    case.image.write_bytes(case.image.read_bytes()[:100])
    with pytest.raises(InvalidImage, match=r"cannot be read as \.npz"):
        load(case)


words = st.text(string.ascii_letters + string.digits + "-_ ", min_size=1, max_size=12).filter(
    lambda text: text.strip() == text
)


@settings(max_examples=25, deadline=None)
@given(
    names=st.sets(words, min_size=1, max_size=5),
    missing=st.sets(st.integers(0, 4)),
    after=st.sampled_from(["", "_img", "_0000.t1"]),
)
def test_pairs_are_found_by_their_patterns_and_the_rest_is_reported(
    tmp_path_factory, names, missing, after
):
    root = tmp_path_factory.mktemp("pairs")
    images, labels = root / "images", root / "labels"
    images.mkdir()
    labels.mkdir()
    names = sorted({name.casefold() for name in names})
    lone = {name for at, name in enumerate(names) if at in missing}
    for name in names:
        (images / f"{name}{after}.nii.gz").touch()
        if name not in lone:
            (labels / f"seg_{name}.nrrd").touch()
    (labels / "readme.txt").touch()
    (images / ".hidden").touch()
    patterns = (f"{{case}}{after}.nii.gz", "seg_{case}")
    if lone == set(names):
        with pytest.raises(InvalidReference, match="no case"):
            find_cases(Layout.PAIRS, images, labels, patterns=patterns)
        return
    found = find_cases(Layout.PAIRS, images, labels, patterns=patterns)
    assert {case.name for case in found.cases} == set(names) - lone
    assert {skipped.case for skipped in found.skipped} == lone
    for case in found.cases:
        assert case.image.name == f"{case.name}{after}.nii.gz"
        assert case.labels.name == f"seg_{case.name}.nrrd"


def test_two_files_of_one_case_are_not_guessed(tmp_path):
    images, labels = data_sets.write_pairs(tmp_path, 1)
    (labels / "case_00.nrrd").touch()
    with pytest.raises(InvalidReference, match="both of the case case_00"):
        find_cases(Layout.PAIRS, images, labels)
    with pytest.raises(InvalidReference, match="both image and labels"):
        find_cases(Layout.PAIRS, images)
    with pytest.raises(InvalidReference, match="does not say once"):
        find_cases(Layout.PAIRS, images, labels, patterns=("{case}", "seg.nii"))


def test_missing_files_are_reported_with_their_case(tmp_path):
    data_sets.write_nnunet(tmp_path)
    (tmp_path / "labelsTr" / "case_01.nii.gz").unlink()
    found = find_cases(Layout.NNUNET, tmp_path)
    assert [case.name for case in found.cases] == ["case_00"]
    (skipped,) = found.skipped
    assert skipped.case == "case_01"
    assert "There is no case_01.nii.gz" in skipped.reason


def test_labels_on_another_grid_are_refused(tmp_path):
    images, labels = data_sets.write_pairs(tmp_path, 1)
    case = find_cases(Layout.PAIRS, images, labels).cases[0]
    _, volume, drawn = next(data_sets.cases(1))
    moved = volume.affine.copy()
    moved[0, 3] += 1
    data_sets.save_labels(case.labels, drawn, Volume(volume.data, moved))
    with pytest.raises(GeometryMismatch, match="another grid"):
        load(case)
    data_sets.save_image(case.labels, volume.data / 3.0, volume.affine)
    with pytest.raises(InvalidImage, match="fractions"):
        load(case)


@pytest.mark.parametrize(
    ("layout", "content", "message"),
    [
        (Layout.MSD, "{}", 'no "labels"'),
        (Layout.MSD, '{"labels": {"1": "a"}}', 'no list "training"'),
        (
            Layout.MSD,
            '{"labels": {"1": "a"}, "training": [{"image": "a/x.nii", "label": "x"},'
            ' {"image": "b/x.nii", "label": "y"}]}',
            "name of another",
        ),
        (Layout.NNUNET, '{"labels": {"a": null}}', "not whole numbers"),
        (Layout.NNUNET, '{"labels": {"a": 1}, "dataset": {"x": {"images": []}}}', 'lack "images"'),
        (Layout.NNUNET, "[]", "not a mapping"),
        (Layout.NNUNET, "no", "cannot be read"),
    ],
)
def test_a_folder_of_another_layout_is_reported(tmp_path, layout, content, message):
    (tmp_path / "dataset.json").write_text(content)
    with pytest.raises(InvalidReference, match=message):
        find_cases(layout, tmp_path)


def test_structures_are_chosen_by_name_or_value(tmp_path):
    left, right = Structure(name="Left", values=(1,)), Structure(name="right", values=(2,))
    assert chosen((left, right), ()) == (left, right)
    assert chosen((left, right), ["left"]) == (left,)
    assert chosen((left, right), ["2"]) == (right,)
    case = Case(
        name="a", image=tmp_path, labels=tmp_path, layout=Layout.MSD, structures=(left, right)
    )
    require([case], ["RIGHT"])
    with pytest.raises(InvalidReference, match="'spleen'"):
        require([case], ["spleen"])


def test_names_from_a_table(tmp_path):
    images, labels = data_sets.write_pairs(tmp_path, 1)
    found = find_cases(Layout.PAIRS, images, labels, names={1: "left", 2: "right", 0: "air"})
    assert [s.name for s in load(found.cases[0]).structures] == ["left", "right"]
