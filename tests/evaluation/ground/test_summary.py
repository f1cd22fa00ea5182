"""Figures of grounding, by hand and against pycocotools on the same boxes."""

from contextlib import redirect_stdout
from io import StringIO

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from napari_medvlm.data.grounding import Grounding, NotFound
from napari_medvlm.data.mask import Mask
from napari_medvlm.data.prompts import Box
from napari_medvlm.data.region import Heatmap, Region
from napari_medvlm.data.volume import Volume
from napari_medvlm.evaluation.ground.cases import Case, Loaded, Reference
from napari_medvlm.evaluation.ground.class_precision import precision_by_class
from napari_medvlm.evaluation.ground.outcomes import Outcome
from napari_medvlm.evaluation.ground.plan import Plan
from napari_medvlm.evaluation.ground.scoring import lies_in, points_to, score_case
from napari_medvlm.evaluation.ground.summary import rows, summary
from napari_medvlm.evaluation.metrics.segmentation import scores
from napari_medvlm.evaluation.references.boxes import slice_region
from napari_medvlm.evaluation.runs.reasons import count_reasons, reason_lines

VOLUME = Volume(np.arange(1 * 60 * 80, dtype=np.int16).reshape(1, 60, 80))


def region(phrase, bounds, score=None):
    found = slice_region(phrase, VOLUME, 0, bounds, "")
    return Region(phrase, found.box, score, slice=found.slice)


def outcome(name, wanted, found, labels=None, absent=()):
    label_of = labels or {r.phrase: r.phrase for r in wanted}
    case = Case(name=name, images=(), absent=absent)
    loaded = Loaded(VOLUME, tuple(wanted), label_of)
    return Outcome(
        case=name, results=score_case(case, loaded, Grounding(tuple(found))), seconds=1.0
    )


def test_overlaps_of_masks_and_of_boxes_have_means_of_their_own():
    full = np.zeros(VOLUME.shape, bool)
    full[0, 10:20, 10:20] = True
    wanted = [
        Region.of_mask(name, Mask.of(full), VOLUME.grid, None, name)
        for name in ("spleen", "brain", "cyst")
    ]
    half = full.copy()
    half[0, 15:] = False
    found = [
        Region.of_mask("spleen", Mask.of(half), VOLUME.grid, None, "spleen"),
        region("brain", (10, 10, 20, 20)),
    ]
    reported = summary([outcome("one", wanted, found)], (), Plan())
    assert reported["comparisons"]["mask"]["miou"] == pytest.approx((0.5 + 0) / 2)
    assert reported["comparisons"]["mask"]["dice"] == pytest.approx((2 / 3 + 0) / 2), "of voxels"
    reached = scores(half, full, VOLUME.spacing, 2.0)
    assert reported["comparisons"]["mask"]["hd95_mm"] == pytest.approx(reached.hd95_mm)
    assert reported["comparisons"]["mask"]["nsd"] == pytest.approx(reached.nsd / 2)
    assert reported["comparisons"]["box"]["dice"] is None
    assert reported["comparisons"]["box"]["miou"] == pytest.approx(1)
    assert reported["comparisons"]["mask"]["pairs"] == 2, (
        "what is not found counts as what is wanted"
    )
    assert [row["compared"] for row in rows([outcome("one", wanted, found)])] == [
        "mask", "box", "mask"
    ]  # fmt: skip


def test_results_of_version_0_1_are_read():
    result = outcome("one", [region("mass", (1, 1, 9, 9))], [region("mass", (1, 1, 9, 8), 0.5)])
    now = result.model_dump_json()
    assert '"predicted"' in now
    assert Outcome.model_validate_json(now.replace('"predicted"', '"found"')) == result


def test_the_reasons_for_phrases_that_are_not_found_are_counted():
    reason = "The brain atlas is for MR images of the head."
    case = Case(name="one", images=())
    wanted = (region("mass", (1, 1, 9, 9)), region("cyst", (1, 1, 9, 9)))
    loaded = Loaded(VOLUME, wanted, {"mass": "mass", "cyst": "cyst"})
    nothing = Grounding(not_found=(NotFound("mass", reason), NotFound("cyst", reason)))
    came = Outcome(case="one", results=score_case(case, loaded, nothing), seconds=1.0)
    reported = summary([came], (), Plan())
    assert (reported["mean"]["miou"], reported["asked"]) == (0, 2)
    assert reported["reasons"] == [{"reason": reason, "count": 2}]
    assert reason_lines(reported) == [f"2 of 2 without a result: {reason}"]
    assert rows([came])[0]["reason"] == reason
    long = f"{reason} It has {'many structures and ' * 20}more."
    assert count_reasons([long, "x" * 300, reason]) == [
        {"reason": reason, "count": 2}, {"reason": "x" * 199 + "…", "count": 1},
    ]  # fmt: skip


def draw(rng, phrase, number, score=False):
    x, y = rng.uniform(0, 50, number), rng.uniform(0, 30, number)
    w, h = rng.uniform(8, 25, number), rng.uniform(8, 25, number)
    return [
        region(phrase, (a, b, a + c, b + d), float(rng.uniform()) if score else None)
        for a, b, c, d in zip(x, y, w, h, strict=True)
    ]


def xywh(place):
    (_, y0, x0), (_, y1, x1) = place.low, place.high
    return [x0, y0, x1 - x0, y1 - y0]


def by_pycocotools(outcomes, phrases):
    """COCO's own figures, from the same boxes by its own intersection over union."""
    truth, found = COCO(), []
    annotations = []
    for number, one in enumerate(outcomes):
        for sought in one.results:
            same = {"image_id": number, "category_id": phrases.index(sought.phrase)}
            annotations += [
                {**same, "bbox": xywh(p), "area": 1, "iscrowd": 0} for p in sought.wanted
            ]
            found += [{**same, "bbox": xywh(p), "score": p.score} for p in sought.predicted]
    truth.dataset = {
        "images": [{"id": n} for n in range(len(outcomes))],
        "categories": [{"id": n} for n in range(len(phrases))],
        "annotations": [{**a, "id": n} for n, a in enumerate(annotations, 1)],
        "info": {},
    }
    with redirect_stdout(StringIO()):
        truth.createIndex()
        judge = COCOeval(truth, truth.loadRes(found), "bbox")
        judge.params.areaRng = [[0, 1e10]]
        judge.params.areaRngLbl = ["all"]
        judge.evaluate()
        judge.accumulate()
    return judge.eval["precision"][:, :, :, 0, -1]


def test_average_precision_is_cocos():
    rng = np.random.default_rng(1)
    outcomes = []
    for number in range(12):
        wanted = [r for p in ("a", "b") for r in draw(rng, p, int(rng.integers(0, 4)))]
        phrases = {r.phrase for r in wanted}
        near = [
            region(r.phrase, np.add(box(r), rng.normal(0, 2, 4)).clip(0.01, 59), rng.uniform())
            for r in wanted
        ]
        more = [r for p in ("a", "b") for r in draw(rng, p, 2, score=True)]
        absent = tuple(p for p in ("a", "b") if p not in phrases)
        outcomes.append(outcome(f"case {number}", wanted, near + more, absent=absent))
    found, note = precision_by_class(outcomes)
    wanted = by_pycocotools(outcomes, ["a", "b"])
    assert not note
    assert 0.05 < found["a"].mean < 0.95
    for column, label in enumerate("ab"):
        assert found[label].mean == pytest.approx(wanted[:, :, column].mean(), abs=1e-6)
        assert found[label].at_half == pytest.approx(wanted[0, :, column].mean(), abs=1e-6)


def box(r):
    low, high = (
        (VOLUME.grid.to_index(r.box.corners()) + 0.5).min(0),
        (VOLUME.grid.to_index(r.box.corners()) + 0.5).max(0),
    )
    return low[2], low[1], high[2], high[1]


def test_means_by_hand():
    reported = summary(
        [
            outcome("one", [region("a", (0, 0, 10, 10))], [region("a", (0, 0, 10, 10), 0.9)]),
            outcome("two", [region("a", (0, 0, 10, 10))], [region("a", (0, 0, 10, 4), 0.8)]),
            outcome("six", [region("b", (0, 0, 10, 10))], [], absent=("a",)),
            outcome("ten", [region("b", (0, 0, 9, 9))], [region("a", (1, 1, 5, 5), 0.1)],
                    absent=("a",)),
        ],
        [],
        Plan(),
    )  # fmt: skip
    a, b, mean = reported["classes"]["a"], reported["classes"]["b"], reported["mean"]
    assert a["miou"] == pytest.approx(0.7)
    assert (a["acc30"], a["acc50"], a["acc70"]) == (1.0, 0.5, 0.5)
    assert (a["pointing"], b["pointing"]) == (1.0, 0.0)
    assert (a["false"], b["false"], mean["false"]) == (1, 0, 1)
    assert mean["miou"] == pytest.approx((1 + 0.4) / 4)
    assert a["ap50"] == pytest.approx(51 / 101), "recall reaches a half of 0, 0.01, ..., 1"
    assert b["ap50"] == 0
    assert mean["ap50"] == pytest.approx((a["ap50"] + b["ap50"]) / 2)


def test_phrases_of_one_class_are_counted_in_it():
    labels = {"opacity left": "Pneumonia", "opacity right": "Pneumonia"}
    wanted = [region("opacity left", (0, 0, 9, 9)), region("opacity right", (40, 0, 50, 9))]
    reported = summary([outcome("one", wanted, wanted[:1], labels)], [], Plan())
    assert set(reported["phrases"]) == set(labels)
    assert reported["classes"]["Pneumonia"]["miou"] == pytest.approx(0.5)
    assert "no score" in reported["note"]
    assert reported["classes"]["Pneumonia"]["ap50"] is None


def test_masks_in_space():
    volume = Volume(np.arange(6 * 8 * 9, dtype=np.int16).reshape(6, 8, 9))
    inside = np.zeros(volume.shape, bool)
    inside[1:5, 2:6, 2:6] = True
    half = inside.copy()
    half[3:] = False
    wanted, found = (
        Region.of_mask("it", Mask.of(m), volume.grid, s, "")
        for m, s in ((inside, None), (half, 1.0))
    )
    (sought,) = score_case(
        Case(name="m", images=()), Loaded(volume, (wanted,), {"it": "it"}), Grounding((found,))
    )
    assert sought.iou == pytest.approx(0.5)
    assert sought.pointed


def test_where_a_region_points_to():
    grid = VOLUME.grid
    values = np.zeros((1, 3, 3), np.float32)
    values[0, 2, 1] = 1
    hot = Region("it", Box.at_index(grid, (0, 0, 0), (1, 60, 80)),
                 heatmap=Heatmap(values, (0, 10, 20), grid.shape))  # fmt: skip
    assert points_to(hot, grid).tolist() == [0, 12, 21]
    assert lies_in(points_to(hot, grid), region("it", (20, 10, 24, 14)), grid)
    assert not lies_in(points_to(hot, grid), region("it", (30, 10, 34, 14)), grid)


def test_a_box_on_any_slice_counts_where_it_is_found():
    volume = Volume(np.arange(3 * 40 * 50, dtype=np.int16).reshape(3, 40, 50))
    wanted = Reference(phrase="it", label="it", low=(10, 10), high=(20, 20), slice=None)
    found = [
        Region("it", slice_region("it", volume, index, bounds, "").box, score)
        for index, bounds, score in ((2, (10, 10, 20, 15), 0.9), (0, (10, 10, 20, 20), 0.2))
    ]
    loaded = Loaded(volume, (), {}, (wanted,))
    (sought,) = score_case(Case(name="m", images=()), loaded, Grounding(tuple(found)))
    assert sought.iou == pytest.approx(0.5), "the best one counts, on its own slice"
