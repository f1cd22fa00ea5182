"""The Models dock beside a brain: a picture of the window into ``demo/``.

What is shown as downloaded and added are files made here, in a folder that is thrown away.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import napari

from examples.window import settle, wait_until

OUT = Path("demo")
WIDTH = 400
HUB_ID = "IDEA-Research/grounding-dino-tiny"
SHA = "0123456789abcdef0123456789abcdef01234567"


def main() -> None:
    """Open the dock, choose a model and take a picture."""
    OUT.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        prepare(Path(folder))
        show()


def prepare(folder: Path) -> None:
    """A home with an added model, and a folder of downloads with another."""
    os.environ["NAPARI_MEDVLM_HOME"] = str(folder / "home")
    os.environ["HF_HUB_CACHE"] = str(folder / "hub")
    kept = folder / "hub" / f"models--{HUB_ID.replace('/', '--')}"
    (kept / "snapshots" / SHA).mkdir(parents=True)
    (kept / "refs").mkdir()
    (kept / "refs" / "main").write_text(SHA)
    (kept / "snapshots" / SHA / "model.safetensors").write_bytes(bytes(5_000_000))
    own = folder / "liver-lesions"
    own.mkdir()
    (own / "model.safetensors").write_bytes(bytes(2_000_000))
    from napari_medvlm.backends.models.registry import add

    add(own, "vlm", lambda fraction, message="": None, "Liver lesions, ours")


def show() -> None:
    """The picture."""
    viewer = napari.Viewer(title="napari-medvlm: models")
    viewer.window.resize(1300, 900)
    viewer.open_sample("napari-medvlm", "mni152")
    place, dock = viewer.window.add_plugin_dock_widget("napari-medvlm", "Models")
    place.setFixedWidth(WIDTH)
    wait_until(lambda: dock.table.topLevelItemCount() > 0)
    dock.table.choose("nnInteractive")
    settle()
    viewer.screenshot(OUT / "models.png", canvas_only=False, flash=False)
    print(f"{len(dock.table.models)} models, the dock is {dock.width()} pixels wide")
    dock.close_dock()
    viewer.close()


if __name__ == "__main__":
    main()
