"""Conversations and reports as files: Markdown, one HTML page with its pictures, JSON."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.data.answer import Claim
from napari_medvlm.data.atomic_write import write_text
from napari_medvlm.data.conversation import Conversation, Turn
from napari_medvlm.data.errors import CannotSave
from napari_medvlm.data.geometry.display import patient_axes
from napari_medvlm.data.region import Region, SliceRef
from napari_medvlm.data.slice_image import picture_of
from napari_medvlm.data.tool_call import ToolRound
from napari_medvlm.data.volume import Volume
from napari_medvlm.sessions.ask.image_selection import plane_of
from napari_medvlm.sessions.ask.visual_prompts import drawn

NOTICE = "Made by software for research and teaching, which is not a medical device."


def export(path: str | Path, volume: Volume, conversation: Conversation) -> None:
    """Write a conversation; the file is complete, or is not there.

    Parameters
    ----------
    path
        ``.md``, ``.html`` (with the pictures that were sent, and one of each claim) or ``.json``.
    volume
        The image that it is about.

    Raises
    ------
    CannotSave
        If the ending is another, or the file cannot be written.
    """
    path = Path(path).expanduser()
    ways: Mapping[str, Callable[[Volume, Conversation], str]] = {
        ".md": markdown,
        ".html": html,
        ".json": lambda v, c: json.dumps(as_json(v, c), indent=1, ensure_ascii=False) + "\n",
    }
    if path.suffix.lower() not in ways:
        raise CannotSave(f"{path.name} has no known ending.", "Use .md, .html or .json.")
    write_text(path, ways[path.suffix.lower()](volume, conversation))


def as_json(volume: Volume, conversation: Conversation) -> dict[str, Any]:
    """A conversation as plain values; boxes in patient millimetres (S, P, L)."""
    return {
        "notice": NOTICE,
        "image": {
            "name": volume.name,
            "digest": volume.digest,
            "shape_zyx": list(volume.shape),
            "modality": str(volume.modality),
        },
        "title": conversation.title,
        "turns": [_turn(volume, turn) for turn in conversation.turns],
    }


def markdown(volume: Volume, conversation: Conversation) -> str:
    """A conversation as Markdown, without pictures."""
    return filled("conversation.md.j2", as_json(volume, conversation))


def html(volume: Volume, conversation: Conversation) -> str:
    """A conversation as one HTML page that needs no other file."""
    page = as_json(volume, conversation)
    for turn, values in zip(conversation.turns, page["turns"], strict=True):
        for sent, seen in zip(turn.sent, values["sent"], strict=True):
            seen["picture"] = data_url(sent.pixels)
        claims = turn.answer.claims if turn.answer else ()
        for claim, row in zip(claims, values["claims"], strict=True):
            row["picture"] = data_url(_seen(volume, claim)) if claim.regions else ""
    return filled("conversation.html.j2", page)


def _turn(volume: Volume, turn: Turn) -> dict[str, Any]:
    answer = turn.answer
    return {
        "question": turn.question,
        "kind": str(turn.kind),
        "options": list(turn.options),
        "context": turn.context,
        "backend": turn.backend,
        "model": turn.model,
        "state": str(turn.state),
        "problem": turn.problem,
        "answered": answer is not None and answer.answered,
        "answer": turn.partial if answer is None else answer.text,
        "reason": "" if answer is None else answer.reason,
        "choice": "" if answer is None else answer.choice,
        "probabilities": [] if answer is None else list(answer.probabilities),
        "thinking": "" if answer is None else answer.thinking,
        "notes": [] if answer is None else list(answer.notes),
        "claims": [] if answer is None else _claims(turn, answer.claims),
        "steps": [_step(step) for step in turn.steps],
        "sent": [
            {
                "plane": plane_of(volume, s.slice.axis),
                "axis": s.slice.axis,
                "index": s.slice.index,
                "caption": s.caption,
                "of": s.of,
            }
            for s in turn.sent
        ],
        "checks": [
            {**vars(result), "verdict": str(result.verdict), "details": dict(result.details)}
            for result in turn.check_results
        ],
        "covered": turn.covered,
        "evidence": _evidence(turn),
        "seconds": round(turn.seconds, 3),
        "first_token_s": turn.first_token_s,
    }


def _evidence(turn: Turn) -> dict[str, Any] | None:
    """Which picture a map of evidence was made of, and where that is brightest."""
    evidence = turn.evidence
    if evidence is None:
        return None
    brightest = np.unravel_index(evidence.heatmap.crop.argmax(), evidence.heatmap.crop.shape)
    zyx = [int(at) + first for at, first in zip(brightest, evidence.heatmap.start, strict=True)]
    return {
        "picture": evidence.image + 1,
        "brightest_zyx": zyx,
        "seconds": round(evidence.seconds, 3),
    }


def _claims(turn: Turn, claims: Sequence[Claim]) -> list[dict[str, Any]]:
    return [
        {
            "number": number + 1,
            "text": claim.text,
            "section": claim.section,
            "source": claim.source,
            "regions": [_region(region) for region in claim.regions],
            "problems": list(claim.problems),
            "verdict": str(turn.marks[number].verdict) if number in turn.marks else "",
            "note": turn.marks[number].note if number in turn.marks else "",
        }
        for number, claim in enumerate(claims)
    ]


def _step(step: ToolRound) -> dict[str, Any]:
    return {
        "text": step.text,
        "calls": [
            {
                "tool": result.call.name,
                "arguments": dict(result.call.arguments),
                "result": result.text,
                "failed": result.failed,
                "regions": [_region(region) for region in result.regions],
            }
            for result in step.results
        ],
    }


def _region(region: Region) -> dict[str, Any]:
    return {
        "phrase": region.phrase,
        "name": region.name,
        "kind": str(region.kind),
        "score": region.score,
        "box_mm": region.bounds_mm.round(3).tolist(),
    }


def _seen(volume: Volume, claim: Claim) -> NDArray[np.uint8]:
    """The slice through a claim's first region, with the claim's regions outlined."""
    first = claim.regions[0]
    ref = first.slice
    if ref is None:
        axis = patient_axes(volume.affine)[0]
        index = int(np.round(volume.grid.to_index(first.center_mm)[axis]))
        ref = SliceRef(axis, int(np.clip(index, 0, volume.shape[axis] - 1)))
    return drawn(picture_of(volume, ref), claim.regions).pixels


def data_url(pixels: NDArray[np.uint8]) -> str:
    """A picture ``(height, width, 3)`` as it stands in a page."""
    from PIL import Image

    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return f"data:image/png;base64,{b64encode(buffer.getvalue()).decode()}"


def filled(template: str, values: Mapping[str, Any]) -> str:
    """One of the templates with these values, which are escaped in HTML."""
    from jinja2 import Environment, PackageLoader, select_autoescape

    environment = Environment(
        loader=PackageLoader("napari_medvlm.sessions.export"),
        autoescape=select_autoescape(["html.j2"]),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(values)
