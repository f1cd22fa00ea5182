"""The schemas of the tools that are sent to models, and the validation of calls."""

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

_TYPES: Mapping[str, type] = {"string": str, "integer": int, "array": list}


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


def schema_error(spec: ToolSpec, arguments: Mapping[str, Any]) -> str:
    """Why arguments do not keep to the schema, in a sentence; empty: they do."""
    properties = spec.parameters["properties"]
    for name in arguments:
        if name not in properties:
            return f"{spec.name} has no argument {name!r}; it has {', '.join(properties)}."
    for name in spec.parameters.get("required", ()):
        if name not in arguments:
            return f"{spec.name} needs the argument {name!r}."
    flaws = (_flaw(name, value, properties[name]) for name, value in arguments.items())
    return next(filter(None, flaws), "")


def _flaw(name: str, value: Any, schema: Mapping[str, Any]) -> str:
    kind = schema["type"]
    if not _is(value, kind):
        return f"{name} must be of type {kind}, not {value!r}."
    if "enum" in schema and value not in schema["enum"]:
        return f"{name} must be one of {', '.join(schema['enum'])}, not {value!r}."
    if kind == "string" and not value.strip():
        return f"{name} is empty."
    if kind == "integer" and not (
        schema.get("minimum", value) <= value <= schema.get("maximum", value)
    ):
        return f"{name} is {value}, outside {schema['minimum']} to {schema.get('maximum', 'any')}."
    if kind == "array":
        if len(value) != schema["minItems"]:
            return f"{name} must have {schema['minItems']} numbers, not {len(value)}."
        flaws = (_flaw(f"a number of {name}", item, schema["items"]) for item in value)
        return next(filter(None, flaws), "")
    return ""


def _is(value: object, kind: str) -> bool:
    return type(value) is _TYPES[kind]  # True is no number


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
