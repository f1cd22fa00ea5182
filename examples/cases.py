"""The Cases dock in the middle of a list: a picture of the window into ``demo/``."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import napari

import napari_medvlm as nmv
from examples.window import settle, wait_until
from napari_medvlm.layers.orientation import Plane, show_plane
from napari_medvlm.sessions.cases.case_list import Case, CaseList, Status
from napari_medvlm.widgets.segment.commands import dock_of

OUT = Path("demo")
VENTRICLE = 89, 96, 77
NAMES = [f"brain-{number:02}" for number in range(1, 9)]
IN_WORK, MISSING = NAMES[3], NAMES[6]
COME_TO: dict[str, dict[str, Any]] = {
    NAMES[0]: {"status": Status.DONE, "seconds": 312},
    NAMES[1]: {"status": Status.DONE, "seconds": 187},
    NAMES[2]: {"status": Status.REJECTED, "seconds": 41, "reason": "moved during the scan"},
    IN_WORK: {"status": Status.IN_WORK, "seconds": 73},
}
"""What was made of the first cases; the others are new."""


def main() -> None:
    """Write a list of cases, and go on with it."""
    OUT.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        os.environ["NAPARI_MEDVLM_HOME"] = str(Path(name, "home"))
        show(made_up(Path(name)))


def made_up(folder: Path) -> Path:
    """The file of a list of which some is done: one brain under many names."""
    from nilearn.datasets import load_mni152_template

    image = folder / f"{NAMES[0]}.nii.gz"
    load_mni152_template(resolution=1).to_filename(image)
    cases = []
    for name in NAMES:
        path = image.with_name(f"{name}.nii.gz")
        if name not in (NAMES[0], MISSING):
            shutil.copyfile(image, path)
        cases.append(Case(name=name, path=str(path), **COME_TO.get(name, {})))
    results = folder / "results"
    results.mkdir()
    made = CaseList(title="brains", cases=tuple(cases), current=IN_WORK, folder=str(results))
    file = folder / "brains.cases.json"
    file.write_text(made.model_dump_json())
    return file


def show(file: Path) -> None:
    """What a person does in the window."""
    viewer = napari.Viewer(title="napari-medvlm: Cases")
    viewer.window.resize(1500, 950)
    _, dock = viewer.window.add_plugin_dock_widget("napari-medvlm", "Cases")
    dock.open_list(file)
    wait_until(lambda: bool(viewer.layers) and not dock.work.busy)
    segment = dock_of(viewer)
    wait_until(lambda: segment.session is not None)
    session = segment.session
    session.take("left lateral ventricle", nmv.Point.at_index(session.volume, VENTRICLE), "demo")
    wait_until(lambda: not session.pending and not session.pending_prompts())
    viewer.dims.point = tuple(session.volume.grid.to_world(VENTRICLE))
    show_plane(viewer, Plane.AXIAL)
    dock.parent().raise_()
    settle()
    viewer.screenshot(OUT / "cases.png", canvas_only=False, flash=False)
    dock.close_dock()
    segment.close_dock()
    viewer.close()


if __name__ == "__main__":
    main()
