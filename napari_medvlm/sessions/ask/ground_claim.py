"""Sentences of an answer that are given their places afterwards."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np

from napari_medvlm.backends import registry
from napari_medvlm.backends.base import Task
from napari_medvlm.backends.embedded.atlas.structures import structures
from napari_medvlm.data.answer import Claim
from napari_medvlm.data.errors import BackendUnavailable, InvalidPrompt
from napari_medvlm.data.geometry.grid import Grid
from napari_medvlm.data.grounding import Grounding, GroundQuery, Scope
from napari_medvlm.data.label_image import NamedLabels
from napari_medvlm.data.mask import Mask
from napari_medvlm.data.volume import Volume
from napari_medvlm.language.report_findings import findings_of
from napari_medvlm.sessions.ask.tool_loop import QuestionInputs
from napari_medvlm.sessions.request_sender import ModelChoice
from napari_medvlm.worker.messages import GroundRequest


def request_of(
    sentence: str, volume: Volume, given: QuestionInputs, made: Mapping[str, Mask], who: ModelChoice
) -> GroundRequest:
    """The request for the places of a sentence, as of `query_of`.

    Parameters
    ----------
    given
        What the question rests on: its slices, labels and objects are looked at.
    made
        Objects that tools have made.

    Raises
    ------
    BackendUnavailable
        If there is no such backend, or it does not look for phrases.
    InvalidPrompt
        If the sentence only says what is not there.
    """
    info = registry.info(who.backend)
    if Task.GROUND not in info.tasks:
        raise BackendUnavailable(
            f"{info.title} does not look for phrases.", "Choose another backend for that."
        )
    scope = Scope() if given.view is None else given.view.scope
    query = query_of(sentence, scope, given.labels, {**made, **given.masks}, volume.grid)
    return GroundRequest(who.backend, volume, who.model, who.device, query)


def query_of(
    sentence: str,
    scope: Scope,
    labels: tuple[NamedLabels, ...],
    objects: Mapping[str, Mask],
    grid: Grid,
) -> GroundQuery:
    """What to ask a grounding backend about a sentence: what it names, or else all of it.

    Parameters
    ----------
    objects
        On the grid; those that are named go along as labels.

    Raises
    ------
    InvalidPrompt
        If the sentence only says what is not there.
    """
    named = names_in(sentence, objects)
    known = [name for each in labels for name in each.names.values()]
    findings = findings_of(sentence)
    there = [finding.phrase for finding in findings if not finding.negated]
    phrases = named or there or names_in(sentence, known) or names_in(sentence, structures())
    if not phrases and findings:
        raise InvalidPrompt(
            "The sentence says that something is not there, so it has no place.",
            "Choose a sentence that says where something is.",
        )
    own = tuple(_labels(name, objects[name], grid) for name in named)
    return GroundQuery(tuple(phrases) or (sentence.strip(" ."),), scope, labels=(*own, *labels))


def names_in(sentence: str, names: Iterable[str]) -> list[str]:
    """The names that stand in a sentence, as whole words; not those within longer ones."""
    rest, found = sentence.casefold(), []
    for name in sorted(dict.fromkeys(names), key=lambda name: (-len(name), name)):
        words = r"[\s_-]+".join(map(re.escape, re.split(r"[\s_-]+", name.casefold())))
        rest, times = re.subn(rf"(?<!\w){words}(?!\w)", "\0", rest)
        if times:
            found.append(name)
    return found


def grounded(claim: Claim, found: Grounding, title: str) -> Claim:
    """A claim with the regions that a backend of that title found for it."""
    reasons = tuple(f"{title}: {missing.reason}" for missing in found.not_found)
    if not found.regions:
        return replace(claim, problems=tuple(dict.fromkeys((*claim.problems, *reasons))))
    return replace(claim, regions=found.regions, source=f"grounded afterwards by {title}")


def _labels(name: str, mask: Mask, grid: Grid) -> NamedLabels:
    return NamedLabels(mask.full().view(np.uint8), grid, {1: name}, "objects")
