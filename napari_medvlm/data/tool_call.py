"""Tools that a model may call, its calls and their results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from napari_medvlm.data.region import Region
from napari_medvlm.data.slice_image import SliceImage

_TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "number": (int, float),
    "integer": (int,),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
    "null": (type(None),),
}
"""Python's types by the names that JSON schema gives them."""


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

    def argument_error(self, arguments: Mapping[str, Any]) -> str:
        """Why arguments do not fit the schema, in a sentence; empty if they do.

        Of JSON schema, ``required``, types, ``enum``, bounds of numbers and lengths are checked.
        """
        properties: Mapping[str, Any] = self.parameters.get("properties", {})
        for name in arguments:
            if name not in properties:
                known = ", ".join(properties) or "none"
                return f"{self.name} has no argument {name!r}; it has {known}."
        for name in self.parameters.get("required", ()):
            if name not in arguments:
                return f"{self.name} needs the argument {name!r}."
        errors = (_value_error(name, arguments[name], properties[name]) for name in arguments)
        return next(filter(None, errors), "")


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


def _value_error(name: str, value: object, schema: Mapping[str, Any]) -> str:
    """Why the value of an argument does not fit its schema; empty if it does."""
    kinds = schema.get("type", ())
    kinds = (kinds,) if isinstance(kinds, str) else tuple(kinds)
    if kinds and not any(_is(value, kind) for kind in kinds):
        return f"{name} must be of type {' or '.join(kinds)}, not {value!r}."
    choices = schema.get("enum")
    if choices is not None and value not in choices:
        return f"{name} must be one of {', '.join(map(str, choices))}, not {value!r}."
    match value:
        case str() if schema.get("minLength") and not value.strip():
            return f"{name} is empty."
        case int() | float():
            low, high = schema.get("minimum"), schema.get("maximum")
            if (low is not None and value < low) or (high is not None and value > high):
                bounds = f"{'any' if low is None else low} to {'any' if high is None else high}"
                return f"{name} is {value}, outside {bounds}."
        case list():
            return _list_error(name, value, schema)
    return ""


def _list_error(name: str, values: list[object], schema: Mapping[str, Any]) -> str:
    least, most = schema.get("minItems", 0), schema.get("maxItems", len(values))
    if not least <= len(values) <= most:
        wanted = str(least) if least == most else f"{least} to {most}"
        return f"{name} must have {wanted} values, not {len(values)}."
    errors = (_value_error(f"a value of {name}", v, schema.get("items", {})) for v in values)
    return next(filter(None, errors), "")


def _is(value: object, kind: str) -> bool:
    """Whether a value is of a type of JSON schema, in which `True` is no number."""
    types = _TYPES.get(kind, (object,))
    return isinstance(value, types) and (bool in types or not isinstance(value, bool))
