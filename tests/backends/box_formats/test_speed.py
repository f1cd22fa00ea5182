"""Text with boxes: no text raises, and none takes long."""

import json
import random
import subprocess
import sys
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_medvlm.backends.box_formats import GRAMMARS, PixelBox, parse, write
from tests.backends.box_formats.box_texts import SIZE, WRITABLE

BUDGET = 40
"""Times of reading JSON of the same length; a quadratic reading takes thousands."""
LONGEST = 20_000


def best_of(tries, read):
    """The shortest time of the processor that a function took, in seconds."""
    times = []
    for _ in range(tries):
        start = time.thread_time()
        read()
        times.append(time.thread_time() - start)
    return min(times)


@pytest.fixture(scope="module")
def budget_s():
    """Seconds that one reading may take on this machine, as busy as it is."""
    text = json.dumps([1] * (LONGEST // 3))
    return BUDGET * best_of(20, lambda: json.loads(text))


def takes_long(text, grammar, budget_s):
    """Whether one reading takes longer than allowed, the best of a few where one was slow."""
    tracer = sys.gettrace()
    sys.settrace(None)  # the measuring of coverage is not to be measured
    try:
        return all(
            best_of(1, lambda: parse(text, grammar, SIZE, ("polyp", "nodule"))) > budget_s
            for _ in range(5)
        )
    finally:
        sys.settrace(tracer)


def mutated(text, chance):
    """The text with some places deleted, doubled, swapped, or with brackets and digits put in."""
    for _ in range(chance.randint(1, 8)):
        at, other = sorted(chance.randrange(len(text) + 1) for _ in range(2))
        match chance.randrange(5):
            case 0:
                text = text[:at] + text[other:]
            case 1:
                text = text[:other] + text[at:other] * chance.randint(1, 4) + text[other:]
            case 2:
                text = text[other:] + text[at:other] + text[:at]
            case 3:
                text = text[:at] + chance.choice("[](){}<>\"',;:.-0123456789\n") + text[at:]
            case _:
                text = text[:at] + chance.choice("9[{(<0") * chance.randint(1, 3000) + text[at:]
    return text[:LONGEST]


@pytest.mark.parametrize("name", GRAMMARS)
def test_mutated_texts_neither_raise_nor_take_long(name, budget_s):
    chance = random.Random(name)
    slow = []
    for _ in range(10_000 // len(GRAMMARS)):
        text = mutated(GRAMMARS[name].example, chance)
        parsed = parse(text, name, SIZE)
        for box in parsed.boxes:
            assert 0 <= box.x0 < box.x1 <= 400 + 1e-9
            assert 0 <= box.y0 < box.y1 <= 300 + 1e-9
        if takes_long(text, name, budget_s):
            slow.append(text[:100])
    assert slow == []


UNITS = (
    *("9", "[", "]", "{", "}", "[]", "{}", "[1,", "[a", "9,", "9 ", "0.5, ", '"', '\\"', '{"a":'),
    *("<box>", "<box></box>", "<loc_1>", "<loc0001> ;", "<seg001>", "<point ", "<p>", "[SEG]"),
    *("<obj><box></box></obj>", "<object>", "<patch_index_0001>", "<think>", "</think>", "1e5,"),
    *('{"bbox_2d":[1,2,3,4]},', "[1,2,3,4],", "[1,[", "(1,2,3)", "(1,2),", "<location>", "<loc"),
    *('x1="1" ', '<point x="1" y="2">a', " ", "<pad>", "a-", "<ref>a</ref><box>[[1,2,3,4]]</box>"),
)


@pytest.mark.parametrize("name", GRAMMARS)
def test_an_endlessly_repeated_text_is_parsed_quickly(name, budget_s):
    slow = []
    for unit in UNITS:
        for start in ("", "[", "{", "<box>", "<obj>", "<location>", "<|box_start|>", "<point "):
            text = (start + unit * (LONGEST // len(unit)))[:LONGEST]
            if takes_long(text, name, budget_s):
                slow.append((start, unit))
    assert slow == []


@pytest.mark.parametrize("name", WRITABLE)
def test_as_many_different_boxes_as_fit_do_not_take_long(name, budget_s):
    many = [PixelBox(f"a{i}", i % 97, i % 89, 200 + i % 101, 190 + i % 83) for i in range(700)]
    text = write(many, name, SIZE)[:LONGEST]
    assert not takes_long(text, name, budget_s)
    parsed = parse(text, name, SIZE)
    assert 200 < len(parsed.boxes) <= 300


@settings(max_examples=200, deadline=None)
@given(text=st.text(max_size=300), name=st.sampled_from(sorted(GRAMMARS)))
def test_no_text_raises(text, name):
    parse(text, name, SIZE, ("a",))


def test_reading_text_needs_no_numpy():
    code = (
        "import sys, types, pathlib\n"
        "import napari_medvlm.backends.box_formats\n"
        "own = [m for n, m in sys.modules.items() if 'box_formats' in n]\n"
        "print(any('numpy' in vars(m) or 'np' in vars(m) for m in own), 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
