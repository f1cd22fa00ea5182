"""What holds for the code as a whole: its size, and how lightly it is imported."""

from __future__ import annotations

import ast
import json
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.sizes import length, modules

ROOT = Path(__file__).resolve().parents[1]
# Not imported: a package named scripts would hide the scripts of MONAI bundles.
WINDOWS = runpy.run_path(str(ROOT / "scripts" / "run_tests.py"))["WINDOWS"]
CODE = [ROOT / name for name in ("napari_medvlm", "tests", "benchmarks", "examples", "scripts")]
HEAVY = {
    *("SimpleITK", "matplotlib", "monai", "napari", "nibabel", "nilearn", "numba", "pandas"),
    *("pydicom", "qtpy", "scipy", "skimage", "sklearn", "tifffile", "torch", "transformers"),
}

EVERY_PUBLIC_NAME = """
import json, sys
import napari_medvlm
[getattr(napari_medvlm, name) for name in napari_medvlm.__all__]
print(json.dumps(sorted(sys.modules)))
"""

EVERY_COMMAND_AFTER_NAPARI = """
import json, sys, time
start = time.process_time()  # of the processor: other work may run at the same time
import napari, napari.qt, napari.viewer
from npe2 import PluginManager
manager = PluginManager.instance()
manager.discover()
manifest = manager.get_manifest("napari-medvlm")
before, napari_there = set(sys.modules), time.process_time()
for command in manifest.contributions.commands:
    manager.commands.get(command.id)
print(json.dumps({
    "modules": sorted(set(sys.modules) - before),
    "napari_s": napari_there - start,
    "plugin_s": time.process_time() - napari_there,
}))
"""


def in_fresh_interpreter(program: str) -> Any:
    """What a program that prints JSON printed, with no coverage measured."""
    command = [sys.executable, "-c", program]
    untraced = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=ROOT, env=untraced
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("folder", CODE, ids=lambda folder: folder.name)
def test_no_file_is_longer_than_400_lines(folder: Path) -> None:
    too_long = {str(m.path): m.lines for m in modules(folder) if m.lines > 400}
    assert not too_long


def test_at_most_a_tenth_of_the_package_is_longer_than_250_lines() -> None:
    lines = {str(m.path): m.lines for m in modules(CODE[0])}
    longer = [path for path, count in lines.items() if count > 250]
    assert len(longer) <= len(lines) / 10, "\n".join(longer)


def test_no_class_of_the_package_is_longer_than_320_lines() -> None:
    classes = [(m.path.name, c) for m in modules(CODE[0]) for c in m.classes()]
    too_long = {f"{name}: {c.name}": length(c) for name, c in classes if length(c) > 320}
    assert not too_long


def test_no_function_of_the_package_is_longer_than_60_lines() -> None:
    functions = [(m.path.name, f) for m in modules(CODE[0]) for f in m.functions()]
    too_long = {f"{name}: {f.name}": length(f) for name, f in functions if length(f) > 60}
    assert not too_long


def test_slots_that_run_by_themselves_outlive_no_widget() -> None:
    """A timer may fire after Python has freed the widget, if another thread collects the garbage.

    Qt deletes the widget later, in its own thread. Methods are safe: PyQt calls none of an object
    that is gone. A function, or the ``emit`` of a signal of the widget, is called all the same.
    """
    slot = re.compile(r"timeout\.connect\((?!self\.\w+\))|\.connect\(self\.\w+\.emit\)")
    found = {
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for path in (ROOT / "napari_medvlm").rglob("*.py")
        for line in path.read_text("utf-8").splitlines()
        if slot.search(line)
    }
    # Stops when its dock shows another image, which it is about.
    expected = "napari_medvlm/widgets/evaluate/open_case.py: waiting.timeout.connect(guarded(look))"
    assert found == {expected}


def test_the_public_names_import_nothing_heavy() -> None:
    imported = in_fresh_interpreter(EVERY_PUBLIC_NAME)
    assert HEAVY.isdisjoint(imported)


def test_the_commands_import_nothing_heavy_and_take_less_time_than_napari() -> None:
    ratios = []
    for _ in range(3):  # the first run may compile files, and other work may run at the same time
        seen = in_fresh_interpreter(EVERY_COMMAND_AFTER_NAPARI)
        assert HEAVY.isdisjoint(seen["modules"])
        ratios.append(seen["plugin_s"] / seen["napari_s"])
        if ratios[-1] < 1:  # about a half
            return
    raise AssertionError(f"seconds of the commands over those of napari: {ratios}")


def imported_at_module_level(path: Path) -> set[str]:
    """Names of the modules, and of what is imported from them, that a file imports on its own."""
    names: set[str] = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def test_qt_is_imported_through_qtpy_and_tested_with_both_bindings() -> None:
    """PyQt6 and PySide6 differ in what they export; the package runs with either."""
    bindings = re.compile(r"^\s*(?:from|import) (?:PyQt|PySide|shiboken|sip)", re.MULTILINE)
    files = [path for folder in CODE for path in folder.rglob("*.py")]
    assert not [path for path in files if bindings.search(path.read_text("utf-8"))]
    workflow = (ROOT / ".github" / "workflows" / "test.yml").read_text("utf-8")
    assert {"pyqt6", "pyside6"} <= set(re.findall(r"qt: (\w+)", workflow))


def test_no_process_of_the_tests_opens_windows_and_imports_torch() -> None:
    files = sorted((ROOT / "tests").rglob("*.py"))
    imports = {".".join(p.relative_to(ROOT).with_suffix("").parts): p for p in files}
    heavy = {"torch", "monai", "transformers"}
    with_torch: set[str] = set()
    reached = {name: imported_at_module_level(path) for name, path in imports.items()}
    while more := {
        name
        for name, names in reached.items()
        if name not in with_torch
        and any(n.split(".")[0] in heavy or n in with_torch for n in names)
    }:
        with_torch |= more
    windows = {p for folder in WINDOWS for p in (ROOT / folder).rglob("*.py")}
    assert not {name for name in with_torch if imports[name] in windows}
    opens = re.compile(r"\b(make_napari_viewer|qtbot|qapp)\b")
    others = [p for p in files if p not in windows and p.name.startswith("test_")]
    opened = {str(p) for p in others if opens.search(p.read_text(encoding="utf-8"))}
    assert opened <= {str(Path(__file__).resolve())}
