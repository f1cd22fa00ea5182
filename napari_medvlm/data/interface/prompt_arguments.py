"""Arguments of the functions that make prompts."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_medvlm.data.errors import InvalidPrompt
from napari_medvlm.data.geometry.grid import Grid
from napari_medvlm.data.volume import Volume

P = ParamSpec("P")
T = TypeVar("T")


def with_volume(
    make: Callable[Concatenate[Any, P], T],
) -> Callable[Concatenate[Any, P], T]:
    """Check that the first argument of a class method is a volume or a grid."""

    @wraps(make)
    def checked(cls: Any, *args: P.args, **kwargs: P.kwargs) -> T:
        first = args[0] if args else kwargs.get("volume")
        if not isinstance(first, Volume | Grid):
            raise InvalidPrompt(
                f"{cls.__name__}.{make.__name__} needs the volume first, but "
                f"{type(first).__name__} was given.",
                how_to_make(cls),
            )
        return make(cls, *args, **kwargs)

    return cast("Callable[Concatenate[Any, P], T]", checked)


def how_to_make(prompt: type[Any]) -> str:
    """How a prompt is made, as a hint."""
    return f"Make it with {EXAMPLES[prompt.__name__]}."


EXAMPLES = {
    "Point": "Point.at_index(volume, (z, y, x))",
    "Box": "Box.at_index(volume, (z, y, x), (z, y, x)), the second corner excluded",
    "Scribble": "Scribble.at_index(volume, [(z, y, x), ...])",
    "Lasso": "Lasso.at_index(volume, [(z, y, x), ...])",
    "InitialMask": "InitialMask.of(volume, mask)",
}
"""How each kind of prompt is made."""


def index_of(zyx: ArrayLike) -> NDArray[np.float64]:
    """An index ``(z, y, x)`` as an array; `InvalidPrompt` if it has not three numbers."""
    try:
        index = np.asarray(zyx, np.float64)
    except (TypeError, ValueError):
        index = np.empty(0)
    if index.shape != (3,):
        raise InvalidPrompt(
            f"{zyx!r} is not an index (z, y, x).", "Give three numbers, such as (89, 96, 77)."
        )
    return index
