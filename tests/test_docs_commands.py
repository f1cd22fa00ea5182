"""The commands in the documentation are parsed by the program, and run where their inputs exist."""

import json
import re
import shlex
import shutil
from pathlib import Path

import click
import numpy as np
import pytest
import typer.main
from pydicom.data import get_testdata_file
from typer.testing import CliRunner

import napari_medvlm as nmv
from napari_medvlm.cli import app
from tests.conftest import make_phantom
from tests.evaluation.studies.test_compare import write_run

ROOT = Path(__file__).parents[1]
PAGES = sorted([*(ROOT / "docs").rglob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"])
PROGRAM = typer.main.get_command(app)
SHAPE = (92, 120, 86)
"""Of the image: the indices in the documentation lie in it."""
NOT_RUN = {
    "--backend": "needs weights or a server",
    "--model": "needs weights",
    "models": "needs weights or a network",
    "evaluate open": "opens a window",
    "evaluate calibrate": "needs a run of a model",
    "evaluate segment": "runs longer; tests/evaluation runs it",
    "ground": "registers an atlas; tests/cli/language runs it",
    "What is at 89,96,77?": "registers an atlas; tests/e2e asks it",
    "--accept": "runs longer; tests/cli runs it",
}
"""Commands and options that no test here runs, and why."""


def blocks(page):
    """The commands in the blocks of a page, without ``napari-medvlm``."""
    text = page.read_text("utf-8")
    for block in re.findall(
        r"^ *```(?:sh|bash|console)\n(.*?)^ *```", text, re.DOTALL | re.MULTILINE
    ):
        lines = block.replace("\\\n", " ").splitlines()
        for line in lines:
            words = shlex.split(line.strip().removeprefix("$ "), comments=True)
            if words and words[0] == "napari-medvlm":
                yield tuple(words[1:])


COMMANDS = list(dict.fromkeys(words for page in PAGES for words in blocks(page)))


RUNNABLE = [
    words
    for words in COMMANDS
    if not any(" ".join(words).startswith(name) or name in words for name in NOT_RUN)
]
RUN = list({re.sub("[-/.:,\\w]*[/.,][-/.:,\\w]*", "", " ".join(w)): w for w in RUNNABLE}.values())
"""One of the commands that differ in file names only."""


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_command_of_the_pages_is_parsed(words):
    command, rest = PROGRAM, list(words)
    while isinstance(command, click.Group) and rest and rest[0] in command.commands:
        command = command.commands[rest.pop(0)]
    assert rest == ["--help"] or not isinstance(command, click.Group)
    if "--help" not in rest:
        command.make_context(" ".join(words), rest)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The files that the commands name."""
    root = tmp_path_factory.mktemp("commands")
    scan = nmv.Volume(np.zeros(SHAPE, np.uint16), np.eye(4))
    ball = sum((n - c) ** 2 for n, c in zip(np.indices(SHAPE), (86, 96, 77), strict=True)) < 25
    small, left, right = make_phantom()
    for volume, images in (
        (scan, {"scan": 200 * ball, "left": ball, "right": np.roll(ball, -20, axis=2)}),
        (small, {"current": np.abs(small.data), "prior": np.abs(small.data),
                 "prior_lesions": left + 2 * right, "current_lesions": left}),
    ):  # fmt: skip
        for name, data in images.items():
            nmv.write_mask(root / f"{name}.nii.gz", data.astype(np.uint16), volume)
    for where in ("images", "labels"):
        (root / "heads" / where).mkdir(parents=True)
    (root / "predicted").mkdir()
    for path, name in (("heads/images", "current"), ("heads/labels", "prior_lesions"),
                       ("predicted", "current_lesions")):  # fmt: skip
        shutil.copy(root / f"{name}.nii.gz", root / path / "head0.nii.gz")
    for name in ("embedded", "other", "point", "box", "point-seeds", "box-seeds"):
        run = root / "heads" / name
        write_run(run / "seed-42" if "seeds" in name else run, {"x": 0.5, "y": 0.6, "z": 0.9})
    (root / "scans.csv").write_text("name,path,series\nfirst,scan.nii.gz,\n")
    (root / "SERIES_FOLDER").mkdir()
    shutil.copy(get_testdata_file("CT_small.dcm"), root / "SERIES_FOLDER")
    with nmv.SegmentationSession(
        nmv.read_volume(root / "current.nii.gz"), "embedded", "inline"
    ) as session:
        session.add(nmv.Point.at_index(session.volume, (12, 20, 13)))
        session.wait()
        session.ledger.save(root / "session.json")
    return root


@pytest.mark.parametrize("words", RUN, ids=" ".join)
def test_a_command_of_the_pages_runs(words, folder, monkeypatch):
    monkeypatch.setenv("NAPARI_MEDVLM_HOME", str(folder / "home"))
    monkeypatch.chdir(folder)
    done = CliRunner().invoke(app, list(words))
    assert done.exit_code == 0, done.output
    if "--json" in words:
        assert json.loads(done.stdout)
    if "--out" in words:
        assert Path(words[words.index("--out") + 1]).exists()
