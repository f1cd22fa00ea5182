"""A case of an evaluation: ``python -m napari_medvlm.widgets.evaluate.open_case OUT CASE [NAME]``.

Of a segmentation the image, the truth, and the Segment dock with the prompts of the simulated user,
whose masks are computed again. Of places and answers see `evaluated_words`.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import napari
import numpy as np
from napari.layers import Layer
from napari.utils.colormaps import DirectLabelColormap
from qtpy.QtCore import QTimer

from napari_medvlm.data.colors import TRUTH
from napari_medvlm.data.errors import SessionFileError
from napari_medvlm.data.geometry.display import display_grid, displayed
from napari_medvlm.data.prompts import Point
from napari_medvlm.evaluation.runs.run_folder import case_of, read_json, session_path
from napari_medvlm.evaluation.segment.case_reader import load
from napari_medvlm.evaluation.segment.cases import Case, Loaded
from napari_medvlm.evaluation.segment.outcomes import Outcome
from napari_medvlm.evaluation.segment.simulated_user import largest_error
from napari_medvlm.layers import layer_data
from napari_medvlm.layers.orientation import go_to
from napari_medvlm.ledger.ledger import Ledger
from napari_medvlm.widgets.runtime.notify import guarded
from napari_medvlm.widgets.segment.commands import dock_of

if TYPE_CHECKING:
    from qtpy.QtWidgets import QWidget

    from napari_medvlm.widgets.segment.dock import SegmentDock

LOOK_MS = 50


def show(viewer: napari.Viewer, out: Path, case: str, what: str = "") -> QWidget:
    """Put a case of any run into a viewer; the text next to the picture.

    Parameters
    ----------
    what
        The structure or phrase; the first one if it is empty.

    Raises
    ------
    SessionFileError
        If the run has no such case, structure or phrase.
    InvalidImage, GeometryMismatch
        If the case cannot be read any more.
    """
    task = (read_json(out / "run.json") or {}).get("task", "segment")
    content = case_of(out, case)
    if task != "segment":
        from napari_medvlm.widgets.evaluate.open_text_case import show_words

        return show_words(viewer, task, content, what)
    first = [attempt["structure"] for attempt in content["attempts"]][:1]
    return show_case(viewer, out, case, what or "".join(first))


def show_case(viewer: napari.Viewer, out: Path, case: str, structure: str) -> SegmentDock:
    """Put a structure of a case of a run of segmentation into a viewer.

    Raises
    ------
    SessionFileError
        If the run has no such case or structure.
    InvalidImage, GeometryMismatch
        If the case cannot be read any more.
    """
    there = case_of(out, case)
    path = session_path(out, case, structure)
    if not path.is_file():
        raise SessionFileError(
            f"The run in {out} has no case {case!r} with {structure!r}.",
            "See the run's report.html for its cases.",
        )
    loaded, ledger = load(Case.model_validate(there["source"])), Ledger.load(path)
    image = Layer.create(*layer_data(loaded.volume))
    viewer.add_layer(image)
    _add_truth(viewer, loaded, structure)
    viewer.reset_view()
    dock = dock_of(viewer)
    dock.image.choose(image)  # others may be open
    position_mm = _largest_error_mm(loaded, structure, there)
    go_to(viewer, position_mm)
    waiting = QTimer(dock)
    waiting.setInterval(LOOK_MS)

    def look() -> None:
        if dock.image.layer is not image:  # the person went on to another one
            waiting.stop()
        elif dock.session is not None:
            waiting.stop()
            dock.go_on(ledger)
            go_to(viewer, position_mm)

    waiting.timeout.connect(guarded(look))
    waiting.start()
    return dock


def _largest_error_mm(
    loaded: Loaded, structure: str, content: dict[str, Any]
) -> tuple[float, float, float]:
    """``(S, P, L)`` in patient mm: the largest error of the last mask, as in the report."""
    truth = loaded.truth(next(s for s in loaded.structures if s.name == structure))
    attempt = next(a for a in Outcome.model_validate(content).attempts if a.structure == structure)
    mask = np.zeros_like(truth)
    if attempt.mask is not None:
        mask = attempt.mask.mask(loaded.volume.grid).full()
    error = largest_error(truth, mask) or largest_error(truth, np.zeros_like(truth))
    zyx = (0, 0, 0) if error is None else error.click.zyx
    return Point.at_index(loaded.volume, zyx).position_mm


def _add_truth(viewer: napari.Viewer, loaded: Loaded, structure: str) -> None:
    structure_case = next(s for s in loaded.structures if s.name == structure)
    truth = loaded.truth(structure_case).astype(np.uint8)
    shown = np.asarray(displayed(truth, loaded.volume.grid, order=0))
    affine = display_grid(loaded.volume.grid).affine
    layer = viewer.add_labels(shown, name=f"{structure} (reference)", affine=affine)
    layer.contour = 1
    layer.colormap = DirectLabelColormap(color_dict={None: "transparent", 1: TRUTH})


def main() -> None:
    """Open a window and stay until it is closed."""
    out, *named = sys.argv[1:]
    viewer = napari.Viewer(title=", ".join(filter(None, named)))
    guarded(show)(viewer, Path(out), *named)
    napari.run()


if __name__ == "__main__":
    main()
