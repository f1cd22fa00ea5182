"""The examples and module names in the documentation are correct."""

import ast
import importlib
import re
import runpy
import shlex
import textwrap
from pathlib import Path
from unittest.mock import create_autospec

import pytest
import typer.main
from pydicom.data import get_testdata_file

import napari_medvlm as nmv
from napari_medvlm.backends import Backend, BackendInfo
from napari_medvlm.backends.conformance import segment as kit
from napari_medvlm.backends.conformance.phantom import phantom
from napari_medvlm.cli import app
from napari_medvlm.io.archive import dicomweb
from tests.backends.openai_server.player import playing, recorded

DOCS = Path(__file__).parents[1] / "docs"
ROOT = DOCS.parent
PAGES = sorted([*DOCS.rglob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"])
NAMES = ("napari-medvlm session", "napari-medvlm PACS")
"""Values of a format and a name, no commands."""
PROGRAM = typer.main.get_command(app)
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
    """The commands in the running text of a page; `test_docs_commands` parses those in blocks."""
    inline = (" ".join(code.split()) for code in re.findall(r"`(napari-medvlm [^`]+)`", text))
    yield from (code for code in inline if code not in NAMES)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_in_the_text_of_a_page_exist_with_their_options(page):
    for line in commands_of(page.read_text("utf-8")):
        words = shlex.split(line, comments=True)[1:]
        command = PROGRAM
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
    assert set(listed) == set(PROGRAM.commands)


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


def python_blocks(page):
    """The Python of a page, block by block."""
    found = re.findall(
        r"^( *)```python\n(.*?)^ *```", page.read_text("utf-8"), re.DOTALL | re.MULTILINE
    )
    return [textwrap.dedent(code) for _, code in found]


RUN_ELSEWHERE = {
    "README.md": (1, "test_readme.py"),
    "new-backend.md": (4, "test_new_backend.py"),
    "ask.md": (1, "test_ask_page.py"),
    "evaluate.md": (1, "test_docs.py"),
}
RUN_HERE = {
    "checks.md": 2,
    "models.md": 1,
    "nninteractive.md": 1,
    "pacs.md": 1,
    "CONTRIBUTING.md": 1,
}
CANNOT_RUN = {"servers.md": (1, "defines operators of torchvision again where it is installed")}
"""Blocks that no test runs, and why."""


def test_every_python_block_of_the_pages_runs_in_a_test_or_is_listed_with_the_reason():
    counted = RUN_HERE | {page: count for page, (count, _) in RUN_ELSEWHERE.items()}
    counted["servers.md"] = 1 + CANNOT_RUN["servers.md"][0]
    pages = {page.name: len(python_blocks(page)) for page in PAGES}
    assert {name: count for name, count in pages.items() if count} == counted


@pytest.fixture
def small_volume():
    return phantom()


@pytest.mark.parametrize(
    ("page", "backend", "model"),
    [
        ("models.md", "sam", "medsam-hospital"),
        ("nninteractive.md", "nninteractive", "path/to/folder"),
    ],
)
def test_the_python_that_opens_a_session_with_a_model_runs(page, backend, model, small_volume):
    (code,) = python_blocks(DOCS / page)
    names = {"nmv": nmv, "volume": small_volume}
    exec(code, names)
    with names["session"] as session:
        assert session.backend == backend
        assert model in code


def test_the_python_that_checks_an_answer_runs(small_volume, capsys):
    code = python_blocks(DOCS / "checks.md")[1]
    with nmv.AskSession(small_volume, "embedded", "inline") as session:
        exchange = session.ask("What is the mean intensity?")
        exec(code, {"session": session, "exchange": exchange})
    printed = capsys.readouterr().out.splitlines()
    assert printed
    assert all(line.endswith((".", "?", "!")) for line in printed)


def test_the_python_that_asks_a_server_runs(tmp_path, monkeypatch, small_volume):
    monkeypatch.chdir(tmp_path)
    nmv.write_mask("scan.nii.gz", small_volume.data - small_volume.data.min(), small_volume)
    code = python_blocks(DOCS / "servers.md")[0].replace("0, 40, 60", "0, 4, 12")
    with playing(recorded("plain")) as server:
        names = {}
        exec(code.replace("http://127.0.0.1:8000/v1", server.url), names)
    assert names["answer"].text


def test_the_python_that_fetches_from_a_pacs_calls_it_as_it_is_called(monkeypatch):
    pacs = create_autospec(dicomweb.DicomWeb)
    pacs.return_value.studies.return_value = pacs.return_value.series.return_value = ["first"]
    pacs.return_value.fetch.return_value = get_testdata_file("CT_small.dcm")
    monkeypatch.setattr(dicomweb, "DicomWeb", pacs)
    (code,) = python_blocks(DOCS / "pacs.md")
    names = {}
    exec(code, names)
    assert names["volume"].modality == "CT"
    (files, _), _ = pacs.return_value.store.call_args
    assert [path.name for path in files] == ["seg.dcm", "measurements.dcm"]


def test_the_python_that_checks_a_backend_runs(monkeypatch):
    called = []
    monkeypatch.setattr(kit, "CHECKS", [lambda cls, model: called.append((cls, model))])
    (code,) = python_blocks(ROOT / "CONTRIBUTING.md")
    exec(code, {"MyBackend": Threshold})
    assert called == [(Threshold, None)]


class Threshold(Backend):
    """A backend that is only passed on."""

    info = BackendInfo("threshold", "Threshold", "MIT", frozenset({nmv.Point}))

    def set_volume(self, volume):
        """Take nothing."""
