"""How long the first display of regions holds the window, in seconds of the processor.

``python -m benchmarks.first_regions [REGIONS]``: opens a napari window and shows boxes, then in
another process regions with masks, three times. *Show* is `RegionLayers.show`, *draw* the longest
turn of the event loop after it. With `--without-early-imports` as it was before them.
"""

from __future__ import annotations

import subprocess
import sys
import time

import numpy as np

from napari_medvlm.data.mask import Mask
from napari_medvlm.data.prompts import Box
from napari_medvlm.data.region import Region
from napari_medvlm.data.volume import Volume
from napari_medvlm.layers.region_boxes import DisplayedRegion

VOLUME = Volume(np.random.default_rng(0).integers(0, 500, (60, 128, 128)).astype(np.int16))
SETTLED_S = 3.0
LATE = "--without-early-imports"


def regions(count: int, seed: int, with_masks: bool) -> list[DisplayedRegion]:
    """Regions at random positions."""
    rng, shown = np.random.default_rng(seed), []
    for number in range(count):
        low = rng.integers(0, 40, 3)
        high = low + rng.integers(4, 18, 3)
        box = Box.at_index(VOLUME, tuple(low), tuple(high))
        region = Region("phrase", box, 0.5)
        if with_masks:
            voxels = np.zeros(VOLUME.shape, bool)
            voxels[tuple(slice(a, b) for a, b in zip(low, high, strict=True))] = True
            region = Region.of_mask("phrase", Mask.of(voxels), VOLUME.grid, 0.5, "name")
        shown.append(DisplayedRegion(number, region, "#00ff00", "test"))
    return shown


def longest_turn_s(duration_s: float) -> float:
    """Run the event loop; the longest turn of it in seconds of the processor."""
    from qtpy.QtWidgets import QApplication

    end_s, longest_s = time.monotonic() + duration_s, 0.0
    while time.monotonic() < end_s:
        start_s = time.thread_time()
        QApplication.processEvents()
        longest_s = max(longest_s, time.thread_time() - start_s)
        time.sleep(0.005)
    return longest_s


def measure(count: int, with_masks: bool) -> None:
    """Open a window, show regions three times and print what each took."""
    import napari
    from napari.layers import Layer

    from napari_medvlm.layers import layer_data, region_layers

    if LATE in sys.argv:
        region_layers.import_early = lambda: None
    viewer = napari.Viewer()
    viewer.add_layer(Layer.create(*layer_data(VOLUME)))
    layers = region_layers.RegionLayers(viewer, VOLUME, "Found", lambda _: None)
    longest_turn_s(SETTLED_S)
    for number in range(3):
        shown = regions(count, number, with_masks)
        start_s = time.thread_time()
        layers.show(shown)
        show_s = time.thread_time() - start_s
        kind = "masks" if with_masks else "boxes"
        print(f"{count} {kind}: show {show_s:.3f}, draw {longest_turn_s(1.0):.3f}")
    layers.close()
    viewer.close()


def main() -> None:
    """Measure boxes and masks, each in a process of its own."""
    count = next((int(word) for word in sys.argv[1:] if word.isdigit()), 100)
    for kind in ("--boxes", "--masks"):
        if kind in sys.argv:
            measure(count, kind == "--masks")
        elif not {"--boxes", "--masks"} & set(sys.argv):
            subprocess.run([sys.executable, "-m", __spec__.name, *sys.argv[1:], kind], check=True)


if __name__ == "__main__":
    main()
