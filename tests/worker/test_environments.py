"""Backends in Pythons of their own: which one, what is wrong with it, and who suffers."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import venv
from importlib.metadata import metadata

import psutil
import pytest
from typer.testing import CliRunner

from napari_medvlm import __version__
from napari_medvlm.backends import registry
from napari_medvlm.cli import app
from napari_medvlm.errors import Cancelled, MedVLMError, SettingsError, WorkerCrashed
from napari_medvlm.worker import environments
from napari_medvlm.worker.environments import Environments, obstacle
from napari_medvlm.worker.routed import RoutedRunner
from tests.worker.conftest import FOREIGN

posix = pytest.mark.skipif(os.name == "nt", reason="shell scripts and signals are POSIX")


def python_in(folder):
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def new_environment(folder, line=""):
    """A Python of its own; ``line`` tells it where its libraries are."""
    venv.EnvBuilder(symlinks=os.name != "nt").create(folder)
    (site,) = folder.glob("[Ll]ib/**/site-packages")
    (site / "libraries.pth").write_text(line)
    return python_in(folder)


def new_whole_environment(folder):
    """A Python of its own with the libraries of this one."""
    ours = [path for path in sys.path if path.endswith("site-packages")]
    lines = [f"import site; site.addsitedir({path!r})\n" for path in ours]
    return new_environment(folder, "".join(lines))


@pytest.fixture(scope="module")
def there(tmp_path_factory):
    return new_whole_environment(tmp_path_factory.mktemp("environments") / "there")


@pytest.fixture
def write(home):
    def write(**pythons):
        lines = [f"{name.replace('_', '-')}: {python}\n" for name, python in pythons.items()]
        (home / "environments.yaml").write_text("# Which Python.\n" + "".join(lines))

    return write


@pytest.fixture
def routed():
    with RoutedRunner(cancel_grace_s=0.5) as runner:
        yield runner


def interpreter(runner, ask):
    """The Python in which the backend that tells it ran."""
    with pytest.raises(MedVLMError) as told:
        runner.submit(ask("where")).result(60)
    return told.value.message


def started(runner, ask, backend):
    """A job that is being worked on."""
    told = threading.Event()
    job = runner.submit(ask(backend), lambda *_: told.set())
    job.add_done_callback(lambda _: told.set())
    assert told.wait(60)
    assert not job.done()
    return job


def failure(runner, request):
    with pytest.raises(SettingsError) as told:
        runner.submit(request).result(60)
    return told.value


# Where requests go.


def test_without_a_file_all_backends_run_in_this_python(routed, ask):
    assert interpreter(routed, ask) == sys.executable
    assert routed.submit(ask()).result(60).mask.voxels == 60
    assert list(routed.pids) == [sys.executable]


def test_a_backend_that_the_file_names_runs_there_and_the_others_here(routed, ask, write, there):
    write(where=there)
    assert interpreter(routed, ask) == str(there)
    assert routed.submit(ask()).result(60).mask.voxels == 60
    assert set(routed.pids) == {str(there), sys.executable}
    assert psutil.Process(routed.pids[str(there)]).is_running()


def test_the_file_can_be_changed_at_any_time(routed, ask, write, there):
    assert interpreter(routed, ask) == sys.executable
    write(where=there)
    assert interpreter(routed, ask) == str(there)


def test_the_folder_of_an_environment_will_do_also_from_the_files_folder(
    routed, ask, write, there, home
):
    write(where=there.parents[1])
    assert interpreter(routed, ask) == str(there)
    near = os.path.relpath(there.parents[1], home)
    write(where=near)
    assert os.path.samefile(Environments.load().python_of("where"), there)


def test_backends_of_one_environment_share_a_process(routed, ask, write, there):
    write(where=there, threshold=there.parents[1])
    interpreter(routed, ask)
    assert routed.submit(ask()).result(60).mask.voxels == 60
    assert list(routed.pids) == [str(there)]


def test_environments_work_side_by_side(routed, ask, write, there):
    write(hung=there)
    hung = started(routed, ask, "hung")
    assert routed.submit(ask()).result(60).mask.voxels == 60
    assert not hung.done()


def test_variables_for_this_python_do_not_lead_the_other_astray(
    routed, ask, write, there, monkeypatch, tmp_path
):
    monkeypatch.setenv("PYTHONHOME", str(tmp_path))
    write(where=there)
    assert interpreter(routed, ask) == str(there)


# Who suffers.


@posix
def test_a_crash_in_one_leaves_the_work_of_the_other(routed, ask, write, there):
    write(segfault=there, threshold=there)
    hung = started(routed, ask, "hung")
    pid = routed.pids[sys.executable]
    with pytest.raises(WorkerCrashed, match="SIGSEGV"):
        routed.submit(ask("segfault")).result(60)
    assert not hung.done()
    assert routed.pids == {sys.executable: pid}
    assert routed.submit(ask()).result(60).mask.voxels == 60


def test_an_environment_that_is_deleted_fails_its_backends_only(routed, ask, write, tmp_path):
    python = new_whole_environment(tmp_path / "gone")
    write(where=python, threshold=python)
    assert interpreter(routed, ask) == str(python)
    shutil.rmtree(tmp_path / "gone")
    error = failure(routed, ask())
    assert "Line 3 of environments.yaml, threshold: there is no" in error.message
    assert "take the line out" in error.hint
    assert routed.submit(ask("slow")).result(60).mask.voxels == 60
    write()
    assert interpreter(routed, ask) == sys.executable


def test_stopping_ends_all_and_the_next_request_begins_anew(routed, ask, write, there):
    write(where=there)
    interpreter(routed, ask)
    routed.submit(ask()).result(60)
    pids = routed.pids.values()
    routed.stop()
    assert not routed.pids
    assert not any(psutil.pid_exists(pid) for pid in pids)
    assert interpreter(routed, ask) == str(there)


VIEWER = """
    import sys
    import numpy as np
    from napari_medvlm.backends.base import ObjectPrompts
    from napari_medvlm.prompts import Point
    from napari_medvlm.volume import Volume
    from napari_medvlm.worker.routed import RoutedRunner
    from napari_medvlm.worker.wire import SegmentRequest

    volume = Volume(np.random.default_rng(0).random((9, 9, 9)))
    prompts = ObjectPrompts((Point.at_index(volume, (1, 1, 1)),))
    runner = RoutedRunner()
    for backend in ("threshold", "noisy"):
        runner.submit(SegmentRequest(backend, volume, prompts=prompts)).result(60)
    print(*runner.pids.values(), flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("killed", [pytest.param(True, marks=posix), False])
def test_all_processes_end_with_their_viewer(write, there, killed):
    write(noisy=there)
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
                worker.wait(20)
        assert viewer.wait(20) == (-signal.SIGKILL if killed else 0)


# What is wrong.


def script(path, text):
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


@posix
def test_what_is_no_python_is_told(routed, ask, write, tmp_path):
    write(where=script(tmp_path / "echo", "echo hello; echo I am not a Python >&2"))
    error = failure(routed, ask("where"))
    assert "is not a Python that works. I am not a Python." in error.message
    assert routed.submit(ask()).result(60).mask.voxels == 60


@posix
def test_what_cannot_be_started_is_told(routed, ask, write, tmp_path):
    (tmp_path / "text").write_text("hello")
    write(where=tmp_path / "text")
    assert "cannot be executed" in failure(routed, ask("where")).message
    (tmp_path / "text").chmod(0o755)
    assert "cannot be used: [Errno 8] Exec format" in failure(routed, ask("where")).message


def test_a_folder_without_python_is_told(routed, ask, write, tmp_path):
    write(where=tmp_path)
    assert f"{tmp_path} has neither bin/python nor" in failure(routed, ask("where")).message


@posix
def test_an_interpreter_that_does_not_answer_is_given_up(routed, ask, write, tmp_path, monkeypatch):
    monkeypatch.setattr(environments, "ANSWER_S", 0.3)
    write(where=script(tmp_path / "slow", "sleep 3600 & echo $! > pid; wait"))
    monkeypatch.chdir(tmp_path)
    try:
        assert "did not answer within 0.3 s" in failure(routed, ask("where")).message
    finally:
        os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)


@posix
@pytest.mark.parametrize("how", ["cancel", "stop"])
def test_an_interpreter_that_does_not_answer_holds_nobody_up(routed, ask, write, tmp_path, how):
    os.mkfifo(tmp_path / "started")
    write(where=script(tmp_path / "slow", f"echo > {tmp_path / 'started'}; exec sleep 3600"))
    job = routed.submit(ask("where"))
    (tmp_path / "started").read_text()
    job.cancel() if how == "cancel" else routed.stop()
    with pytest.raises(Cancelled):
        job.result(20)


def test_a_python_without_this_package_is_told_what_to_install(
    routed, ask, write, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    python = new_environment(tmp_path / "a bare one")
    write(where=python)
    error = failure(routed, ask("where"))
    assert "cannot be imported" in error.message
    assert "No module named 'napari_medvlm'" in error.message
    assert error.hint == (
        f'Install it with: "{python}" -m pip install "napari-medvlm=={__version__}"'
    )


def test_another_version_is_told_and_the_extra_is_named(write, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    python = new_environment(tmp_path / "old", str(tmp_path / "libraries"))
    (tmp_path / "libraries" / "napari_medvlm").mkdir(parents=True)
    package = tmp_path / "libraries" / "napari_medvlm" / "__init__.py"
    package.write_text("__version__ = '0.0.7'")
    write(vlm=python)
    with pytest.raises(SettingsError) as told:
        Environments.load().check("vlm")
    assert f"has napari-medvlm 0.0.7, but this is {__version__}." in told.value.message
    assert f'{python} -m pip install "napari-medvlm[vlm]=={__version__}"' in told.value.hint
    package.write_text(f"__version__ = {__version__!r}")
    with pytest.raises(SettingsError, match=r"does not work in .*napari_medvlm.worker"):
        Environments.load().check("vlm")


def test_every_backend_that_needs_more_has_an_extra_to_install():
    ours = [name for name in registry.names() if "napari_medvlm." in str(registry._load(name))]
    needy = {name for name in ours if registry.info(name).modules}
    assert needy == set(environments.EXTRAS)
    extras = metadata("napari-medvlm").get_all("Provides-Extra")
    assert set(environments.EXTRAS.values()) <= set(extras)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("where: [a", "Line 1 of environments.yaml is not YAML"),
        ("slow: x\nwhere: 3", "Line 2 of environments.yaml: where: Input should be a valid string"),
        ("slow: x\nwhere:", "Line 2 of environments.yaml: where: Input should be a valid string"),
        ("slow: ''", "Line 1 of environments.yaml: slow: String should have at least 1"),
        ("- where", "Line 1 of environments.yaml: the file"),
        ("3: x", "Line 1 of environments.yaml: 3"),
    ],
)
def test_a_broken_file_is_told_by_its_line_until_it_is_mended(
    routed, ask, write, home, text, message
):
    (home / "environments.yaml").write_text(text)
    error = failure(routed, ask())
    assert message in error.message
    assert str(home / "environments.yaml") in error.hint
    write()
    assert routed.submit(ask()).result(60).mask.voxels == 60


# What menus show.


def test_what_is_missing_here_is_no_obstacle_to_a_backend_that_runs_elsewhere(write, there, home):
    assert obstacle("threshold") is None
    assert "needs a_module_that_nobody_has" in obstacle("needy")
    write(needy=there)
    assert obstacle("needy") is None
    write(needy=there / "nowhere")
    assert "Line 2 of environments.yaml, needy: there is no" in obstacle("needy")
    (home / "environments.yaml").write_text("[")
    assert "is not YAML" in obstacle("needy")
    assert obstacle("threshold") is None


def test_the_command_line_lists_them_and_what_is_wrong(write, there, home):
    write(where=there, slow=there / "nowhere", nobody=there)
    done = CliRunner().invoke(app, ["backends", "--json"])
    listed = json.loads(done.stdout)
    assert listed["backends"]["where"]["python"] == str(there)
    assert listed["backends"]["threshold"]["python"] is None
    assert "there is no" in listed["backends"]["slow"]["problem"]
    assert "no such backend" in listed["broken"]["nobody"]
    text = CliRunner().invoke(app, ["backends"]).stdout
    assert f"weights none); runs in {there}\n" in text
    assert "weights none); cannot be used. Line 3 of environments.yaml, slow: there is no" in text
    (home / "environments.yaml").write_text("[")
    done = CliRunner().invoke(app, ["backends"])
    assert done.exit_code == 1
    assert "Line 1 of environments.yaml is not YAML" in done.stderr


def test_what_the_other_python_lacks_is_told_with_the_command_for_it(routed, ask, write, there):
    write(needy=there)
    with pytest.raises(MedVLMError) as told:
        routed.submit(ask("needy")).result(60)
    assert told.value.hint == (f"Install it with: {there} -m pip install a_module_that_nobody_has")
