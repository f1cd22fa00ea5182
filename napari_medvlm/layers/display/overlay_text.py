"""Texts over the image that are readable on bright and dark images in every theme."""

from __future__ import annotations

from typing import Any

PANEL, TEXT = (0.0, 0.0, 0.0, 0.7), "white"
"""Color of the panel behind a text, RGBA, and of the text."""


def add_panel(overlay: Any) -> None:
    """Put a dark panel behind a text or the axes of napari, unless it has a color already."""
    if overlay.box_color is None:
        overlay.box_color = PANEL
        if hasattr(overlay, "color"):
            overlay.color = TEXT
