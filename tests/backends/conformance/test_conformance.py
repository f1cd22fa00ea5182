"""Every registered backend keeps the contract, and one of another package too."""

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from napari_medvlm.backends import registry
from napari_medvlm.backends.base import Backend, BackendInfo
from napari_medvlm.backends.conformance.segment import CHECKS, backend_class, check_backend
from napari_medvlm.backends.models.trust import trust
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
    assert any("check_mask: it raised BackendFailed" in line for line in lines)


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
