"""The conventions of a command line: version, verbosity, exit statuses, suggestions."""

import json
import logging
import subprocess
import sys

import numpy as np
import pytest
import typer.main
from PIL import Image
from typer.testing import CliRunner

import napari_medvlm as nmv
from napari_medvlm.backends import registry
from napari_medvlm.cli import app
from napari_medvlm.settings.log_file import log_path
from tests.worker.conftest import use_foreign

run = CliRunner().invoke


@pytest.fixture
def picture(tmp_path):
    data = np.zeros((30, 30), np.uint8)
    data[10:20, 10:20] = 200
    Image.fromarray(data).save(tmp_path / "p.png")
    return str(tmp_path / "p.png")


@pytest.fixture
def foreign(monkeypatch):
    use_foreign(monkeypatch)
    yield
    registry._entry_points.cache_clear()
    registry._load.cache_clear()


@pytest.mark.parametrize("option", ["--version", "-V"])
def test_the_version_is_printed(option):
    assert run(app, [option]).stdout == f"napari-medvlm {nmv.__version__}\n"


def test_the_module_is_the_program():
    command = [sys.executable, "-m", "napari_medvlm", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == f"napari-medvlm {nmv.__version__}\n"


def test_quiet_prints_the_result_only(picture):
    loud = run(app, ["segment", picture, "--point", "0,15,15"])
    assert "size of a pixel" in loud.stderr
    quiet = run(app, ["segment", picture, "--point", "0,15,15", "--quiet"])
    assert not quiet.stderr
    assert quiet.stdout.startswith("100 voxels")


def test_verbose_and_log_write_messages_and_leave_the_logger_as_it_was(picture, tmp_path):
    logger = logging.getLogger("napari_medvlm")
    before = list(logger.handlers), logger.level, logger.propagate
    log = tmp_path / "log.txt"
    done = run(app, ["segment", picture, "--point", "0,15,15", "-v", "--log", str(log)])
    assert f"napari-medvlm {nmv.__version__}" in done.stderr
    assert f"napari-medvlm {nmv.__version__}" in log.read_text()
    assert (list(logger.handlers), logger.level, logger.propagate) == before


def test_a_traceback_is_in_the_log_that_the_message_names(foreign, picture):
    done = run(app, ["segment", picture, "--point", "0,15,15", "--backend", "raising"])
    assert done.exit_code == 1
    assert str(log_path()) in done.stderr
    assert "Traceback" not in done.stderr
    assert "ZeroDivisionError" in log_path().read_text()
    assert "medvlm_foreign.py" in log_path().read_text()


def test_nothing_found_and_not_answered_are_status_3(picture):
    assert run(app, ["ground", picture, "liver"]).exit_code == 3
    assert run(app, ["ask", picture, "Is it benign?"]).exit_code == 3


@pytest.mark.parametrize("device", ["gpu", "GPU:0", "nonsense", "cuda:x"])
def test_what_is_no_device_is_wrong_usage_for_every_backend(picture, device):
    done = run(app, ["segment", picture, "--point", "0,15,15", "--device", device])
    assert done.exit_code == 2
    assert "is not the name of a device" in done.stderr
    assert "torch" not in done.stderr


def test_what_is_no_device_is_refused_in_python(phantom):
    with pytest.raises(nmv.MedVLMError, match=r"'gpu' is not the name .* named cuda"):
        nmv.ask(phantom[0], "How large is the image?", device="gpu")


def test_a_backend_and_a_model_that_are_nearly_known_are_suggested(picture, tmp_path):
    done = run(app, ["segment", picture, "--point", "0,15,15", "--backend", "emedded"])
    assert done.exit_code == 1
    assert "Did you mean embedded?" in done.stderr
    shown = run(app, ["models", "show", "IDEA-Research/grounding-dino-tinny"])
    assert "Did you mean IDEA-Research/grounding-dino-tiny?" in shown.stderr


def test_a_missing_published_model_is_reported_with_its_address(picture):
    done = run(
        app, ["segment", picture, "--point", "0,15,15", "--backend", "sam", "--model",
              "Segment Anything"]
    )  # fmt: skip
    assert done.exit_code == 1
    assert "Segment Anything is not on this computer." in done.stderr
    assert "https://" in done.stderr


def test_a_tilde_is_the_folder_of_the_user(picture, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    done = run(app, ["segment", "~/p.png", "--point", "0,15,15", "--out=~/m.nii.gz", "-q"])
    assert done.exit_code == 0, done.stderr
    assert (tmp_path / "m.nii.gz").exists()
    assert nmv.read_volume("~/m.nii.gz").data.sum() == 100


def test_backends_says_what_is_not_installed_and_hides_nothing(foreign):
    done = run(app, ["backends", "--json"])
    listed = json.loads(done.stdout)
    assert listed["backends"]["embedded"]["problem"] is None
    assert "needs a_module_that_nobody_has" in listed["backends"]["needy"]["problem"]
    assert "NoInfo.info is not a BackendInfo" in listed["broken"]["no_info"]
    assert not done.stderr


def test_commands_of_evaluate_stand_in_the_order_of_their_use():
    lines = run(app, ["evaluate", "--help"]).stdout.split()
    order = [lines.index(name) for name in ("segment", "compare", "calibrate", "open")]
    assert order == sorted(order)


def test_an_index_with_blanks_is_an_error_that_shows_commas(picture):
    done = run(app, ["segment", picture, "--point", "0", "15", "15"])
    assert done.exit_code == 2
    assert "0,15,15" in done.stderr


def test_a_device_without_effect_is_noted(picture):
    done = run(app, ["segment", picture, "--point", "0,15,15", "--device", "cuda"])
    assert done.exit_code == 0
    assert "computes on the CPU; --device cuda has no effect" in done.stderr


def test_a_mask_of_most_of_the_image_is_noted(picture):
    done = run(app, ["segment", picture, "--point", "0,2,2"])
    assert "of the image; check the order of the index z,y,x" in done.stdout + done.stderr


def test_help_breaks_paragraphs_at_the_width_of_the_terminal():
    command = typer.main.get_command(app).commands["evaluate"].commands["segment"]
    assert "to --out. Run the same command again" in command.help
    assert command.help.startswith("Segment all cases with simulated prompts")


@pytest.mark.parametrize("command", [[], ["segment"], ["evaluate"], ["evaluate", "segment"]])
def test_help_shows_no_type_of_flags(command):
    help_text = run(app, [*command, "--help"]).stdout
    assert "--help" in help_text
    assert "<bool>" not in help_text
