"""Single checks, what is kept of them, and how they are stopped."""

import json
import threading
from dataclasses import replace

import numpy as np
import pytest

from napari_medvlm.checks.answer_similarity import CheckedAnswer
from napari_medvlm.checks.base import cost_of
from napari_medvlm.checks.calibration import fit
from napari_medvlm.checks.check_list import all_checks
from napari_medvlm.checks.checked_answer import AnswerSubject
from napari_medvlm.checks.image_quality import Thresholds, indicators
from napari_medvlm.checks.image_swap import fitted, other_image, repainted
from napari_medvlm.checks.occlusion import elsewhere, hidden_in, hidden_in_volume
from napari_medvlm.checks.perturbation_checks import BlankImage, ImageSwap, Resampling
from napari_medvlm.checks.runner import Checking, answer_subject, region_subject, run_checks
from napari_medvlm.checks.second_model_check import SecondModel, SecondModelCheck
from napari_medvlm.checks.static_checks import Confidence, OutputFormat
from napari_medvlm.data.answer import Answer, AnswerKind, Claim, NamedMask, Question
from napari_medvlm.data.check_result import Outcome
from napari_medvlm.data.geometry.grid import Grid
from napari_medvlm.data.grounding import Scope
from napari_medvlm.data.iou import box_iou
from napari_medvlm.data.mask import Mask
from napari_medvlm.data.prompts import Box
from napari_medvlm.data.region import Region
from napari_medvlm.data.volume import Volume
from napari_medvlm.ledger.conversation_records import Checked
from napari_medvlm.ledger.ledger import Ledger
from napari_medvlm.sessions.ask.image_selection import ImageSelection, pictures
from napari_medvlm.sessions.ask.session import AskSession
from napari_medvlm.sessions.export.conversation import as_json, html, markdown
from napari_medvlm.sessions.ground.session import GroundingSession
from napari_medvlm.worker.messages import AskRequest
from napari_medvlm.worker.process_runner import WorkerRunner
from napari_medvlm.worker.runner import InlineRunner
from tests.checks.conftest import spotted

QUESTION = "Is there a bright spot in the image?"


def subject_of(answer, text=QUESTION, volume=None, **fields):
    volume = volume or spotted(250)
    question = Question(text, **{"kind": AnswerKind.YES_NO, **fields})
    return AnswerSubject(AskRequest("truthful", volume, question=question), answer)


def never(request):
    raise AssertionError("nothing was to be asked")


def test_form_names_what_was_wrong():
    volume = spotted(250)
    outside = Box.at_index(Grid((9, 99, 99), volume.affine), (0, 50, 50), (1, 60, 60))
    claim = Claim("Yes.", (Region("it", outside),), problems=("A box could not be read.",))
    found = OutputFormat().run(subject_of(Answer("Yes.", (claim,))), never)
    assert found.verdict is Outcome.FLAGGED
    assert "A box could not be read. A place of the answer lies outside" in found.sentence
    maybe = OutputFormat().run(subject_of(Answer("Perhaps.")), never)
    assert maybe.sentence == "No yes/no could be read in it."
    other = subject_of(Answer("Z", choice="Z"), kind=AnswerKind.CHOICE, options=("A", "B"))
    assert "none of the options" in OutputFormat().run(other, never).sentence
    assert OutputFormat().run(subject_of(Answer("Yes.")), never).verdict is Outcome.PASSED


def test_confidence_is_read_by_the_curve_of_an_evaluation():
    random = np.random.default_rng(1)
    stated = np.repeat([0.6, 0.95], 200)
    right = random.uniform(size=400) < np.repeat([0.58, 0.6], 200)
    curve = fit(stated, right)
    sure = subject_of(Answer("Yes.", choice="yes", probabilities=(0.95, 0.05)))
    found = Confidence(curve).run(sure, never)
    assert found.verdict is Outcome.FLAGGED
    assert found.sentence.startswith("Stated confidence 95 %; of 400 evaluated answers")
    assert found.sentence.endswith("overconfident.")
    modest = subject_of(Answer("Yes, I am 60 % sure.", choice="yes"))
    assert Confidence(curve).run(modest, never).verdict is Outcome.PASSED
    assert "no calibration data" in Confidence().run(modest, never).sentence
    assert (
        "No confidence was stated" in Confidence().run(subject_of(Answer("Yes.")), never).sentence
    )


def test_free_text_that_changes_is_flagged_with_its_clusters():
    subject = subject_of(Answer("A large mass."), "What is this?", kind=AnswerKind.OPEN)
    texts = iter(("a large mass", "Some fluid", "a fracture", "a large mass"))
    found = Resampling(4).run(subject, lambda request: CheckedAnswer(next(texts)))
    assert found.verdict is Outcome.FLAGGED
    assert "2 of 4 repeated answers agree; 3 different answers" in found.sentence
    assert found.details["clusters"] == [3, 1, 1]
    assert found.details["clustered_by"] == "shared words (not meaning)"


def test_options_stand_in_another_order_every_other_time():
    fields = {"kind": AnswerKind.CHOICE, "options": ("A", "B", "C")}
    subject = subject_of(Answer("A", choice="A"), "Which?", **fields)
    orders = [request.question.options for _, request in subject.again(4)]
    assert orders == [("A", "B", "C"), ("C", "B", "A")] * 2


def test_a_segmentation_is_a_witness_that_costs_nothing():
    volume = spotted(250)
    inside = volume.data > 230
    mask = NamedMask("spot", Mask.of(inside))
    right = Region("it", Box.at_index(volume, (0, 3, 4), (1, 9, 10)))
    wrong = Region("it", Box.at_index(volume, (0, 15, 15), (1, 20, 20)))
    for region, verdict in ((right, Outcome.PASSED), (wrong, Outcome.FLAGGED)):
        answer = Answer("Yes.", (Claim("There is a spot.", (region,)),), choice="yes")
        subject = subject_of(answer, volume=volume, objects=(mask,))
        check = SecondModelCheck(SecondModel("finder"))
        assert check.cost(subject) == 0
        found = check.run(subject, never)
        assert found.verdict is verdict
        assert "The segmentation" in found.sentence


def test_another_backend_is_a_witness(answerers):
    volume = spotted(250)
    for place, verdict in (((3, 4), Outcome.PASSED), ((15, 15), Outcome.FLAGGED)):
        start, stop = (0, *place), (1, place[0] + 6, place[1] + 6)
        region = Region("it", Box.at_index(volume, start, stop))
        answer = Answer("Yes.", (Claim("A bright spot is seen.", (region,)),), choice="yes")
        check = SecondModelCheck(SecondModel("finder"))
        (found,) = run_checks([check], subject_of(answer, volume=volume), InlineRunner())
        assert (found.verdict, found.requests) == (verdict, 1)


def test_second_model_equal_to_the_first_is_not_run():
    volume = spotted(250)
    region = Region("it", Box.at_index(volume, (0, 3, 4), (1, 9, 10)))
    answer = Answer("Yes.", (Claim("A bright spot is seen.", (region,)),), choice="yes")
    subject = subject_of(answer, volume=volume)
    check = SecondModelCheck(SecondModel(subject.request.backend))
    assert check.cost(subject) == 0
    assert "must differ from the one" in check.run(subject, never).sentence
    assert "No second model was chosen" in SecondModelCheck().run(subject, never).sentence


def test_a_place_is_hidden_in_every_picture_and_nowhere_else():
    random = np.random.default_rng(0)
    volume = Volume(random.integers(0, 200, (6, 20, 30)).astype(np.int16))
    box = Box.at_index(volume, (2, 5, 8), (3, 11, 20))
    hidden = hidden_in_volume(volume, [box])
    changed = hidden.data != volume.data
    changed[2, 5:11, 8:20] = False
    assert not changed.any()
    assert np.ptp(hidden.data[2, 5:11, 8:20]) == 0
    for montage in (0, 4):
        for picture in pictures(volume, ImageSelection(Scope(0), montage=montage)).pictures:
            after = hidden_in(picture, [box])
            shown = 4 if montage and len(picture.tiles) == 4 else max(montage // 2, 1)
            differs = (after.pixels != picture.pixels).any(axis=2)
            assert 0.9 * 72 * shown < differs.sum() <= 72 * shown


def test_another_place_has_the_same_size_and_is_always_the_same():
    volume = spotted(250)
    boxes = (Box.at_index(volume, (0, 3, 4), (1, 9, 10)),)
    (other,) = elsewhere(boxes, volume.grid, "a question")
    start, stop = other.bounds(volume.grid)
    assert tuple(stop - start) == (1, 6, 6)
    assert box_iou(other, boxes[0], volume.grid) == 0
    assert elsewhere(boxes, volume.grid, "a question") == (other,)
    whole = (Box.at_index(volume, (0, 0, 0), (1, 24, 24)),)
    assert elsewhere(whole, volume.grid, "a question") == ()


@pytest.mark.parametrize(("source", "is_checked"), [("measured", False), ("qwen", True)])
def test_an_answer_that_is_computed_is_not_asked_again(source, is_checked, answerers):
    text = "Object 1 has a volume of 9.01 mL."
    box = Box.at_index(spotted(250), (0, 3, 4), (1, 9, 10))
    claims = (Claim(text, (Region("Object 1", box),), source),)
    subject = subject_of(Answer(text, claims), kind=AnswerKind.OPEN)
    asking = [check for check in all_checks() if cost_of(check, subject)]
    assert bool(asking) == is_checked
    runner = InlineRunner()
    results = run_checks(all_checks(), subject, runner)
    flagged = {result.check for result in results if result.verdict is Outcome.FLAGGED}
    assert bool(flagged) == is_checked
    assert all("mL.." not in result.sentence for result in results)


def reported(volume):
    return {
        indicator.name for indicator in indicators(volume, Thresholds.load()) if indicator.message
    }


def test_quality_names_what_is_wrong(home):
    z, y, x = np.indices((12, 48, 48))
    body = (y - 24) ** 2 + (x - 24) ** 2 < 300
    random = np.random.default_rng(0)
    clean = (body * (400 + 6 * x + 4 * y)).astype(float) + random.normal(0, 4, body.shape)
    assert reported(Volume(clean)) == set()
    assert "noise" in reported(Volume(clean + random.normal(0, 200, body.shape)))
    from scipy.ndimage import gaussian_filter

    assert "blur" in reported(Volume(gaussian_filter(clean, (0, 8, 8))))
    assert "cropping" in reported(Volume(clean[:, 12:36, 12:36]))
    assert "saturation" in reported(Volume(np.minimum(clean, 500)))
    assert "slice_gap" in reported(Volume(clean, np.diag([8.0, 1, 1, 1])))
    shaky = clean * np.where(np.arange(12) % 2, 1, 0.5)[:, None, None]
    assert "motion" in reported(Volume(shaky))
    (home / "quality.yaml").write_text("slice_gap: 9.0\n")
    assert reported(Volume(clean, np.diag([8.0, 1, 1, 1]))) == set()


def test_noise_around_a_body_is_not_taken_for_the_body(home):
    random = np.random.default_rng(0)
    data = np.zeros((12, 40, 40), np.float32)
    data[:, 10:30, 10:30] = 100
    noisy = Volume(data + random.normal(0, 25, data.shape).astype(np.float32))
    assert reported(noisy) == {"noise"}
    wide = np.full_like(data, 100)
    wide[:, :, :5] = 0
    assert reported(Volume(wide + random.normal(0, 1, data.shape))) == {"cropping"}


def asked(volume, backend, runner="inline", **more):
    session = AskSession(volume, backend, runner, **more)
    exchange = session.ask(QUESTION, kind=AnswerKind.YES_NO, selection=ImageSelection())
    session.wait(120)
    return session, exchange


def test_findings_are_in_the_ledger_the_next_session_and_the_export(answerers, tmp_path):
    volume = spotted(250)
    session, exchange = asked(volume, "blind", journal=tmp_path / "talk.jsonl")
    basis = session.basis(exchange)
    Checking(basis, answer_subject(basis)).run(all_checks())
    findings = session.turn(exchange).check_results
    assert [f.check for f in findings] == [check.name for check in all_checks()]
    rows = as_json(volume, session.active)["turns"][0]["checks"]
    assert [t["sentence"] for t in rows] == [f.sentence for f in findings]
    json.dumps(rows)
    assert "Check *blank image*, **flagged**: Does not depend on the image" in markdown(
        volume, session.active
    )
    assert "<b>blank image: flagged.</b> Does not depend on the image" in html(
        volume, session.active
    )
    session.close()
    again = AskSession(volume, "blind", "inline", ledger=Ledger.load(tmp_path / "talk.jsonl"))
    assert again.turn(exchange).check_results == findings
    basis = again.basis(exchange)  # as the ledger knows it
    (blank,) = run_checks([BlankImage()], answer_subject(basis), basis.runner)
    assert blank.verdict is Outcome.FLAGGED
    again.close()


def test_a_region_is_checked_too(answerers, tmp_path):
    volume = spotted(250)
    flagged = {}
    for backend in ("finder", "pointer"):
        with GroundingSession(volume, backend, "inline") as session:
            session.ask(["bright thing"])
            (region,) = session.grounding.regions
            basis = session.basis(region)
            subject = region_subject(basis, region)
            checks = all_checks(SecondModel("finder"), other=spotted(250, (16, 15)))
            Checking(basis, subject).run(checks)
            found = [r.result for r in session.ledger.records if r.record == "region_checked"]
            costs = [check.cost(subject) for check in checks]
            assert all(f.requests <= cost for f, cost in zip(found, costs, strict=True))
            flagged[backend] = {f.check for f in found if f.verdict is Outcome.FLAGGED}
            session.ledger.save(tmp_path / "s.json")
            assert Ledger.load(tmp_path / "s.json").records == session.ledger.records
    assert flagged["finder"] == set()
    assert flagged["pointer"] == {
        "negation twin",
        "blanked evidence",
        "blank image",
        "image swap",
        "independent witness",
    }


def test_checks_in_a_worker_are_stopped_and_the_worker_lives(answerers):
    ended, began = threading.Event(), threading.Event()
    with WorkerRunner(cancel_grace_s=5) as runner:
        session, exchange = asked(spotted(250), "slow_truth", runner)
        basis = session.basis(exchange)
        left = []
        checking = Checking(
            basis,
            answer_subject(basis),
            on_begin=lambda check: check.name == "resampling" and began.set(),
            on_end=lambda count: (left.append(count), ended.set()),
        )
        checking.run(all_checks())
        assert began.wait(120)
        checking.cancel()
        assert ended.wait(120)
        assert left == [6]
        kept = [r for r in session.ledger.records if isinstance(r, Checked)]
        assert [r.result.check for r in kept] == [c.name for c in all_checks()[:4]]
        session.ask(QUESTION, kind=AnswerKind.YES_NO, selection=ImageSelection())
        session.wait(120)
        session.close()


def test_a_backend_that_fails_makes_a_check_say_nothing(answerers):
    subject = subject_of(Answer("Yes.", choice="yes"))  # without pictures: the backend fails
    found = run_checks(all_checks()[3:4], subject, InlineRunner())
    assert found[0].verdict is Outcome.NOT_APPLICABLE
    assert found[0].sentence.startswith("The check failed")


@pytest.mark.parametrize("said", ["No.", "It is normal."])
def test_what_an_empty_image_deserves_as_well_costs_nothing(said):
    subject = subject_of(Answer(said, choice="no" if said == "No." else "normal"))
    blank = next(check for check in all_checks() if check.name == "blank image")
    assert blank.cost(subject) == 0
    assert blank.run(subject, never).verdict is Outcome.NOT_APPLICABLE


def test_slices_far_away_take_the_place_of_those_that_were_shown(answerers):
    data = np.concatenate([spotted(250 if z in (4, 5) else None).data for z in range(24)])
    volume = replace(spotted(), data=data, affine=np.diag([5.0, 1, 1, 1]))
    for backend, verdict in (("truthful", Outcome.PASSED), ("blind", Outcome.FLAGGED)):
        with AskSession(volume, backend, "inline") as session:
            view = ImageSelection(Scope(0, 4, 6))
            exchange = session.ask(QUESTION, kind=AnswerKind.YES_NO, selection=view)
            basis = session.basis(exchange)
            (found,) = run_checks([ImageSwap()], answer_subject(basis), basis.runner)
        assert (found.verdict, found.requests) == (verdict, 1)
        assert found.sentence.startswith("For slices 30 mm away ")
    with AskSession(volume, "truthful", "inline") as session:
        exchange = session.ask(QUESTION, kind=AnswerKind.YES_NO, selection=ImageSelection())
        subject = answer_subject(session.basis(exchange))
        assert ImageSwap().cost(subject) == 0
        assert "All slices were sent" in ImageSwap().run(subject, never).sentence


def test_another_image_is_turned_and_stretched_and_marks_stay():
    volume = spotted()
    halves = np.repeat([40, 200], 20).astype(np.uint8)
    other = Volume(np.tile(halves[:, None, None], (1, 30, 1)), np.diag([1.0, 1, 1, 1]))
    sagittal = Volume(np.moveaxis(other.data, (0, 1, 2), (2, 1, 0)), other.affine[:, [2, 1, 0, 3]])
    for given in (other, sagittal):
        got = fitted(given, replace(volume, data=np.zeros((24, 24, 24), np.uint8))).data
        assert (got[:12] == 40).all()
        assert (got[12:] == 200).all()
    mark = Region("it", Box.at_index(volume, (0, 3, 4), (1, 9, 10)))
    (plain,) = pictures(volume, ImageSelection(Scope(0))).pictures
    (marked,) = pictures(volume, ImageSelection(Scope(0), draw=(mark,))).pictures
    swap = other_image(spotted(250, (15, 15)), volume)
    drawn = (marked.pixels != plain.pixels).any(axis=2)
    got = repainted(marked, volume, swap).pixels
    assert drawn.any()
    assert (got[drawn] == marked.pixels[drawn]).all()
    assert (got[15:21, 15:21] > 230).all()


def test_an_image_is_not_swapped_with_itself():
    volume = spotted(250)
    check = ImageSwap(volume)
    subject = subject_of(Answer("Yes.", choice="yes"), volume=volume)
    assert check.cost(subject) == 0
    assert "is the image of the question" in check.run(subject, never).sentence
