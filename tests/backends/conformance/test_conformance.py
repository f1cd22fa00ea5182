"""Every registered backend keeps the contract, and one of another package too."""

import os
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from napari_medvlm.backends import registry
from napari_medvlm.backends.base import Backend, BackendInfo, Task
from napari_medvlm.backends.conformance import segment as kit
from napari_medvlm.backends.conformance.answer import ANSWER_CHECKS
from napari_medvlm.backends.conformance.segment import CHECKS, backend_class, check_backend
from napari_medvlm.backends.models.trust import trust
from napari_medvlm.data.answer import Answer, AnswerDelta, Claim
from napari_medvlm.data.prompts import Point
from tests.backends.automatic.tiny_nnunet import save_nnunet
from tests.backends.automatic.tiny_volumes import bundle, sammed3d, torchscript, vista3d, voxtell
from tests.backends.clip.tiny_clip import save_clip
from tests.backends.detection.tiny_sam3 import sam3
from tests.backends.nninteractive.tiny_nninteractive import save_nninteractive, served
from tests.backends.tiny_models import dino, florence, qwen25
from tests.worker.conftest import FOREIGN

MAKERS = {
    "bundle": bundle, "detector": dino, "florence": florence, "network": torchscript,
    "nninteractive": save_nninteractive, "nninteractive-server": served, "nnunet": save_nnunet,
    "sam3": sam3, "sammed3d": sammed3d, "similarity": save_clip,
    "vista3d": partial(vista3d, seed=3), "vlm": qwen25, "voxtell": voxtell,
}  # fmt: skip
"""What makes a small model for each backend that needs one.

The seed of VISTA3D is one whose mask holds the voxel of the prompt with a margin.
"""
ELSEWHERE = ("sam", "sam2", "server")
"""Held to the contract in their own tests, with models and servers of their own."""


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A small model for each backend that needs one, made when it is asked for."""
    folder = tmp_path_factory.mktemp("models")
    models_by_name = {}

    def model_of(name):
        if name in MAKERS and name not in models_by_name:
            models_by_name[name] = str(MAKERS[name](folder / name))
        return models_by_name.get(name)

    return model_of


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", [name for name in registry.names() if name not in ELSEWHERE])
@pytest.mark.filterwarnings("ignore:enable_nested_tensor")
def test_conformance(name, check, models):
    model = models(name)
    if model is not None and Path(model).exists():
        trust(model)
    check(backend_class(name), model)


def run_check(name):
    code = (
        "from napari_medvlm.backends.conformance.segment import backend_class, check_backend\n"
        f"check_backend(backend_class({name!r}))"
    )
    environment = {**os.environ, "PYTHONPATH": str(FOREIGN)}
    return subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )


def test_a_backend_of_another_package_is_found_and_conforms():
    done = run_check("threshold")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("name", "complaint"),
    [("misshapen", "mask of shape"), ("raising", "ZeroDivisionError")],
)
def test_a_backend_that_breaks_the_contract_is_reported_in_what(name, complaint):
    done = run_check(name)
    assert done.returncode != 0
    assert complaint in done.stderr


def test_the_whole_kit_runs_at_once():
    check_backend(backend_class("embedded"))


def test_all_checks_run_and_any_error_is_an_assertion():
    with pytest.raises(AssertionError) as failed:
        check_backend(Nothing)
    assert "check_info: Nothing.info is not a BackendInfo" in str(failed.value)
    with pytest.raises(AssertionError) as failed:
        check_backend(Everywhere)
    lines = str(failed.value).splitlines()
    assert "fails" in lines[0]
    assert len(lines) > 4
    line = line_of(Everywhere.segment)
    assert f"check_mask: everywhere: segment ({line}) gave ndarray, which is not a Mask." in str(
        failed.value
    )
    assert "Return napari_medvlm.Mask.of(array)." in str(failed.value)
    assert "report it" not in str(failed.value)


def line_of(method, offset=0):
    """The file, line and name of a method, as the kit states them."""
    code = method.__code__
    return f"{Path(code.co_filename).name}, line {code.co_firstlineno + offset}, in {code.co_name}"


def failures_of(cls, monkeypatch):
    """What the kit states of a class, by check; without the checks that start a process."""
    checks = (kit.check_volume_unchanged, *ANSWER_CHECKS)
    monkeypatch.setattr(kit, "CHECKS", checks)
    with pytest.raises(AssertionError) as failed:
        check_backend(cls)
    return dict(line.split(": ", 1) for line in str(failed.value).splitlines()[1:])


def test_a_backend_that_writes_to_the_image_is_reported_with_its_line_and_a_remedy(
    monkeypatch,
):
    reported = failures_of(Writing, monkeypatch)["check_volume_unchanged"]
    assert line_of(Writing.segment, 1) in reported
    assert "work on a copy, such as volume.data.copy()" in reported


@pytest.mark.parametrize(
    ("options", "complaints"),
    [
        ({"reports": False}, {"check_answer_cancel": "progress is never called"}),
        ({"counts": True}, {"check_answer_again": "it depends on what was asked before"}),
        (
            {"choice": "perhaps"},
            {"check_answer_options": "'perhaps', which is none of the options"},
        ),
        (
            {"answered": False},
            {
                "check_answer": "answered=False has no reason",
                "check_answer_refusal": "answered=False has no reason",
            },
        ),
        (
            {"earlier": 1 / 7},
            {"check_answer_follow_up": "it raised TypeError: unsupported operand"},
        ),
        ({"tasks": ()}, {"check_answer_task": "it answers, and info.tasks does not name"}),
    ],
)
def test_an_answerer_is_reported_in_what_it_breaks_and_where(options, complaints, monkeypatch):
    cls = type("Answering", (Answering,), {"__module__": __name__, **options})
    if "tasks" in options:
        cls.info = replace(cls.info, tasks=frozenset({Task.GROUND}))
    found = failures_of(cls, monkeypatch)
    for check, complaint in complaints.items():
        assert complaint in found[check]
        assert "test_conformance.py, line " in found[check]
        assert ", in answer" in found[check]
    if not options.keys() & {"tasks", "counts", "answered"}:
        broken = {name for name in found if name.startswith("check_answer")}
        assert broken == set(complaints)


class Answering(Backend):
    """Answers questions, in a way that can be broken in parts."""

    info = BackendInfo(
        "answering", "Answering", "MIT", tasks=frozenset({Task.ANSWER}), uses_no_images=True
    )
    reports, counts, choice, answered, earlier = True, False, "yes", True, None
    asked = 0

    def set_volume(self, volume):
        self.volume = volume

    def answer(self, question, progress):
        if self.reports:
            progress(0.0)
        if self.earlier and question.earlier:
            self.earlier + question.text
        self.asked += self.counts
        text = f"Yes, {self.asked}."
        choice = self.choice if question.options else ""
        claims = (Claim(text, source="measured"),)
        yield AnswerDelta(text, Answer(text, claims, answered=self.answered, choice=choice))


class Writing(Backend):
    """Writes to the image."""

    info = BackendInfo("writing", "Writing", "MIT", frozenset({Point}))

    def set_volume(self, volume):
        self.volume = volume

    def segment(self, prompts, progress):
        self.volume.data[0] = 0


class Nothing(Backend):
    """Lacks an info."""

    def set_volume(self, volume):
        pass


class Everywhere(Backend):
    """Returns an array instead of a mask."""

    info = BackendInfo("everywhere", "Everywhere", "MIT", frozenset({Point}))

    def set_volume(self, volume):
        self.volume = volume

    def segment(self, prompts, progress):
        return self.volume.data > 0
