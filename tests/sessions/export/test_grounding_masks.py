"""The masks of phrases in files, with their names."""

import numpy as np
import pytest

import napari_medvlm as nmv
from napari_medvlm.data.errors import CannotSave
from napari_medvlm.data.grounding import Grounding
from napari_medvlm.data.mask import Mask
from napari_medvlm.data.region import Region
from napari_medvlm.io.label_images import read_labels
from napari_medvlm.sessions.export.grounding_masks import write_grounding


def region(phrase, voxels, volume, name=""):
    return Region.of_mask(phrase, Mask.of(voxels), volume.grid, 0.5, name)


def test_each_phrase_is_a_label_with_its_name(phantom, tmp_path):
    volume, left, right = phantom
    upper, lower = left.copy(), left.copy()
    upper[12:], lower[:12] = False, False
    grounding = Grounding(
        (region("left", upper, volume), region("left", lower, volume),
         region("right", right, volume))
    )  # fmt: skip
    written = write_grounding(tmp_path / "m.nii.gz", grounding, volume, "embedded")
    assert written.names == {1: "left", 2: "right"}
    assert [path.name for path in written.paths] == ["m.nii.gz", "m.tsv"]
    labels = read_labels(tmp_path / "m.nii.gz")
    assert labels.names == {1: "left", 2: "right"}
    np.testing.assert_array_equal(labels.values == 1, left)
    np.testing.assert_array_equal(labels.values == 2, right)


def test_everything_is_a_label_for_each_name(phantom, tmp_path):
    volume, left, right = phantom
    grounding = Grounding(
        (region("everything", left, volume, "spleen"), region("everything", right, volume, "liver"))
    )
    written = write_grounding(tmp_path / "m.nrrd", grounding, volume, "bundle")
    assert written.names == {1: "spleen", 2: "liver"}


def test_boxes_without_masks_are_named_in_notes(phantom, tmp_path):
    volume, left, _ = phantom
    box = Region("nodule", nmv.Box.at_index(volume, (1, 1, 1), (3, 3, 3)))
    both = Grounding((region("left", left, volume), box))
    written = write_grounding(tmp_path / "m.nii.gz", both, volume, "embedded")
    assert written.notes == ("No mask was written for nodule: it has only a box.",)
    with pytest.raises(CannotSave, match="boxes and have no masks"):
        write_grounding(tmp_path / "b.nii.gz", Grounding((box,)), volume, "detector")
    assert not (tmp_path / "b.nii.gz").exists()


def test_overlapping_masks_are_named_in_notes(phantom, tmp_path):
    volume, left, right = phantom
    grounding = Grounding((region("left", left, volume), region("both", left | right, volume)))
    written = write_grounding(tmp_path / "m.nii.gz", grounding, volume, "embedded")
    assert "overlap (left, both)" in written.notes[0]
    labels = read_labels(tmp_path / "m.nii.gz")
    np.testing.assert_array_equal(labels.values == 1, left)
