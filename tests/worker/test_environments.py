"""The file of environments, and the errors about unusable interpreters."""

import json
import os
import shlex
import signal
import sys
from importlib.metadata import metadata

import pytest
from typer.testing import CliRunner

from napari_medvlm import __version__
from napari_medvlm.backends import registry
from napari_medvlm.cli import app
from napari_medvlm.data.errors import Cancelled, MedVLMError, SettingsError
from napari_medvlm.worker import environments
from napari_medvlm.worker.environments import Environments, obstacle
from tests.worker.conftest import new_environment, posix


def failure(runner, request):
    with pytest.raises(SettingsError) as error:
        runner.submit(request).result(120)
    return error.value


def script(path, text):
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


@posix
def test_what_is_no_python_is_reported(routed, ask, write, tmp_path):
    write(where=script(tmp_path / "echo", "echo hello; echo I am not a Python >&2"))
    error = failure(routed, ask("where"))
    assert "is not a working Python. I am not a Python." in error.message
    assert routed.submit(ask()).result(120).mask.voxels == 60


@posix
def test_a_python_that_is_too_old_is_reported(write, tmp_path):
    pretend = "import sys; sys.version_info = (3, 9); exec(sys.argv[1])"
    write(where=script(tmp_path / "old", f"exec {sys.executable} -c '{pretend}' \"$2\""))
    with pytest.raises(SettingsError, match=r"of version 3\.9; 3\.11 or newer is needed\."):
        Environments.load().check("where")


@posix
def test_what_cannot_be_started_is_reported(routed, ask, write, tmp_path):
    (tmp_path / "text").write_text("hello")
    write(where=tmp_path / "text")
    assert "is not executable" in failure(routed, ask("where")).message
    (tmp_path / "text").chmod(0o755)
    assert "cannot be used: [Errno 8] Exec format" in failure(routed, ask("where")).message


def test_an_unknown_user_in_a_path_is_reported(routed, ask, home, write):
    write(where="~nobody-of-this-name/env")
    error = failure(routed, ask("where"))
    assert f"{home / '~nobody-of-this-name' / 'env'} does not exist." in error.message
    assert f"Correct {home / 'environments.yaml'}, or remove the line" in error.hint


def test_an_entry_that_comes_by_reference_counts(home, other_python):
    text = f"<<: {{where: {other_python}}}\nslow: {other_python}"
    (home / "environments.yaml").write_text(text)
    assert Environments.load().python_of("where") == str(other_python)


def test_a_folder_without_python_is_reported(routed, ask, write, tmp_path):
    write(where=tmp_path)
    assert f"{tmp_path} has neither bin/python nor" in failure(routed, ask("where")).message


@posix
def test_an_interpreter_that_does_not_answer_is_given_up(routed, ask, write, tmp_path, monkeypatch):
    monkeypatch.setattr(environments, "ANSWER_S", 0.3)
    write(where=script(tmp_path / "slow", "sleep 3600 & echo $! > pid; wait"))
    monkeypatch.chdir(tmp_path)
    try:
        assert "no answer within 0.3 s" in failure(routed, ask("where")).message
    finally:
        os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)


@posix
@pytest.mark.parametrize("how", ["cancel", "stop"])
def test_an_unresponsive_interpreter_does_not_block_others(routed, ask, write, tmp_path, how):
    os.mkfifo(tmp_path / "started")
    write(where=script(tmp_path / "slow", f"echo > {tmp_path / 'started'}; exec sleep 3600"))
    job = routed.submit(ask("where"))
    (tmp_path / "started").read_text()
    job.cancel() if how == "cancel" else routed.stop()
    with pytest.raises(Cancelled):
        job.result(120)


def test_a_python_without_this_package_is_reported_what_to_install(
    routed, ask, write, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    python = new_environment(tmp_path / "a bare one")
    write(where=python)
    error = failure(routed, ask("where"))
    assert "cannot be imported" in error.message
    assert "No module named 'napari_medvlm'" in error.message
    assert error.hint == (
        f'Install it with: {shlex.quote(str(python))} -m pip install "napari-medvlm=={__version__}"'
    )


def test_another_version_is_reported_and_the_extra_is_named(write, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    python = new_environment(tmp_path / "old", str(tmp_path / "libraries"))
    (tmp_path / "libraries" / "napari_medvlm").mkdir(parents=True)
    package = tmp_path / "libraries" / "napari_medvlm" / "__init__.py"
    package.write_text("__version__ = '0.0.7'")
    write(vlm=python)
    with pytest.raises(SettingsError) as error:
        Environments.load().check("vlm")
    assert f"has napari-medvlm 0.0.7, but this is {__version__}." in error.value.message
    assert f'{python} -m pip install "napari-medvlm[vlm]=={__version__}"' in error.value.hint
    package.write_text(f"__version__ = {__version__!r}  # longer, so that it is compiled again")
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
def test_a_broken_file_is_reported_by_its_line_until_it_is_mended(
    routed, ask, write, home, text, message
):
    (home / "environments.yaml").write_text(text)
    error = failure(routed, ask())
    assert message in error.message
    assert str(home / "environments.yaml") in error.hint
    write()
    assert routed.submit(ask()).result(120).mask.voxels == 60


def test_a_backend_with_an_environment_needs_no_modules_in_this_one(write, other_python, home):
    assert obstacle("threshold") is None
    assert "needs a_module_that_nobody_has" in obstacle("needy")
    write(needy=other_python)
    assert obstacle("needy") is None
    write(needy=other_python / "nowhere")
    assert "Line 2 of environments.yaml, needy: " in obstacle("needy")
    (home / "environments.yaml").write_text("[")
    assert "is not YAML" in obstacle("needy")
    assert obstacle("threshold") is None


def test_the_command_line_lists_them_and_what_is_wrong(write, other_python, home):
    write(where=other_python, slow=other_python / "nowhere", nobody=other_python)
    done = CliRunner().invoke(app, ["backends", "--json"])
    listed = json.loads(done.stdout)
    assert listed["backends"]["where"]["python"] == str(other_python)
    assert listed["backends"]["threshold"]["python"] is None
    assert "does not exist" in listed["backends"]["slow"]["problem"]
    assert "not installed" in listed["broken"]["nobody"]
    text = CliRunner().invoke(app, ["backends"]).stdout
    assert f"weights none); runs in {other_python}\n" in text
    assert "weights none); unavailable. Line 3 of environments.yaml, slow: " in text
    (home / "environments.yaml").write_text("[")
    done = CliRunner().invoke(app, ["backends"])
    assert done.exit_code == 1
    assert "Line 1 of environments.yaml is not YAML" in done.stderr


def test_modules_missing_in_the_environment_are_reported_with_the_command(
    routed, ask, write, other_python
):
    write(needy=other_python)
    with pytest.raises(MedVLMError) as error:
        routed.submit(ask("needy")).result(120)
    assert error.value.hint == (
        f"Install it with: {other_python} -m pip install a_module_that_nobody_has"
    )
