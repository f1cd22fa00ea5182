"""How well found regions agree with a reference."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from napari_medvlm.data.errors import GeometryMismatch, InvalidReference
from napari_medvlm.data.geometry.grid import Grid
from napari_medvlm.data.iou import box_iou, region_iou
from napari_medvlm.data.mask import Mask
from napari_medvlm.data.prompts import Box
from napari_medvlm.data.region import Region, SliceRef
from napari_medvlm.evaluation.metrics.region_agreement import agreement
from tests.conftest import make_phantom

SHAPE = (12, 14, 16)
GRID = Grid(SHAPE, np.diag([3.0, 0.5, 0.8, 1.0]))
OBLIQUE = make_phantom(shape=SHAPE, degrees=(20, -15, 35))[0].grid
ONE_SLICE = Grid((1, 100, 100), np.eye(4))


@st.composite
def index_boxes(draw):
    """``start, stop`` of a box of whole voxels."""
    start = [draw(st.integers(0, n - 1)) for n in SHAPE]
    stop = [draw(st.integers(a + 1, n)) for a, n in zip(start, SHAPE, strict=True)]
    return start, stop


def mask_of(start, stop, shape=SHAPE):
    full = np.zeros(shape, bool)
    full[tuple(map(slice, start, stop))] = True
    return Mask.of(full)


def flat(x0, y0, x1, y1, phrase="nodule", score=None, grid=ONE_SLICE):
    """A region in the only slice of a picture."""
    return Region(phrase, Box.at_index(grid, (0, y0, x0), (1, y1, x1)), score)


@given(index_boxes(), index_boxes(), st.sampled_from([GRID, OBLIQUE]))
def test_iou_is_a_share_that_does_not_depend_on_the_order(a, b, grid):
    first, second = Box.at_index(grid, *a), Box.at_index(grid, *b)
    iou = box_iou(first, second, grid)
    assert 0 <= iou <= 1
    assert iou == pytest.approx(box_iou(second, first, grid))


@given(index_boxes(), st.sampled_from([GRID, OBLIQUE]))
def test_iou_of_equal_boxes_is_1(a, grid):
    assert box_iou(Box.at_index(grid, *a), Box.at_index(grid, *a), grid) == pytest.approx(1)


@given(index_boxes(), index_boxes())
def test_iou_of_boxes_without_a_common_voxel_is_0_and_of_others_is_not(a, b):
    common = (np.minimum(a[1], b[1]) > np.maximum(a[0], b[0])).all()
    iou = box_iou(Box.at_index(GRID, *a), Box.at_index(GRID, *b), GRID)
    assert (iou > 1e-4) == common


@given(index_boxes(), index_boxes())
def test_iou_of_boxes_in_space_is_that_of_their_voxels(a, b):
    boxes = [Box.at_index(OBLIQUE, *ends) for ends in (a, b)]
    assume(not any(box.is_flat(OBLIQUE) for box in boxes))
    first, second = mask_of(*a).full(), mask_of(*b).full()
    voxels = np.sum(first & second) / np.sum(first | second)
    assert box_iou(*boxes, OBLIQUE) == pytest.approx(voxels, abs=1e-5)


@given(
    index_boxes(),
    index_boxes(),
    st.permutations([0, 1, 2]),
    st.tuples(*[st.booleans()] * 3),
)
def test_iou_is_the_same_on_a_grid_whose_axes_run_otherwise(a, b, order, flips):
    boxes = [Box.at_index(GRID, *ends) for ends in (a, b)]
    turned = GRID.affine.copy()
    for axis, flip in enumerate(flips):
        if flip:
            turned[:3, 3] += turned[:3, axis] * (SHAPE[axis] - 1)
            turned[:3, axis] *= -1
    other = Grid(tuple(SHAPE[axis] for axis in order), turned[:, [*order, 3]])
    assert box_iou(*boxes, other) == pytest.approx(box_iou(*boxes, GRID), abs=1e-5)


def test_boxes_are_not_rounded_to_voxels():
    a = Box.at_index(GRID, (2, 2, 2.25), (4, 4, 4.25))
    b = Box.at_index(GRID, (2, 2, 2), (4, 4, 4))
    assert box_iou(a, b, GRID) == pytest.approx(1.75 / 2.25, abs=1e-5)


def test_a_box_at_an_angle_counts_as_the_box_around_it():
    edges = ((3.0, 0.0, 0.0), (0.0, 1.0, 1.0), (0.0, -1.0, 1.0))
    diamond = Box(corner_mm=(1.5, 3.0, 3.0), edges_mm=edges)
    low, high = GRID.to_index([1.5, 2.0, 3.0]) + 0.5, GRID.to_index([4.5, 4.0, 5.0]) + 0.5
    assert box_iou(diamond, Box.at_index(GRID, low, high), GRID) == pytest.approx(1, abs=1e-5)


def test_a_flat_box_agrees_with_a_box_in_space_where_it_cuts_it():
    space = Box.at_index(GRID, (2, 2, 2), (8, 6, 6))
    inside = Box.at_index(GRID, (5, 2, 2), (6, 6, 4))
    above = Box.at_index(GRID, (8, 2, 2), (9, 6, 4))
    assert box_iou(inside, space, GRID) == pytest.approx(0.5)
    assert box_iou(space, inside, GRID) == pytest.approx(0.5)
    assert box_iou(above, space, GRID) == 0


def test_flat_boxes_on_other_slices_do_not_agree_and_across_other_axes_in_space_only():
    axial = Box.at_index(GRID, (5, 2, 2), (6, 6, 6))
    next_to_it = Box.at_index(GRID, (6, 2, 2), (7, 6, 6))
    sagittal = Box.at_index(GRID, (2, 2, 3), (8, 6, 4))
    assert box_iou(axial, next_to_it, GRID) == 0
    assert box_iou(axial, sagittal, GRID) == pytest.approx(4 / (16 + 24 - 4), abs=1e-5)


@settings(max_examples=50)
@given(index_boxes(), index_boxes())
def test_masks_are_compared_voxel_by_voxel(a, b):
    first, second = mask_of(*a), mask_of(*b)
    regions = [Region.of_mask("x", mask, GRID, None, "") for mask in (first, second)]
    expected = np.sum(first.full() & second.full()) / np.sum(first.full() | second.full())
    assert region_iou(*regions, GRID) == pytest.approx(expected)


def test_a_mask_and_a_box_are_compared_as_boxes():
    full = np.zeros(SHAPE, bool)
    full[2, 2, 2] = full[5, 5, 5] = True
    mask = Region.of_mask("x", Mask.of(full), GRID, None, "")
    box = Region("x", Box.at_index(GRID, (2, 2, 2), (6, 6, 6)))
    assert region_iou(mask, box, GRID) == pytest.approx(1)


def test_a_mask_found_on_a_slice_is_compared_on_that_slice():
    wanted = Region.of_mask("x", mask_of((2, 2, 2), (8, 6, 6)), GRID, None, "")
    on_slice = mask_of((5, 2, 2), (6, 6, 4))
    found = Region("x", wanted.box, mask=on_slice, slice=SliceRef(0, 5))
    elsewhere = Region("x", wanted.box, mask=mask_of((9, 2, 2), (10, 6, 4)), slice=SliceRef(0, 9))
    assert region_iou(found, wanted, GRID) == pytest.approx(0.5)
    assert region_iou(wanted, elsewhere, GRID) == 0
    assert region_iou(found, elsewhere, GRID) == 0


def test_a_mask_of_another_image_is_refused():
    own = Region.of_mask("x", mask_of((2, 2, 2), (8, 6, 6)), GRID, None, "")
    other = Region("x", own.box, mask=mask_of((0, 0, 0), (1, 1, 1), (3, 3, 3)))
    with pytest.raises(GeometryMismatch, match=r"\(3, 3, 3\).*Compare masks"):
        region_iou(own, other, GRID)


def test_found_regions_are_paired_so_that_all_agree_best():
    """The first found region overlaps both; taking its best would leave the second with nothing."""
    wanted = [flat(0, 0, 10, 10), flat(6, 0, 16, 10)]
    found = [flat(2, 0, 12, 10, score=0.9), flat(0, 0, 6, 10, score=0.4)]
    (row,) = agreement(found, wanted, ONE_SLICE).phrases
    assert row.iou == pytest.approx((0.6 + 6 / 14) / 2, abs=1e-5)
    assert (row.predicted, row.wanted, row.best_score) == (2, 2, 0.9)


def test_missed_regions_count_nothing_and_phrases_match_in_any_case():
    wanted = [flat(0, 0, 10, 10, " Nodule"), flat(50, 0, 60, 10), flat(0, 50, 9, 60, "Mass")]
    found = [flat(0, 0, 10, 10, "nodule ", 0.7), flat(0, 50, 9, 60, "spleen", 0.9)]
    result = agreement(found, wanted, ONE_SLICE)
    nodule, mass, spleen = result.phrases
    assert (nodule.phrase, nodule.iou, nodule.predicted) == ("Nodule", pytest.approx(0.5), 1)
    assert (mass.phrase, mass.iou, mass.predicted, mass.best_score) == ("Mass", 0, 0, None)
    assert (spleen.phrase, spleen.iou, spleen.wanted, spleen.best_score) == ("spleen", 0, 0, 0.9)
    assert result.mean_iou == pytest.approx(0.25)
    assert result.accuracy_at_half == pytest.approx(0.5)


def test_average_precision_of_a_hit_a_false_alarm_and_a_hit():
    """Precision is 1 at the 51 recalls up to a half, then 2 of 3 at the other 50."""
    wanted = [flat(0, 0, 10, 10), flat(50, 0, 60, 10)]
    found = [
        flat(50, 0, 60, 9, score=0.5),
        flat(0, 0, 9, 10, score=0.9),
        flat(80, 0, 90, 10, score=0.7),
    ]
    result = agreement(found, wanted, ONE_SLICE)
    assert result.average_precision == pytest.approx((51 + 50 * 2 / 3) / 101)


def test_a_second_box_around_the_same_thing_is_a_false_alarm():
    wanted = [flat(0, 0, 10, 10), flat(50, 0, 60, 10)]
    found = [flat(0, 0, 10, 10, score=0.9), flat(0, 0, 10, 9, score=0.8)]
    assert agreement(found, wanted, ONE_SLICE).average_precision == pytest.approx(51 / 101)


def test_phrases_share_one_curve_and_never_a_region():
    wanted = [flat(0, 0, 10, 10, "a"), flat(50, 0, 60, 10, "b")]
    found = [flat(0, 0, 10, 10, "b", 0.9), flat(50, 0, 60, 10, "b", 0.8)]
    result = agreement(found, wanted, ONE_SLICE)
    assert result.average_precision == pytest.approx(51 / 101 / 2)


def test_nothing_found_is_an_average_precision_of_0():
    result = agreement([], [flat(0, 0, 10, 10)], ONE_SLICE)
    assert (result.average_precision, result.mean_iou, result.accuracy_at_half) == (0, 0, 0)


def coco_precision(found, wanted):
    """COCO's AP at 0.5, with its own boxes and overlaps."""

    def collection(regions):
        coco = COCO()
        annotations = [
            {"id": i, "image_id": 1, "category_id": 1, "bbox": bbox, "score": score}
            | {"area": bbox[2] * bbox[3], "iscrowd": 0}
            for i, (bbox, score) in enumerate(regions, start=1)
        ]
        coco.dataset = {
            "images": [{"id": 1}],
            "categories": [{"id": 1}],
            "annotations": annotations,
        }
        coco.createIndex()
        return coco

    judge = COCOeval(collection(wanted), collection(found), "bbox")
    judge.evaluate()
    judge.accumulate()
    return judge.eval["precision"][0, :, 0, 0, -1].mean()


@pytest.mark.parametrize("seed", range(5))
def test_overlaps_and_average_precision_are_those_of_pycocotools(seed):
    random = np.random.default_rng(seed)
    corners = random.uniform(0, 60, (8, 2))
    sizes = random.uniform(5, 30, (8, 2))
    wanted = [([*c, *s], None) for c, s in zip(corners, sizes, strict=True)]
    moved = random.normal(0, 2, (24, 4)) + np.tile(np.hstack([corners, sizes]), (3, 1))
    moved[:, 2:] = np.maximum(moved[:, 2:], 2)
    found = [(list(bbox), float(random.uniform())) for bbox in moved]

    def regions(items):
        return [flat(x, y, x + w, y + h, score=score) for (x, y, w, h), score in items]

    ours = [[region_iou(f, w, ONE_SLICE) for w in regions(wanted)] for f in regions(found)]
    theirs = coco_mask.iou(moved, np.array([w for w, _ in wanted]), [0] * len(wanted))
    np.testing.assert_allclose(ours, theirs, atol=1e-5)
    result = agreement(regions(found), regions(wanted), ONE_SLICE)
    assert result.average_precision == pytest.approx(coco_precision(found, wanted))
    assert 0.1 < result.average_precision < 1


def test_average_precision_without_scores_is_omitted_with_a_reason():
    result = agreement([flat(0, 0, 10, 10)], [flat(0, 0, 10, 10)], ONE_SLICE)
    assert result.average_precision is None
    assert "1 of 1 regions have no score" in result.note
    assert result.mean_iou == pytest.approx(1)


def test_the_progress_of_pycocotools_is_not_printed(capsys):
    agreement([flat(0, 0, 10, 10, score=0.5)], [flat(0, 0, 10, 10)], ONE_SLICE)
    assert capsys.readouterr().out == ""


def test_an_empty_reference_is_refused():
    with pytest.raises(InvalidReference, match="0 regions.*Load reference boxes"):
        agreement([flat(0, 0, 10, 10)], [], ONE_SLICE)
