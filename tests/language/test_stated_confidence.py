"""What asks for a confidence, and what is read of the answer in that form."""

from __future__ import annotations

from napari_medvlm.language.closed_answers import option_in
from napari_medvlm.language.stated_confidence import (
    ASKS_FOR_CHOICE,
    ASKS_FOR_OTHERS,
    confidence_in,
)

PUBLISHED = (
    'Clearly state your final answer and confidence in the following: "In conclusion, the answer '
    'is {LETTER} with confidence {CONFIDENCE}". Replace {LETTER} with one of A, B, C, or D, and '
    "{CONFIDENCE} with your confidence in your answer between 0 and 100.After giving the answer, "
    "explain your reasoning based on the image and the question. "
)
"""xingbpshen/prompt4trust, ``prompt/pmcvqa.py``, ``downstream_model_part1``."""


def test_the_request_is_that_of_prompt4trust_for_any_number_of_options():
    own = ASKS_FOR_CHOICE.replace("the letter of one of the options", "one of A, B, C, or D")
    assert own.replace("100. After", "100.After") == PUBLISHED.strip()


def test_an_answer_in_the_form_that_is_asked_for_is_read():
    answer = "In conclusion, the answer is B with confidence 85. The border is smooth."
    assert confidence_in(answer) == 0.85
    assert option_in(answer, ("cyst", "tumour")).choice == "tumour"
    assert confidence_in(f"A cyst, {ASKS_FOR_OTHERS.split(chr(34))[1]}.") == 0.85
