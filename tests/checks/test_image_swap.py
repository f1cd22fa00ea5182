"""Fifty questions of known truth, three answerers of known honesty: who is flagged."""

import numpy as np
import pytest

from napari_medvlm.checks.check_list import all_checks
from napari_medvlm.checks.runner import answer_subject, run_checks
from napari_medvlm.data.answer import AnswerKind
from napari_medvlm.data.check_result import Outcome
from napari_medvlm.sessions.ask.image_selection import ImageSelection
from napari_medvlm.sessions.ask.session import AskSession
from tests.checks.conftest import spotted

COUNT = 50


def closed_set():
    """Volumes, questions, and whether the answer is yes: half bright, half dark, half there."""
    random = np.random.default_rng(7)
    for number in range(COUNT):
        kind = ("bright", "dark")[number % 2]
        there = number % 4 < 2
        value = {"bright": 250, "dark": 5}[kind] if there else None
        at = random.integers(1, 17, 2)
        yield spotted(value, at, seed=number), f"Is there a {kind} spot in the image?", there


def another(number, question, there):
    """A picture of another size of which the opposite is right."""
    value = None if there else 250 if "bright" in question else 5
    return spotted(value, (6, 2), seed=100 + number, side=30)


def checked(backend):
    """For each question whether the answer is right, and what the checks came to."""
    for number, (volume, question, there) in enumerate(closed_set()):
        with AskSession(volume, backend, "inline") as session:
            exchange = session.ask(question, kind=AnswerKind.YES_NO, selection=ImageSelection())
            basis = session.basis(exchange)
            checks = all_checks(other=another(number, question, there))
            found = run_checks(checks, answer_subject(basis), basis.runner)
            right = session.turn(exchange).answer.choice == ("yes" if there else "no")
            yield right, {f.check: f for f in found}


def flagged(findings):
    return {f.check for f in findings.values() if f.verdict is Outcome.FLAGGED}


@pytest.fixture(scope="module")
def rows():
    monkeypatch = pytest.MonkeyPatch()
    from tests.checks.conftest import use_answerers

    use_answerers(monkeypatch)
    yield {name: list(checked(name)) for name in ("truthful", "yea_sayer", "blind")}
    monkeypatch.undo()


def test_model_that_is_always_right_is_never_flagged(rows):
    assert all(right for right, _ in rows["truthful"])
    assert [flagged(f) for _, f in rows["truthful"]] == [set()] * COUNT
    there = [f for _, f in rows["truthful"] if f["blanked evidence"].verdict is Outcome.PASSED]
    assert len(there) == sum(there for *_, there in closed_set())


def test_model_that_always_answers_yes_is_flagged_as_contradicting_and_image_independent(rows):
    assert sum(right for right, _ in rows["yea_sayer"]) == sum(t for *_, t in closed_set())
    for _, findings in rows["yea_sayer"]:
        assert flagged(findings) == {"negation twin", "blank image", "image swap"}
        assert "contradicts itself" in findings["negation twin"].sentence
        assert findings["blank image"].sentence.startswith("Does not depend on the image")
        assert "the answer is the same, yes" in findings["image swap"].sentence


def test_model_that_ignores_the_image_is_always_flagged(rows):
    for (_, findings), (_, question, _) in zip(rows["blind"], closed_set(), strict=True):
        assert findings["negation twin"].verdict is Outcome.PASSED  # consistent, and wrong
        says_yes = "bright" in question
        wanted = {"blanked evidence", "blank image", "changed views"} if says_yes else set()
        assert flagged(findings) == wanted | {"image swap"}
        if says_yes:
            assert "hidden it still answers yes" in findings["blanked evidence"].sentence


def test_each_check_asks_the_stated_number_of_questions(rows, answerers):
    volume, question, _ = next(closed_set())
    with AskSession(volume, "truthful", "inline") as session:
        exchange = session.ask(question, kind=AnswerKind.YES_NO, selection=ImageSelection())
        basis = session.basis(exchange)
        subject = answer_subject(basis)
        checks = all_checks(other=another(0, question, True))
        found = run_checks(checks, subject, basis.runner)
        assert [f.requests for f in found] == [check.cost(subject) for check in checks]
        assert sum(f.requests for f in found) == 13
