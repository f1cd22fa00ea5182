"""The examples and module names in the documentation are correct."""

import ast
import importlib
import re
import runpy
import shlex
import textwrap
from pathlib import Path

import pytest
import typer.main

import napari_medvlm as nmv
from napari_medvlm.cli import app

DOCS = Path(__file__).parents[1] / "docs"
ROOT = DOCS.parent
PAGES = sorted([*DOCS.rglob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"])
NAMES = ("napari-medvlm session", "napari-medvlm PACS")
"""Values of a format and a name, no commands."""
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


def commands_of(text):
    """The lines of a page that start the program, in blocks and in running text."""
    for block in re.findall(r"```(?:sh|console)\n(.*?)```", text, re.DOTALL):
        yield from re.findall(r"^ *(napari-medvlm .*)$", block.replace("\\\n", " "), re.MULTILINE)
    inline = (" ".join(code.split()) for code in re.findall(r"`(napari-medvlm [^`]+)`", text))
    yield from (code for code in inline if code not in NAMES)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_of_a_page_exist_with_their_options(page):
    for line in commands_of(page.read_text("utf-8")):
        words = shlex.split(line, comments=True)[1:]
        command = typer.main.get_command(app)
        while words and words[0] in getattr(command, "commands", {}):
            command = command.commands[words.pop(0)]
        group = hasattr(command, "commands")
        assert not (group and words) or words[0] in ("--help", "--version", "COMMAND"), line
        known = {"--help", "-h"}.union(*((*p.opts, *p.secondary_opts) for p in command.params))
        options = {word.split("=")[0] for word in words if re.match("--?[a-z]", word)}
        assert options <= known, f"{line}: {options - known}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python_of_a_page_can_be_parsed_and_uses_public_names_that_exist(page):
    text = page.read_text("utf-8")
    for block in re.findall(r"^ *```python\n(.*?)^ *```", text, re.DOTALL | re.MULTILINE):
        ast.parse(textwrap.dedent(block))
        for name in re.findall(r"\bnmv\.(\w+)", block):
            assert name in nmv.__all__, name


def test_the_page_of_the_command_line_lists_every_command():
    page = (DOCS / "command-line.md").read_text("utf-8")
    listed = re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)
    assert set(listed) == set(typer.main.get_command(app).commands)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_pages_state_and_show(page):
    """The verbs of saying are left to people."""
    assert not re.findall(r"\b(?:told|tells?|said)\b", page.read_text("utf-8"))


@pytest.mark.parametrize(
    ("page", "leaves"),
    [
        ("evaluate.md", "heads/labels/head2.nii.gz"),
        ("checks.md", "home/calibration/server-http_127.0.0.1_8000_v1_my_model.json"),
    ],
)
def test_the_first_python_of_a_page_runs(page, leaves, tmp_path, monkeypatch):
    monkeypatch.setenv("NAPARI_MEDVLM_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    block = re.search(r"```python\n(.*?)```", (DOCS / page).read_text("utf-8"), re.DOTALL)
    Path("page.py").write_text(textwrap.dedent(block[1].rstrip(" ")), "utf-8")
    runpy.run_path("page.py")
    assert Path(leaves).exists(), [str(path) for path in tmp_path.rglob("*.json")]
