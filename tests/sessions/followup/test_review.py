"""Proposed points are accepted, moved or marked as gone, and the table follows."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.planted_lesions import EXPECTED
from napari_medvlm.data.errors import InvalidPrompt
from napari_medvlm.data.label_image import NamedLabels
from napari_medvlm.sessions.followup.comparison import RowOptions
from napari_medvlm.sessions.followup.matching import Studies
from napari_medvlm.sessions.followup.review import (
    CurrentObject,
    Decision,
    review_of,
    with_tracking_uids,
)
from napari_medvlm.sessions.followup.segmenting import Segmenter
from napari_medvlm.sessions.request_sender import ModelChoice
from napari_medvlm.sessions.segment.session import SegmentationSession
from napari_medvlm.worker.runner import InlineRunner

SEGMENTER = Segmenter(ModelChoice(), InlineRunner())


def quiet(*_: object) -> None:
    """Progress that nobody sees."""


@pytest.fixture
def review(pair):
    return review_of(Studies(pair.current, pair.prior, pair.pairing), pair.prior_masks, quiet)


def objects_of(session):
    return [
        CurrentObject(live.info.name, session.own_mask(i), session.ledger.uid_of(i))
        for i, live in session.now.objects.items()
    ]


def value_of(pair, name):
    (value,) = [v for v, other in pair.prior_masks.names.items() if other == name]
    return value


def states(result):
    return {row.name: None if row.state is None else str(row.state) for row in result.lesions}


def test_before_a_decision_nothing_is_measured_and_nothing_is_called_gone(review):
    result = review.follow_up([], RowOptions(), others_are_new=True)
    assert set(states(result).values()) == {None}
    assert result.masks is None
    assert result.sum_mm[1] is None
    (gone,) = [row for row in result.lesions if row.name == "gone"]
    assert "Nothing like it" in " ".join(gone.notes)


def test_accepted_points_are_objects_with_the_tracking_uids_in_one_edit(review, pair):
    wanted = [v for v in review.values if not review.proposal(v).is_gone]
    with SegmentationSession(pair.current, runner="inline") as session:
        session.add_objects(review.new_objects(wanted, SEGMENTER, backtest=False, progress=quiet))
        session.wait()
        uids = {session.ledger.uid_of(i) for i in session.now.objects}
        assert uids == {review.proposal(v).lesion.tracking_uid for v in wanted}
        assert {str(review.decision(v, uids)) for v in wanted} == {"accepted"}
        review.set_gone(value_of(pair, "gone"), True)
        result = review.follow_up(objects_of(session), RowOptions(), others_are_new=True)
        assert states(result) == {n: s for n, s in EXPECTED.items() if s != "new"}
        assert set(result.masks.tracking_uids.values()) <= uids
        session.undo()
        assert not session.now.objects
        after = review.follow_up(objects_of(session), RowOptions(), others_are_new=True)
    assert {n for n, s in states(after).items() if s} == {"gone"}
    assert review.decision(wanted[0], ()) is Decision.PROPOSED


def test_other_objects_are_new_lesions_only_if_wanted(review, pair):
    (new,) = [v for v, name in pair.current_masks.names.items() if name == "new"]
    drawn = CurrentObject("drawn", pair.current_masks.mask_of(new), "1.2.3")
    result = review.follow_up([drawn], RowOptions(), others_are_new=True)
    assert states(result)["drawn"] == "new"
    assert str(result.category) == "PD"
    result = review.follow_up([drawn], RowOptions(), others_are_new=False)
    assert "drawn" not in states(result)


def test_a_moved_point_is_where_it_was_put_and_no_longer_gone(review, pair):
    value = value_of(pair, "gone")
    assert review.proposal(value).is_gone
    point = review.proposal(value).match.point_mm + (3, 0, 0)
    review.move(value, point)
    np.testing.assert_allclose(review.proposal(value).match.point_mm, point)
    assert not review.proposal(value).is_gone
    assert review.proposal(value).matched.voxels > 0
    with pytest.raises(InvalidPrompt, match="outside"):
        review.move(value, (1000, 0, 0))


def test_an_object_far_from_the_point_is_still_its_lesion(review, pair):
    value = value_of(pair, "stable a")
    (other,) = [v for v, name in pair.current_masks.names.items() if name == "new"]
    far = pair.current_masks.mask_of(other)
    uid = review.proposal(value).lesion.tracking_uid
    result = review.follow_up(
        [CurrentObject("stable a", far, uid)], RowOptions(), others_are_new=True
    )
    assert states(result)["stable a"] in ("stable", "grown", "shrunk")
    assert "new" not in states(result).values()


def test_components_of_one_value_get_values_and_lasting_uids_of_their_own(pair):
    single = NamedLabels(
        (pair.prior_masks.values > 0).astype(np.uint8), pair.prior.grid, {1: "lesion"}
    )
    tracked = with_tracking_uids(single, "digest")
    assert len(tracked.present) == len(pair.prior_masks.present)
    assert tracked.names[1] == "lesion 1"
    assert len(set(tracked.tracking_uids.values())) == len(tracked.present)
    assert tracked.tracking_uids == with_tracking_uids(single, "digest").tracking_uids
    given = replace(pair.prior_masks, tracking_uids={1: "1.2.3"})
    assert with_tracking_uids(given, "digest").tracking_uids[1] == "1.2.3"
