"""What was found and answered in Ground and Ask sessions, as a report tells it."""

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
from napari_medvlm.ledger.records import Grounded, Record
from napari_medvlm.sessions.ask.history import ConversationHistory

REPORT = "a report"
"""Who answered where a report does not tell."""
ELSEWHERE = "This comes from a DICOM report, which does not tell all that the answer rests on."


def evaluations_of_file(path: str | Path, volume: Volume) -> tuple[Evaluation, ...]:
    """What a saved session or journal of the Ground or Ask dock says of an image.

    Raises
    ------
    SessionFileError
        If it cannot be read, or is about another image.
    """
    ledger = Ledger.load(path)
    talks = ConversationHistory(volume, ledger, None, lambda _: None).conversations
    return (*evaluations_of_records(ledger.records), *evaluations_of_talks(talks))


def evaluations_of_records(records: Iterable[Record]) -> tuple[Evaluation, ...]:
    """What was found last for each phrase: an evaluation for each region, or that there is none."""
    latest = {record.phrase: record for record in records if isinstance(record, Grounded)}
    return tuple(found for record in latest.values() for found in _grounded(record))


def groundings_of(evaluations: Iterable[Evaluation]) -> dict[str, Grounding]:
    """What evaluations say of phrases, by who found it; answers to questions are left out."""
    found: dict[str, Grounding] = {}
    for e in evaluations:
        if e.present is None:
            continue
        known = found.get(e.who, Grounding())
        missing = () if e.present else (NotFound(e.asked, e.said, e.score),)
        found[e.who] = replace(
            known,
            regions=(*known.regions, *(Region(e.asked, box, e.score) for box in e.boxes)),
            not_found=(*known.not_found, *missing),
        )
    return found


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
    found: dict[tuple[str, str], list[Claim]] = {}
    for e in evaluations:
        asked, who, said = _words(e)
        if e.present is None and (asked, who, said) not in there:
            regions = tuple(Region(said, box, e.score) for box in e.boxes)
            found.setdefault((asked, who), []).append(Claim(said, regions, who))
            there.add((asked, who, said))
    return tuple(
        Turn(
            id=0,
            question=asked,
            backend=who,
            state=State.ANSWERED,
            answer=Answer(" ".join(c.text for c in claims), tuple(claims), notes=(ELSEWHERE,)),
        )
        for (asked, who), claims in found.items()
    )


def evaluations_of_talks(talks: Iterable[Conversation]) -> tuple[Evaluation, ...]:
    """The sentences of all answers, but for those that a reader marked as wrong."""
    return tuple(found for talk in talks for e in talk.turns for found in _answered(e))


def _grounded(record: Grounded) -> list[Evaluation]:
    who = _who(record.backend, record.model)
    if not record.regions:
        said = record.not_found or "Not found."
        return [Evaluation(record.phrase, said, (), False, record.best_score, who)]
    return [
        Evaluation(
            record.phrase, f"Found: {r.name or record.phrase}.", (r.box,), True, r.score, who
        )
        for r in record.regions
    ]


def _answered(exchange: Turn) -> list[Evaluation]:
    answer = exchange.answer
    if answer is None or exchange.state is not State.ANSWERED or not answer.answered:
        return []
    who = _who(exchange.backend, exchange.model)
    if not answer.claims:
        return [Evaluation(exchange.question, answer.text, who=who)] if answer.text.strip() else []
    wrong = {n for n, mark in exchange.marks.items() if mark.verdict is Verdict.WRONG}
    return [
        Evaluation(exchange.question, c.text, tuple(r.box for r in c.regions), who=who)
        for number, c in enumerate(answer.claims)
        if number not in wrong and c.text.strip()
    ]


def _words(evaluation: Evaluation) -> tuple[str, str, str]:
    """What was asked, who was asked, and what was said; DICOM keeps no blanks around texts."""
    return evaluation.asked.strip(), evaluation.who.strip() or REPORT, evaluation.said.strip()


def _who(backend: str, model: str | None) -> str:
    """The backend and its model, which may be a path: only its name is told."""
    return " ".join(filter(None, (backend, Path(model).name if model else "")))
