"""Two clicks in the left lateral ventricle of the MNI152 brain, in the Segment dock.

Leaves pictures of the window, the mask and the session in ``demo/`` and prints how large the
ventricle is and how long a click took. With ``--stay`` the window stays open.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import napari
import numpy as np

from examples.window import open_brain, settle, wait_until
from napari_medvlm import write_mask
from napari_medvlm.layers.orientation import go_to
from napari_medvlm.widgets.segment.prompt_toolbar import Tool

CLICKS = ((89, 96, 77), (95, 122, 85))
"""Voxels (z, y, x) of the scan: in the trigone, and in the body near the frontal horn."""

OUT = Path("demo")


def main(stay: bool) -> None:
    """Show the brain, click twice, look at it from all sides."""
    OUT.mkdir(exist_ok=True)
    viewer, dock = open_brain("napari-medvlm demo", "Segment", 1500, 940)
    dock.tools.choose(Tool.POINT)
    for index in CLICKS:
        click(viewer, dock, index)
    session = dock.session
    session.edit_object(1, name="left lateral ventricle")
    take_pictures(viewer, dock)
    write_mask(OUT / "mask.nii.gz", session.mask, session.volume)
    session.ledger.save(OUT / "session.json")
    tell(session)
    if stay:
        napari.run()
    else:
        dock.close_dock()
        viewer.close()


def click(viewer: napari.Viewer, dock: Any, index: tuple[int, int, int]) -> None:
    """Put a point, as a click of the mouse does, and wait for the mask."""
    place_mm = dock.session.volume.grid.to_world(index)
    go_to(viewer, place_mm)
    points = viewer.layers.selection.active
    points.add(points.world_to_data(place_mm))
    wait_until(lambda: not dock.session.pending_prompts())
    settle()


def take_pictures(viewer: napari.Viewer, dock: Any) -> None:
    """The window in each plane and in 3D, and the three planes side by side."""
    planes = []
    for name in ("Axial", "Coronal", "Sagittal", "3D"):
        dock.display.planes.view_requested.emit(name)
        settle()
        viewer.screenshot(OUT / f"{name.lower()}.png", canvas_only=False, flash=False)
        planes.append(viewer.screenshot(canvas_only=True, flash=False))
    save_side_by_side(planes[:3], OUT / "planes.png")


def save_side_by_side(pictures: list[np.ndarray], path: Path) -> None:
    """Pictures in a row, cut to the smallest height."""
    from PIL import Image

    height = min(picture.shape[0] for picture in pictures)
    row = np.concatenate([picture[:height, :, :3] for picture in pictures], axis=1)
    Image.fromarray(row).save(path)


def tell(session: Any) -> None:
    """Print what was measured."""
    seconds = [r.seconds for r in session.ledger.records if r.record == "predicted"]
    found = session.measurement(1)
    print(f"Left lateral ventricle: {found}")
    print(f"Volume: {found.volume_ml:.2f} mL")
    print(f"Seconds per click: {', '.join(f'{s:.2f}' for s in seconds)}")
    print(f"Pictures, mask and session are in {OUT.resolve()}")


if __name__ == "__main__":
    main("--stay" in sys.argv)
