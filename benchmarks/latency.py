"""From the mouse's click to the refreshed mask in the real window, and how long the window stalls.

Run under a display: ``python -m benchmarks.latency [CLICKS]``. The window has the size that napari
gives it. The mouse's press and release are sent to the canvas as Qt sends them, a tenth of a second
apart as a hand does it; the mask is refreshed when the mask layer has drawn its new slice. A timer
of 10 ms ticks meanwhile; the longest gap between two ticks is how long the window stalled. Beside
it, in the same window, how long it stalls when a point is put into a points layer of napari's own,
with nothing of ours listening.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import napari
import numpy as np
from qtpy.QtCore import QPoint, Qt, QTimer
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QWidget

from napari_medvlm.widgets.segment.prompt_toolbar import Tool

RESULTS = Path(__file__).parent / "results"
HOLD_S = 0.1
"""How long a hand holds the button in a click: what the press changed is drawn by then."""


class Ticks:
    """A timer of 10 ms that notes when it fires."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self._timer = QTimer()
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(lambda: self.times.append(time.perf_counter()))
        self._timer.start(10)

    def longest_gap_ms(self, start: float, end: float) -> float:
        """The longest time without a tick between two moments."""
        inside = [start, *(t for t in self.times if start < t < end), end]
        return 1000 * float(np.max(np.diff(inside)))


def live_until(condition: object, timeout_s: float = 60) -> None:
    """Let the window live until something is so."""
    end = time.perf_counter() + timeout_s
    while not condition():  # type: ignore[operator]
        QApplication.processEvents()
        time.sleep(0.0005)
        if time.perf_counter() > end:
            sys.exit("waited too long")


def live_for(seconds: float) -> None:
    """Let the window live for a while."""
    end = time.perf_counter() + seconds
    live_until(lambda: time.perf_counter() > end)


def pixel(viewer: napari.Viewer, canvas: object, world: np.ndarray) -> QPoint:
    """Where a place stands in the canvas, in the axial plane."""
    camera = viewer.scene.camera
    down, right = (world[1:] - np.array(camera.center)[-2:]) * camera.zoom
    return QPoint(round(canvas.width() / 2 + right), round(canvas.height() / 2 + down))


def main(clicks: int) -> None:
    """Click, and measure."""
    viewer = napari.Viewer()
    viewer.open_sample("napari-medvlm", "mni152")
    _, dock = viewer.window.add_plugin_dock_widget("napari-medvlm", "Segment")
    live_until(lambda: dock.session is not None)
    dock.tools.choose(Tool.POINT)
    canvas = viewer.window._qt_viewer.canvas.native
    volume, ticks = dock.session.volume, Ticks()
    random = np.random.default_rng(0)
    inside = np.argwhere(volume.data[95] > 0.3)
    rows, plain = [], []
    viewer.dims.point = tuple(volume.grid.to_world((95, 120, 85)))
    live_for(4)
    for _ in range(clicks):
        y, x = inside[random.integers(len(inside))]
        rows.append(measure(viewer, dock, canvas, ticks, volume.grid.to_world((95, y, x))))
        live_for(0.2)
    own = viewer.layers.selection.active
    other = viewer.add_points(ndim=3, name="napari's own")
    other.mode = "add"
    live_for(1)
    for _ in range(clicks):
        y, x = inside[random.integers(len(inside))]
        plain.append(stall(viewer, canvas, ticks, volume.grid.to_world((95, y, x))))
        live_for(0.2)
    if len(other.data) != clicks:
        sys.exit("napari's own points layer did not take the clicks")
    viewer.layers.selection.active = own
    report(rows[1:], plain[1:])
    dock.close_dock()
    viewer.close()


def press(canvas: QWidget, place: QPoint) -> None:
    """Move there, and press the button for as long as a hand does."""
    QTest.mouseMove(canvas, place)
    QTest.mousePress(canvas, Qt.MouseButton.LeftButton, pos=place)
    live_for(HOLD_S)


def measure(viewer, dock, canvas, ticks, world) -> dict[str, float]:  # noqa: ANN001
    """One click: milliseconds to the mask, the backend's own, and the longest gap."""
    drawn: list[float] = []
    place = pixel(viewer, canvas, world)
    press(canvas, place)
    mask = next((x for x in viewer.layers if x.name.startswith("Objects")), None)

    def note(_: object) -> None:
        drawn.append(time.perf_counter())

    if mask is not None:
        mask.events.set_data.connect(note)
    start = time.perf_counter()
    QTest.mouseRelease(canvas, Qt.MouseButton.LeftButton, pos=place)
    live_until(lambda: not dock.session.pending_prompts() and (drawn or mask is None))
    end = drawn[-1] if drawn else time.perf_counter()
    if mask is not None:
        mask.events.set_data.disconnect(note)
    live_for(0.1)
    later = time.perf_counter()
    made = [r for r in dock.session.ledger.records if r.record == "predicted"][-1]
    return {
        "total_ms": 1000 * (end - start),
        "backend_ms": 1000 * made.seconds,
        "gap_ms": ticks.longest_gap_ms(start, later),
    }


def stall(viewer, canvas, ticks, world) -> float:  # noqa: ANN001
    """The longest gap in ms while napari adds a point of its own."""
    place = pixel(viewer, canvas, world)
    press(canvas, place)
    start = time.perf_counter()
    QTest.mouseRelease(canvas, Qt.MouseButton.LeftButton, pos=place)
    live_for(0.4)
    return ticks.longest_gap_ms(start, time.perf_counter())


def report(rows: list[dict[str, float]], plain: list[float]) -> None:
    """Print the medians and keep them."""
    beyond = [row["total_ms"] - row["backend_ms"] for row in rows]
    summary = {
        "clicks": len(rows),
        "click_to_mask_ms_median": float(np.median([r["total_ms"] for r in rows])),
        "backend_ms_median": float(np.median([r["backend_ms"] for r in rows])),
        "beyond_backend_ms_median": float(np.median(beyond)),
        "beyond_backend_ms_p90": float(np.percentile(beyond, 90)),
        "longest_gap_ms": max(r["gap_ms"] for r in rows),
        "gap_ms_median": float(np.median([r["gap_ms"] for r in rows])),
        "longest_gap_ms_of_napari_alone": max(plain),
        "gap_ms_median_of_napari_alone": float(np.median(plain)),
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "latency.json").write_text(json.dumps(summary, indent=1) + "\n")
    for name, value in summary.items():
        print(f"{name:32} {value:8.1f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 31)
