"""Sentences of what models write, endless repetition, choices and numbers."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_medvlm.language.closed_answers import NO, YES, count_in, option_in, yes_or_no
from napari_medvlm.language.counted_things import counted
from napari_medvlm.language.sentences import split, without_loop

OPTIONS = ("pneumonia", "pneumothorax", "effusion")


def sentences(text: str, kept: tuple[tuple[int, int], ...] = ()) -> list[str]:
    return [text[s.start : s.stop] for s in split(text, kept)]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("It is dark. It is large!", ["It is dark.", "It is large!"]),
        ("The nodule is 2.5 cm wide.", ["The nodule is 2.5 cm wide."]),
        ("Dr. Smith saw it, e.g. Monday.", ["Dr. Smith saw it, e.g. Monday."]),
        ("It is approx. 3 mm. See Fig. 3.", ["It is approx. 3 mm.", "See Fig. 3."]),
        ("Is it? No. The lung is clear.", ["Is it?", "No.", "The lung is clear."]),
        ("See no. 3 there. It is dark.", ["See no. 3 there.", "It is dark."]),
        ("- dark\n* large. Wide.\n1. round\n2) flat", ["dark", "large.", "Wide.", "round", "flat"]),
        ("## Lungs\n\nClear.\n---\n| a | b |\n", ["Clear.", "| a | b |"]),
        ('He said "dark." It is.', ['He said "dark."', "It is."]),
        ("**It is dark.** It is large.", ["**It is dark.**", "It is large."]),
        (
            "\u5fc3\u810f\u589e\u5927\u3002\u6ca1\u6709\u79ef\u6db2\u3002",
            ["\u5fc3\u810f\u589e\u5927\u3002", "\u6ca1\u6709\u79ef\u6db2\u3002"],
        ),
        (
            "Das Herz ist z. B. gro\u00df. Kein Erguss.",
            ["Das Herz ist z. B. gro\u00df.", "Kein Erguss."],
        ),
        ("Y a-t-il un \u00e9panchement ? Non.", ["Y a-t-il un \u00e9panchement ?", "Non."]),
        ("", []),
        (" ... \n - \n", []),
    ],
)
def test_where_sentences_end(text: str, parts: list[str]) -> None:
    assert sentences(text) == parts


def test_no_sentence_ends_within_a_protected_range() -> None:
    text = "Dark [1. 2.\n3. 4.] there. Large."
    assert sentences(text, ((5, 18),)) == ["Dark [1. 2.\n3. 4.] there.", "Large."]


@pytest.mark.parametrize(
    "text",
    [
        "FINDINGS:\nThe heart is large.\nIMPRESSION:\nCardiomegaly.",
        "FINDINGS: The heart is large.\nIMPRESSION: Cardiomegaly.",
        "**Findings**\n\n- The heart is large.\n\n**Impression:**\n1. Cardiomegaly.",
        "## Findings\n**Heart:**\nThe heart is large.\n### Conclusion\nCardiomegaly.",
        "Befund: The heart is large.\nBeurteilung: Cardiomegaly.",
    ],
)
def test_sections_of_a_report(text: str) -> None:
    found = [(text[s.start : s.stop], s.section) for s in split(text)]
    assert found == [("The heart is large.", "findings"), ("Cardiomegaly.", "impression")]


@given(st.text(max_size=300))
def test_sentences_lie_in_the_text_in_order_and_apart(text: str) -> None:
    last = 0
    for sentence in split(text):
        assert last <= sentence.start < sentence.stop <= len(text)
        last = sentence.stop


@pytest.mark.parametrize(
    ("text", "kept", "times"),
    [
        ("It is dark. " + "The lung is clear. " * 9, "It is dark. The lung is clear.", 9),
        ("It is dark. " + "The lung is clear. " * 9 + "The lung", None, 9),
        ("no " * 40, "no", 40),
        ("The lung is clear. The lung is clear.", "The lung is clear. The lung is clear.", 1),
        (
            "\u5fc3\u810f\u589e\u5927" + "\u79ef\u6db2" * 50,
            "\u5fc3\u810f\u589e\u5927\u79ef\u6db2", 50,
        ),
        ("", "", 1),
        ("12 12 12", "12 12 12", 1),
    ],
)  # fmt: skip
def test_endless_repetition_is_cut_to_one(text: str, kept: str | None, times: int) -> None:
    found, reported = without_loop(text)
    assert found.strip() == (kept if kept is not None else found.strip())
    assert len(found) < 60
    assert reported == times


@given(st.text(max_size=200))
def test_a_text_without_its_loop_is_its_beginning(text: str) -> None:
    assert text.startswith(without_loop(text)[0])


@pytest.mark.parametrize(
    "text",
    [
        "B", "(B)", "B.", "B:", "b)", "**B**", "Answer: B", "The answer is B.", "Option B",
        "the answer is B) pneumothorax", "B) pneumothorax", "B. Pneumothorax is seen.",
        "pneumothorax", "It is a **Pneumothorax**.", "The correct answer is (B).",
        "It is not pneumonia but pneumothorax.", "Final answer: B\nbecause of the dark rim.",
    ],
)  # fmt: skip
def test_an_option_is_read_however_it_is_written(text: str) -> None:
    assert option_in(text, OPTIONS) == ("pneumothorax", "")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("A nodule is seen.", "none of the options"),
        ("It may be pneumonia or effusion.", "more than one option"),
        ("The answer is A. No, the answer is C.", "more than one option"),
        ("B) effusion", "letter and its words"),
        ("D", "option D, which there is not"),
        ("There is no effusion.", "none of the options"),
        ("", "none of the options"),
    ],
)
def test_ambiguous_text_selects_no_option(text: str, why: str) -> None:
    choice, note = option_in(text, OPTIONS)
    assert choice == ""
    assert why in note


def test_an_option_within_another_does_not_count() -> None:
    assert option_in("Left lower lobe.", ("left", "left lower lobe")).choice == "left lower lobe"
    assert option_in("No effusion.", ("effusion", "no effusion")).choice == "no effusion"


LARGER = "Which lateral ventricle is larger?"


@pytest.mark.parametrize(
    ("text", "question", "choice"),
    [
        ("The left lateral ventricle is larger than the right.", LARGER, "left"),
        ("The right lateral ventricle is smaller than the left.", LARGER, "left"),
        ("The right is smaller than the left.", "Which one is the smallest?", "right"),
        ("Compared with the right lateral ventricle, the left is bigger.", LARGER, "left"),
        (
            "The left ventricle (12.5 mL) exceeds the right lateral ventricle (9 mL).",
            LARGER,
            "left",
        ),
        ("Left. It is larger than the right.", LARGER, "left"),
        ("It is in the left, larger than 3 mm and than before.", "Which side?", "left"),
        ("It is the left rather than the right.", LARGER, "left"),
        ("The right lateral ventricle is brighter than the left.", LARGER, ""),
        ("The right lateral ventricle is not larger than the left.", LARGER, ""),
        ("The right lateral ventricle is longer than the left but smaller.", LARGER, ""),
        ("The right lateral ventricle is larger than the left.", "What do you see?", ""),
    ],
)
@pytest.mark.parametrize("ending", ["", " lateral ventricle"])
def test_of_options_that_are_compared_the_asserted_option_is_read_or_none(
    text: str, question: str, choice: str, ending: str
) -> None:
    options = ("left" + ending, "right" + ending)
    chosen, note = option_in(text, options, question)
    if ending and "ventricle" not in text:
        assert chosen in ("", choice + ending)
    else:
        assert chosen == (choice and choice + ending)
    assert bool(note) != bool(chosen)


@pytest.mark.parametrize("answer", ["yes", "no"])
def test_yes_and_no_in_every_language_of_the_table(answer: str) -> None:
    for words in (YES if answer == "yes" else NO).values():
        for word in words:
            for text in (word, f"{word.capitalize()}.", f"**{word}**, dark.", f"Answer: {word}"):
                assert yes_or_no(text) == (answer, ""), text


@pytest.mark.parametrize(
    "text", ["", "It is dark.", "No fracture is seen.", "Nothing.", "Yesterday"]
)
def test_neither_yes_nor_no(text: str) -> None:
    choice, note = yes_or_no(text)
    assert choice == ""
    assert note


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("3", "3"),
        ("**Three**", "3"),
        ("There are 3 nodules of 12 mm.", "3"),
        ("Answer: 12", "12"),
        ("Two, in the lungs. One is 4 mm.", "2"),
        ("None.", "0"),
        ("There are no nodules.", "0"),
        ("I see 2 or 3.", ""),
        ("It is dark.", ""),
    ],
)
def test_counts_are_read(text: str, number: str) -> None:
    choice, note = count_in(text)
    assert choice == number
    assert bool(note) == (number == "")


@pytest.mark.parametrize(
    ("sentence", "number"),
    [
        ("There are three nodules.", 3),
        ("2 small round lesions are seen.", 2),
        ("Both kidneys are normal.", 2),
        ("Four metastatic foci.", 4),
        ("A 2 cm mass.", None),
        ("Slice 3 shows nodules.", None),
        ("Segments 2 and 3 are clear.", None),
        ("One nodule.", None),
        ("2.5 x 3 cm masses.", None),
        ("For 3 days.", None),
        ("Two cysts and three nodules.", None),
        ("L4 vertebrae.", None),
    ],
)
def test_numbers_of_things(sentence: str, number: int | None) -> None:
    found = counted(sentence)
    assert (found.number if found else None) == number


@pytest.mark.parametrize("piece", ["a. ", "[1, ", "**", "1. ", "Answer: A ", "no ", "{[(", "yes\n"])
def test_long_texts_are_read_in_time(piece: str) -> None:
    text = (piece * 20_000)[:40_000]
    start = time.thread_time()
    list(split(text))
    without_loop(text)
    option_in(text, OPTIONS)
    count_in(text)
    counted(text)
    assert time.thread_time() - start < 5
