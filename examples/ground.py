"""Words found in the MNI152 brain, in the Ground dock: pictures of the window into ``demo/``."""

from __future__ import annotations

from pathlib import Path

from examples.window import open_brain, settle, wait_until
from napari_medvlm.layers.orientation import Plane, show_plane

OUT = Path("demo")
PHRASES = [
    "left hippocampus",
    "right lateral ventricle",
    "right putamen",
    "corpus callosum",
    "spleen",
]
REPORT = """FINDINGS: Lacunar infarct in the right putamen. No intracranial haemorrhage.
Possible small lesion of the left hippocampus. No midline shift."""


def main() -> None:
    """Ask, look at the three planes, then read a report."""
    OUT.mkdir(exist_ok=True)
    viewer, dock = open_brain("napari-medvlm: words", "Ground", 1500, 940)
    dock.phrases.set_phrases(PHRASES)
    dock.ground()
    wait_until(lambda: not dock.session.pending)
    for region in dock.session.grounding.regions:
        print(f"{region.phrase}: {region.center_mm.round(1)} mm, score {region.score}")
    dock.table.setCurrentItem(dock.table.topLevelItem(0))
    for plane in Plane:
        show_plane(viewer, plane)
        settle()
        path = OUT / f"ground-{plane.name.lower()}.png"
        viewer.screenshot(path, canvas_only=False, flash=False)
    dock.report.edit.setPlainText(REPORT)
    dock.tabs.setCurrentWidget(dock.report)
    dock.report.read()
    wait_until(lambda: not dock.session.pending)
    settle()
    dock.table.setCurrentItem(dock.table.topLevelItem(0))
    settle()
    viewer.screenshot(OUT / "ground-report.png", canvas_only=False, flash=False)
    dock.close_dock()
    viewer.close()


if __name__ == "__main__":
    main()
