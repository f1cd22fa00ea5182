"""A model is run on a known input once, and what came of it is recorded with its files' size."""

from __future__ import annotations

import json

import pytest

from napari_medvlm.backends.models.published import Known
from napari_medvlm.backends.models.registry import Model, State
from napari_medvlm.data.errors import Cancelled
from napari_medvlm.settings.paths import home
from napari_medvlm.settings.verified_models import UNTESTED, verification_status, verified_run
from napari_medvlm.worker.model_check import run_known_input
from napari_medvlm.worker.runner import InlineRunner, Job
from tests.backends import tiny_models as tiny


def model_of(backend, path, size=7):
    about = Known(title="tiny", backend=backend, source="tiny", code_licence="", weights_licence="")
    return Model("tiny", about, State.ADDED, path, size)


def ignored(fraction, message=""):
    """Take no notice of progress."""


def test_a_model_that_runs_is_recorded_with_its_result_date_and_versions(tmp_path):
    folder = tiny.florence(tmp_path / "florence-2-tiny")
    assert verification_status("tiny", 7) == UNTESTED
    run = run_known_input(model_of("florence", folder), InlineRunner(), "cpu", ignored)
    assert run.passed
    assert run.result.startswith("located ")
    assert {"napari-medvlm", "torch", "transformers"} <= run.versions.keys()
    assert verified_run("tiny", 7) == run
    assert verification_status("tiny", 7) == run.summary
    assert run.summary.startswith(f"ran on {run.date} (napari-medvlm ")


def test_other_files_make_the_model_untested_again(tmp_path):
    folder = tiny.florence(tmp_path / "florence-2-tiny")
    run_known_input(model_of("florence", folder), InlineRunner(), "cpu", ignored)
    assert verification_status("tiny", 8) == UNTESTED


def test_a_model_that_cannot_be_loaded_has_failed_with_the_reason(tmp_path):
    folder = tmp_path / "broken"
    folder.mkdir()
    (folder / "config.json").write_text("{}", "utf-8")
    run = run_known_input(model_of("florence", folder), InlineRunner(), "cpu", ignored)
    assert not run.passed
    assert run.result
    assert verification_status("tiny", 7).startswith("failed on ")


class Waiting(InlineRunner):
    """A runner whose job does not end by itself."""

    def submit(self, request, on_progress=None, on_text=None):
        self.job = Job(request)
        return self.job


def test_a_cancelled_run_is_not_recorded():
    def stop(fraction, message=""):
        raise Cancelled

    runner = Waiting()
    with pytest.raises(Cancelled):
        run_known_input(model_of("florence", home()), runner, "cpu", stop)
    assert runner.job.unwanted
    assert verification_status("tiny", 7) == UNTESTED


def test_a_damaged_file_of_runs_counts_as_none():
    (home()).mkdir(parents=True, exist_ok=True)
    (home() / "verified_models.json").write_text(json.dumps({"tiny": {"date": 3}}), "utf-8")
    assert verification_status("tiny", 7) == UNTESTED
