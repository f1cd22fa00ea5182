"""What a click costs the window with the Views dock open, in a session of few or many prompts.

``python -m benchmarks.prompt_drawing`` under a display: each size has a window of its own with
three views, the crosshair and a reach of 10 mm. A click is a point that is added on the slice of
the viewer, as the Segment dock adds it: it is drawn in all views, the mask (the same each time)
comes, and all is drawn again. Measured is the processor's time of the window's thread, so other
work on the computer does not count; the sizes take turns. Each call of the dock, each turn of the
side views and each drawing of a canvas is a task: the window does not react during it. The list of
layers and the parts of the dock are not included. Writes ``results/prompt-drawing.md``.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import napari
import numpy as np
from napari.layers import Layer

from benchmarks.latency import live_for, live_until
from benchmarks.prompt_cost import VOLUME, Answers
from napari_medvlm.data.prompts import Point
from napari_medvlm.layers import layer_data
from napari_medvlm.layers.orientation import go_to
from napari_medvlm.layers.views.session_views import LinkedSessionLayers
from napari_medvlm.sessions.segment.session import SegmentationSession
from napari_medvlm.settings.view_layout import ViewLayout, read_view_layout, write_view_layout

RESULT = Path(__file__).parent / "results" / "prompt-drawing.md"
SLICE = 10
"""The slice of the viewer, on which the points are added."""
SIZES = (10, 1000, 5000)
"""Prompts of the object that is clicked; the first size is the reference."""
HEAD = """# Drawing a click by the number of prompts

`python -m benchmarks.prompt_drawing`: three views, the crosshair and a reach of 10 mm; medians of
{clicks} clicks of each size, in turns, in milliseconds of the processor on the window's thread, on
a machine that did other work. The prompts lie at random, the clicks on the slice in view. A click
and its mask are drawn in all views: *together* is the sum of the tasks, which are the calls of the
dock, the turns of side views and the drawings of canvases. The last column is the longest of all.

| prompts | together | ratio | longest task | ratio | longest of all |
|---|---|---|---|---|---|
"""


class Drawn:
    """A window with a session, and the tasks of each click in CPU milliseconds."""

    def __init__(self, prompts: int) -> None:
        self.prompts = prompts
        self.clicks: list[list[float]] = []
        self._tasks: list[float] = []
        self._random = np.random.default_rng(prompts)
        self._runner = Answers()
        self.session = SegmentationSession(VOLUME, runner=self._runner)
        for _ in range(prompts):
            self.session.add(self._point(), 1 if self.session.active else None)
        self._runner.at_once = False
        self.viewer = napari.Viewer()
        self.viewer.add_layer(Layer.create(*layer_data(VOLUME)))
        self.layers = LinkedSessionLayers(self.viewer, self.session, print, lambda _: None)
        _, views = self.viewer.window.add_plugin_dock_widget("napari-medvlm", "Views")
        views.arrange(ViewLayout())
        live_until(lambda: all(panel.isVisible() for panel in views.panels))
        go_to(self.viewer, VOLUME.grid.to_world((SLICE, 30, 30)).tolist())
        for qt in (self.viewer.window._qt_viewer, *(panel.canvas for panel in views.panels)):
            self._watch(qt.canvas)
        updates = self.layers._updates
        update = updates._update
        updates._update = lambda key, redrawn: self.task(lambda: update(key, redrawn))
        self.layers.redraw()
        self.layers.pull()
        live_for(2)

    def click(self) -> None:
        """Add a point, wait for its mask, and wait until all views have drawn both."""
        added = self._point(SLICE)
        self._tasks.clear()
        self.task(lambda: self.session.add(added))
        self.task(self.layers.pull_points)
        self._idle()
        self.task(self._runner.answer)
        self.task(self.layers.redraw)
        self._idle()
        self.task(self.layers.pull)
        self._idle()
        self.clicks.append([sum(self._tasks), max(self._tasks)])

    def _point(self, at: int | None = None) -> Point:
        """A point at a random voxel, on a slice or anywhere."""
        index = self._random.integers(0, VOLUME.shape)
        index[0] = index[0] if at is None else at
        return Point.at_index(VOLUME, index.tolist())

    def task(self, call: Callable[[], object]) -> None:
        """Call, and note its time."""
        start_s = time.thread_time()
        call()
        self._tasks.append(1000 * (time.thread_time() - start_s))

    def row(self, reference: Drawn) -> str:
        """A line of the table."""
        totals, longest = zip(*self.clicks[1:], strict=True)
        usual = [statistics.median(column) for column in zip(*reference.clicks[1:], strict=True)]
        total, task = statistics.median(totals), statistics.median(longest)
        cells = total, total / usual[0], task, task / usual[1], max(longest)
        numbers = " | ".join(f"{v:.2f}" if k in (1, 3) else f"{v:.0f}" for k, v in enumerate(cells))
        return f"| {self.prompts:,} | {numbers} |"

    def close(self) -> None:
        """Close the window."""
        self.layers.close()
        self.session.close()
        self.viewer.close()

    def _idle(self) -> None:
        live_until(lambda: not self.layers.is_due)
        live_for(0.1)

    def _watch(self, canvas: Any) -> None:
        """Note the time of each drawing of a canvas."""
        started_s: list[float] = []
        scene = canvas._scene_canvas
        scene.events.draw.connect(lambda _: started_s.append(time.thread_time()), position="first")
        scene.events.draw.connect(
            lambda _: self._tasks.append(1000 * (time.thread_time() - started_s.pop())),
            position="last",
        )


def main() -> None:
    """Measure, print and store the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clicks", type=int, default=15)
    clicks = parser.parse_args().clicks
    earlier = read_view_layout()
    windows = [Drawn(size) for size in SIZES]
    for _ in range(clicks + 1):
        for window in windows:
            window.click()
    text = HEAD.format(clicks=clicks) + "\n".join(w.row(windows[0]) for w in windows) + "\n"
    print(text)
    RESULT.write_text(text, "utf-8")
    for window in windows:
        window.close()
    write_view_layout(earlier)


if __name__ == "__main__":
    main()
