"""Choices that reading an image may need: one of its volumes, and what to do at missing slices."""

from __future__ import annotations

from dataclasses import dataclass, replace

from qtpy.QtWidgets import QInputDialog, QWidget

from napari_medvlm.data.errors import IrregularSlices, SeveralVolumes
from napari_medvlm.io import Gaps
from napari_medvlm.widgets.parts.series_dialog import ask_gaps

Unclear = IrregularSlices | SeveralVolumes
"""Errors of reading that a choice mends."""


@dataclass(frozen=True)
class ReadChoices:
    """What `read_volume` is called with.

    Parameters
    ----------
    frame
        Which volume of several, from 0; None: there is only one.
    gaps
        What to do where slices are missing.
    """

    frame: int | None = None
    gaps: Gaps = Gaps.REFUSE


def ask_choice(
    problem: Unclear, choices: ReadChoices, name: str, parent: QWidget | None
) -> ReadChoices | None:
    """Ask for what an image needs in order to be read.

    Parameters
    ----------
    choices
        What was chosen before.
    name
        Of the image, for the title.

    Returns
    -------
    The choices with a further one; None if the image is not to be opened.
    """
    if isinstance(problem, IrregularSlices):
        gaps = ask_gaps(problem, name, parent)
        return None if gaps is Gaps.REFUSE else replace(choices, gaps=gaps)
    frame = ask_volume(problem, name, parent)
    return None if frame is None else replace(choices, frame=frame)


def ask_volume(problem: SeveralVolumes, name: str, parent: QWidget | None) -> int | None:
    """Ask which of several volumes to open, from 0; None: none of them."""
    count = len(problem.choices)
    items = [f"{i} of {count}: {choice}" for i, choice in enumerate(problem.choices, 1)]
    text, accepted = QInputDialog.getItem(
        parent, name, f"{problem.message}\n\nOpen volume:", items, 0, False
    )
    return items.index(text) if accepted else None
