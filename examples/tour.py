"""A moving picture of ten seconds: click, correct, ask. Written to ``demo/tour.gif``.

A click in the left lateral ventricle of the MNI152 brain, a second click that adds its frontal
horn, and a question that is answered by measuring the mask.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import napari
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from examples.demo import CLICKS, click
from examples.window import hide_times, open_brain, open_dock, settle, wait_until
from napari_medvlm.layers.orientation import go_to
from napari_medvlm.widgets.segment.prompt_toolbar import Tool

OUT = Path("demo")
NAME = "left lateral ventricle"
QUESTION = f"What is the volume of the {NAME}?"
WIDTH_PX, COLORS = 960, 96
CAPTION_PX = 26
POINTER = ((0, 0), (0, 22), (5, 17), (9, 26), (13, 24), (9, 16), (16, 16))
"""Outline of a mouse pointer, pixels from its tip."""


class Frames:
    """Frames with captions, each shown for a time."""

    def __init__(self, viewer: napari.Viewer) -> None:
        self.viewer = viewer
        self._frames: list[Image.Image] = []
        self._milliseconds: list[int] = []

    def take(self, caption: str, seconds: float, at_mm: NDArray[Any] | None = None) -> None:
        """Add the window as it is; with a pointer at a position of the scene, if there is one."""
        settle()
        image = Image.fromarray(self.viewer.screenshot(canvas_only=False, flash=False)[..., :3])
        draw = ImageDraw.Draw(image)
        if at_mm is not None:
            tip = self._pixel(at_mm)
            outline = [(tip[0] + x, tip[1] + y) for x, y in POINTER]
            draw.polygon(outline, fill="white", outline="black")
        font = ImageFont.load_default(CAPTION_PX)
        canvas = self.viewer.window._qt_viewer.canvas.native
        corner = canvas.mapTo(canvas.window(), canvas.rect().topLeft())
        middle = corner.x() + canvas.width() // 2, corner.y() + 3 * CAPTION_PX
        box = draw.textbbox(middle, caption, font=font, anchor="mm")
        draw.rectangle((box[0] - 12, box[1] - 8, box[2] + 12, box[3] + 8), fill="black")
        draw.text(middle, caption, font=font, anchor="mm", fill="white")
        height = round(image.height * WIDTH_PX / image.width)
        small = image.resize((WIDTH_PX, height), Image.Resampling.LANCZOS)
        self._frames.append(small.quantize(COLORS, dither=Image.Dither.NONE))
        self._milliseconds.append(round(1000 * seconds))

    def save(self, path: Path) -> None:
        """Write a GIF that repeats, and print its length and size."""
        first, *others = self._frames
        first.save(path, save_all=True, append_images=others, duration=self._milliseconds, loop=0,
                   optimize=True)  # fmt: skip
        length = sum(self._milliseconds) / 1000
        print(f"{path}: {length:.1f} s, {path.stat().st_size / 1e6:.2f} MB")

    def _pixel(self, at_mm: NDArray[Any]) -> tuple[float, float]:
        """Where a position is in a picture of the window."""
        camera, canvas = self.viewer.scene.camera, self.viewer.window._qt_viewer.canvas.native
        shown = list(self.viewer.dims.displayed)
        down, right = (np.asarray(at_mm)[shown] - np.array(camera.center)[-2:]) * camera.zoom
        vertical, horizontal = map(str, camera.orientation2d)
        x = canvas.width() / 2 + (right if horizontal == "right" else -right)
        y = canvas.height() / 2 + (down if vertical == "down" else -down)
        corner = canvas.mapTo(canvas.window(), canvas.rect().topLeft())
        return corner.x() + x, corner.y() + y


def main() -> None:
    """Click twice, ask, and write the frames."""
    OUT.mkdir(exist_ok=True)
    viewer, dock = open_brain("napari-medvlm", "Segment", 1366, 768)
    dock.tools.choose(Tool.POINT)
    frames = Frames(viewer)
    first, second = CLICKS
    go_to(viewer, dock.session.volume.grid.to_world(first))
    frames.take("Open an image", 1.0)
    show_click(viewer, dock, first, frames, "Click: a 3D mask")
    show_click(viewer, dock, second, frames, "Correct it with another click")
    dock.session.edit_object(1, name=NAME)
    asking = open_dock(viewer, "Ask")
    ask(asking, frames)
    frames.save(OUT / "tour.gif")
    for opened in (asking, dock):
        opened.close_dock()
    viewer.close()


def show_click(
    viewer: napari.Viewer, dock: Any, index: tuple[int, int, int], frames: Frames, caption: str
) -> None:
    """Show the pointer at a voxel, click there, and show the mask."""
    at_mm = dock.session.volume.grid.to_world(index)
    go_to(viewer, at_mm)
    frames.take(caption, 0.8, at_mm)
    click(viewer, dock, index)
    frames.take(caption, 1.6, at_mm)


def ask(dock: Any, frames: Frames) -> None:
    """Write the question in three parts, ask it, and show the answer."""
    for part in (1, 2, 3):
        dock.box.write(QUESTION[: len(QUESTION) * part // 3])
        frames.take("Ask a question", 0.5)
    before = len(dock.session.active.turns)
    dock.ask()
    wait_until(lambda: len(dock.session.active.turns) > before and not dock.session.pending)
    print(dock.session.active.turns[-1].answer.text)
    settle()
    hide_times(dock)
    frames.take("The answer is measured", 2.7)


if __name__ == "__main__":
    main()
