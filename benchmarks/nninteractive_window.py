"""The same model and clicks in our dock and in napari-nninteractive: how long a person waits.

Run under a display, where napari-nninteractive is installed too:
``python -m benchmarks.nninteractive_window [--repeat 5] [--clicks 30]``. The model is a small
network with random weights, made for the run. Each window has a process of its own, the two take
turns, and the figures are medians of all clicks, and of the runs for the longest stall.

Both windows are of one size, open the MNI152 brain and are clicked at the same places, a tenth of a
second from press to release; the first click warms up and does not count. A click is timed from the
release to the end of the first frame that the canvas draws after the label layer has its new slice.
The call of the library's session is timed where it is made, and the time outside is all the rest. A
timer of 10 ms ticks meanwhile, and the longest gap between two ticks until 0.6 s after the mask is
how long the window stalled. AutoZoom and torch's compiler are off in both: napari-nninteractive
switches them off where there is no graphics card, or the process ends there with a segmentation
fault.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.session_calls import calls, note, noted_in_workers

RESULTS = Path(__file__).parent / "results"
SLICE = 95
SIZE = 1500, 950
"""Of the window, in pixels."""
FEATURES, PATCH = (8, 16, 16), 64
"""Of the network; its calls take about 155 ms on two cores."""
AFTER_S = 0.6
"""How long the window is watched after the mask was computed."""
TIMEOUT_S = 60.0
THEIR_MASK = "nnInteractive - Label Layer"
WHO = {"theirs": "napari-nninteractive", "ours": "napari-medvlm"}
PARTS = {
    "total": "click to drawn mask",
    "call": "the session's own call",
    "outside": "outside it",
    "before": "- from the click to the call",
    "after": "- from the call to the drawn mask",
    "gap": "stall, median of clicks",
}


def main(repeat: int, clicks: int) -> None:
    """Each window in a process of its own, by turns; then both side by side."""
    from tests.backends.nninteractive.tiny_nninteractive import save_nninteractive

    runs: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as place:
        folder = save_nninteractive(Path(place, "model"), PATCH, features=FEATURES)
        for number in range(repeat):
            for who in list(WHO)[:: -1 if number % 2 else 1]:
                before = {"who": who, "load": os.getloadavg()[0]}
                runs.append(before | run(who, folder, clicks, Path(place, f"{who}{number}")))
                print(who, {name: round(value) for name, value in summed([runs[-1]]).items()})
    summary = {who: summed([one for one in runs if one["who"] == who]) for who in WHO}
    RESULTS.mkdir(exist_ok=True)
    text = reported(runs, summary, clicks)
    (RESULTS / "nninteractive-window.md").write_text(text)
    (RESULTS / "nninteractive-window.json").write_text(json.dumps(summary, indent=1) + "\n")
    print(text)


def run(who: str, folder: Path, clicks: int, place: Path) -> dict[str, Any]:
    """Milliseconds of each click, and the canvas's size, from a process of its own."""
    place.mkdir()
    command = [sys.executable, "-m", __spec__.name, "--who", who, "--folder", str(folder)]
    command += ["--clicks", str(clicks), "--place", str(place)]
    with (place / "log").open("w") as log:
        environment = {**os.environ, "NAPARI_MEDVLM_HOME": str(place), "HF_HUB_OFFLINE": "1"}
        done = subprocess.run(command, stdout=log, stderr=log, env=environment, check=False)
    if done.returncode:
        sys.exit((place / "log").read_text()[-3000:])
    found: dict[str, Any] = json.loads((place / "found.json").read_text())
    return found


def summed(runs: list[dict[str, Any]]) -> dict[str, float]:
    """Medians of all clicks, and of the runs' longest stalls."""
    rows = [row for one in runs for row in one["rows"]]
    stalls = [max(row["gap"] for row in one["rows"]) for one in runs]
    medians = {part: float(np.median([row[part] for row in rows])) for part in PARTS}
    return {**medians, "stall": float(np.median(stalls)), "worst": max(stalls)}


def reported(runs: list[dict[str, Any]], summary: dict[str, Any], clicks: int) -> str:
    """The result as Markdown."""
    theirs, ours = summary["theirs"], summary["ours"]
    names = {**PARTS, "stall": "longest stall, median of runs", "worst": "longest stall of all"}
    lines = ["# One model, two windows", "", f"{clicks} clicks a run, milliseconds.", ""]
    lines += [f"| | {WHO['theirs']} | {WHO['ours']} | ratio | wanted |", "|---|---|---|---|---|"]
    wanted = {"total": "at most 1", "outside": "at most 0.4", "stall": "at most 0.15, or 50 ms"}
    for part, name in names.items():
        ratio = ours[part] / theirs[part]
        lines.append(
            f"| {name} | {theirs[part]:.0f} | {ours[part]:.0f} | {ratio:.2f} "
            f"| {wanted.get(part, '')} |"
        )
    lines += ["", "Run by run, in their order:", ""]
    lines += [
        "| | to mask | call | outside | longest stall | load before | canvas |",
        "|" + "---|" * 7,
    ]
    for one in runs:
        s = summed([one])
        lines.append(
            f"| {WHO[one['who']]} | {s['total']:.0f} | {s['call']:.0f} | {s['outside']:.0f} "
            f"| {s['stall']:.0f} | {one['load']:.1f} | {one['canvas']} |"
        )
    tools = ("napari", "napari-nninteractive", "nnInteractive", "torch")
    used = ", ".join(f"{tool} {version(tool)}" for tool in tools)
    lines += ["", f"{os.cpu_count()} cores ({platform.machine()}), no graphics card; {used}.", ""]
    return "\n".join(lines)


def window() -> tuple[Any, Any]:
    """A viewer with the brain, and its layer."""
    import napari

    viewer = napari.Viewer()
    (layer,) = viewer.open_sample("napari-medvlm", "mni152")
    return viewer, layer


def ours(folder: str, clicks: int, place: str) -> dict[str, Any]:
    """Clicks in the Segment dock."""
    from napari_medvlm.widgets.segment.prompt_toolbar import Tool

    viewer, layer = window()
    with noted_in_workers(f"{place}/calls", place):
        _, dock = viewer.window.add_plugin_dock_widget("napari-medvlm", "Segment")
        live(until=lambda: dock.session is not None)
        dock.session.use("nninteractive", f"{folder}#no-autozoom", "cpu")
        dock.tools.choose(Tool.POINT)

        def settled() -> bool:
            return not dock.session.pending_prompts()

        mask = next(x for x in viewer.layers if x.name.startswith("Objects"))
        found = clicked(viewer, layer, clicks, mask, settled, f"{place}/calls")
        dock.close_dock()
    viewer.close()
    return found


def theirs(folder: str, clicks: int, place: str) -> dict[str, Any]:
    """Clicks with the point tool of napari-nninteractive.

    The library is imported before there is a window: with a software OpenGL driver the process ends
    with a segmentation fault if it is imported after.
    """
    note(f"{place}/calls")
    from napari_nninteractive.widget_main import nnInteractiveWidget

    viewer, layer = window()
    dock = nnInteractiveWidget(viewer)
    viewer.window.add_dock_widget(dock)
    dock.model_selection_local.setText(folder)
    dock.use_torch_compile_ckbx.setChecked(False)
    dock.image_selection.setCurrentText(layer.name)
    dock.on_init()
    dock.interaction_button._check(0)
    dock.on_interaction_selected()
    mask = viewer.layers[THEIR_MASK]
    return clicked(viewer, layer, clicks, mask, lambda: True, f"{place}/calls")


def clicked(
    viewer: Any, layer: Any, clicks: int, mask: Any, settled: Callable[[], bool], file: str
) -> dict[str, Any]:
    """Click, and tell what came of it: milliseconds of each click, and the canvas's size."""
    from qtpy.QtCore import Qt
    from qtpy.QtTest import QTest

    from benchmarks.latency import Ticks, pixel, press

    canvas = viewer.window._qt_viewer.canvas.native
    scene = viewer.window._qt_viewer.canvas._scene_canvas
    frames: list[float] = []
    sliced: list[float] = []
    scene.events.draw.connect(lambda _: frames.append(time.perf_counter()), position="last")
    mask.events.set_data.connect(lambda _: settled() and sliced.append(time.perf_counter()))
    starts: list[float] = []
    ends: list[float] = []
    points, ticks = places(layer, clicks + 1), Ticks()
    viewer.window.resize(*SIZE)
    viewer.dims.point = tuple(points[0])
    live(4)
    for number, place in enumerate(points, 1):
        at = pixel(viewer, canvas, place)
        press(canvas, at)
        starts.append(time.perf_counter())
        QTest.mouseRelease(canvas, Qt.MouseButton.LeftButton, pos=at)
        live(until=lambda n=number: len(calls(file)) == n and settled())
        live(AFTER_S)
        ends.append(time.perf_counter())
    rows = [
        row(start, end, call, sliced, frames, ticks)
        for start, end, call in zip(starts, ends, calls(file), strict=True)
    ]
    return {"rows": rows[1:], "canvas": f"{canvas.width()} x {canvas.height()}"}


def live(seconds: float = 0, until: Callable[[], bool] = lambda: True) -> None:
    """Let the window live in Qt's own loop for a while, and until something is so."""
    from qtpy.QtCore import QEventLoop, QTimer

    loop, look, start = QEventLoop(), QTimer(), time.perf_counter()

    def check() -> None:
        waited = time.perf_counter() - start
        if waited > seconds and (until() or waited > TIMEOUT_S):
            loop.quit()

    look.timeout.connect(check)
    look.start(50)
    loop.exec()
    if not until():
        sys.exit("waited too long")


def row(
    start: float,
    end: float,
    call: tuple[float, float],
    sliced: list[float],
    frames: list[float],
    ticks: Any,
) -> dict[str, float]:
    """Milliseconds of a click between two moments."""
    new_slice = min(at for at in sliced if at > call[1])
    drawn = min(at for at in frames if at > new_slice)
    if not start < call[0] < drawn < end:
        sys.exit("A mask was not drawn in time.")
    return {
        "total": 1000 * (drawn - start),
        "call": 1000 * (call[1] - call[0]),
        "outside": 1000 * (drawn - start - call[1] + call[0]),
        "before": 1000 * (call[0] - start),
        "after": 1000 * (drawn - call[1]),
        "gap": ticks.longest_gap_ms(start, end),
    }


def places(layer: Any, clicks: int) -> list[np.ndarray]:
    """Where is clicked, in world coordinates: the same in both windows."""
    inside = np.argwhere(np.asarray(layer.data[SLICE]) > 0.3)
    chosen = np.random.default_rng(0).integers(len(inside), size=clicks)
    return [np.asarray(layer.data_to_world((SLICE, *inside[n]))) for n in chosen]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--clicks", type=int, default=30)
    for hidden in ("--who", "--folder", "--place"):
        parser.add_argument(hidden, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.who is None:
        main(given.repeat, given.clicks)
    else:
        done = {"ours": ours, "theirs": theirs}[given.who](given.folder, given.clicks, given.place)
        Path(given.place, "found.json").write_text(json.dumps(done))
