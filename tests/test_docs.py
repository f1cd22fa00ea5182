"""The examples and module names in the documentation are correct."""

import importlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"


ROOT = DOCS.parent
PAGES = sorted([*DOCS.rglob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"])
LINK = re.compile(r"\]\((?!https?:)([^)#]+)")


def blocks(name, language):
    text = (DOCS / name).read_text("utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


@pytest.fixture
def package(tmp_path):
    """A package as the document tells to make it, where Python finds it."""
    code, check = blocks("new-backend.md", "python")
    (tmp_path / "bright_dark.py").write_text(code)
    info = tmp_path / "bright_dark-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: bright-dark\nVersion: 1.0\n")
    (toml,) = blocks("new-backend.md", "toml")
    entry = toml.splitlines()[-1].replace('"', "")
    (info / "entry_points.txt").write_text(f"[napari_medvlm.backends]\n{entry}\n")
    return tmp_path, code, check


def test_the_backend_of_the_document_conforms_and_is_short(package):
    folder, code, check = package
    assert len(code.splitlines()) < 60
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    done = subprocess.run(
        [sys.executable, "-c", check], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_backend_of_the_document_finds_the_bright_thing(package):
    folder, _, _ = package
    program = """
import napari_medvlm as nmv
from tests.conftest import make_phantom
volume, left, right = make_phantom(degrees=(0, 0, 20))
found = nmv.ground(volume, ["a bright thing"], "bright-dark", scope=nmv.Scope(0, 10, 14))
region, = found.regions
start, stop = region.box.bounds(volume.grid)
assert (start[0], stop[0]) == (10, 14), (start, stop)
assert (region.mask.full() & right).sum() > 0.5 * right[10:14].sum()
"""
    root = Path(__file__).parents[1]
    path = os.pathsep.join([str(folder), str(root)])
    done = subprocess.run(
        [sys.executable, "-c", program], env={**os.environ, "PYTHONPATH": path},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_modules_that_a_page_imports_exist(page):
    text = page.read_text("utf-8").replace('napari_medvlm.backends"', "")
    for names in re.findall(r"from (napari_medvlm[.\w]*) import ([\w, ]+)", text):
        module = importlib.import_module(names[0])
        for name in names[1].split(","):
            assert hasattr(module, name.strip()), names
    for path in re.findall(r"`(?:napari_medvlm/)?((?:\w+/)+\w+\.(?:py|toml|yaml))`", text):
        assert (ROOT / path).exists() or (ROOT / "napari_medvlm" / path).exists(), path


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_of_a_page_lead_to_files(page):
    for target in LINK.findall(page.read_text("utf-8")):
        assert (page.parent / target).exists(), target
