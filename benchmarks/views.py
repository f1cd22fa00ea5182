"""What three linked views cost: ``python -m benchmarks.views [CLICKS]`` under a display.

A made-up CT of 512 x 512 x 300 voxels of 16 bits (150 MiB) is opened with the Segment dock. Clicks
are sent as `benchmarks.latency` sends them, with the viewer alone and then with the Views dock open
(two side views with crosshair): milliseconds from the release to the drawn mask, and the longest
gap of a timer of 10 ms. Of Linux's ``smaps_rollup`` the memory that the process has of its own is
read before the Views dock is opened, after it, and after a scribble that all views show.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import napari
import numpy as np
from napari.layers import Layer

from benchmarks.latency import RESULTS, Ticks, live_for, live_until, measure
from benchmarks.memory import made_up
from napari_medvlm.data.prompts import Scribble
from napari_medvlm.layers import layer_data
from napari_medvlm.layers.orientation import go_to
from napari_medvlm.widgets.segment.prompt_toolbar import Tool

SHAPE = (300, 512, 512)
MIB = 1024 * 1024


def main(clicks: int) -> None:
    """Click with one view and with three, and measure."""
    viewer, volume = napari.Viewer(), made_up(SHAPE)
    viewer.add_layer(Layer.create(*layer_data(volume)))
    _, dock = viewer.window.add_plugin_dock_widget("napari-medvlm", "Segment")
    live_until(lambda: dock.session is not None)
    go_to(viewer, volume.grid.to_world(np.array(SHAPE) // 2).tolist())
    live_for(4)
    summary: dict[str, float] = {"array_mib": volume.data.nbytes / MIB, "clicks": clicks}
    summary |= named("one_view", clicked(viewer, dock, clicks))
    before = own_mib()
    _, views = viewer.window.add_plugin_dock_widget("napari-medvlm", "Views")
    views.arrange(views.arrangement)
    live_until(lambda: all(panel.isVisible() for panel in views.panels))
    live_for(4)
    summary["views_mib"] = own_mib() - before
    summary |= named("three_views", clicked(viewer, dock, clicks))
    summary["ratio"] = summary["three_views_ms_median"] / summary["one_view_ms_median"]
    before = own_mib()
    dock.tools.choose(Tool.SCRIBBLE)
    y, x = np.indices((40, 40)).reshape(2, -1) + SHAPE[1] // 2
    dock.session.add(
        Scribble.at_index(volume.grid, np.stack([np.full(y.shape, SHAPE[0] // 2), y, x], 1))
    )
    live_until(lambda: not dock.session.pending_prompts())
    live_for(3)
    summary["scribble_mib"] = own_mib() - before
    (RESULTS / "views.json").write_text(json.dumps(summary, indent=1) + "\n")
    for name, value in summary.items():
        print(f"{name:28} {value:8.1f}")
    viewer.window.remove_dock_widget(views)
    dock.close_dock()
    viewer.close()


def clicked(viewer: Any, dock: Any, clicks: int) -> list[dict[str, float]]:
    """Figures of so many clicks in the ball, each an object of its own; the first is left out."""
    dock.tools.choose(Tool.POINT)
    canvas = viewer.window._qt_viewer.canvas.native
    random, ticks, rows = np.random.default_rng(0), Ticks(), []
    for _ in range(clicks + 1):
        dock.session.activate(None)
        offset = random.integers(-12, 13, 2)
        index = (SHAPE[0] // 2, *(np.array(SHAPE[1:]) // 2 + offset))
        world = dock.session.volume.grid.to_world(np.array(index))
        rows.append(measure(viewer, dock, canvas, ticks, world))
        live_for(0.2)
    return rows[1:]


def named(name: str, rows: list[dict[str, float]]) -> dict[str, float]:
    """Medians and the longest gap, under the name of the layout."""
    return {
        f"{name}_ms_median": float(np.median([row["total_ms"] for row in rows])),
        f"{name}_backend_ms_median": float(np.median([row["backend_ms"] for row in rows])),
        f"{name}_gap_ms_median": float(np.median([row["gap_ms"] for row in rows])),
        f"{name}_longest_gap_ms": max(row["gap_ms"] for row in rows),
    }


def own_mib() -> float:
    """Memory that this process has of its own."""
    for line in Path("/proc/self/smaps_rollup").read_text().splitlines():
        if line.startswith("Anonymous:"):
            return int(line.split()[1]) / 1024
    return float("nan")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 15)
