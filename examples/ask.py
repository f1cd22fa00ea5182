"""Questions about the MNI152 brain, in the Ask dock: pictures of the window into ``demo/``.

The first is answered by measuring. The second goes to a model whose words are written below: a
small package of its own, as anybody's model would be.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import napari
import numpy as np

from examples.window import hide_times, open_brain, settle, wait_until

OUT = Path("demo")
VENTRICLES = "Which lateral ventricle is larger, and by how much?"
DESCRIBE = "Describe the thalami and the corpus callosum. Is anything abnormal?"
SEEDS = {"left lateral ventricle": (89, 96, 77), "right lateral ventricle": (89, 96, 119)}
"""A voxel (z, y, x) in each."""

MODEL = '''
"""A model whose words are written beforehand."""

import time

from napari_medvlm.data.answer import Answer, AnswerDelta, Claim
from napari_medvlm.backends.base import Backend, BackendInfo, Task
from napari_medvlm.backends.vlm.occlusion import evidence_map
from napari_medvlm.data.grounding import Region
from napari_medvlm.data.prompts import Box

TEXT = """**Both thalami are of normal size and signal.** The splenium is intact.

- No midline shift.
- One focus needs a second look."""
PLACES = {  # centre and size in patient millimetres, (S, P, L)
    "left thalamus": ((9, 18, 12), (12, 26, 18)),
    "right thalamus": ((9, 18, -12), (12, 26, 18)),
    "splenium": ((12, 39, 0), (12, 11, 36)),
}


class Written(Backend):
    info = BackendInfo("written", "A scripted model", "BSD-3-Clause",
                       tasks=frozenset({Task.ANSWER, Task.EXPLAIN}))

    def load(self, model, device):
        pass

    def set_volume(self, volume):
        self.grid = volume.grid

    def region(self, name):
        center, size = PLACES[name]
        ends = [[c + side * s / 2 for c, s in zip(center, size)] for side in (-1, 1)]
        index = self.grid.to_index(ends)
        return Region(name, Box.at_index(self.grid, index.min(0), index.max(0)), name=name)

    def explain(self, question, written, picture, progress):
        shown = question.pictures[picture]
        height, width = shown.size
        middle = slice(height // 2 - 12, height // 2 + 12), slice(width // 3, 2 * width // 3)
        return evidence_map(shown, lambda pixels: float(pixels[middle].mean()), progress)

    def answer(self, question, progress):
        for word in TEXT.split(" "):
            yield AnswerDelta(word + " ")
            progress(0.5, "writing")
            time.sleep(0.02)
        left, right, splenium = map(self.region, PLACES)
        claims = (
            Claim("The left thalamus has an even, intermediate signal.", (left,), "written"),
            Claim("The right thalamus looks like the left one.", (right, left), "written"),
            Claim("The splenium is bright, as myelin is on T1.", (splenium,), "written"),
            Claim("There is no midline shift.", source="written"),
            Claim("A small bright focus lies beside the right frontal horn.", source="written",
                  problems=("The box [412, 90, 655, 130] reaches outside the picture, which is "
                            "197 pixels wide. It is not drawn.",)),
        )
        thinking = "I compare the two sides, then follow the corpus callosum."
        notes = ("The text names four places, and three boxes are drawn.",)
        yield AnswerDelta(
            answer=Answer(TEXT, claims, thinking=thinking, notes=notes, written=TEXT))
'''


def main() -> None:
    """Ask both questions, and take pictures of the answers."""
    OUT.mkdir(exist_ok=True)
    with TemporaryDirectory() as folder:
        install_model(Path(folder))
        viewer, dock = open_brain("napari-medvlm: questions", "Ask", 1560, 1000)
        add_ventricles(viewer, dock.session.volume)
        measured(viewer, dock)
        described(viewer, dock)
        dock.close_dock()
        viewer.close()


def measured(viewer: napari.Viewer, dock: Any) -> None:
    """Ask what can be measured, then something that cannot."""
    ask(dock, VENTRICLES)
    dock.reading.step(1)
    picture(viewer, dock, "ask-measured")
    ask(dock, "Is there a tumour?")
    picture(viewer, dock, "ask-beyond")


def described(viewer: napari.Viewer, dock: Any) -> None:
    """Ask a model that looks at pictures."""
    dock.conversations.new.click()
    dock.backend.setCurrentIndex(dock.backend.findData("written"))
    dock.backend.activated.emit(dock.backend.currentIndex())
    dock.along.view.where.setCurrentIndex(1)
    dock.along.view.reach.setValue(12)
    dock.along.view.every.setValue(12)
    ask(dock, DESCRIBE)
    picture(viewer, dock, "ask-answer")
    dock.reading.step(1)
    dock.reading.step(1)
    bar = dock.reading.transcript.verticalScrollBar()
    bar.setValue(bar.maximum())
    picture(viewer, dock, "ask-sentence")
    bar.setValue(bar.minimum())
    explained(viewer, dock)
    dock.along.view_fold.expand()
    picture(viewer, dock, "ask-view")


def explained(viewer: napari.Viewer, dock: Any) -> None:
    """Ask which parts of the second picture the answer comes from."""
    last = dock.session.active.turns[-1].id
    dock.reading.transcript.cards[last].evidence.pictures.actions()[1].trigger()
    wait_until(lambda: dock.session.turn(last).evidence is not None)
    picture(viewer, dock, "ask-evidence")


def ask(dock: Any, question: str) -> None:
    """Ask, wait for the answer, and print it."""
    before = len(dock.session.active.turns)
    dock.box.write(question)
    dock.ask()
    wait_until(lambda: len(dock.session.active.turns) > before and not dock.session.pending)
    wait_until(lambda: not dock.run.cancel.isEnabled())
    settle()
    print(f"{question}\n  {dock.session.active.turns[-1].answer.text}")


def add_ventricles(viewer: napari.Viewer, volume: Any) -> None:
    """Segment both ventricles and show them as a labels layer."""
    from napari_medvlm import Point, SegmentationSession
    from napari_medvlm.data.geometry.display import display_grid, displayed

    with SegmentationSession(volume, runner="inline") as session:
        for name, seed in SEEDS.items():
            number = session.add_object()
            session.edit_object(number, name=name)
            session.add(Point.at_index(volume, seed))
        labels = np.array(session.labels)
    viewer.add_labels(
        displayed(labels, volume.grid, order=0),
        name="ventricles",
        affine=display_grid(volume.grid).affine,
        features={"index": [0, 1, 2], "name": ["none", *SEEDS]},
        visible=False,
    )


def install_model(folder: Path) -> None:
    """Put the model where this program and its workers find it, as an installed package is."""
    (folder / "written_model.py").write_text(MODEL)
    info = folder / "written_model-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: written-model\nVersion: 1.0\n")
    entry = "[napari_medvlm.backends]\nwritten = written_model:Written\n"
    (info / "entry_points.txt").write_text(entry)
    sys.path.insert(0, str(folder))
    paths = [str(folder), os.environ.get("PYTHONPATH", "")]
    os.environ["PYTHONPATH"] = os.pathsep.join(path for path in paths if path)


def picture(viewer: napari.Viewer, dock: Any, name: str) -> None:
    """Let the window draw, and save a picture of it."""
    settle()
    hide_times(dock)
    settle()
    viewer.screenshot(OUT / f"{name}.png", canvas_only=False, flash=False)


if __name__ == "__main__":
    main()
