"""Backends of another package, in this process and in the workers that it starts."""

import os
import sys
import venv
from pathlib import Path

import numpy as np
import pytest

from napari_medvlm.backends import registry
from napari_medvlm.backends.base import ObjectPrompts
from napari_medvlm.data.prompts import Point
from napari_medvlm.data.volume import Volume
from napari_medvlm.worker.environment_runner import RoutedRunner
from napari_medvlm.worker.messages import SegmentRequest
from napari_medvlm.worker.process_runner import WorkerRunner
from tests.worker import fork_server

posix = pytest.mark.skipif(os.name == "nt", reason="signals, /dev/shm and scripts are POSIX")
FOREIGN = Path(__file__).parents[1] / "foreign"


def use_foreign(monkeypatch):
    monkeypatch.syspath_prepend(str(FOREIGN))
    monkeypatch.setenv("PYTHONPATH", str(FOREIGN))
    registry._entry_points.cache_clear()
    registry._load.cache_clear()


@pytest.fixture(autouse=True)
def foreign(monkeypatch):
    use_foreign(monkeypatch)
    yield
    registry._entry_points.cache_clear()
    registry._load.cache_clear()


@pytest.fixture(autouse=True)
def interpreters(monkeypatch):
    """Start workers as the program does."""
    monkeypatch.setattr("napari_medvlm.worker.process._start", fork_server.start_interpreter)


@pytest.fixture
def runner():
    with WorkerRunner(cancel_grace_s=0.5) as runner:
        yield runner


@pytest.fixture
def volume():
    return Volume(np.arange(4 * 5 * 6, dtype=np.int16).reshape(4, 5, 6))


@pytest.fixture
def ask(volume):
    def ask(backend="threshold", zyx=(2, 0, 0), volume=volume, excluded=None):
        point = Point.at_index(volume, zyx)
        return SegmentRequest(
            backend=backend, volume=volume, prompts=ObjectPrompts((point,), (1,), excluded)
        )

    return ask


def python_in(folder):
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def new_environment(folder, line=""):
    """A Python of its own; ``line`` tells it where its libraries are."""
    venv.EnvBuilder(symlinks=os.name != "nt").create(folder)
    (site,) = folder.glob("[Ll]ib/**/site-packages")
    (site / "libraries.pth").write_text(line)
    return python_in(folder)


def new_environment_like_this(folder):
    """A Python of its own with the libraries of this one."""
    ours = [path for path in sys.path if path.endswith("site-packages")]
    lines = [f"import site; site.addsitedir({path!r})\n" for path in ours]
    return new_environment(folder, "".join(lines))


@pytest.fixture(scope="session")
def other_python(tmp_path_factory):
    return new_environment_like_this(tmp_path_factory.mktemp("environments") / "there")


@pytest.fixture
def write(home):
    def write(**pythons):
        lines = [f"{name}: {python}\n" for name, python in pythons.items()]
        (home / "environments.yaml").write_text("# Which Python.\n" + "".join(lines))

    return write


@pytest.fixture
def routed():
    with RoutedRunner(cancel_grace_s=0.5) as runner:
        yield runner
