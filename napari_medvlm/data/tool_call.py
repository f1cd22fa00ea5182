"""Questions about an image, and answers whose sentences show where they come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from napari_medvlm.data.region import Region
from napari_medvlm.data.slice_image import SliceImage


@dataclass(frozen=True)
class ToolSpec:
    """A tool that a model may call.

    Parameters
    ----------
    name, description
        For the model.
    parameters
        A JSON schema of its arguments, an object.
    """

    name: str
    description: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True)
class ToolCall:
    """A tool that a model wants called.

    Parameters
    ----------
    name, arguments
        As the model wrote them.
    id
        What the model calls this call, if it names its calls.
    problem
        Why it cannot be called as written, in a sentence; empty: nothing was wrong.
    """

    name: str
    arguments: Mapping[str, Any]
    id: str = ""
    problem: str = ""


@dataclass(frozen=True, eq=False)
class ToolResult:
    """The result of a tool call.

    Parameters
    ----------
    text
        For the model, and for the person in the transcript.
    regions
        What it found or looked at.
    pictures
        What the model is to see.
    failed
        Whether ``text`` says why it did not work.
    """

    call: ToolCall
    text: str
    regions: tuple[Region, ...] = ()
    pictures: tuple[SliceImage, ...] = ()
    failed: bool = False


@dataclass(frozen=True, eq=False)
class ToolRound:
    """A round of an answer: what the model wrote, the calls in it, and what came of them."""

    text: str
    results: tuple[ToolResult, ...]
