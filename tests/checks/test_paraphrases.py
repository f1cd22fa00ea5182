"""Twins, paraphrases, stated confidence, and when texts say the same."""

import math

import pytest

from napari_medvlm.checks.answer_similarity import CheckedAnswer, clusters, entropy, same_answer
from napari_medvlm.checks.paraphrases import (
    existence,
    paired_questions,
    paraphrases,
    phrase_variants,
)
from napari_medvlm.data.volume import Modality
from napari_medvlm.language.stated_confidence import confidence_in
from napari_medvlm.language.token_overlap import token_f1


@pytest.mark.parametrize(
    ("question", "negated"),
    [
        ("Is there a nodule?", "Is it true that there is no nodule?"),
        (
            "Are there any masses in the left lung?",
            "Is it true that there is no masses in the left lung?",
        ),
        (
            "Does this chest CT scan show consolidation?",
            "Is it true that there is no consolidation?",
        ),
        ("Is pneumothorax present?", "Is it true that there is no pneumothorax?"),
        ("Can a mass be seen in the liver?", "Is it true that there is no mass in the liver?"),
        ("Do you see an effusion", "Is it true that there is no effusion?"),
        ("Is there no fracture?", "Is there any fracture?"),
        ("Is it true that there is no fracture in the rib?", "Is there any fracture in the rib?"),
    ],
)
def test_a_question_is_turned_round(question, negated):
    twin, strange = paired_questions(existence(question), Modality.CT)
    assert twin.text == negated
    assert any(word in strange.text for word in ("T2", "diffusion", "acoustic", "flow void"))


@pytest.mark.parametrize("question", ["What is this?", "How large is the left kidney?", ""])
def test_other_questions_have_no_twin(question):
    assert existence(question) is None


def test_what_is_absent_depends_on_the_modality():
    asked = existence("Is there a nodule?")
    of = {
        m: paired_questions(asked, m)[1].text for m in (Modality.CT, Modality.US, Modality.UNKNOWN)
    }
    assert "acoustic" not in of[Modality.US]
    assert of[Modality.UNKNOWN] not in (of[Modality.CT], of[Modality.US])


def test_paraphrases_differ_and_keep_what_is_asked():
    texts = paraphrases("Is there a nodule in the left lung?", 8)
    assert len(set(texts)) == 8
    assert all("nodule in the left lung" in t or "nodule be seen in the left" in t for t in texts)
    assert len(phrase_variants("spleen", 4)) == 4


@pytest.mark.parametrize(
    ("text", "share"),
    [
        ("Yes, I am 90 % sure.", 0.9),
        ("Confidence: 85%", 0.85),
        ("My confidence is 0.8", 0.8),
        ("This is likely, 70 percent.", 0.7),
        ("It takes up 30 % of the lung.", None),
        ("120 % sure", None),
        ("No.", None),
        ("3 mm (95% confidence interval 2-4 mm).", None),
        ("The confidence interval is 95%.", None),
        ("There is likely 70% stenosis.", None),
        ("Probability of 20% malignancy is usual for such nodules.", None),
        ("The probability is 20% for malignancy.", 0.2),
        ("I am certain, 95%.", 0.95),
    ],
)
def test_a_percentage_is_read_where_it_is_a_confidence(text, share):
    assert confidence_in(text) == share


def test_texts_are_counted_by_what_they_share():
    assert token_f1("a small nodule", "The small nodule.") == 1
    assert token_f1("small left nodule", "small right nodule") == pytest.approx(2 / 3)
    assert token_f1("心脏增大", "心脏略增大") == pytest.approx(8 / 9)
    assert same_answer(CheckedAnswer("心脏增大"), CheckedAnswer("心脏略增大"))
    assert same_answer(CheckedAnswer("It is in the left lung."), CheckedAnswer("left lung"))
    reported = [
        CheckedAnswer(t) for t in ("a small nodule", "small nodule", "an effusion", "effusion")
    ]
    found = clusters(reported)
    assert [len(c) for c in found] == [2, 2]
    assert entropy([2, 2]) == pytest.approx(math.log(2))
    assert entropy([4]) == 0
    assert [
        len(c)
        for c in clusters(
            [CheckedAnswer("x", "yes"), CheckedAnswer("y", "no"), CheckedAnswer("z", "yes")]
        )
    ] == [
        2,
        1,
    ]
