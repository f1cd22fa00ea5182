"""Both runners do the same work, and tell the same errors."""

import re
import threading

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from napari_medvlm.backends import registry
from napari_medvlm.backends.base import BackendInfo, ObjectPrompts
from napari_medvlm.data.errors import (
    BackendFailed,
    BackendUnavailable,
    Cancelled,
    OutOfMemory,
    PromptNotSupported,
)
from napari_medvlm.data.mask import Mask
from napari_medvlm.data.prompts import Box
from napari_medvlm.worker.messages import Request, SegmentRequest
from napari_medvlm.worker.runner import InlineRunner


@pytest.fixture(params=["inline", "worker"])
def any_runner(request):
    if request.param == "worker":
        return request.getfixturevalue("runner")
    return InlineRunner()


def test_a_request_gives_the_backends_mask(any_runner, ask, volume):
    reply = any_runner.submit(ask()).result(120)
    assert_array_equal(reply.mask.full(), volume.data >= 60)
    assert 0 <= reply.seconds < 5


def test_excluded_voxels_are_never_in_the_mask(any_runner, ask, volume):
    excluded = Mask.of(volume.data > 100)
    reply = any_runner.submit(ask(excluded=excluded)).result(120)
    assert_array_equal(reply.mask.full(), (volume.data >= 60) & (volume.data <= 100))


def test_progress_is_reported(any_runner, ask):
    messages = []
    job = any_runner.submit(
        ask("slow"), lambda fraction, message: messages.append((fraction, message))
    )
    job.result(120)
    assert (0.0, "Preparing the image") in messages
    assert any(message == "slowly" for _, message in messages)


def test_a_plain_request_makes_the_backend_ready(any_runner, volume):
    any_runner.submit(Request("threshold", volume)).wait(120)


@pytest.mark.parametrize(
    ("backend", "error", "message"),
    [
        ("memory", OutOfMemory, "Out of memory: memory on cpu"),
        ("memory_of_processor", OutOfMemory, "Out of memory: memory_of_processor on cpu"),
        ("raising", BackendFailed, r"division by zero in the model \(.*\)\.$"),
        ("writing", BackendFailed, r"read-only \(medvlm_foreign\.py, line \d+, in segment\)\."),
        ("misshapen", BackendFailed, r"mask of shape \(1, 2, 3\)"),
        ("nobody", BackendUnavailable, "no backend called nobody"),
        ("broken", BackendUnavailable, "cannot be imported"),
        ("needy", BackendUnavailable, "a_module_that_nobody_has"),
    ],
)
def test_errors_are_distinguished_and_the_next_request_works(
    any_runner, ask, backend, error, message
):
    with pytest.raises(error) as error:
        any_runner.submit(ask(backend)).result(20)
    assert re.search(message, error.value.message)
    assert error.value.hint
    assert ("such as volume.data.copy()" in error.value.hint) == (backend == "writing")
    assert any_runner.submit(ask()).result(20).mask.voxels == 60


def test_a_kind_of_prompt_that_the_backend_lacks_is_refused(any_runner, volume):
    box = Box.at_index(volume, (0, 0, 0), (2, 2, 2))
    request = SegmentRequest("threshold", volume, prompts=ObjectPrompts((box,)))
    with pytest.raises(PromptNotSupported, match="does not support box prompts"):
        any_runner.submit(request).result(120)


def test_cancelling_from_the_progress_stops_the_job(any_runner, ask):

    def stop(fraction, message):
        raise Cancelled

    if isinstance(any_runner, InlineRunner):
        job = any_runner.submit(ask("slow"), stop)
    else:
        running = threading.Event()
        job = any_runner.submit(ask("slow"), lambda *_: running.set())
        assert running.wait(20)
        job.cancel()
    with pytest.raises(Cancelled):
        job.result(120)


def test_the_backend_cannot_write_to_the_image(runner, ask, volume):
    before = volume.data.copy()
    runner.submit(ask()).result(120)
    assert_array_equal(volume.data, before)


def test_broken_backends_hide_no_other_and_say_why():
    assert {"embedded", "threshold", "slow"} <= set(registry.names())
    assert registry.names()[0] == "embedded"
    problems = registry.problems()
    assert "No module named" in problems["broken"]
    assert "not a Backend" in problems["no_backend"]
    assert "is named threshold" in problems["misnamed"]
    assert "NoInfo.info is not a BackendInfo" in problems["no_info"]


def test_backends_of_one_name_are_refused_and_never_replace_one_of_this_package(
    monkeypatch, tmp_path
):
    for package in ("twin-a", "twin-b"):
        folder = tmp_path / f"{package.replace('-', '_')}-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        points = "".join(f"{name} = medvlm_foreign:Threshold\n" for name in ("twin", "sam"))
        (folder / "entry_points.txt").write_text(f"[napari_medvlm.backends]\n{points}")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert "brought by twin-a and twin-b: rename" in registry.problems()["twin"]
    assert registry.distribution("sam") == "napari-medvlm"
    assert registry.info("sam").name == "sam"


@pytest.mark.parametrize(
    ("field", "value", "form"),
    [
        ("prompts", {"point"}, "frozenset({Point, Box})"),
        ("tasks", {"segment"}, "frozenset({Task.SEGMENT})"),
        ("modules", "scipy", '("scipy",)'),
    ],
)
def test_a_field_of_another_type_is_refused_with_its_form(field, value, form):
    with pytest.raises(TypeError, match=f"{field} must be like") as refused:
        BackendInfo("own", "Own", "MIT", **{field: value})
    assert form in str(refused.value)


def test_the_latest_backends_are_kept_and_any_can_be_asked_again(ask):
    runner = InlineRunner()
    for backend in ("threshold", "slow", "noisy", "threshold"):
        assert runner.submit(ask(backend)).result().mask.voxels == 60


def test_large_and_empty_excluded_masks_travel(runner, ask, volume):
    for excluded in (Mask.empty(volume.shape), Mask.of(np.ones(volume.shape, bool))):
        reply = runner.submit(ask(excluded=excluded)).result(120)
        assert reply.mask.voxels == (0 if excluded.voxels else 60)
