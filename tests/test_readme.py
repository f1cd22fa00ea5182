"""What the README shows works as it stands there."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

README = Path(__file__).resolve().parents[1] / "README.md"


def blocks(language: str) -> list[str]:
    """The blocks of code in a language."""
    pattern = rf"^```{language}\n(.*?)^```"
    return re.findall(pattern, README.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)


def run(folder: Path, *command: str) -> str:
    """What a program printed that was started in a folder."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def run_line(folder: Path, beginning: str) -> str:
    """What the README's command with that beginning printed."""
    lines = "".join(blocks("sh")).splitlines()
    (line,) = (line for line in lines if line.startswith(beginning))
    program, *arguments = shlex.split(line, comments=True)
    return run(folder, str(Path(sys.executable).with_name(program)), *arguments)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a brain in it, after the Python example was run there."""
    from nilearn.datasets import load_mni152_template

    folder = tmp_path_factory.mktemp("readme")
    load_mni152_template(resolution=1).to_filename(folder / "scan.nii.gz")
    (example,) = blocks("python")
    run(folder, sys.executable, "-c", example)
    return folder


def test_the_python_example_writes_a_mask_on_the_grid_of_the_scan(folder: Path) -> None:
    import nibabel

    scan, mask = (nibabel.load(folder / name) for name in ("scan.nii.gz", "mask.nii.gz"))
    assert np.asarray(mask.dataobj).any()
    assert mask.shape == scan.shape
    np.testing.assert_allclose(mask.affine, scan.affine, atol=1e-6)


def test_segment_prints_one_json_object(folder: Path) -> None:
    printed = json.loads(run_line(folder, "napari-medvlm segment"))
    assert printed["volume_ml"] > 0
    assert printed["seconds_per_click"] > 0
    assert printed["backend"] == "embedded"
    assert len(printed["box_mm"]) == 2


def test_replay_finds_the_masks_of_the_python_example_identical(folder: Path) -> None:
    assert run_line(folder, "napari-medvlm replay").splitlines()[-1] == "Identical."


def test_help_names_the_commands(folder: Path) -> None:
    assert {"segment", "replay"} <= set(run_line(folder, "napari-medvlm --help").split())
