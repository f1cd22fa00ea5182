"""Models on the command line: the same names, states and errors as in the window."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import napari_medvlm as nmv
from napari_medvlm.backends.models.download import fetch
from napari_medvlm.cli import app
from tests.backends.models.tiny_hub import WEIGHTS, Hub, used

run = CliRunner().invoke


@pytest.fixture
def hub(monkeypatch, tmp_path):
    with used(Hub(), monkeypatch, tmp_path / "cache" / "hub") as hub:
        yield hub


@pytest.fixture
def weights(tmp_path):
    path = tmp_path / "sam vit.pth"
    path.write_bytes(b"\x80" + b"w" * 999)
    return path


def reported(*arguments, status=0):
    done = run(app, ["models", *map(str, arguments), "--json"])
    assert done.exit_code == status, done.output
    return json.loads(done.stdout)


def test_all_models_are_listed_with_licence_tasks_memory_and_page():
    rows = {row["name"]: row for row in reported("list")["models"]}
    row = rows["nnInteractive"]
    assert row["use"] == "not for commercial use"
    assert row["tasks"] == ["segment"]
    assert row["memory_mib"] == 10000
    assert row["page"] == "https://huggingface.co/MIC-DKFZ/nnInteractive"
    assert {"path": None, "bytes": 0}.items() <= row.items()
    assert rows["google/owlv2-base-patch16-ensemble"]["title"] == "OWLv2, OWL-ViT"
    text = run(app, ["models", "list"]).stdout
    line = next(line for line in text.splitlines() if line.startswith("nnInteractive:"))
    assert "not for commercial use; needs 10.5 GB" in line


def test_a_model_is_added_shown_checked_and_forgotten(weights):
    added = reported("add", weights, "--backend", "vlm", "--name", "ours")
    assert {"name": "ours", "state": "added", "bytes": 1000}.items() <= added.items()
    assert reported("list")["models"][0] == added == reported("show", "ours")
    shown = run(app, ["models", "show", "ours"]).stdout
    assert str(weights) in shown
    assert "added, 0.0 MB" in shown
    assert reported("verify", "ours", "--files-only") == {
        "name": "ours", "whole": True, "wrong": [], "run": None,
    }  # fmt: skip
    weights.write_bytes(b"v" * 1000)
    wrong = reported("verify", "ours", status=1)["wrong"]
    assert wrong == ["sam vit.pth has changed since it was added."]
    done = run(app, ["models", "verify", "ours"])
    assert (done.exit_code, wrong[0] in done.stdout) == (1, True)
    assert "was removed from the list" in reported("remove", "ours")["done"]
    assert weights.exists()
    done = run(app, ["models", "show", "ours"])
    assert done.exit_code == 1
    assert "There is no model called 'ours'" in done.output


def test_mistakes_are_reported_in_a_sentence(weights):
    for arguments, message in (
        (["add", weights, "--backend", "nobody"], "no backend called nobody"),
        (["add", weights / "not", "--backend", "vlm"], "There is no"),
        (["verify", "MedSAM"], "MedSAM is not on this computer"),
        (["remove", "MedSAM"], "MedSAM is not on this computer"),
        (["trust", weights / "not"], "There is no file"),
        (["download", "MedSAM"], "publish it on their page"),
        (["download", "nonsense"], "owner/name"),
    ):
        done = run(app, ["models", *map(str, arguments)])
        assert done.exit_code == 1
        assert message in done.output
        assert "Traceback" not in done.output


def test_a_downloaded_model_is_verified_and_removed_after_confirmation(hub, tmp_path):
    fetch("lab/tiny", lambda fraction, message="": None)
    assert reported("show", "lab/tiny")["state"] == "downloaded"
    assert reported("verify", "lab/tiny", "--files-only")["whole"]
    refused = run(app, ["models", "remove", "lab/tiny"], input="n\n")
    assert refused.exit_code == 1
    assert reported("verify", "lab/tiny", "--files-only")["whole"]
    assert "6.3 MB freed" in reported("remove", "lab/tiny", "--yes")["done"]
    assert not list(tmp_path.rglob("*.safetensors"))


def test_a_download_prints_one_object_and_no_second_way_is_left(hub, tmp_path):
    done = reported("download", "lab/tiny", "--yes")
    assert (done["name"], done["licence"]) == ("lab/tiny", "apache-2.0")
    (found,) = tmp_path.rglob("model.safetensors")
    assert str(found.parent) == done["path"]
    assert found.read_bytes() == WEIGHTS
    assert run(app, ["download", "lab/tiny"]).exit_code == 2


def test_a_file_is_trusted_as_it_is(weights):
    from napari_medvlm.backends.models.trust import trusted

    assert not trusted(weights)
    assert run(app, ["models", "trust", str(weights)]).exit_code == 0
    assert trusted(weights)
    weights.write_bytes(b"other")
    assert not trusted(weights)


GROUND = """
import json, sys
from pathlib import Path
from typer.testing import CliRunner
from napari_medvlm.backends.models.registry import add
from napari_medvlm.cli import app
from tests.backends import tiny_models as tiny

scan, folder = sys.argv[1:]
tiny.owl(Path(folder))
add(folder, "detector", lambda fraction, message="": None, "our owl")
for model in (folder, "our owl", "their owl"):
    asked = ["ground", scan, "nodule", "--backend", "detector", "--model", model, "--json"]
    done = CliRunner().invoke(app, asked)
    result = {**json.loads(done.stdout), "seconds": 0} if done.exit_code == 0 else done.output
    print(json.dumps([done.exit_code, result]))
"""


def test_a_model_gives_the_same_by_its_name_as_by_its_path(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 255, (2, 24, 24)).astype(np.int16)
    nmv.write_mask(tmp_path / "scan.nrrd", pixels, nmv.Volume(pixels))
    # A process of its own: torch is not loaded where a window may have been.
    done = subprocess.run(
        [sys.executable, "-c", GROUND, str(tmp_path / "scan.nrrd"), str(tmp_path / "owl")],
        cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    by_path, by_name, unknown = map(json.loads, done.stdout.splitlines()[-3:])
    assert by_path[0] == 0
    assert by_path == by_name
    assert unknown[0] == 1


def test_the_list_loads_no_torch(home):
    program = """
import sys
from typer.testing import CliRunner
from napari_medvlm.cli import app
done = CliRunner().invoke(app, ["models", "list"])
assert done.exit_code == 0, done.output
assert not {"torch", "transformers", "qtpy", "napari"} & set(sys.modules)
"""
    environment = {**os.environ, "HF_HUB_CACHE": str(home / "hub")}
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_a_text_is_not_taken_for_weights(tmp_path):
    text = tmp_path / "w.pth"
    text.write_text("hello\n")
    for arguments in (["add", str(text), "--backend", "sam"], ["trust", str(text)]):
        done = run(app, ["models", *arguments])
        assert done.exit_code == 1
        assert "it is a text that begins with 'hello" in done.stderr
    (tmp_path / "e.pth").write_bytes(b"")
    assert "it is empty" in run(app, ["models", "trust", str(tmp_path / "e.pth")]).stderr


def test_memory_is_that_of_the_parameters(tmp_path):
    import torch
    from safetensors.torch import save_file

    save_file({"a": torch.zeros(3 * 2**20), "b": torch.zeros(2, 2**20)}, tmp_path / "m.safetensors")
    added = reported("add", tmp_path / "m.safetensors", "--backend", "vlm", "--name", "mine")
    assert added["memory_mib"] == 10  # five million numbers of two bytes
