"""Two masks side by side, and one case kept as a run."""

import nibabel
import numpy as np
import pytest
import torch
from monai import metrics as monai

from napari_medvlm import read_volume
from napari_medvlm.data.errors import InvalidImage
from napari_medvlm.data.mask import Mask
from napari_medvlm.data.volume import Volume
from napari_medvlm.evaluation.segment.cases import Structure
from napari_medvlm.evaluation.segment.evaluate import worst_in
from napari_medvlm.evaluation.segment.mask_comparison import compare_masks
from napari_medvlm.evaluation.segment.outcomes import Attempt, Step
from napari_medvlm.evaluation.segment.plan import Plan
from napari_medvlm.evaluation.segment.single_case import write_single
from napari_medvlm.io.writers import write_image
from tests.conftest import make_phantom

TOLERANCE_MM = 2.0


def moved(mask, by):
    return np.roll(mask, by, axis=(0, 1, 2))


def test_the_figures_are_monais():
    volume, left, _ = make_phantom(degrees=(0, 0, 20))
    other = moved(left, (1, 2, -1))
    found = compare_masks(Mask.of(left), Mask.of(other), volume.grid, TOLERANCE_MM)
    a, b = (torch.tensor(m)[None, None] for m in (left, other))
    spacing = list(volume.spacing)
    assert found.dice == pytest.approx(monai.compute_dice(b, a).item(), abs=1e-6)
    assert found.iou == pytest.approx(monai.compute_iou(b, a).item(), abs=1e-6)
    far = monai.compute_hausdorff_distance(b, a, True, percentile=95, spacing=spacing)
    assert found.hd95_mm == pytest.approx(far.item(), abs=1e-6)
    near = monai.compute_surface_dice(
        b, a, [TOLERANCE_MM], True, spacing=spacing, use_subvoxels=True
    )
    assert found.nsd == pytest.approx(near.item(), abs=1e-6)
    voxel_ml = np.prod(volume.spacing) / 1000
    assert found.a_ml == pytest.approx(left.sum() * voxel_ml)
    assert found.both_ml == pytest.approx((left & other).sum() * voxel_ml)
    assert found.only_b_ml == pytest.approx((other & ~left).sum() * voxel_ml)


def test_masks_that_do_not_touch_and_empty_ones():
    volume, left, right = make_phantom()
    apart = compare_masks(Mask.of(left), Mask.of(right), volume.grid, TOLERANCE_MM)
    assert (apart.dice, apart.iou, apart.both_ml) == (0, 0, 0)
    nothing = Mask.empty(volume.shape)
    one = compare_masks(Mask.of(left), nothing, volume.grid, TOLERANCE_MM)
    assert (one.dice, one.nsd, one.hd95_mm) == (0, 0, None)
    assert one.a_ml > 0
    both = compare_masks(nothing, nothing, volume.grid, TOLERANCE_MM)
    assert (both.dice, both.nsd, both.hd95_mm, both.a_ml) == (1, 1, 0, 0)


def test_without_its_library_the_surface_dice_is_missing_and_the_rest_is_there(monkeypatch):
    volume, left, right = make_phantom()
    monkeypatch.setitem(__import__("sys").modules, "surface_distance", None)
    from napari_medvlm.evaluation.metrics import segmentation

    segmentation._areas.cache_clear()
    found = compare_masks(Mask.of(left), Mask.of(left | right), volume.grid, TOLERANCE_MM)
    assert found.nsd is None
    assert "pip install" in found.note
    assert 0.5 < found.dice < 1


def attempt():
    step = Step(
        prompt="point", positive=True, zyx=(1, 2, 3), dice=0.5, iou=0.3, nsd=0.4, hd95_mm=1.0,
        seconds=0.1,
    )  # fmt: skip
    return Attempt(structure="left", steps=(step,), memory_mib=None, mask=None, session="{}")


@pytest.mark.parametrize("dtype", [bool, np.int16, np.uint16, np.int64, np.float16, np.float64])
def test_an_image_that_is_in_no_file_is_written_exactly(tmp_path, dtype):
    volume, left, _ = make_phantom(degrees=(0, 0, 20))
    data = left if dtype is bool else volume.data.clip(0).astype(dtype)
    image = Volume(data, volume.affine)
    write_image(tmp_path / "image.nii.gz", image)
    again = read_volume(tmp_path / "image.nii.gz")
    assert np.array_equal(again.data, data)
    if dtype not in (bool, np.float16):  # which NIfTI does not know
        assert again.digest == image.digest  # so that sessions of it open again
    assert np.allclose(again.affine, volume.affine, atol=1e-6)
    assert nibabel.load(tmp_path / "image.nii.gz").header.get_xyzt_units()[0] == "mm"


def test_a_run_of_one_case_has_its_worst_case(tmp_path):
    volume, left, _ = make_phantom()
    assert worst_in(tmp_path) is None
    structure = Structure(name="left", values=(3,))
    reported = write_single(tmp_path, Plan(interactions=1), volume, structure, left, attempt())
    assert reported["structures"]["left"]["dice"] == [0.5]
    assert worst_in(tmp_path) == ("phantom", "left")
    truth = read_volume(tmp_path / "truth.nii.gz")
    assert np.array_equal(truth.data == 3, left)
    assert "data:image/png;base64" in (tmp_path / "report.html").read_text()


def test_a_colour_picture_that_is_in_no_file_is_refused(tmp_path):
    picture = Volume(np.zeros((1, 4, 5, 3), np.uint8))
    structure = Structure(name="left", values=(1,))
    with pytest.raises(InvalidImage, match="in no file"):
        write_single(
            tmp_path, Plan(interactions=1), picture, structure, np.ones((1, 4, 5), bool), attempt()
        )
