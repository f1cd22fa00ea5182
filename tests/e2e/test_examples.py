"""The demo of the README runs, and leaves what the README names."""

import os
import subprocess
import sys
from pathlib import Path

import nibabel
import numpy as np

ROOT = Path(__file__).resolve().parents[2]


def test_the_demo_leaves_pictures_a_mask_and_a_session(tmp_path):
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-m", "examples.demo"],
        capture_output=True, text=True, check=False, cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": path},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    out = tmp_path / "demo"
    pictures = {f"{name}.png" for name in ("axial", "coronal", "sagittal", "3d", "planes")}
    assert {path.name for path in out.iterdir()} == pictures | {"mask.nii.gz", "session.json"}
    mask = nibabel.load(out / "mask.nii.gz")
    ml = np.count_nonzero(mask.dataobj) * np.prod(mask.header.get_zooms()) / 1000
    assert f"Volume: {ml:.2f} mL" in done.stdout
    assert "Seconds per click:" in done.stdout
