"""The examples and module names in the documentation are correct."""

import importlib
import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"
ROOT = DOCS.parent
PAGES = sorted([*DOCS.rglob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"])
LINK = re.compile(r"\]\((?!https?:)([^)#]+)")


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
