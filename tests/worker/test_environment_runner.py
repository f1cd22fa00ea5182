"""Each request goes to the Python of its backend, and what goes wrong there stays there."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import threading

import psutil
import pytest

from napari_medvlm.data.errors import MedVLMError, SettingsError, WorkerCrashed
from napari_medvlm.worker.environments import Environments
from tests.worker.conftest import FOREIGN, new_environment_like_this, posix


def interpreter(runner, ask):
    """The Python in which the backend that tells it ran."""
    with pytest.raises(MedVLMError) as error:
        runner.submit(ask("where")).result(120)
    return error.value.message


def started(runner, ask, backend):
    """A job that is being worked on."""
    running = threading.Event()
    job = runner.submit(ask(backend), lambda *_: running.set())
    job.add_done_callback(lambda _: running.set())
    assert running.wait(120)
    assert not job.done()
    return job


def test_without_a_file_all_backends_run_in_this_python(routed, ask):
    assert interpreter(routed, ask) == sys.executable
    assert routed.submit(ask()).result(120).mask.voxels == 60
    assert list(routed.pids) == [sys.executable]


def test_a_backend_that_the_file_names_runs_there_and_the_others_here(
    routed, ask, write, other_python
):
    write(where=other_python)
    assert interpreter(routed, ask) == str(other_python)
    assert routed.submit(ask()).result(120).mask.voxels == 60
    assert set(routed.pids) == {str(other_python), sys.executable}
    assert psutil.Process(routed.pids[str(other_python)]).is_running()


def test_the_file_can_be_changed_at_any_time(routed, ask, write, other_python):
    assert interpreter(routed, ask) == sys.executable
    write(where=other_python)
    assert interpreter(routed, ask) == str(other_python)


def test_the_folder_of_an_environment_will_do_also_from_the_files_folder(
    routed, ask, write, other_python, home
):
    write(where=other_python.parents[1])
    assert interpreter(routed, ask) == str(other_python)
    near = os.path.relpath(other_python.parents[1], home)
    write(where=near)
    assert os.path.samefile(Environments.load().python_of("where"), other_python)


def test_backends_of_one_environment_share_a_process(routed, ask, write, other_python):
    write(where=other_python, threshold=other_python.parents[1])
    interpreter(routed, ask)
    assert routed.submit(ask()).result(120).mask.voxels == 60
    assert list(routed.pids) == [str(other_python)]


def test_environments_work_side_by_side(routed, ask, write, other_python):
    write(hung=other_python)
    hung = started(routed, ask, "hung")
    assert routed.submit(ask()).result(120).mask.voxels == 60
    assert not hung.done()


def test_python_variables_are_not_passed_to_another_interpreter(
    routed, ask, write, other_python, monkeypatch, tmp_path
):
    monkeypatch.setenv("PYTHONHOME", str(tmp_path))
    write(where=other_python)
    assert interpreter(routed, ask) == str(other_python)


@posix
def test_a_crash_in_one_leaves_the_work_of_the_other(routed, ask, write, other_python):
    write(segfault=other_python, threshold=other_python)
    hung = started(routed, ask, "hung")
    pid = routed.pids[sys.executable]
    with pytest.raises(WorkerCrashed, match="SIGSEGV"):
        routed.submit(ask("segfault")).result(120)
    assert not hung.done()
    assert routed.pids == {sys.executable: pid}
    assert routed.submit(ask()).result(120).mask.voxels == 60


def test_an_environment_that_is_deleted_fails_its_backends_only(routed, ask, write, tmp_path):
    python = new_environment_like_this(tmp_path / "gone")
    write(where=python, threshold=python)
    assert interpreter(routed, ask) == str(python)
    shutil.rmtree(tmp_path / "gone")
    with pytest.raises(
        SettingsError, match="Line 3 of environments.yaml, threshold: .* does not exist"
    ):
        routed.submit(ask()).result(120)
    assert routed.submit(ask("slow")).result(120).mask.voxels == 60
    write()
    assert interpreter(routed, ask) == sys.executable


def test_stopping_ends_all_and_the_next_request_starts_again(routed, ask, write, other_python):
    write(where=other_python)
    interpreter(routed, ask)
    routed.submit(ask()).result(120)
    pids = routed.pids.values()
    routed.stop()
    assert not routed.pids
    assert not any(psutil.pid_exists(pid) for pid in pids)
    assert interpreter(routed, ask) == str(other_python)


VIEWER = """
    import sys
    import numpy as np
    from napari_medvlm.backends.base import ObjectPrompts
    from napari_medvlm.data.prompts import Point
    from napari_medvlm.data.volume import Volume
    from napari_medvlm.worker.environment_runner import RoutedRunner
    from napari_medvlm.worker.messages import SegmentRequest

    volume = Volume(np.random.default_rng(0).random((9, 9, 9)))
    prompts = ObjectPrompts((Point.at_index(volume, (1, 1, 1)),))
    runner = RoutedRunner()
    for backend in ("threshold", "noisy"):
        runner.submit(SegmentRequest(backend, volume, prompts=prompts)).result(120)
    print(*runner.pids.values(), flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("killed", [pytest.param(True, marks=posix), False])
def test_all_processes_end_with_their_viewer(write, other_python, killed):
    write(noisy=other_python)
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(VIEWER)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(FOREIGN)},
    ) as viewer:  # fmt: skip
        workers = [psutil.Process(int(pid)) for pid in viewer.stdout.readline().split()]
        assert len(workers) == 2
        viewer.kill() if killed else viewer.stdin.close()
        for worker in workers:
            with contextlib.suppress(psutil.NoSuchProcess):
                worker.wait(120)
        assert viewer.wait(120) == (-signal.SIGKILL if killed else 0)
