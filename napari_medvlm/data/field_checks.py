"""Refusing fields of another type or shape with what was expected, before they are used."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np

Kinds = type[Any] | tuple[type[Any], ...]
TOLERANCE = 1e-3
"""How far rounding may take a share outside of 0 to 1."""


def require_texts(owner: object, *names: str) -> None:
    """Raise `TypeError` unless fields are texts."""
    for name in names:
        if not isinstance(getattr(owner, name), str):
            raise _wrong(owner, name, "a str")


def require_kinds(owner: object, kind: Kinds, *names: str, optional: bool = True) -> None:
    """Raise `TypeError` unless fields are of a class, or `None` if they may be."""
    for name in names:
        value = getattr(owner, name)
        if not (isinstance(value, kind) or (optional and value is None)):
            raise _wrong(owner, name, _names(kind) + (" or None" if optional else ""))


def require_items(owner: object, kind: Kinds, *names: str) -> None:
    """Raise `TypeError` unless fields are tuples, or lists, of a class."""
    for name in names:
        value = getattr(owner, name)
        expected = f"a tuple of {_names(kind)}"
        if not isinstance(value, tuple | list):
            raise _wrong(owner, name, expected)
        for item in value:
            if not isinstance(item, kind):
                raise _wrong(owner, name, expected, item)


def require_share(owner: object, *names: str) -> None:
    """Raise an error unless fields are `None` or numbers from 0 to 1.

    Raises
    ------
    TypeError
        If one is no number.
    ValueError
        If one lies outside.
    """
    for name in names:
        value = getattr(owner, name)
        if value is None:
            continue
        if not isinstance(value, Real | np.number):
            raise _wrong(owner, name, "a number from 0 to 1, or None")
        if not -TOLERANCE <= float(value) <= 1 + TOLERANCE:
            raise ValueError(
                f"{type(owner).__name__}: {name} must lie from 0 to 1, and is {float(value):g}."
            )


def require_array(owner: object, name: str, axes: int, kinds: str, expected: str) -> None:
    """Raise `TypeError` unless a field is an array with some axes, of a kind of ``dtype.kind``."""
    value = getattr(owner, name)
    if not isinstance(value, np.ndarray) or value.ndim != axes or value.dtype.kind not in kinds:
        raise _wrong(owner, name, expected)


def require_no_probabilities(values: np.ndarray, what: str) -> None:
    """Raise `ValueError` if a mask has fractions, all of which would be taken as inside."""
    if values.dtype.kind == "f" and not np.array_equal(values, np.rint(values)):
        raise ValueError(
            f"{what} has fractions or NaN, as probabilities have: compare them with a threshold "
            "first, as in probabilities > 0.5."
        )


def description(value: object) -> str:
    """What a value is, for a message: its class, and of an array the shape and type."""
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape} and type {value.dtype}"
    shape = getattr(value, "shape", None)
    name = f"{type(value).__module__}.{type(value).__qualname__}".removeprefix("builtins.")
    return name if shape is None else f"{name} of shape {tuple(shape)}"


def _wrong(owner: object, name: str, expected: str, item: object = None) -> TypeError:
    value = getattr(owner, name)
    came = description(value) if item is None else f"one with {description(item)}"
    return TypeError(f"{type(owner).__name__}: {name} must be {expected}, not {came}.")


def _names(kind: Kinds) -> str:
    kinds = kind if isinstance(kind, tuple) else (kind,)
    return " or ".join(item.__name__ for item in kinds)
