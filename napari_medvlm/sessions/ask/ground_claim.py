"""Find the regions of a sentence of an answer after it was given."""

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
    sentence: str,
    volume: Volume,
    inputs: QuestionInputs,
    generated: Mapping[str, Mask],
    model: ModelChoice,
) -> GroundRequest:
    """The request for the regions of a sentence, see `query_of`.

    Parameters
    ----------
    inputs
        Inputs of the question: its slices, labels and objects are searched.
    generated
        Objects that tools segmented.

    Raises
    ------
    BackendUnavailable
        If there is no such backend, or it does not find phrases.
    InvalidPrompt
        If the sentence only denies findings.
    """
    info = registry.info(model.backend)
    if Task.GROUND not in info.tasks:
        raise BackendUnavailable(f"{info.title} does not find phrases.", "Choose another backend.")
    scope = Scope() if inputs.selection is None else inputs.selection.scope
    query = query_of(sentence, scope, inputs.labels, {**generated, **inputs.masks}, volume.grid)
    return GroundRequest(model.backend, volume, model.model, model.device, query)


def query_of(
    sentence: str,
    scope: Scope,
    labels: tuple[NamedLabels, ...],
    objects: Mapping[str, Mask],
    grid: Grid,
) -> GroundQuery:
    """The query for a sentence: the structures and findings it names, or the sentence itself.

    Parameters
    ----------
    objects
        On the grid; those that the sentence names are sent as labels.

    Raises
    ------
    InvalidPrompt
        If the sentence only denies findings.
    """
    named = names_in(sentence, objects)
    known = [name for image in labels for name in image.names.values()]
    results = findings_of(sentence)
    there = [result.phrase for result in results if not result.negated]
    phrases = named or there or names_in(sentence, known) or names_in(sentence, structures())
    if not phrases and results:
        raise InvalidPrompt(
            "The sentence denies a finding, so it has no region.",
            "Choose a sentence that states a finding.",
        )
    own = tuple(_labels(name, objects[name], grid) for name in named)
    return GroundQuery(tuple(phrases) or (sentence.strip(" ."),), scope, labels=(*own, *labels))


def names_in(sentence: str, names: Iterable[str]) -> list[str]:
    """The names that occur in a sentence as whole words and not within longer names."""
    rest, matches = sentence.casefold(), []
    for name in sorted(dict.fromkeys(names), key=lambda name: (-len(name), name)):
        words = r"[\s_-]+".join(map(re.escape, re.split(r"[\s_-]+", name.casefold())))
        rest, times = re.subn(rf"(?<!\w){words}(?!\w)", "\0", rest)
        if times:
            matches.append(name)
    return matches


def grounded(claim: Claim, matches: Grounding, title: str) -> Claim:
    """A claim with the regions found by the backend of that title."""
    reasons = tuple(f"{title}: {missing.reason}" for missing in matches.not_found)
    if not matches.regions:
        return replace(claim, problems=tuple(dict.fromkeys((*claim.problems, *reasons))))
    return replace(claim, regions=matches.regions, source=f"grounded afterwards by {title}")


def _labels(name: str, mask: Mask, grid: Grid) -> NamedLabels:
    return NamedLabels(mask.full().view(np.uint8), grid, {1: name}, "objects")
