"""The Evaluate dock at the MNI152 brain: pictures of the window into ``demo/``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import napari
import numpy as np
from napari.layers import Layer

from benchmarks.tasks import mni_maps
from examples.window import settle, wait_until
from napari_medvlm.data.label_image import NamedLabels
from napari_medvlm.layers import labels_data, layer_data
from napari_medvlm.layers.orientation import Plane, show_plane
from napari_medvlm.widgets.evaluate.commands import evaluate_dock_of

OUT = Path("demo")
INTERACTIONS = 6
SHOWN = 4
"""The interaction in the pictures."""
GREY_MATTER = 1
TIME = 6
"""The column of seconds, which are those of one computer."""


def main() -> None:
    """Run the simulated user on the grey matter, then compare its mask with the reference."""
    OUT.mkdir(exist_ok=True)
    viewer = napari.Viewer(title="napari-medvlm: Evaluate")
    viewer.window.resize(1500, 940)
    reference = open_brain(viewer)
    dock = evaluate_dock_of(viewer)
    show_plane(viewer, Plane.CORONAL)
    dock.form.interactions.setValue(INTERACTIONS)
    dock.case.truth.choose(reference, GREY_MATTER)
    wait_until(lambda: dock.case.truth.value == GREY_MATTER)
    dock.case.run_button.click()
    wait_until(lambda: dock.case.measured is not None and not dock.case.job.busy)
    dock.case.view.slider.setValue(SHOWN)
    dock.case.view.table.hideColumn(TIME)
    picture(viewer, "evaluate")
    compare(viewer, dock, reference)
    dock.close_dock()
    viewer.close()


def open_brain(viewer: napari.Viewer) -> Layer:
    """Add the brain at 2 mm and its grey and white matter; the layer of labels."""
    volume, maps = mni_maps(2)
    grey = (maps["grey"] > 0.5).astype(np.uint8)
    labels = np.where(maps["white"] > 0.5, np.uint8(2), grey)
    names = {GREY_MATTER: "grey matter", 2: "white matter"}
    viewer.add_layer(Layer.create(*layer_data(volume)))
    named = NamedLabels(labels, volume.grid, names, "reference")
    reference = viewer.add_layer(Layer.create(*labels_data(named)))
    reference.contour = 1
    reference.selected_label = GREY_MATTER
    reference.show_selected_label = True
    return reference


def compare(viewer: napari.Viewer, dock: Any, reference: Layer) -> None:
    """Compare the mask of the simulated user with the reference, and show the differences."""
    simulated = next(layer for layer in viewer.layers if layer.name.endswith(": simulated"))
    dock.show_compare()
    dock.compare.a.choose(reference, GREY_MATTER)
    dock.compare.b.choose(simulated)
    dock.compare.difference.setChecked(True)
    wait_until(lambda: any(layer.name.endswith("difference") for layer in viewer.layers))
    reference.visible = simulated.visible = False
    picture(viewer, "evaluate-compare")


def picture(viewer: napari.Viewer, name: str) -> None:
    """Let the window draw, and save a picture of it."""
    settle(2)
    viewer.screenshot(OUT / f"{name}.png", canvas_only=False, flash=False)


if __name__ == "__main__":
    main()
