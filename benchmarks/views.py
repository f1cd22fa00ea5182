"""What three linked views cost: ``python -m benchmarks.views --out FILE`` under a display.

A made-up CT of 512 x 512 x 600 voxels of 16 bits (300 MiB) is opened with the Segment dock and the
Views dock. Blocks of clicks in the viewer alternate between the layout with one view and that with
three, with crosshair, so that both have the same load of the machine. A click is an object of its
own, its mask is drawn when every view that is open has drawn its canvas with the new mask. A timer
of 10 ms fires meanwhile; the longest gap between two of its events is the stall, in wall time and
in CPU time of the window's thread. The same gaps are measured for a point that is added to a layer
of napari's own in one view, and for a canvas that is drawn again with the image alone, before
anything else is opened. Then 100 slices are shown one after the other. Memory is Linux's
``Pss_Anon`` and ``Pss_Shmem`` of this process. What the two views add is measured for a small CT as
well, in a process of its own: canvases need the same for both, so the difference is what depends on
the image. ``--memory`` measures memory alone.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import napari
import numpy as np
from napari.layers import Layer
from qtpy.QtCore import Qt, QTimer
from qtpy.QtTest import QTest

from benchmarks.latency import live_for, live_until, pixel, press
from benchmarks.memory import made_up
from napari_medvlm.layers import layer_data
from napari_medvlm.layers.convert import role
from napari_medvlm.layers.orientation import go_to
from napari_medvlm.settings.view_layout import (
    Layout,
    ViewLayout,
    read_view_layout,
    write_view_layout,
)
from napari_medvlm.widgets.segment.prompt_toolbar import Tool

SHAPE = (600, 512, 512)
ONE = ViewLayout(Layout.SINGLE, has_crosshair=False, reach_mm=0)
THREE = ViewLayout(Layout.RIGHT)
SMALL = 16
"""Slices of the small CT."""
SETTLE_S = 0.3
SLICES = 100
"""Slices that are shown one after the other."""
HEAD = """# Three linked views

`python -m benchmarks.views`: a made-up CT of {shape} voxels, {clicks} clicks with one view and as
many with three and the crosshair, in alternating blocks of {block} in one run, after a first click
of each that is not counted. Click to drawn mask: from the release of the button until all open
views have drawn the mask. A stall is the longest gap of a timer of 10 ms in a click. Wall time is
beside other work on 2 cores, drawn by Mesa's software renderer; CPU time is that of the window's
thread. Medians.

"""


@dataclass
class Ticks:
    """A timer of 10 ms that records when it fires, in wall and in the thread's CPU seconds."""

    times: list[tuple[float, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._timer = QTimer()
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(lambda: self.times.append(now()))
        self._timer.start(10)

    def longest_gaps_ms(self, start: tuple[float, float]) -> tuple[float, float]:
        """The longest gap since a moment, in wall and in CPU milliseconds."""
        moments = np.array([start, *(t for t in self.times if t[0] > start[0]), now()])
        wall, cpu = 1000 * np.diff(moments, axis=0).max(axis=0)
        return float(wall), float(cpu)


def now() -> tuple[float, float]:
    """Wall and CPU seconds of this thread."""
    return time.perf_counter(), time.thread_time()


@dataclass(frozen=True)
class Click:
    """One click: milliseconds to the drawn mask, the backend's own, and the stalls."""

    total_ms: float
    cpu_ms: float
    backend_ms: float
    stall_ms: float
    stall_cpu_ms: float


class Window:
    """A viewer with the Segment and the Views dock on the CT."""

    def __init__(self, slices: int) -> None:
        self.shape = (slices, *SHAPE[1:])
        self.viewer, self.views = napari.Viewer(), None
        live_for(1)
        self.memory_mib = {"window": memory_mib()}
        self.volume = made_up(self.shape)
        self.memory_mib["array"] = memory_mib()
        self.viewer.add_layer(Layer.create(*layer_data(self.volume)))
        live_for(2)
        self.ticks, self.random = Ticks(), np.random.default_rng(0)
        self.redraw_stalls = self._redraws(12)
        self.slices_s = {"napari alone": self.seconds_of_slices()}
        _, self.dock = self.viewer.window.add_plugin_dock_widget("napari-medvlm", "Segment")
        live_until(lambda: self.dock.session is not None, 120)
        self.dock.tools.choose(Tool.POINT)
        go_to(self.viewer, self.volume.grid.to_world(np.array(self.shape) // 2).tolist())
        live_for(4)
        self.click()
        self.memory_mib["one view, one click"] = memory_mib()
        _, self.views = self.viewer.window.add_plugin_dock_widget("napari-medvlm", "Views")
        self.show(THREE)
        self.memory_mib["three views"] = memory_mib()
        self.click()
        self.memory_mib["three views, two clicks"] = memory_mib()

    def show(self, layout: ViewLayout) -> None:
        """Show one view or three."""
        self.views.arrange(layout)
        live_until(lambda: all(panel.isVisible() for panel in self.views.panels))
        live_for(2)

    def views_shown(self) -> list[tuple[Any, Any]]:
        """The model and the scene canvas of each open view."""
        panels = [] if self.views is None else self.views.panels
        qt_viewers = [self.viewer.window._qt_viewer, *(panel.canvas for panel in panels)]
        return [(qt.viewer, qt.canvas._scene_canvas) for qt in qt_viewers]

    def click(self) -> Click:
        """Click near the middle of the bright ball and wait until all views have drawn."""
        self.dock.session.activate(None)
        offset = self.random.integers(-12, 13, 2)
        index = (self.shape[0] // 2, *(np.array(SHAPE[1:]) // 2 + offset))
        at = self.volume.grid.to_world(np.array(index))
        canvas = self.viewer.window._qt_viewer.canvas.native
        place = pixel(self.viewer, canvas, at)
        press(canvas, place)
        drawn, before = Drawn(self.views_shown()), self.predictions()
        start = now()
        QTest.mouseRelease(canvas, Qt.MouseButton.LeftButton, pos=place)
        live_until(lambda: len(self.predictions()) > len(before), 120)
        live_until(lambda: not self.dock.session.pending_prompts() and drawn.is_done, 120)
        live_for(SETTLE_S)
        drawn.close()
        stalls = self.ticks.longest_gaps_ms(start)
        total, cpu = 1000 * (np.array(drawn.last) - start)
        return Click(float(total), float(cpu), 1000 * self.predictions()[-1].seconds, *stalls)

    def _redraws(self, count: int) -> list[tuple[float, float]]:
        """Stalls of drawing the canvas again, with nothing but the image in it."""
        canvas, stalls = self.viewer.window._qt_viewer.canvas._scene_canvas, []
        for _ in range(count):
            start = now()
            canvas.update()
            live_for(0.2)
            stalls.append(self.ticks.longest_gaps_ms(start))
        return stalls[1:]

    def seconds_of_slices(self) -> tuple[float, float]:
        """Wall and CPU seconds in which `SLICES` slices are drawn in the viewer, in turn."""
        canvas, drawn = self.viewer.window._qt_viewer.canvas._scene_canvas, []

        def note(event: object) -> None:
            drawn.append(event)

        canvas.events.draw.connect(note, position="last")
        count = min(SLICES, self.shape[0] - 1)
        first, start = (self.shape[0] - count) // 2, now()
        for index in range(first, first + count):
            drawn.clear()
            self.viewer.dims.set_current_step(0, index)
            live_until(lambda: drawn)
        wall, cpu = np.subtract(now(), start) * SLICES / count
        canvas.events.draw.disconnect(note)
        return float(wall), float(cpu)

    def predictions(self) -> list[Any]:
        """The predictions in the ledger of the session."""
        return [r for r in self.dock.session.ledger.records if r.record == "predicted"]

    def plain_stalls(self, points: int) -> list[tuple[float, float]]:
        """Stalls of points that are added to a layer of napari's own, with one view."""
        layer = self.viewer.add_points(ndim=3, name="napari's own")
        layer.mode = "add"
        live_for(1)
        canvas, stalls = self.viewer.window._qt_viewer.canvas.native, []
        for _ in range(points):
            index = (
                self.shape[0] // 2,
                *(np.array(SHAPE[1:]) // 2 + self.random.integers(-12, 13, 2)),
            )
            place = pixel(self.viewer, canvas, self.volume.grid.to_world(np.array(index)))
            press(canvas, place)
            start = now()
            QTest.mouseRelease(canvas, Qt.MouseButton.LeftButton, pos=place)
            live_for(0.4)
            stalls.append(self.ticks.longest_gaps_ms(start))
        if len(layer.data) != points:
            sys.exit("napari's own points layer did not take the clicks")
        return stalls[1:]

    def close(self) -> None:
        """Close the docks and the viewer."""
        self.viewer.window.remove_dock_widget(self.views)
        self.dock.close_dock()
        self.viewer.close()


class Drawn:
    """Whether all views have drawn their canvas after their mask was sliced again."""

    def __init__(self, views: list[tuple[Any, Any]]) -> None:
        self._masks: list[tuple[Any, Callable[[object], None]]] = []
        self._canvases = []
        self._sliced: set[int] = set()
        self._drawn: set[int] = set()
        self._wanted = set(range(len(views)))
        self.last = now()
        for number, (model, canvas) in enumerate(views):
            for layer in model.layers:
                if role(layer) == "mask":
                    self._watch(number, layer)
            callback = self._on_draw(number)
            canvas.events.draw.connect(callback, position="last")
            self._canvases.append((canvas, callback))

    @property
    def is_done(self) -> bool:
        """Whether every view has drawn."""
        return self._drawn == self._wanted

    def close(self) -> None:
        """Disconnect."""
        for layer, callback in self._masks:
            layer.events.set_data.disconnect(callback)
        for canvas, callback in self._canvases:
            canvas.events.draw.disconnect(callback)

    def _watch(self, number: int, layer: Any) -> None:
        def note(_: object) -> None:
            self._sliced.add(number)
            self._drawn.discard(number)

        layer.events.set_data.connect(note)
        self._masks.append((layer, note))

    def _on_draw(self, number: int) -> Callable[[object], None]:
        def note(_: object) -> None:
            if number not in self._drawn and (number in self._sliced or not self._masks):
                self._drawn.add(number)
                self.last = now()

        return note


def memory_mib() -> float:
    """Memory of this process that no file backs, in MiB."""
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    kib = [int(x.split()[1]) for x in lines if x.startswith(("Pss_Anon:", "Pss_Shmem:"))]
    return sum(kib) / 1024


def main() -> None:
    """Run and write the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--blocks", type=int, default=4)
    parser.add_argument("--block", type=int, default=6, help="Clicks of a block.")
    parser.add_argument("--slices", type=int, default=SHAPE[0])
    parser.add_argument("--out", type=Path)
    parser.add_argument("--memory", action="store_true", help="Print what the views add as JSON.")
    args = parser.parse_args()
    small = None if args.memory else memory_of_small()
    earlier = read_view_layout()
    window = Window(args.slices)
    print(json.dumps(window.memory_mib), flush=True)
    if args.memory:
        window.close()
        write_view_layout(earlier)
        return
    assert small is not None
    rows: dict[str, list[Click]] = {"one view": [], "three views": []}
    for _ in range(args.blocks):
        for name, layout in zip(rows, (ONE, THREE), strict=True):
            window.show(layout)
            window.click()
            rows[name] += [window.click() for _ in range(args.block)]
            print(name, rows[name][-args.block :], flush=True)
    for name, layout in zip(rows, (ONE, THREE), strict=True):
        window.show(layout)
        window.slices_s[name] = window.seconds_of_slices()
    window.show(ONE)
    plain = window.plain_stalls(12)
    text = report(rows, plain, window, args.block) + copies(small, window.memory_mib)
    print(text)
    if args.out is not None:
        args.out.write_text(text, encoding="utf-8")
    window.close()
    write_view_layout(earlier)


def memory_of_small() -> dict[str, float]:
    """The memory figures of the small CT, measured in another process."""
    command = [sys.executable, "-m", "benchmarks.views", "--memory", "--slices", str(SMALL)]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    figures: dict[str, float] = json.loads(next(x for x in lines if x.startswith("{")))
    return figures


def copies(small: dict[str, float], large: dict[str, float]) -> str:
    """How many copies of the array the two further views add: 0 if they share it."""
    added = [memory["three views"] - memory["one view, one click"] for memory in (small, large)]
    arrays = [memory["array"] - memory["window"] for memory in (small, large)]
    share = (added[1] - added[0]) / (arrays[1] - arrays[0])
    return (
        f"\nTwo further views add {added[0]:.0f} MiB to a CT of {SMALL} slices and "
        f"{added[1]:.0f} MiB to this one: {share:.2f} copies of the array.\n"
    )


def report(
    rows: dict[str, list[Click]],
    plain: list[tuple[float, float]],
    window: Window,
    block: int,
) -> str:
    """Markdown tables of the clicks and of the memory."""
    clicks = len(rows["one view"])
    shape = " x ".join(map(str, window.shape[::-1]))
    lines = [
        HEAD.format(shape=shape, clicks=clicks, block=block).rstrip("\n"),
        "",
        "| | click to mask, ms | of it the backend | window's CPU ms | stall, ms | longest stall | "
        "stall, CPU ms | longest, CPU ms |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name, done in rows.items():
        cells = [median(done, key) for key in ("total_ms", "backend_ms", "cpu_ms", "stall_ms")]
        cells += [max(c.stall_ms for c in done), median(done, "stall_cpu_ms")]
        cells += [max(c.stall_cpu_ms for c in done)]
        lines.append(f"| {name} | " + " | ".join(f"{v:.0f}" for v in cells) + " |")
    alone = {"a point of napari alone": plain, "a canvas drawn alone": window.redraw_stalls}
    for name, stalls in alone.items():
        wall, cpu = np.array(stalls).T
        own = [np.median(wall), wall.max(), np.median(cpu), cpu.max()]
        lines.append(f"| {name} | | | | " + " | ".join(f"{v:.0f}" for v in own) + " |")
    ratio = median(rows["three views"], "total_ms") / median(rows["one view"], "total_ms")
    lines += ["", f"Three views over one: {ratio:.2f} times the time to the mask.", ""]
    lines += [f"| {SLICES} slices one after the other | s | CPU s |", "| --- | ---: | ---: |"]
    lines += [f"| {name} | {s:.1f} | {cpu:.1f} |" for name, (s, cpu) in window.slices_s.items()]
    lines.append("")
    lines += ["| memory | MiB |", "| --- | ---: |"]
    lines += [f"| {name} | {mib:.0f} |" for name, mib in window.memory_mib.items()]
    return "\n".join(lines) + "\n"


def median(done: list[Click], key: str) -> float:
    """The median of a figure."""
    return float(np.median([getattr(click, key) for click in done]))


if __name__ == "__main__":
    main()
