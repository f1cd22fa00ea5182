"""Calibration curves fitted on runs of questions, by command, and read by the check."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from napari_medvlm.backends.models.catalog import served_row
from napari_medvlm.backends.vlm.parse_answer import ModelOutput, answer_of
from napari_medvlm.checks import calibration
from napari_medvlm.checks.checked_answer import AnswerSubject
from napari_medvlm.checks.region_subject import RegionSubject
from napari_medvlm.checks.static_checks import Confidence
from napari_medvlm.cli import app
from napari_medvlm.data.answer import Answer, AnswerKind, Question
from napari_medvlm.data.check_result import Outcome as Verdict
from napari_medvlm.data.grounding import GroundQuery, Scope
from napari_medvlm.data.prompts import Box
from napari_medvlm.data.region import Region
from napari_medvlm.evaluation.ask.items import Item
from napari_medvlm.evaluation.ask.outcomes import Outcome
from napari_medvlm.evaluation.ask.plan import Plan
from napari_medvlm.evaluation.ask.scoring import score_answer
from napari_medvlm.evaluation.ask.summary import summary
from napari_medvlm.evaluation.ground.cases import Case
from napari_medvlm.evaluation.ground.outcomes import Outcome as Grounded
from napari_medvlm.evaluation.ground.outcomes import PhraseResult, ScoredBox
from napari_medvlm.evaluation.ground.plan import Plan as GroundPlan
from napari_medvlm.evaluation.ground.summary import summary as ground_summary
from napari_medvlm.evaluation.runs.run_folder import RunFolder, alone_in, write_json
from napari_medvlm.evaluation.runs.runner import write_outcome
from napari_medvlm.worker.messages import AskRequest, GroundRequest
from tests.checks.conftest import spotted
from tests.evaluation.text_runs import picture

COUNT = 300


@pytest.fixture
def run(tmp_path):
    """A run whose answers are right in 0.5 + 0.3 * (confidence - 0.5) of the cases."""
    return written(tmp_path / "run", COUNT)


def written(out, count):
    image = picture(out.parent / "cxr_1.png")
    plan = Plan(backend="server", model="a/model")
    settings = {"task": "ask", "plan": plan.model_dump(mode="json"), "data": {}, "provenance": {}}
    folder = RunFolder(out, settings)
    random = np.random.default_rng(4)
    asked = []
    for number in range(count):
        sure = float(random.uniform(0.5, 1))
        right = bool(random.uniform() < 0.5 + 0.3 * (sure - 0.5)) if number > 1 else number == 0
        images = (image.with_name(f"cxr_{number // 3}.png"),)
        item = Item(name=f"q{number}", images=images, question="Q?", answer="yes",
                    kind=AnswerKind.YES_NO)  # fmt: skip
        outcome = Outcome(case=item.name, correct=right, confidence=sure)
        write_outcome(folder, item.model_dump(mode="json"), outcome)
        asked.append((item, outcome))
    write_outcome(
        folder, {**asked[0][0].model_dump(mode="json"), "name": "open"}, Outcome(case="open")
    )
    write_json(out / "summary.json", summary(asked, (), plan))
    return out


def command(*arguments):
    return CliRunner().invoke(app, ["evaluate", "calibrate", *map(str, arguments)])


@pytest.mark.parametrize("method", ["temperature", "platt", "isotonic"])
def test_a_known_miscalibration_is_mended_on_answers_that_the_curve_has_not_seen(
    run, tmp_path, method
):
    out = tmp_path / "curve.json"
    done = command(run, "--method", method, "--out", out, "--json")
    assert done.exit_code == 0, done.output
    reported = json.loads(done.output)
    assert (reported["answers"], reported["checked"]) == (COUNT, 5)
    assert reported["ece"] > 0.15
    assert reported["ece_after"] < 0.08
    assert reported["brier_after"] < reported["brier"]
    assert reported["ece_fitted"] <= reported["ece_after"] + 0.02
    kept = calibration.load("server", "a/model")
    assert kept.kind == method
    assert json.loads(out.read_text()) == json.loads(
        calibration.file_of("server", "a/model").read_text()
    )
    report = (run / "report.html").read_text()
    assert f"The curve ({method}) was fitted on {COUNT} answers" in report
    assert 'id="calibrated"' in report


def test_the_check_beside_answers_reads_it(run):
    question = Question("Is there a spot?", kind=AnswerKind.YES_NO)
    request = AskRequest("server", spotted(), "a/model", question=question)
    subject = AnswerSubject(request, Answer("Yes, 98 % sure.", choice="yes"))
    assert "no calibration data" in Confidence().run(subject, None).sentence
    assert "answers with a stated confidence" in command(run).output
    found = Confidence().run(subject, None)
    assert found.verdict is Verdict.FLAGGED
    assert f"of {COUNT} evaluated answers" in found.sentence


def test_too_few_answers_to_check_the_curve_on_others_are_reported(tmp_path):
    done = command(written(tmp_path / "run", 3))
    assert done.exit_code == 0, done.output
    assert "too few for cross-validation" in done.output
    assert "Too few to check it on others" in (tmp_path / "run" / "report.html").read_text()


def test_a_stated_percentage_is_a_confidence_where_there_are_no_probabilities():
    item = Item(name="q", images=(), question="Q?", answer="yes", kind=AnswerKind.YES_NO)
    volume = spotted()
    said = score_answer(item, Answer("Yes, I am 90 % sure."), volume, 1.0)
    assert (said.choice, said.confidence) == ("yes", 0.9)
    reported = score_answer(item, Answer("Yes, 90 % sure.", probabilities=(0.7, 0.3)), volume, 1.0)
    assert reported.confidence == 0.7
    assert score_answer(item, Answer("Yes."), volume, 1.0).confidence is None


@pytest.mark.parametrize(
    ("kind", "options", "sentence", "confidence"),
    [
        (AnswerKind.YES_NO, (), "Yes, I am 90 % sure.", 0.9),
        (AnswerKind.CHOICE, ("left", "right"), "A, left. I am 70 % sure.", 0.7),
    ],
)
def test_a_percentage_is_read_from_a_sentence_of_which_the_answer_shows_one_word(
    kind, options, sentence, confidence
):
    item = Item(name="q", images=(), question="Q?", answer=(options or ("yes",))[0], kind=kind,
                options=options, right=(0,) if options else ())  # fmt: skip
    question = Question(item.question, kind=kind, options=options)
    answer = answer_of(ModelOutput(sentence), question, served_row("any"), ())
    scored = score_answer(item, answer, spotted(), 1.0)
    assert answer.text in ("Yes", "left")
    assert scored.written == sentence
    assert (scored.correct, scored.confidence) == (True, confidence)


def test_what_cannot_be_calibrated_is_reported(tmp_path):
    assert "holds no run of 'napari-medvlm evaluate ask' or 'ground'" in command(tmp_path).output
    RunFolder(tmp_path / "run", {"task": "ask", "plan": Plan().model_dump(mode="json")})
    done = command(tmp_path / "run")
    assert done.exit_code == 1
    assert "has a confidence" in done.output
    with alone_in(tmp_path / "run"):
        assert "Another run is writing" in command(tmp_path / "run").output


def test_scores_of_regions_have_a_curve_of_their_own(tmp_path):
    plan = GroundPlan(backend="server", model="a/model")
    settings = {"task": "ground", "plan": plan.model_dump(mode="json"), "data": {},
                "provenance": {}}  # fmt: skip
    folder = RunFolder(tmp_path / "run", settings)
    random, outcomes = np.random.default_rng(1), []
    for number in range(60):
        score = float(random.uniform(0.5, 1))
        place = ScoredBox(low=(0, 1, 1), high=(1, 9, 9), score=score)
        bare = place.model_copy(update={"score": None})
        iou = 0.8 if random.uniform() < score - 0.3 else 0.2
        sought = PhraseResult(phrase="mass", label="mass", iou=iou, pointed=True, wanted=(bare,),
                        predicted=(place, bare), overlaps=((iou,), (0.0,)))  # fmt: skip
        case = Case(name=f"c{number}", images=(picture(tmp_path / "cxr_1.png"),))
        outcomes.append(Grounded(case=case.name, results=(sought,)))
        write_outcome(folder, case.model_dump(mode="json"), outcomes[-1])
    write_json(tmp_path / "run" / "summary.json", ground_summary(outcomes, (), plan))
    done = command(tmp_path / "run", "--method", "platt")
    assert done.exit_code == 0, done.output
    assert "60 regions with a score" in done.output
    assert "fitted on 60 regions with a score" in (tmp_path / "run" / "report.html").read_text()
    assert calibration.load("server", "a/model") is None
    assert calibration.load("server", "a/model", regions=True).count == 60
    box = Box.at_index(spotted(), (0, 1, 1), (1, 9, 9))
    request = GroundRequest("server", spotted(), "a/model", "cpu", GroundQuery(("mass",), Scope()))
    found = Confidence().run(RegionSubject(request, Region("mass", box, 0.95)), None)
    assert "of 60 evaluated regions, those were correct in" in found.sentence
