"""A structure of a tilted brain by name, its RECIST lines and measurements: a picture of it."""

from __future__ import annotations

import math
from pathlib import Path

import napari
import numpy as np
from napari.layers import Layer

import napari_medvlm as nmv
from examples.window import settle, wait_until
from napari_medvlm._sample_data import mni152
from napari_medvlm.layers import layer_data
from napari_medvlm.layers.convert import volume_of

OUT = Path("demo")
STRUCTURE = "left lateral ventricle"
BY_NAME, _, MEASUREMENTS = range(3)


def main() -> None:
    """Find a structure, measure it, and draw a distance and an angle."""
    OUT.mkdir(exist_ok=True)
    viewer = napari.Viewer(title="napari-medvlm: measurements")
    viewer.window.resize(1500, 1000)
    viewer.add_layer(Layer.create(*layer_data(tilted_brain())))
    _, dock = viewer.window.add_plugin_dock_widget("napari-medvlm", "Segment")
    wait_until(lambda: dock.session is not None)
    folds = dock.folds
    folds.folds[BY_NAME].expand()
    folds.by_name.edit.setText(STRUCTURE)
    folds.by_name.find()
    wait_until(lambda: bool(dock.session.now.objects) and not dock.session.pending)
    folds.folds[BY_NAME].collapse()
    folds.folds[MEASUREMENTS].expand()
    wait_until(lambda: bool(folds.measure.rows))
    folds.measure.draw_diameters()
    wait_until(lambda: folds.measure.rulers.rowCount() == 2)
    dock.objects.list.setMaximumHeight(80)
    zoom_to(viewer, dock.folds.measure.rulers_drawn[0].points_mm.mean(axis=0))
    settle(1)
    viewer.screenshot(OUT / "measure-recist.png", canvas_only=False, flash=False)
    for ruler in folds.measure.rulers_drawn:
        print(f"{ruler.name}: {ruler.text}")
    dock.close_dock()
    viewer.close()


def tilted_brain() -> nmv.Volume:
    """The MNI152 brain as if it had been scanned 15 degrees about two axes askew."""
    straight = volume_of(Layer.create(*mni152()[0]))
    c, s = math.cos(math.radians(15)), math.sin(math.radians(15))
    turn = np.eye(4)
    turn[:3, :3] = np.array([[1, 0, 0], [0, c, -s], [0, s, c]]) @ [[c, -s, 0], [s, c, 0], [0, 0, 1]]
    return nmv.Volume(straight.data, turn @ straight.affine, name="tilted brain")


def zoom_to(viewer: napari.Viewer, spl_mm: np.ndarray) -> None:
    """Show some centimetres around a place."""
    viewer.scene.camera.center = tuple(spl_mm)
    viewer.scene.camera.zoom *= 3


if __name__ == "__main__":
    main()
