"""The page on a backend of one's own works word for word: its files are installed and run."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "new-backend.md").read_text("utf-8")
MODULES = {"ball": "ball", "bright-dark": "bright_dark", "mean-intensity": "mean_intensity"}
"""The package of each backend, by name."""


def section(module: str) -> str:
    """The part of the page from the name of a file to the next heading."""
    return PAGE.split(f"`{module}.py`:\n")[1].split("\n## ")[0]


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def run(folder: Path, packages: Path, *arguments: str) -> str:
    """Output of Python in a folder, with the installed packages, also in its own processes."""
    start = f"import site; site.addsitedir({str(packages)!r})"
    (packages / "sitecustomize.py").write_text(start)
    environment = {**os.environ, "PYTHONPATH": str(packages)}
    command = [sys.executable, "-c", *arguments]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def run_command(folder: Path, packages: Path, module: str) -> dict[str, Any]:
    """The JSON that the section's command prints."""
    (line,) = blocks(section(module), "sh")
    program, *arguments = shlex.split(line)
    assert program == "napari-medvlm"
    return json.loads(run(folder, packages, "from napari_medvlm.cli import app; app()", *arguments))


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site-packages that the three packages are installed in, as the page says."""
    root = tmp_path_factory.mktemp("packages")
    (line,) = blocks(PAGE.split("\n## ")[0], "sh")
    program, command, *arguments, target = shlex.split(line)
    assert (program, command, target) == ("pip", "install", ".")
    options = ["--no-build-isolation", "--no-deps", "--no-index", f"--prefix={root / 'prefix'}"]
    folders = []
    for module in MODULES.values():
        folder = root / module
        folder.mkdir()
        (folder / f"{module}.py").write_text(blocks(section(module), "python")[0])
        (folder / "pyproject.toml").write_text(blocks(section(module), "toml")[0])
        folders += [*arguments, str(folder)]
    done = subprocess.run(
        [sys.executable, "-m", "pip", "--disable-pip-version-check", command, *options, *folders],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (installed,) = {path.parent for path in (root / "prefix").rglob("*.dist-info")}
    return installed


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with an image of 80 x 100 x 120 voxels of 1 mm: a bright cube in a gradient."""
    import nibabel

    data = np.zeros((80, 100, 120), np.float32)
    data += np.linspace(0, 10, 120, dtype=np.float32)
    data[30:60, 40:60, 50:70] = 100
    nibabel.Nifti1Image(data.transpose(2, 1, 0), np.eye(4)).to_filename(tmp_path / "scan.nii.gz")
    return tmp_path


def test_the_segmenter_has_at_most_16_lines_of_code() -> None:
    code = blocks(section("ball"), "python")[0].split("class ")[1]
    assert len([line for line in code.splitlines() if line.strip()]) <= 16


@pytest.mark.parametrize("name", MODULES)
def test_a_backend_of_the_page_conforms(name: str, packages: Path, tmp_path: Path) -> None:
    (check,) = blocks(PAGE.split("## Test it")[1], "python")
    code = blocks(section(MODULES[name]), "python")[0]
    (cls,) = re.findall(r"^class (\w+)", code, re.MULTILINE)
    check = check.replace("from ball import Ball", f"from {MODULES[name]} import {cls}")
    run(tmp_path, packages, check.replace("(Ball)", f"({cls})"))


def test_the_backends_of_the_page_are_listed(packages: Path, tmp_path: Path) -> None:
    program = "import napari_medvlm as nmv; print(*nmv.list_backends())"
    assert set(MODULES) <= set(run(tmp_path, packages, program).split())


def test_the_command_of_the_segmenter_writes_a_ball_of_10_mm(folder: Path, packages: Path) -> None:
    import nibabel

    printed = run_command(folder, packages, "ball")
    mask = np.asarray(nibabel.load(folder / "mask.nii.gz").dataobj).astype(bool)
    offset = np.moveaxis(np.indices(mask.shape), 0, -1) - (60, 50, 40)
    np.testing.assert_array_equal(mask, np.linalg.norm(offset, axis=-1) < 10)
    assert printed["backend"] == "ball"
    assert printed["volume_ml"] == pytest.approx(mask.sum() / 1000, abs=0.01)


def test_the_command_of_the_grounder_locates_the_bright_cube(folder: Path, packages: Path) -> None:
    (region,) = run_command(folder, packages, "bright_dark")["regions"]
    # NIfTI's millimetres are right and anterior: P and L are -y and -x; edges are half a voxel out.
    expected = [[39.5, -59.5, -69.5], [59.5, -39.5, -49.5]]
    np.testing.assert_allclose(np.sort(np.array(region["box_mm"]), axis=0), expected, atol=1e-3)


def test_the_command_of_the_answerer_prints_the_mean(folder: Path, packages: Path) -> None:
    import nibabel

    mean = np.asarray(nibabel.load(folder / "scan.nii.gz").dataobj).mean()
    printed = run_command(folder, packages, "mean_intensity")
    assert f"The mean intensity is {mean:.1f}." in json.dumps(printed)
