"""Figures as SVG for a page, and as PDF and SVG files; the same data give the same bytes."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from napari_medvlm.evaluation.runs.run_folder import write_bytes, write_text

Draw = Callable[[Any], None]
"""Draws on a ``matplotlib.figure.Figure``."""
SIZE = (10.0, 4.2)
"""Width and height of a figure, inches."""
FORMATS: dict[str, dict[str, Any]] = {
    "svg": dict.fromkeys(("Creator", "Date", "Format", "Type")),
    "pdf": {"CreationDate": None, "Producer": None},
}
"""Metadata of each file format, without what differs each time. An SVG has none."""


def svg(draw: Draw, size: tuple[float, float] = SIZE) -> str:
    """A figure as an ``<svg>`` element for a page."""
    return _element(_rendered(draw, size, "svg").decode())


def write_svg(folder: Path, name: str, draw: Draw, size: tuple[float, float] = SIZE) -> str:
    """Write a figure as `write_figure` does; its ``<svg>`` element for a page."""
    path, _ = write_figure(folder, name, draw, size)
    return _element(path.read_text(encoding="utf-8"))


def _element(text: str) -> str:
    return text[text.index("<svg") :]


def write_figure(
    folder: Path, name: str, draw: Draw, size: tuple[float, float] = SIZE
) -> tuple[Path, Path]:
    """Write ``NAME.svg`` and ``NAME.pdf``, whose text stays text; their paths.

    Raises
    ------
    CannotSave
        If the folder cannot be written to.
    """
    paths = folder / f"{name}.svg", folder / f"{name}.pdf"
    write_text(paths[0], _rendered(draw, size, "svg").decode())
    write_bytes(paths[1], _rendered(draw, size, "pdf"))
    return paths


def _rendered(draw: Draw, size: tuple[float, float], kind: str) -> bytes:
    from matplotlib.figure import Figure

    with _reproducible():
        page = Figure(figsize=size, layout="constrained")
        draw(page)
        file = io.BytesIO()
        page.savefig(file, format=kind, metadata=FORMATS[kind])
    return file.getvalue()


@contextmanager
def _reproducible() -> Iterator[None]:
    from matplotlib import rc_context

    settings = {"svg.hashsalt": "napari-medvlm", "svg.fonttype": "none", "pdf.fonttype": 42}
    with rc_context(settings):
        yield
