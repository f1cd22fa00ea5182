"""The worker process: what a crash costs, and what it leaves behind."""

import contextlib
import logging
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from napari_medvlm.data.errors import (
    BackendFailed,
    Cancelled,
    OutOfMemory,
    WorkerCrashed,
    WorkerHung,
)
from napari_medvlm.data.volume import Volume
from napari_medvlm.worker import memory_block, shared_memory
from tests.worker.conftest import FOREIGN, posix


def blocks(pid=None):
    """Names of the shared blocks that a process owns; of this one by default."""
    folder = Path("/dev/shm")
    return {p.name for p in folder.glob(f"{memory_block.PREFIX}{pid or os.getpid()}_*")}


def started(runner, ask, backend):
    """A job that is being worked on, seen from its first progress or from the worker's number."""
    running = threading.Event()
    job = runner.submit(ask(backend), lambda *_: running.set())
    assert running.wait(120)
    return job


@posix
def test_a_segfault_is_reported_with_the_last_output_and_the_next_request_works(runner, ask):
    with pytest.raises(WorkerCrashed, match="SIGSEGV") as error:
        runner.submit(ask("segfault")).result(120)
    assert error.value.exit_code == -signal.SIGSEGV
    assert not isinstance(error.value, WorkerHung)
    assert runner.submit(ask()).result(120).mask.voxels == 60


@posix
def test_a_killed_worker_is_reported_and_the_job_behind_it_is_done(runner, ask):
    job = started(runner, ask, "slow")
    behind = runner.submit(ask())
    os.kill(runner.pid, signal.SIGKILL)
    with pytest.raises(WorkerCrashed, match="SIGKILL"):
        job.result(120)
    assert behind.result(120).mask.voxels == 60


@posix
def test_a_worker_that_died_while_idle_is_replaced_silently(runner, ask):
    runner.submit(ask()).result(120)
    worker = psutil.Process(runner.pid)
    worker.kill()
    worker.wait(120)
    assert runner.submit(ask()).result(120).mask.voxels == 60


def test_a_cancelled_job_stops_at_once_and_the_next_is_done(runner, ask):
    job = started(runner, ask, "slow")
    pid = runner.pid
    job.cancel()
    behind = runner.submit(ask())
    with pytest.raises(Cancelled):
        job.result(120)
    assert behind.result(120).mask.voxels == 60
    assert runner.pid == pid


def test_a_job_that_waits_can_be_cancelled(runner, ask):
    first = started(runner, ask, "slow")
    waiting = runner.submit(ask())
    waiting.cancel()
    with pytest.raises(Cancelled):
        waiting.result(120)
    assert first.result(120).mask.voxels == 60


def test_a_backend_that_does_not_stop_is_ended(runner, ask):
    job = started(runner, ask, "hung")
    pid = runner.pid
    job.cancel()
    with pytest.raises(WorkerHung, match=r"did not stop within 0\.5 s"):
        job.result(120)
    assert runner.submit(ask()).result(120).mask.voxels == 60
    assert not psutil.pid_exists(pid)


def test_a_worker_imports_nothing_from_the_current_folder(runner, ask, tmp_path, monkeypatch):
    (tmp_path / "queue.py").write_text("raise ImportError('planted')")
    monkeypatch.chdir(tmp_path)
    assert runner.submit(ask()).result(60).mask.voxels


def test_prints_do_not_disturb_and_are_log_messages(runner, ask, caplog):
    caplog.set_level(logging.INFO, "napari_medvlm")
    for _ in range(3):
        assert runner.submit(ask("noisy")).result(120).mask.voxels == 60
    with pytest.raises(BackendFailed):
        runner.submit(ask("writing")).result(120)
    runner.stop()
    assert any(m.endswith("about to write") for m in caplog.messages)
    assert max(map(len, caplog.messages)) < 2000


def test_stopping_ends_the_worker_frees_the_memory_and_the_next_request_starts_again(runner, ask):
    before = blocks()
    runner.submit(ask()).result(120)
    pid = runner.pid
    runner.stop()
    assert runner.pid is None
    assert not psutil.pid_exists(pid)
    assert blocks() == before
    assert runner.submit(ask()).result(120).mask.voxels == 60


def test_stopping_cancels_what_runs_and_what_waits(runner, ask):
    jobs = [started(runner, ask, "hung"), runner.submit(ask())]
    runner.stop()
    for job in jobs:
        with pytest.raises(Cancelled):
            job.result(120)


def test_a_job_can_be_stopped_while_the_worker_starts(runner, ask):
    job = runner.submit(ask())
    runner.stop()
    assert job.done()


def test_only_the_latest_volumes_stay_in_shared_memory(runner, ask):
    before = blocks()
    volumes = [
        Volume(np.full((3, 3, 3), i, np.uint8) + np.eye(3, dtype=np.uint8)) for i in range(4)
    ]
    for volume in [*volumes, volumes[0]]:
        assert runner.submit(ask(zyx=(0, 0, 0), volume=volume)).result(120).mask.voxels == 9
    if os.path.isdir("/dev/shm"):
        assert len(blocks() - before) == shared_memory.MAX_VOLUMES


def test_too_little_shared_memory_is_reported_before_anything_is_written(runner, ask, monkeypatch):
    def full(_):
        return os.statvfs_result((4096, 4096, 10, 0, 0, 0, 0, 0, 0, 255))

    monkeypatch.setattr("os.statvfs", full)
    monkeypatch.setattr("os.path.isdir", lambda _: True)
    with pytest.raises(OutOfMemory, match="shared memory"):
        runner.submit(ask()).result(120)


VIEWER = """
    import sys, time
    import numpy as np
    from napari_medvlm.backends.base import ObjectPrompts
    from napari_medvlm.data.prompts import Point
    from napari_medvlm.data.volume import Volume
    from napari_medvlm.worker.process_runner import WorkerRunner
    from napari_medvlm.worker.messages import SegmentRequest

    volume = Volume(np.random.default_rng(0).random((40, 40, 40)))
    prompts = ObjectPrompts((Point.at_index(volume, (1, 1, 1)),))
    runner = WorkerRunner()
    runner.submit(SegmentRequest("threshold", volume, prompts=prompts)).result(120)
    {then}
"""


def viewer(code):
    code = textwrap.dedent(VIEWER).replace("{then}", textwrap.dedent(code))
    return subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(FOREIGN)},
    )  # fmt: skip


@posix
def test_a_killed_viewer_leaves_neither_worker_nor_memory():
    hang = """
    request = SegmentRequest("hung", volume, prompts=prompts)
    job = runner.submit(request, lambda *_: print(runner.pid, flush=True))
    time.sleep(3600)
    """
    with viewer(hang) as process:
        worker = psutil.Process(int(process.stdout.readline()))
        process.kill()
        worker.wait(120)
    deadline = time.monotonic() + 600
    while blocks(process.pid) and time.monotonic() < deadline:
        time.sleep(0.05)  # the resource tracker of the killed process tells nobody when it is done
    assert not blocks(process.pid)


def test_a_script_that_forgets_to_stop_ends_and_leaves_nothing():
    with viewer("print(runner.pid)") as process:
        pid = int(process.stdout.readline())
        assert process.wait(120) == 0
    with contextlib.suppress(psutil.NoSuchProcess):
        psutil.Process(pid).wait(120)
    assert not blocks(process.pid)


def test_the_round_trip_is_short(runner, ask):
    runner.submit(ask()).result(120)
    seconds = []
    for _ in range(50):
        start = time.perf_counter()
        runner.submit(ask()).result(120)
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 0.02  # other work on the machine delays most of them
