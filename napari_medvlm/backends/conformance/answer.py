"""The conformance kit for backends that answer questions."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import replace
from functools import wraps

import numpy as np

from napari_medvlm.backends import dispatch
from napari_medvlm.backends.base import Backend, Progress, Task
from napari_medvlm.backends.conformance.phantom import CENTER, phantom
from napari_medvlm.data.answer import Answer, AnswerKind, ChatTurn, Question
from napari_medvlm.data.errors import BackendUnavailable, Cancelled
from napari_medvlm.data.region import SliceRef
from napari_medvlm.data.slice_image import picture_of
from napari_medvlm.data.volume import Volume

TEXT = "Is there a bright thing in the image?"
OPTIONS = ("yes", "no")
Check = Callable[[type[Backend], str | None], None]


def _answers(check: Check) -> Check:
    """Mark a check that applies only to backends that answer questions."""

    @wraps(check)
    def run(cls: type[Backend], model: str | None = None) -> None:
        if Task.ANSWER in cls.info.tasks:
            check(cls, model)

    return run


@_answers
def check_answer(cls: type[Backend], model: str | None = None) -> None:
    """An answer has text, or a reason why there is none; regions lie in the image; it travels."""
    for volume in (phantom(), phantom(30)):
        before = volume.data.copy()
        pieces: list[str] = []
        question = _question(cls, volume)
        answer = _ask(cls(), model, volume, question, deliver=pieces.append)
        assert np.array_equal(volume.data, before), "the backend writes to the image"
        _check_complete(answer, volume)
        assert all(isinstance(piece, str) for piece in pieces), "AnswerDelta.text is not a str"
        again = pickle.loads(pickle.dumps(answer))
        assert _content(again) == _content(answer), "the answer changes when it is pickled"


@_answers
def check_answer_again(cls: type[Backend], model: str | None = None) -> None:
    """The same question has the same answer: again, after others, and in a fresh instance."""
    volume, other = phantom(), phantom(20)
    question = _question(cls, volume)
    backend = cls()
    first = _content(_ask(backend, model, volume, question))
    _ask(backend, model, other, _question(cls, other, "What is in the middle?"))
    again = _content(_ask(backend, model, volume, question))
    assert again == first, "it depends on what was asked before"
    fresh = _content(_ask(cls(), model, volume, question))
    assert fresh == first, "a fresh instance answers otherwise"


@_answers
def check_answer_follow_up(cls: type[Backend], model: str | None = None) -> None:
    """A question with a conversation before it is answered, or refused with a reason."""
    volume = phantom()
    question = _question(cls, volume, "And on the left?")
    shown = replace(question, earlier=(ChatTurn(TEXT, "Yes.", question.pictures),))
    _check_complete(_ask(cls(), model, volume, shown), volume)


@_answers
def check_answer_cancel(cls: type[Backend], model: str | None = None) -> None:
    """`Cancelled` raised by the progress gets through, and the next question is answered."""

    def stop(fraction: float, message: str = "") -> None:
        raise Cancelled

    backend, volume = cls(), phantom()
    question = _question(cls, volume)
    first = _content(_ask(backend, model, volume, question))
    try:
        dispatch.answer(backend, volume, question, stop, _drop)
    except Cancelled:
        pass
    else:
        raise AssertionError("progress is never called, or Cancelled does not get through")
    after = _content(_ask(backend, model, volume, question))
    assert after == first, "after a cancel it answers otherwise"


@_answers
def check_answer_options(cls: type[Backend], model: str | None = None) -> None:
    """A closed question is answered with an option, with text to read it from, or with a reason."""
    volume = phantom()
    for kind in (AnswerKind.CHOICE, AnswerKind.YES_NO):
        question = replace(_question(cls, volume), kind=kind, options=OPTIONS)
        answer = _ask(cls(), model, volume, question)
        _check_complete(answer, volume)
        assert answer.choice in ("", *OPTIONS), (
            f"choice is {answer.choice!r}, which is none of the options {OPTIONS}"
        )
        values = answer.probabilities
        assert len(values) in (0, len(OPTIONS)), f"{len(values)} probabilities of 2 options"
        assert all(0 <= value <= 1 for value in values), f"probabilities {values}"
        assert not values or abs(sum(values) - 1) < 1e-3, f"they sum to {sum(values)}"


@_answers
def check_answer_refusal(cls: type[Backend], model: str | None = None) -> None:
    """A question that makes no sense is answered, or refused in a sentence; it is no error."""
    volume = phantom()
    _check_complete(_ask(cls(), model, volume, _question(cls, volume, "Qwx zzyv?")), volume)


def check_answer_task(cls: type[Backend], model: str | None = None) -> None:
    """A backend that does not answer raises `BackendUnavailable` when asked to."""
    if Task.ANSWER in cls.info.tasks:
        return
    try:
        list(cls().answer(Question(TEXT), _ignore))
    except BackendUnavailable:
        return
    raise AssertionError("it answers, and info.tasks does not name Task.ANSWER")


ANSWER_CHECKS: tuple[Check, ...] = (
    check_answer_task,
    check_answer,
    check_answer_again,
    check_answer_follow_up,
    check_answer_cancel,
    check_answer_options,
    check_answer_refusal,
)


def _question(cls: type[Backend], volume: Volume, text: str = TEXT) -> Question:
    """A question as a session sends it: with a picture unless the backend looks at none."""
    if cls.info.uses_no_images:
        return Question(text)
    return Question(text, pictures=(picture_of(volume, SliceRef(0, CENTER[0])),))


def _ask(
    backend: Backend,
    model: str | None,
    volume: Volume,
    question: Question,
    deliver: Callable[[str], None] | None = None,
    progress: Progress | None = None,
) -> Answer:
    backend.load(model, "cpu")
    dispatch.set_volume(backend, volume)
    return dispatch.answer(backend, volume, question, progress or _ignore, deliver or _drop)


def _check_complete(answer: Answer, volume: Volume) -> None:
    """What is true of each answer, whatever was asked."""
    if not answer.answered:
        reason = answer.reason.strip()
        assert reason, "an answer with answered=False has no reason"
        assert reason[-1] in ".!?", f"reason is not a sentence: {reason!r}"
        return
    assert answer.text.strip() or answer.calls, (
        "an answer without text: give text, or answered=False with a reason"
    )
    for claim in answer.claims:
        assert claim.text.strip(), "a claim has no text"
        assert claim.source.strip(), f"the claim {claim.text!r} has no source"
        for region in claim.regions:
            start, stop = region.box.bounds(volume.grid)
            assert (stop > start).all(), f"a region of {claim.text!r} lies outside the image"
            for part in (region.mask, region.heatmap):
                assert part is None or part.shape == volume.shape, (
                    f"a region of {claim.text!r} lies on another grid: {part and part.shape}"
                )


def _content(answer: Answer) -> object:
    """What must be equal in equal answers."""
    claims = tuple((c.text, c.source, tuple(r.box for r in c.regions)) for c in answer.claims)
    return answer.answered, answer.text, answer.reason, answer.choice, claims


def _ignore(fraction: float, message: str = "") -> None:
    """A progress that nobody looks at."""


def _drop(text: str) -> None:
    """Text that nobody reads."""
