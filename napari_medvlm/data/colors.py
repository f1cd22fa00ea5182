"""Colours of objects, prompts, boxes and outlines.

There are as many colours of objects as labels in 8 bits, each far from all before it; boxes of
phrases and of answers use the same sequence. Outlines that are drawn into a model's input have
colours with names: `sessions.ask.visual_prompts.COLORS`.
"""

from __future__ import annotations

import re
from functools import lru_cache

import numpy as np

from napari_medvlm.data.geometry.grid import FloatArray

FIRST = (
    "#4dd2ff", "#ffb84d", "#7dff6b", "#ff6bd6", "#fff04d", "#b38cff", "#ff6b6b", "#4dffc3",
    "#c7e05c", "#8cb3ff",
)  # fmt: skip
"""The first colours, easy to distinguish on grey."""
POSITIVE, NEGATIVE, PENDING = "#2ee66b", "#ff4d4d", "#ffa500"
"""Of positive and negative prompts, and of prompts whose mask is not computed yet."""
REFERENCE = "#ffffff"
"""Of boxes read from a file of references, in the viewer."""
TRUTH, DETECTED = "#00a36c", "#ff7f0e"
"""Of outlines in reports and evaluated cases, distinguishable without seeing red or green."""
UNLINKED = "#808080"
"""Of sentences without regions."""
COUNT = 255
STEPS = 14
"""Levels of red, green and blue among the candidates."""
LEAST_LIGHTNESS, LEAST_CHROMA = 35.0, 25.0
"""CIELAB L* and C*ab: darker or greyer colours are not seen on a grey image."""
D65_WHITE = (0.95047, 1.0, 1.08883)
SRGB_TO_XYZ = (
    (0.4124564, 0.3575761, 0.1804375),
    (0.2126729, 0.7151522, 0.0721750),
    (0.0193339, 0.1191920, 0.9503041),
)


def is_hex_color(text: str) -> bool:
    """Whether a text is a colour of the form ``#rrggbb``."""
    return re.fullmatch("#[0-9a-fA-F]{6}", text) is not None


def color_of(object_id: int) -> str:
    """The colour ``#rrggbb`` of the object with an id from 1 on; repeated after `COUNT`."""
    index = (object_id - 1) % COUNT
    return FIRST[index] if index < len(FIRST) else _palette()[index]


def colors_up_to(object_id: int) -> dict[int, str]:
    """The colours of ids from 1 on, by id: of an object and of some or all that come after it."""
    count = len(FIRST) if object_id <= len(FIRST) else max(object_id, COUNT)
    return {i: color_of(i) for i in range(1, count + 1)}


@lru_cache(maxsize=1)
def _palette() -> tuple[str, ...]:
    """`FIRST`, then greedily the candidate farthest from all before it, in CIELAB.

    The method is that of Glasbey et al., Colour displays for categorical images, Color Research and
    Application 32 (2007).
    """
    level = np.linspace(0.0, 1.0, STEPS)
    rgb = np.stack(np.meshgrid(level, level, level, indexing="ij"), axis=-1).reshape(-1, 3)
    lab = to_lab(rgb)
    seen = (lab[:, 0] >= LEAST_LIGHTNESS) & (np.hypot(lab[:, 1], lab[:, 2]) >= LEAST_CHROMA)
    rgb, lab = rgb[seen], lab[seen]
    colors = list(FIRST)
    first = to_lab(np.array([[int(c[i : i + 2], 16) / 255 for i in (1, 3, 5)] for c in FIRST]))
    distance = np.min(np.linalg.norm(lab[:, None] - first, axis=2), axis=1)
    while len(colors) < COUNT:
        farthest = int(np.argmax(distance))
        red, green, blue = np.round(rgb[farthest] * 255).astype(int)
        colors.append(f"#{red:02x}{green:02x}{blue:02x}")
        distance = np.minimum(distance, np.linalg.norm(lab - lab[farthest], axis=1))
    return tuple(colors)


def to_lab(rgb: FloatArray) -> FloatArray:
    """CIELAB (D65) of sRGB colours ``(n, 3)`` between 0 and 1."""
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    xyz = linear @ np.array(SRGB_TO_XYZ).T / np.array(D65_WHITE)
    f = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    x, y, z = f.T
    lab: FloatArray = np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=1)
    return lab
