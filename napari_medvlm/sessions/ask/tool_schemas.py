"""The schemas of the tools that are sent to models."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from napari_medvlm.data.tool_call import ToolSpec

TOOLS = ("segment", "ground", "measure", "zoom", "compare")

_PICTURE = {
    "type": "integer",
    "minimum": 1,
    "description": "The number of a picture, in the order in which they were shown, from 1.",
}
_EDGE = {"type": "integer", "minimum": 0, "maximum": 1000}
_BOX = {
    "type": "array",
    "items": _EDGE,
    "minItems": 4,
    "maxItems": 4,
    "description": "Left, upper, right and lower edge in thousandths of the picture's size.",
}
_POINT = {
    "type": "array",
    "items": _EDGE,
    "minItems": 2,
    "maxItems": 2,
    "description": "x (to the right) and y (down) in thousandths of the picture's size.",
}
_PHRASE = {"type": "string", "minLength": 1, "description": "What to look for, in a few words."}
_OBJECT = {"type": "string", "minLength": 1, "description": "The name of an object."}
_NAME = {"type": "string", "minLength": 1, "description": "What to call the new object."}


def specs(names: Collection[str], others: Sequence[str] = ()) -> tuple[ToolSpec, ...]:
    """What a model is sent about tools.

    Parameters
    ----------
    names
        Which ones, of `TOOLS`.
    others
        Names of other images; without any there is nothing to compare with.
    """
    return tuple(
        spec for spec in _all(others) if spec.name in names and (others or spec.name != "compare")
    )


def _all(others: Sequence[str]) -> tuple[ToolSpec, ...]:
    other = {"type": "string", "enum": list(others), "description": "The other image."}
    return (
        _spec(
            "segment",
            "Outline something and keep it as a named object: give a phrase, or a picture with a "
            "box around it or a point in it.",
            phrase=_PHRASE,
            picture=_PICTURE,
            box=_BOX,
            point=_POINT,
            name=_NAME,
        ),
        _spec("ground", "Find where something is.", ("phrase",), phrase=_PHRASE),
        _spec(
            "measure",
            "Volume, diameters and mean intensity of an object.",
            ("object",),
            object=_OBJECT,
        ),
        _spec(
            "zoom",
            "Look again, at full resolution: give a picture with a box in it, or an object.",
            picture=_PICTURE,
            box=_BOX,
            object=_OBJECT,
        ),
        _spec(
            "compare",
            "See the same place in another image: give a picture, with a box in it if need be, or "
            "an object.",
            ("other",),
            other=other,
            picture=_PICTURE,
            box=_BOX,
            object=_OBJECT,
        ),
    )


def _spec(
    tool: str, description: str, required: tuple[str, ...] = (), **properties: Mapping[str, Any]
) -> ToolSpec:
    schema = {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }
    return ToolSpec(tool, description, schema)
