"""Thumbnails of volumes and masks, as notebooks show them."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from html import escape
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray

SIDE = 192
"""Greatest width and height of a thumbnail, in pixels."""


def png_of(pixels: NDArray[np.uint8]) -> bytes:
    """Encode pixels ``(rows, columns)`` or ``(rows, columns, 3)`` as a PNG of at most `SIDE`."""
    from PIL import Image

    image = Image.fromarray(np.ascontiguousarray(pixels))
    scale = SIDE / max(image.size)
    size = (max(round(image.width * scale), 1), max(round(image.height * scale), 1))
    file = BytesIO()
    image.resize(size, Image.Resampling.BILINEAR).save(file, "PNG")
    return file.getvalue()


def html_of(title: str, rows: Mapping[str, Any], png: bytes) -> str:
    """A table of facts next to an image, as HTML without markup from the texts."""
    cells = "".join(
        f"<tr><th style='text-align:left'>{escape(key)}</th>"
        f"<td style='text-align:left'>{escape(str(value))}</td></tr>"
        for key, value in rows.items()
        if value not in ("", None)
    )
    source = base64.b64encode(png).decode("ascii")
    return (
        "<div style='display:flex;gap:1em;align-items:flex-start'>"
        f"<img alt='{escape(title, quote=True)}' src='data:image/png;base64,{source}'>"
        f"<table><caption>{escape(title)}</caption>{cells}</table></div>"
    )
