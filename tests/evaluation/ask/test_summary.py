"""Figures of answers, by hand and against the libraries of the field on the same inputs."""

import numpy as np
import pytest
from rouge_score.rouge_scorer import RougeScorer
from sacrebleu.metrics import BLEU
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss, f1_score

from napari_medvlm.checks.reliability import reliability_summary, risk_coverage
from napari_medvlm.data.answer import Answer, AnswerKind, Claim
from napari_medvlm.data.volume import Volume
from napari_medvlm.evaluation.ask.items import Item
from napari_medvlm.evaluation.ask.plan import Plan
from napari_medvlm.evaluation.ask.report import write_report
from napari_medvlm.evaluation.ask.scoring import evidence, score_answer
from napari_medvlm.evaluation.ask.summary import summary
from napari_medvlm.evaluation.metrics import text as metrics_text
from napari_medvlm.evaluation.metrics.values import values_in
from napari_medvlm.evaluation.references.boxes import slice_region
from napari_medvlm.language.token_overlap import normalized, token_f1
from tests.evaluation.text_runs import picture

VOLUME = Volume(np.arange(40 * 80, dtype=np.int16).reshape(1, 40, 80))
PAIRS = [
    ("The left lower lobe shows an opacity.", "opacity in the left lower lobe"),
    ("no effusions are seen here", "There is no pleural effusion."),
    ("pneumonia", "Pneumonia."),
    ("a large mass of the liver, 5 cm", "liver mass"),
    ("nothing", "cardiomegaly with congestion"),
]


def item(name="q", **more):
    return Item(**{"name": name, "images": (), "question": "Q?", "answer": "", **more})


def said(question, text, **more):
    return score_answer(question, Answer(text, **more), VOLUME, 1.0)


def test_bleu_is_sacrebleus():
    hypotheses, references = zip(*PAIRS, strict=True)
    wanted = BLEU().corpus_score(list(hypotheses), [list(references)]).score
    assert metrics_text.bleu(hypotheses, references) == pytest.approx(wanted, abs=1e-6)
    assert metrics_text.bleu([], []) is None


@pytest.mark.parametrize(("hypothesis", "reference"), PAIRS)
def test_rouge_is_rouge_scores(hypothesis, reference):
    scorer = RougeScorer(["rouge1", "rougeL"], use_stemmer=True)
    wanted = scorer.score(reference, hypothesis)
    outcome = said(item(answer=reference), hypothesis)
    assert outcome.rouge1 == pytest.approx(wanted["rouge1"].fmeasure, abs=1e-6)
    assert outcome.rouge_l == pytest.approx(wanted["rougeL"].fmeasure, abs=1e-6)


WITHOUT_LATIN = ["心脏增大", "胸水はありません", "сердце увеличено", "हृदय बढ़ा है"]


@pytest.mark.parametrize("text", WITHOUT_LATIN)
def test_a_text_in_any_script_is_equal_to_itself_and_to_no_other(text):
    other = "肺粒 легкое फेफड़ा"
    assert metrics_text.rouge(text, text) == (1.0, 1.0)
    assert token_f1(text, text) == 1.0
    assert metrics_text.rouge(text, other) == (0.0, 0.0)
    assert metrics_text.bleu([text], [text]) in (None, pytest.approx(100.0))


def test_rouge_of_chinese_counts_characters_as_by_hand():
    # 4 of 5 and of 4 characters are common: F = 2 * 4 / (5 + 4); the longest common run is 4.
    shares = metrics_text.rouge("心脏增大", "心脏略增大")
    assert shares == pytest.approx((8 / 9, 8 / 9))


def test_bleu_of_chinese_is_sacrebleus():
    hypotheses = ["心脏明显增大。", "右侧少量胸腔积液"]
    references = ["心脏增大。", "右侧胸腔少量积液"]
    wanted = BLEU(tokenize="zh").corpus_score(hypotheses, [references]).score
    assert metrics_text.bleu(hypotheses, references) == pytest.approx(wanted, abs=1e-6)


def test_bleu_is_not_given_where_no_answer_has_four_words():
    assert metrics_text.bleu(["heart enlarged"], ["heart enlarged"]) is None


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("31.5x22.0 mm", (31.5, 22.0)),
        ("31.5 x 22.0 mm", (31.5, 22.0)),
        ("1,234.5 mm3", (1234.5,)),
        ("12,345 and 6", (12345.0, 6.0)),
        ("(89,196,177)", (89.0, 196.0, 177.0)),
        ("5-8 mm, T2, -3", (5.0, 8.0, -3.0)),
        ("1.5e3", (1500.0,)),
    ],
)
def test_numbers_are_read_as_they_are_written(text, numbers):
    assert values_in(text) == numbers


@pytest.mark.parametrize(("hypothesis", "reference"), PAIRS)
def test_token_f1_is_scikit_learns(hypothesis, reference):
    words = [set(normalized(text).split()) for text in (reference, hypothesis)]
    known = sorted(set.union(*words))
    truth, found = ([word in own for word in known] for own in words)
    wanted = f1_score(truth, found, zero_division=0)
    assert token_f1(hypothesis, reference) == pytest.approx(wanted, abs=1e-6)


def test_calibration_is_scikit_learns():
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0.3, 1, 400)
    correct = rng.uniform(size=400) < confidence**2
    found = reliability_summary(confidence.tolist(), correct.tolist())
    rates, means = calibration_curve(correct, confidence, n_bins=10)
    assert found.accuracy == pytest.approx(rates.tolist(), abs=1e-6)
    assert found.confidence == pytest.approx(means.tolist(), abs=1e-6)
    assert found.brier == pytest.approx(brier_score_loss(correct, confidence), abs=1e-6)
    by_hand = np.sum(np.array(found.counts) / 400 * np.abs(means - rates))
    assert found.ece == pytest.approx(by_hand, abs=1e-6)
    kept, risk = risk_coverage(confidence, correct)
    assert kept[-1] == 1
    assert risk[-1] == pytest.approx(1 - correct.mean())
    assert risk[99] < risk[-1], "what it is sure of is more often right"


def test_answers_of_the_same_confidence_are_retained_or_rejected_together():
    kept, risk = risk_coverage([0.9, 0.5, 0.9, 0.9, 0.5], [True, True, False, True, False])
    assert kept.tolist() == pytest.approx([3 / 5, 1])
    assert risk.tolist() == pytest.approx([1 / 3, 2 / 5])


def test_a_known_miscalibration():
    found = reliability_summary([0.9] * 10, [True] * 6 + [False] * 4)
    assert found.ece == pytest.approx(0.3)
    assert found.brier == pytest.approx(0.6 * 0.01 + 0.4 * 0.81)


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("The left lobe.", True),
        ("<think>It may be the right lobe.</think>left lobe", True),
        ("left lobes", False),
    ],
)
def test_exact_match_without_thoughts(text, same):
    outcome = said(item(answer="left lobe"), text)
    assert outcome.exact is outcome.correct is same
    assert outcome.thought == text.startswith("<think>")


@pytest.mark.parametrize(
    ("text", "choice", "correct"),
    [
        ("Yes, there is.", "yes", True),
        ("<think>no, no</think> Yes.", "yes", True),
        ("No.", "no", False),
        ("Perhaps.", "", False),
    ],
)
def test_yes_or_no(text, choice, correct):
    outcome = said(item(answer="Yes.", kind=AnswerKind.YES_NO), text)
    assert (outcome.choice, outcome.correct) == (choice, correct)


def test_options():
    question = item(kind=AnswerKind.CHOICE, options=("liver", "lung"), right=(1,), answer="lung")
    assert said(question, "B").correct
    assert said(question, "The answer is (A) liver").correct is False
    reported = said(question, "x", choice="lung", probabilities=(0.2, 0.8))
    assert (reported.correct, reported.confidence) == (True, 0.8)


def test_several_options_must_all_be_named_and_no_other():
    question = item(options=("a1", "b1", "c1"), right=(0, 2), answer="a1; c1")
    assert said(question, "A and C").correct
    assert said(question, "A, B and C").correct is False
    assert said(question, "A").correct is False


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry, but that is beyond me.",
        "",
        "As an AI, I give no advice.",
        "The side cannot be determined.",
        "I am unable to view the image.",
        "I can't tell.",
    ],
)
def test_refusals(text):
    assert said(item(answer="left"), text).refused


def test_what_only_sounds_like_a_refusal_is_none():
    assert not said(item(answer="left"), "There is no sorry state here: left.").refused
    assert not said(item(answer="none"), "I cannot see any effusion in this picture.").refused
    assert not said(item(answer="no", kind=AnswerKind.YES_NO), "No, I cannot see one.").refused
    assert said(item(answer="left"), "Left.", answered=False, reason="No model.").refused


def test_relative_error_of_values():
    outcome = said(item(values=(20.0, 10.0)), "In pixels of 0.5 mm: 22.0, 9.0")
    assert outcome.error == pytest.approx(0.1)
    assert said(item(values=(20.0, 10.0)), "22").parsed is False


def test_places():
    question = item(answer="yes", kind=AnswerKind.YES_NO, boxes=((10, 10, 30, 30),))
    near = slice_region("spot", VOLUME, 0, (10, 10, 30, 20), "")
    outcome = said(question, "Yes.", claims=(Claim("Yes.", (near,)),))
    assert outcome.iou == pytest.approx(0.5)
    assert said(question, "Yes.").iou == 0
    assert outcome.boxes == (((0, 10, 10), (1, 20, 30)),)


def test_boxes_on_a_square_canvas_are_brought_to_the_image():
    question = item(answer="x", boxes=((0, 56, 112, 168),), canvas=224)
    (region,) = evidence(question, VOLUME)
    start, stop = region.box.bounds(VOLUME.grid)
    assert start.tolist() == [0, 0, 0]
    assert stop.tolist() == [1, 40, 40]


def answered(name, text, **more):
    question = item(name, **more)
    return question, said(question, text)


def test_means_by_hand():
    twin = {"kind": AnswerKind.YES_NO, "type": "entity"}
    options = {"kind": AnswerKind.CHOICE, "options": ("one", "two"), "type": "look-alike"}
    reported = summary(
        [
            answered("1", "Yes.", answer="yes", pair="a", **twin),
            answered("2", "Yes.", answer="no", pair="a", **twin),
            answered("3", "Yes.", answer="yes", pair="b", **twin),
            answered("4", "No.", answer="no", pair="b", **twin),
            answered("5", "I cannot tell.", answer="no", **twin),
            answered("6", "A", answer="one", right=(0,), pair="c", **options),
            answered("7", "A", answer="two", right=(1,), pair="c", **options),
            answered("8", "left lobe", answer="left lobe"),
            answered("9", "12 mm", values=(10.0,)),
        ],
        [],
        Plan(),
    )
    entity, mean = reported["types"]["entity"], reported["mean"]
    assert entity["accuracy"] == pytest.approx(3 / 5)
    assert entity["accuracy_answered"] == pytest.approx(3 / 4)
    assert entity["refused"] == pytest.approx(1 / 5)
    assert (entity["set_accuracy"], entity["confusion"]) == (0.5, 0.5)
    look_alike = reported["types"]["look-alike"]
    assert (look_alike["set_accuracy"], look_alike["confusion"]) == (0.0, 1.0)
    assert mean["set_accuracy"] == pytest.approx(1 / 3)
    assert (reported["kinds"]["open"]["exact"], reported["kinds"]["open"]["f1"]) == (1.0, 1.0)
    assert reported["kinds"]["values"]["mre"] == pytest.approx(0.2)
    assert reported["calibration"] is None


def test_the_report_shows_whether_confidence_can_be_believed(tmp_path):
    path = picture(tmp_path / "a.png")
    options = {"kind": AnswerKind.CHOICE, "options": ("one", "two"), "right": (0,)}
    asked = []
    for number in range(10):
        sure = Answer("A", choice="one" if number < 6 else "two", probabilities=(0.9, 0.9))
        question = item(f"q{number}", answer="one", images=(path,), **options)
        asked.append((question, score_answer(question, sure, VOLUME, 1.0)))
    reported = summary(asked, [], Plan())
    assert reported["calibration"]["ece"] == pytest.approx(0.3)
    settings = {"plan": {}, "data": {}, "provenance": {}}
    text = write_report(tmp_path, reported, settings, asked).read_text()
    assert "calibration error 0.300" in text
    assert "Risk and coverage" in text


def test_recall_counts_each_word_of_the_reference_as_often_as_it_stands_there():
    assert metrics_text.token_recall("A left pleural effusion.", "left effusion") == 1.0
    assert metrics_text.token_recall("the left", "left and left") == pytest.approx(1 / 3)
    assert metrics_text.token_recall("", "left") == 0.0
