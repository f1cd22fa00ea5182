"""The same model and clicks in our dock and in napari-nninteractive: how long a person waits.

Run under a display: ``python -m benchmarks.nninteractive_window FOLDER [CLICKS]`` with a model's
folder, where napari-nninteractive is installed too. Each window has a process of its own and opens
the MNI152 brain. A click is timed from the mouse's release to the end of the first frame that the
canvas draws after the label layer has its new slice; a timer of 10 ms ticks meanwhile, and the
longest gap between two ticks is how long the window stalled. The time outside is what a click
takes beyond the call of the library's session. AutoZoom is off in both: napari-nninteractive
switches it off where there is no graphics card.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.latency import RESULTS, Ticks, live_for, live_until, pixel

SLICE = 95
THEIR_MASK = "nnInteractive - Label Layer"


def main(folder: str, clicks: int) -> None:
    """Each in a process of its own; then both side by side."""
    rows = {}
    for who in ("theirs", "ours", "within"):
        command = [
            sys.executable,
            "-m",
            "benchmarks.nninteractive_window",
            folder,
            str(clicks),
            who,
        ]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        rows[who] = json.loads(done.stdout.splitlines()[-1])
    within = rows.pop("within")
    summary: dict[str, Any] = {
        who: summed(found, within if who == "ours" else 0) for who, found in rows.items()
    }
    summary["ours"]["of_that_in_the_worker_ms"] = within
    summary["outside_ratio"] = summary["ours"]["outside_ms"] / summary["theirs"]["outside_ms"]
    summary["stall_ratio"] = (
        summary["ours"]["longest_stall_ms"] / summary["theirs"]["longest_stall_ms"]
    )
    text = json.dumps(summary, indent=1)
    print(text)
    (RESULTS / "nninteractive_window.json").write_text(text + "\n")


def summed(rows: list[dict[str, float]], within_ms: float) -> dict[str, float]:
    """Medians, and the longest stall; the first click, which warms up, is left out."""
    total, call, gap = (
        np.array([row[key] for row in rows[1:]]) for key in ("total", "call", "gap")
    )
    return {
        "clicks": len(total),
        "click_to_mask_ms": float(np.median(total)),
        "session_call_ms": float(np.median(call) - within_ms),
        "outside_ms": float(np.median(total - call) + within_ms),
        "longest_stall_ms": float(gap.max()),
    }


def window() -> tuple[Any, Any, Any]:
    """A viewer with the brain, its layer, and the canvas."""
    import napari

    viewer = napari.Viewer()
    (layer,) = viewer.open_sample("napari-medvlm", "mni152")
    return viewer, layer, viewer.window._qt_viewer.canvas.native


def places(data: Any, affine: Any, clicks: int) -> list[np.ndarray]:
    """Where is clicked, in world coordinates: the same in both windows."""
    inside = np.argwhere(np.asarray(data[SLICE]) > 0.3)
    chosen = np.random.default_rng(0).integers(len(inside), size=clicks)
    return [np.asarray(affine((SLICE, *inside[n]))) for n in chosen]


def ours(folder: str, clicks: int) -> list[dict[str, float]]:
    """Clicks in the Segment dock."""
    from napari_medvlm.widgets.tools import Tool

    viewer, layer, canvas = window()
    _, dock = viewer.window.add_plugin_dock_widget("napari-medvlm", "Segment")
    live_until(lambda: dock.session is not None)
    dock.session.use("nninteractive", f"{folder}#no-autozoom", "cpu")
    dock.tools.choose(Tool.POINT)

    def mask() -> Any:
        return next((x for x in viewer.layers if x.name.startswith("Objects")), None)

    def seconds() -> float:
        return [r for r in dock.session.ledger.records if r.record == "predicted"][-1].seconds

    def settled() -> bool:
        return not dock.session.pending_prompts()

    rows = clicked(viewer, layer, canvas, clicks, mask, settled, seconds)
    dock.close_dock()
    viewer.close()
    return rows


def theirs(folder: str, clicks: int) -> list[dict[str, float]]:
    """Clicks with the point tool of napari-nninteractive.

    The library is imported before there is a window: with a software OpenGL driver the process ends
    with a segmentation fault if it is imported after.
    """
    import nnInteractive.inference.inference_session  # noqa: F401
    from napari_nninteractive.widget_main import nnInteractiveWidget

    viewer, layer, canvas = window()
    dock = nnInteractiveWidget(viewer)
    viewer.window.add_dock_widget(dock)
    dock.model_selection_local.setText(folder)
    dock.use_torch_compile_ckbx.setChecked(False)
    dock.image_selection.setCurrentText(layer.name)
    dock.on_init()
    dock.interaction_button._check(0)
    dock.on_interaction_selected()
    took = [0.0]
    add = dock.session.add_point_interaction

    def timed(*args: Any) -> Any:
        start = time.perf_counter()
        changed = add(*args)
        took.append(time.perf_counter() - start)
        return changed

    dock.session.add_point_interaction = timed
    rows = clicked(
        viewer,
        layer,
        canvas,
        clicks,
        lambda: viewer.layers[THEIR_MASK],
        lambda: True,
        lambda: took[-1],
    )
    if len(took) != clicks + 1:
        sys.exit(f"{len(took) - 1} of {clicks} clicks were taken")
    return rows


def clicked(
    viewer: Any,
    layer: Any,
    canvas: Any,
    clicks: int,
    mask: Callable[[], Any],
    settled: Callable[[], bool],
    seconds: Callable[[], float],
) -> list[dict[str, float]]:
    """Milliseconds of each click: to the drawn mask, the session's call, the longest stall."""
    from qtpy.QtCore import Qt
    from qtpy.QtTest import QTest

    points, ticks, rows = places(layer.data, layer.data_to_world, clicks), Ticks(), []
    frames: list[float] = []
    scene = viewer.window._qt_viewer.canvas._scene_canvas
    scene.events.draw.connect(lambda _: frames.append(time.perf_counter()), position="last")
    viewer.dims.point = tuple(points[0])
    live_for(4)
    for place in points:
        drawn: list[float] = []
        target, at = mask(), pixel(viewer, canvas, place)

        def note(_: object, drawn: list[float] = drawn) -> None:
            drawn.append(time.perf_counter())

        if target is not None:
            target.events.set_data.connect(note)
        QTest.mouseMove(canvas, at)
        QTest.mousePress(canvas, Qt.MouseButton.LeftButton, pos=at)
        start = time.perf_counter()
        QTest.mouseRelease(canvas, Qt.MouseButton.LeftButton, pos=at)
        live_until(lambda d=drawn, t=target: settled() and (d or t is None))
        sliced = drawn[-1] if drawn else time.perf_counter()
        live_until(lambda after=sliced: frames[-1] > after)
        end = next(frame for frame in frames if frame > sliced)
        if target is not None:
            target.events.set_data.disconnect(note)
        live_for(0.3)
        gap = ticks.longest_gap_ms(start, time.perf_counter())
        rows.append({"total": 1000 * (end - start), "call": 1000 * seconds(), "gap": gap})
    return rows


def within(folder: str, clicks: int) -> float:
    """Median milliseconds that our backend takes beyond the library's call, without a window."""
    from nilearn.datasets import load_mni152_template

    from napari_medvlm.backends.base import ObjectPrompts
    from napari_medvlm.backends.nninteractive import NNInteractiveBackend
    from napari_medvlm.io.images import volume_from_nibabel
    from napari_medvlm.prompts import Point
    from napari_medvlm.volume import Modality

    volume = volume_from_nibabel(load_mni152_template(resolution=1), "MNI152", Modality.MR)
    backend = NNInteractiveBackend()
    backend.load(f"{folder}#no-autozoom", "cpu")
    backend.set_volume(volume)
    add, took, beyond = backend._session.add_point_interaction, [], []

    def timed(*args: Any) -> Any:
        start = time.perf_counter()
        changed = add(*args)
        took.append(time.perf_counter() - start)
        return changed

    backend._session.add_point_interaction = timed
    points: list[Point] = []
    for place in places(volume.data, volume.grid.to_world, clicks):
        points.append(Point(position_mm=tuple(place)))
        steps = tuple(range(1, len(points) + 1))
        start = time.perf_counter()
        backend.segment(ObjectPrompts(tuple(points), steps), lambda fraction, message="": None)
        beyond.append(time.perf_counter() - start - took[-1])
    return 1000 * float(np.median(beyond[1:]))


if __name__ == "__main__":
    place, number = str(Path(sys.argv[1]).resolve()), int(sys.argv[2]) if len(sys.argv) > 2 else 30
    if len(sys.argv) > 3:
        print(json.dumps(globals()[sys.argv[3]](place, number)))
    else:
        main(place, number)
