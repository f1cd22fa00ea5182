"""Pixels of Pillow's images."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

SCALAR_MODES = ("1", "L", "F", "I")
"""Modes of Pillow with a value a pixel, those of 16 bits (``I;16``) aside."""


def pixels_of(image: Any) -> NDArray[Any]:
    """The pixels of a Pillow image, ``(y, x)`` or ``(y, x, 3)``; palettes as colours."""
    if image.mode == "LA":
        image = image.convert("L")
    elif image.mode not in SCALAR_MODES and not image.mode.startswith("I;16"):
        image = image.convert("RGB")
    return np.asarray(image)
