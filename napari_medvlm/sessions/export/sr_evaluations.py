"""Regions and answers of Ground and Ask sessions, as a report states them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from napari_medvlm.data.answer import Answer, Claim
from napari_medvlm.data.conversation import Conversation, State, Turn, Verdict
from napari_medvlm.data.grounding import Grounding, NotFound
from napari_medvlm.data.region import Region
from napari_medvlm.data.volume import Volume
from napari_medvlm.io.dicom_objects.sr_evaluations import Evaluation
from napari_medvlm.ledger.ledger import Ledger
from napari_medvlm.ledger.records import Record
from napari_medvlm.ledger.region_records import Grounded
from napari_medvlm.sessions.ask.history import ConversationHistory

REPORT = "a report"
"""The name of the model where a report does not give it."""
ELSEWHERE = (
    "This comes from a DICOM report, which does not contain all that the answer is based on."
)


def evaluations_of_file(path: str | Path, volume: Volume) -> tuple[Evaluation, ...]:
    """What a saved session or journal of the Ground or Ask dock says of an image.

    Raises
    ------
    SessionFileError
        If it cannot be read, or is about another image.
    """
    ledger = Ledger.load(path)
    conversations = ConversationHistory(volume, ledger, None, lambda _: None).conversations
    return (*evaluations_of_records(ledger.records), *evaluations_of_talks(conversations))


def evaluations_of_records(records: Iterable[Record]) -> tuple[Evaluation, ...]:
    """What was found last for each phrase: an evaluation for each region, or that there is none."""
    latest = {record.phrase: record for record in records if isinstance(record, Grounded)}
    return tuple(e for record in latest.values() for e in _grounded(record))


def groundings_of(evaluations: Iterable[Evaluation]) -> dict[str, Grounding]:
    """What evaluations say of phrases, by who found it; answers to questions are left out."""
    groups: dict[str, Grounding] = {}
    for e in evaluations:
        if e.present is None:
            continue
        known = groups.get(e.algorithm, Grounding())
        missing = () if e.present else (NotFound(e.question, e.sentence, e.score),)
        groups[e.algorithm] = replace(
            known,
            regions=(*known.regions, *(Region(e.question, box, e.score) for box in e.boxes)),
            not_found=(*known.not_found, *missing),
        )
    return groups


def exchanges_of(
    evaluations: Iterable[Evaluation], known: Iterable[Conversation] = ()
) -> tuple[Turn, ...]:
    """The answers of evaluations, each with its sentences; what was found of phrases is left out.

    Parameters
    ----------
    known
        Conversations whose sentences are left out, too.
    """
    there = {_words(e) for e in evaluations_of_talks(known)}
    groups: dict[tuple[str, str], list[Claim]] = {}
    for e in evaluations:
        asked, source, text = _words(e)
        if e.present is None and (asked, source, text) not in there:
            regions = tuple(Region(text, box, e.score) for box in e.boxes)
            groups.setdefault((asked, source), []).append(Claim(text, regions, source))
            there.add((asked, source, text))
    return tuple(
        Turn(
            id=0,
            question=asked,
            backend=source,
            state=State.ANSWERED,
            answer=Answer(" ".join(c.text for c in claims), tuple(claims), notes=(ELSEWHERE,)),
        )
        for (asked, source), claims in groups.items()
    )


def evaluations_of_talks(conversations: Iterable[Conversation]) -> tuple[Evaluation, ...]:
    """The sentences of all answers, but for those that a reader marked as wrong."""
    return tuple(e for talk in conversations for turn in talk.turns for e in _answered(turn))


def _grounded(record: Grounded) -> list[Evaluation]:
    source = _source(record.backend, record.model)
    if not record.regions:
        text = record.not_found or "Not found."
        return [Evaluation(record.phrase, text, (), False, record.best_score, source)]
    return [
        Evaluation(
            record.phrase, f"Found: {r.name or record.phrase}.", (r.box,), True, r.score, source
        )
        for r in record.regions
    ]


def _answered(exchange: Turn) -> list[Evaluation]:
    answer = exchange.answer
    if answer is None or exchange.state is not State.ANSWERED or not answer.answered:
        return []
    source = _source(exchange.backend, exchange.model)
    if not answer.claims:
        return (
            [Evaluation(exchange.question, answer.text, algorithm=source)]
            if answer.text.strip()
            else []
        )
    wrong = {n for n, mark in exchange.marks.items() if mark.verdict is Verdict.WRONG}
    return [
        Evaluation(exchange.question, c.text, tuple(r.box for r in c.regions), algorithm=source)
        for number, c in enumerate(answer.claims)
        if number not in wrong and c.text.strip()
    ]


def _words(evaluation: Evaluation) -> tuple[str, str, str]:
    """The question, the backend and the answer; DICOM strips blanks around texts."""
    return (
        evaluation.question.strip(),
        evaluation.algorithm.strip() or REPORT,
        evaluation.sentence.strip(),
    )


def _source(backend: str, model: str | None) -> str:
    """The backend and its model, which may be a path: only its name is written."""
    return " ".join(filter(None, (backend, Path(model).name if model else "")))
