"""``ground --out``: the masks of phrases as a file."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

import napari_medvlm as nmv
from napari_medvlm.cli import app
from napari_medvlm.cli.channels import read_channels
from napari_medvlm.io.label_images import read_labels, write_names
from tests.conftest import make_phantom

run = CliRunner().invoke


@pytest.fixture
def scan(tmp_path):
    volume, left, right = make_phantom()
    nmv.write_mask(tmp_path / "scan.nrrd", volume.data - volume.data.min(), volume)
    nmv.write_mask(tmp_path / "labels.nii.gz", left + 2 * right.astype(int), volume)
    names = {1: ("left kidney", "#ff0000"), 2: ("liver", "#00ff00")}
    write_names(tmp_path / "labels.nii.gz", names)
    return tmp_path / "scan.nrrd", tmp_path / "labels.nii.gz", left, right


def test_masks_and_names_are_written(scan, tmp_path):
    image, labels, left, right = scan
    out = tmp_path / "out.nii.gz"
    done = run(
        app,
        ["ground", str(image), "liver", "left kidney", "--labels", str(labels), "--out", str(out),
         "--json"],
    )  # fmt: skip
    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout)["labels"] == {"1": "liver", "2": "left kidney"}
    written = read_labels(out)
    np.testing.assert_array_equal(written.values == 1, right)
    np.testing.assert_array_equal(written.values == 2, left)


def test_nothing_is_written_where_nothing_is_found(scan, tmp_path):
    out = tmp_path / "out.nii.gz"
    done = run(app, ["ground", str(scan[0]), "xyzzy", "--out", str(out)])
    assert done.exit_code == 3
    assert not out.exists()


@pytest.mark.parametrize(
    ("backend", "command"), [("bundle", "napari-medvlm ground"), ("server", "napari-medvlm ask")]
)
def test_segment_names_the_command_of_a_backend_that_takes_no_prompts(scan, backend, command):
    done = run(app, ["segment", str(scan[0]), "--point", "12,20,13", "--backend", backend])
    assert done.exit_code == 1
    assert "does not segment from points or boxes" in done.stderr
    assert command in done.stderr


def test_segment_without_out_says_that_nothing_was_written(scan):
    done = run(app, ["segment", str(scan[0]), "--point", "12,20,13"])
    assert done.exit_code == 0
    assert "Nothing was written: give --out" in done.stderr


def test_boxes_are_also_given_as_indices(scan):
    image, labels, left, _ = scan
    words = ["ground", str(image), "left kidney", "--labels", str(labels), "--json"]
    (box,) = json.loads(run(app, words).stdout)["regions"]
    inside = np.argwhere(left)
    assert box["box_zyx"] == [inside.min(axis=0).tolist(), (inside.max(axis=0) + 1).tolist()]


def test_a_choice_needs_options(scan):
    done = run(app, ["ask", str(scan[0]), "Left or right?", "--kind", "choice"])
    assert done.exit_code == 2
    assert "--option" in done.stderr


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["flair.nii.gz"], "is not NAME=FILE"),
        (["T1=SCAN", "T1=SCAN"], "channel T1 is given twice"),
        (["T1=nowhere.nii"], "no file nowhere.nii for the channel T1"),
    ],
)
def test_a_channel_that_cannot_be_read_is_a_usage_error(scan, texts, message):
    channels = [f"--channel={text.replace('SCAN', str(scan[0]))}" for text in texts]
    done = run(app, ["ground", str(scan[0]), "tumour", *channels])
    assert done.exit_code == 2
    assert message in " ".join(done.stderr.replace("│", " ").split())


def test_the_file_of_the_image_is_read_once_and_others_with_its_spacing(scan, tmp_path):
    image, labels, _, _ = scan
    volume = nmv.read_volume(image).spaced((2, 1, 1))
    channels = read_channels(
        [f"T1={image}", f" T2 = {labels} "], image, volume, "2,1,1", nmv.Gaps.REFUSE
    )
    assert channels["T1"] is volume
    assert channels["T2"].spacing == (2, 1, 1)
    np.testing.assert_array_equal(channels["T2"].data, nmv.read_volume(labels).data)


def test_channels_for_a_backend_of_a_single_image_are_refused(scan):
    channel = f"--channel=T1={scan[0]}"
    done = run(app, ["ground", str(scan[0]), "liver", channel])
    assert done.exit_code == 1
    assert "takes a single image, but 1 channel is given" in done.stderr


def test_heatmaps_become_masks_from_a_threshold_on(scan, tmp_path, monkeypatch):
    volume = nmv.read_volume(scan[0])
    crop = np.linspace(0, 1, 4, dtype=np.float32).reshape(1, 1, 4)
    heatmap = nmv.Heatmap(crop, (3, 2, 1), volume.shape)
    box = nmv.Box.at_index(volume.grid, (3, 2, 1), (4, 3, 5))
    grounding = nmv.Grounding((nmv.Region("opacity", box, heatmap=heatmap),))
    monkeypatch.setattr(nmv, "ground", lambda *_, **__: grounding, raising=False)
    out = tmp_path / "out.nii.gz"
    words = ["ground", str(scan[0]), "opacity", "--out", str(out), "--heatmap-threshold", "0.6"]
    done = run(app, [*words, "--json"])
    assert done.exit_code == 0, done.stderr
    (region,) = json.loads(done.stdout)["regions"]
    assert region["kind"] == "mask"
    assert region["box_zyx"] == [[3, 2, 3], [4, 3, 5]]
    assert np.argwhere(nmv.read_volume(out).data).tolist() == [[3, 2, 3], [3, 2, 4]]


def test_of_boxes_that_overlap_the_best_is_written(scan, monkeypatch):
    volume = nmv.read_volume(scan[0])
    boxes = [nmv.Box.at_index(volume.grid, (3, 2, x), (4, 12, x + 10)) for x in (1, 2, 15)]
    regions = [
        nmv.Region("mass", box, score) for box, score in zip(boxes, (0.5, 0.9, 0.3), strict=True)
    ]
    monkeypatch.setattr(
        nmv, "ground", lambda *_, **__: nmv.Grounding(tuple(regions)), raising=False
    )
    words = ["ground", str(scan[0]), "mass", "--json"]
    for more, scores in (([], [0.5, 0.9, 0.3]), (["--max-overlap", "0.5"], [0.9, 0.3])):
        done = run(app, [*words, *more])
        assert done.exit_code == 0, done.stderr
        assert [region["score"] for region in json.loads(done.stdout)["regions"]] == scores
    done = run(app, [*words, "--max-overlap", "2"])
    assert done.exit_code == 1
    assert "no overlap of 2" in done.stderr
