"""Builds a wheel and looks whether napari finds the plugin where only the wheel is installed.

The environment is made anew in a temporary folder, from the same pins as the tests'. Prints what
was checked; the exit status is not 0 if anything is not as a user would expect it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
EXPECTED = ("napari_medvlm/napari.yaml", "napari_medvlm/py.typed")

FOUND_BY_NAPARI = """
import sys
from npe2 import PluginManager

manager = PluginManager.instance()
manager.discover()
manifest = manager.get_manifest("napari-medvlm")
contributed = manifest.contributions
print("napari", ", ".join(f"{len(getattr(contributed, kind) or [])} {kind}"
      for kind in ("widgets", "readers", "writers", "sample_data")))
assert contributed.widgets, "no widget"
for command in contributed.commands:
    manager.commands.get(command.id)
assert "torch" not in sys.modules
"""


def build(folder: Path) -> Path:
    """Build the wheel into a folder."""
    call(sys.executable, "-m", "build", "--wheel", "--outdir", str(folder), str(ROOT), quiet=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


def missing_files(wheel: Path) -> list[str]:
    """What a wheel must hold and does not."""
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    licence = any(name.endswith("LICENSE") for name in names)
    return [name for name in EXPECTED if name not in names] + ([] if licence else ["LICENSE"])


def clean_environment(folder: Path, wheel: Path) -> Path:
    """Install the wheel and a Qt into a new environment; where its programs are."""
    venv.create(folder, with_pip=True)
    programs = folder / ("Scripts" if os.name == "nt" else "bin")
    qt = os.environ.get("QT", "pyqt6")
    constraints = str(ROOT / "constraints.txt")
    # Without bytecode: it is imported once, and making it takes longer than the rest.
    install = ("install", "--quiet", "--no-compile", "--constraint", constraints, f"{wheel}[{qt}]")
    call(str(programs / "python"), "-m", "pip", "--disable-pip-version-check", *install)
    return programs


def call(*command: str, quiet: bool = False, cwd: Path = ROOT) -> None:
    """Run a program; stop with its output if it fails."""
    done = subprocess.run(command, cwd=cwd, capture_output=quiet, text=True, check=False)
    if done.returncode:
        sys.exit(f"{Path(command[0]).name} failed. {done.stdout or ''}{done.stderr or ''}")


def main() -> None:
    """Build, install and look."""
    folder = Path(tempfile.mkdtemp(prefix="check-wheel-"))
    try:
        wheel = build(folder)
        if missing := missing_files(wheel):
            sys.exit(f"{wheel.name} lacks {', '.join(missing)}.")
        programs = clean_environment(folder / "venv", wheel)
        elsewhere = folder / "elsewhere"
        elsewhere.mkdir()
        call(str(programs / "python"), "-c", FOUND_BY_NAPARI, cwd=elsewhere)
        call(str(programs / "napari-medvlm"), "--help", cwd=elsewhere, quiet=True)
        print(f"{wheel.name}: {wheel.stat().st_size / 1024:.0f} KiB, found by napari.")
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
