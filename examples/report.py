"""The report page of a session: a picture of it, drawn by Chromium, into ``demo/``."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import napari_medvlm as nmv
from napari_medvlm._sample_data import mni152
from napari_medvlm.sessions.export.session_report import write_page

OUT = Path("demo")
SEEDS = {"left lateral ventricle": (89, 96, 77), "right lateral ventricle": (89, 96, 119)}
"""A voxel (z, y, x) in each."""
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
SIZE = "1300,900"


def main() -> None:
    """Segment both ventricles, write the page and draw it."""
    OUT.mkdir(exist_ok=True)
    volume = mni152()[0][1]["metadata"]["medvlm"]["volume"]
    with tempfile.TemporaryDirectory() as name:
        page = Path(name, "report.html")
        with nmv.SegmentationSession(volume, runner="inline") as session:
            for structure, seed in SEEDS.items():
                number = session.add_object(structure)
                session.add(nmv.Point.at_index(volume, seed), number)
            session.wait()
            write_page(page, session)
        draw(page, OUT / "segment-report.png")


def draw(page: Path, picture: Path) -> None:
    """Save a picture of a page."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        sys.exit("There is no Chromium. Install it (Debian: apt-get install chromium).")
    options = ("--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars")
    result = (f"--window-size={SIZE}", f"--screenshot={picture.resolve()}")
    subprocess.run([browser, *options, *result, page.as_uri()], check=True, capture_output=True)


if __name__ == "__main__":
    main()
