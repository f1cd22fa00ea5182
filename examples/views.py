"""Three planes, a slab and a registered prior: pictures of the window into ``demo/``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import napari
import numpy as np
from napari.layers import Layer
from scipy.spatial.transform import Rotation

import napari_medvlm as nmv
from benchmarks.tasks import mni_maps
from examples.window import open_brain, settle, wait_until
from napari_medvlm.layers import layer_data
from napari_medvlm.layers.orientation import Plane, go_to, show_plane
from napari_medvlm.widgets.commands import named_dock

OUT = Path("demo")
SIZE = (1560, 900)
POINTS = {(89, 96, 77): True, (96, 134, 89): True, (93, 96, 110): False}
"""Voxels (z, y, x), and whether each is positive."""
SLAB_MM = 30.0
SHIFT_MM, TURN_DEG = (4.0, 6.0, -5.0), 6.0
LESION_MM, LESION_RADIUS_MM = (22.0, 30.0, 30.0), 8.0
"""Centre in patient millimetres (S, P, L) of a ball that only the current image has."""


def main() -> None:
    """Take the pictures of all three."""
    OUT.mkdir(exist_ok=True)
    views()
    registered()


def views() -> None:
    """Prompts in three linked planes with the crosshair, then a slab in one."""
    viewer, segment = open_brain("napari-medvlm: Views", "Segment", *SIZE)
    slab(viewer, segment)
    session = segment.session
    for voxel, positive in POINTS.items():
        session.add(nmv.Point.at_index(session.volume, voxel, positive=positive))
    wait_until(lambda: not session.pending and not session.pending_prompts())
    _, dock = viewer.window.add_plugin_dock_widget("napari-medvlm", "Views")
    wait_until(lambda: all(panel.isVisible() for panel in dock.panels))
    dock.toolbar.crosshair.setChecked(True)
    go_to(viewer, session.volume.grid.to_world(next(iter(POINTS))))
    wait_until(lambda: segment.progress.text == "Ready")
    picture(viewer, "views")
    segment.close_dock()
    viewer.close()


def slab(viewer: napari.Viewer, segment: Any) -> None:
    """A minimum intensity projection, then a single slice again."""
    row = segment.display.slab
    row.thickness.setValue(SLAB_MM)
    row.projection.setCurrentText("Minimum")
    row.projection.activated.emit(row.projection.currentIndex())
    picture(viewer, "display-slab")
    row.projection.setCurrentIndex(0)
    row.projection.activated.emit(0)


def registered() -> None:
    """Register a prior that lies elsewhere, and subtract it."""
    viewer = napari.Viewer(title="napari-medvlm: Register")
    viewer.window.resize(*SIZE)
    current = with_lesion(mni_maps(2)[0])
    for volume in (prior_of(current), current):
        viewer.add_layer(Layer.create(*layer_data(volume)))
    dock = named_dock(viewer, "Register")
    dock.start()
    wait_until(lambda: not dock.job.busy and dock.studies is not None)
    dock.comparison.difference.click()
    viewer.layers["prior (registered)"].visible = False
    show_plane(viewer, Plane.AXIAL)
    go_to(viewer, LESION_MM)
    picture(viewer, "register")
    dock.close_dock()
    viewer.close()


def with_lesion(volume: nmv.Volume) -> nmv.Volume:
    """The volume with a dark ball."""
    grid = volume.grid
    index = np.moveaxis(np.indices(volume.data.shape), 0, -1).reshape(-1, 3)
    distance = np.linalg.norm(grid.to_world(index) - np.array(LESION_MM), axis=1)
    data = np.array(volume.data)
    data[(distance < LESION_RADIUS_MM).reshape(data.shape)] = data.max() / 4
    return replace(volume, data=data, name="current")


def prior_of(current: nmv.Volume) -> nmv.Volume:
    """The brain without the ball, shifted and turned."""
    motion = np.eye(4)
    motion[:3, :3] = Rotation.from_euler("x", TURN_DEG, degrees=True).as_matrix()
    motion[:3, 3] = SHIFT_MM
    return replace(current, data=mni_maps(2)[0].data, affine=motion @ current.affine, name="prior")


def picture(viewer: napari.Viewer, name: str) -> None:
    """Let the window draw, and save a picture of it."""
    settle(2)
    viewer.screenshot(OUT / f"{name}.png", canvas_only=False, flash=False)


if __name__ == "__main__":
    main()
