"""Checks beside an answer, in the Ask dock: pictures of the window into ``demo/``.

Two models are asked whether there is a bright lesion in a brain that was given one. One looks; the
other knows by heart what is common. Both are a small package, as anybody's models would be.
"""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import napari
import numpy as np
from napari.layers import Layer

from examples.window import settle, wait_until
from napari_medvlm.checks.calibration import fit, save
from napari_medvlm.data.answer import AnswerKind
from napari_medvlm.data.grounding import Scope
from napari_medvlm.data.volume import Modality, Window
from napari_medvlm.io.medical_images import volume_from_nibabel
from napari_medvlm.layers import layer_data
from napari_medvlm.sessions.ask.image_selection import ImageSelection

OUT = Path("demo")
QUESTION = "Is there a bright lesion in the brain?"
PICTURES = {"looks": "passed", "by-heart": "flagged"}
"""Names of the pictures in the documents, by the model."""
MODELS = '''
"""One model that looks, and one that does not."""

import numpy as np

from napari_medvlm.data.answer import Answer, AnswerDelta, Claim
from napari_medvlm.backends.base import Backend, BackendInfo, Task
from napari_medvlm.data.grounding import Region


class Looks(Backend):
    info = BackendInfo("looks", "A model that looks", "MIT", tasks=frozenset({Task.ANSWER}))

    def load(self, model, device):
        pass

    def set_volume(self, volume):
        pass

    def answer(self, question, progress):
        text = question.text.casefold()
        region = self.region(question.pictures[0]) if "lesion" in text else None
        denies = " no " in text
        word = "yes" if (region is None) == denies else "no"
        said = "Yes, a bright lesion is seen." if word == "yes" else "No."
        claim = Claim(said, (region,) if region and not denies else (), "written")
        shares = (0.95, 0.05) if word == "yes" else (0.05, 0.95)
        yield AnswerDelta(answer=Answer(said, (claim,), choice=word, probabilities=shares))

    def region(self, picture):
        inside = picture.pixels[..., 0] > 250
        if inside.sum() < 20:
            return None
        y, x = np.nonzero(inside)
        box = picture.box((x.min(), y.min(), x.max() + 1, y.max() + 1))
        return Region("lesion", box, name="lesion", slice=picture.slice)


class KnowsByHeart(Looks):
    info = BackendInfo(
        "by-heart", "A model that does not look", "MIT", tasks=frozenset({Task.ANSWER})
    )

    def region(self, picture):
        height, width = picture.size
        box = picture.box((width * 0.55, height * 0.3, width * 0.75, height * 0.5))
        return Region("lesion", box, name="lesion", slice=picture.slice)
'''


def main() -> None:
    """Ask both models, run the checks, and take pictures."""
    OUT.mkdir(exist_ok=True)
    with TemporaryDirectory() as folder:
        install_models(Path(folder))
        viewer = napari.Viewer(title="napari-medvlm: checks")
        viewer.window.resize(1500, 1000)
        add_brain(viewer)
        _, dock = viewer.window.add_plugin_dock_widget("napari-medvlm", "Ask")
        wait_until(lambda: dock.session is not None)
        for backend in ("looks", "by-heart"):
            calibrate(backend, right=0.9 if backend == "looks" else 0.5)
            checked(viewer, dock, backend)
        dock.close_dock()
        viewer.close()


def checked(viewer: napari.Viewer, dock: Any, backend: str) -> None:
    """Ask a model, run the checks of its answer, and keep a picture."""
    from napari_medvlm.widgets.checks.fold import TrustFold

    session = dock.session
    session.new()
    session.use(backend)
    view = ImageSelection(Scope.of_slice(0, LESION[0]))
    exchange = session.ask(QUESTION, kind=AnswerKind.YES_NO, selection=view)
    wait_until(lambda: not session.pending)
    settle()
    card = dock.reading.transcript.cards[exchange]
    fold = card.findChild(TrustFold)
    fold.expand()
    wait_until(fold.panel.run.isEnabled)
    fold.panel.start()
    wait_until(lambda: not fold.panel.pending)
    dock.reading.choose(exchange, 0)
    settle()
    dock.reading.transcript.scroll_to(exchange)
    bar = dock.reading.transcript.verticalScrollBar()
    bar.setValue(bar.maximum())
    settle()
    viewer.screenshot(OUT / f"trust-{PICTURES[backend]}.png", canvas_only=False, flash=False)
    for finding in fold.panel.findings:
        print(f"{backend}: {finding.check}: {finding.verdict.value}: {finding.sentence}")


def calibrate(backend: str, right: float) -> None:
    """Keep the curve of an evaluation run, which would come from ``napari-medvlm evaluate ask``."""
    random = np.random.default_rng(0)
    stated = np.repeat([0.6, 0.95], 250)
    share = np.repeat([0.6, right], 250)
    save(fit(stated, random.random(500) < share), backend)


LESION = (100, 120, 70)


def add_brain(viewer: napari.Viewer) -> None:
    """Open the MNI152 brain with a bright ball in it."""
    from nilearn.datasets import load_mni152_template

    brain = volume_from_nibabel(load_mni152_template(resolution=1), "Brain", Modality.MR)
    data = np.array(brain.data) * (0.8 / brain.range[1])
    z, y, x = np.ogrid[tuple(map(slice, data.shape))]
    ball = (z - LESION[0]) ** 2 + (y - LESION[1]) ** 2 + (x - LESION[2]) ** 2 < 9**2
    data[ball] = 0.985 + 0.015 * np.random.default_rng(0).random(int(ball.sum()))
    volume = replace(brain, data=data, window=Window(0.49, 0.98))
    viewer.add_layer(Layer.create(*layer_data(volume)))


def install_models(folder: Path) -> None:
    """Put the models where this program and its workers find them."""
    (folder / "two_models.py").write_text(MODELS)
    info = folder / "two_models-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: two-models\nVersion: 1.0\n")
    lines = ("looks = two_models:Looks", "by-heart = two_models:KnowsByHeart")
    (info / "entry_points.txt").write_text("\n".join(("[napari_medvlm.backends]", *lines)) + "\n")
    sys.path.insert(0, str(folder))
    paths = [str(folder), os.environ.get("PYTHONPATH", "")]
    os.environ["PYTHONPATH"] = os.pathsep.join(path for path in paths if path)


if __name__ == "__main__":
    main()
