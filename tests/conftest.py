"""Volumes with known truth."""

import os

# Before anything that reads them is imported. Processes that a test starts inherit them: one thread
# for each of them, because pytest-xdist has a process for each core already.
os.environ.setdefault("NAPARI_STRICT_QT", "1")
os.environ["NAPARI_CONFIG"] = ""  # napari's settings are neither read nor saved
os.environ["MKL_NUM_THREADS"] = "1"
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.environ["ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS"] = "1"
os.environ["LP_NUM_THREADS"] = "1"  # Mesa's drawing by the processor

import gc
import itertools
import sys
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from scipy.spatial.transform import Rotation

from napari_medvlm.data.volume import Modality, Volume
from napari_medvlm.io.archive.servers import Login, keep_login
from tests import display
from tests.io.orthanc import PASSWORD, USER, started
from tests.worker import fork_server

# How long an example takes says nothing on a machine that does other work.
settings.register_profile(
    "suite", deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("suite")


LONGEST = (
    "e2e/test_views.py",
    "e2e/test_segment_models.py",
    "e2e/test_ground.py",
    "e2e/test_examples.py",
    "e2e/test_prepare_plane.py",
    "e2e/test_models.py",
    "backends/embedded/test_other_words.py",
    "evaluation/segment/test_evaluate.py",
    "backends/registration/test_engine.py",
    "evaluation/runs/test_interrupt.py",
    "evaluation/ground/test_evaluate.py",
    "backends/model_code/test_code_folder.py",
    "test_ask_page.py",
    "evaluation/runs/test_pages_in_browser.py",
    "backends/nninteractive/test_server.py",
    "test_new_backend.py",
)
"""Modules with the longest tests: if a process of pytest-xdist began one last, all would wait."""
NUMBERS = itertools.count()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    """Run the modules that take longest first."""
    tests = Path(__file__).parent
    rank = {tests / name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: rank.get(item.path, len(rank)))


def pytest_configure(config):
    """Give each process of pytest-xdist a display of its own, if it needs one."""
    if hasattr(config, "workerinput") and display.is_available():
        stack = ExitStack()
        stack.enter_context(display.started())
        config.add_cleanup(stack.close)


def pytest_collection_finish():
    """Leave what was imported out of the garbage collections, which come less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 10, 20)


@pytest.fixture(scope="module", autouse=True)
def clean_process():
    """Start a module on one thread of torch, and leave its imports out of garbage collections."""
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)  # nnInteractive takes all cores
    yield
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def forked_workers():
    """Start the workers of models as copies of a process that has imported the libraries."""
    with pytest.MonkeyPatch.context() as patch:
        if fork_server.AVAILABLE:
            patch.setattr("napari_medvlm.worker.process._start", fork_server.start)
            patch.setattr(
                "napari_medvlm.evaluation.runs.workers._start", fork_server.start_evaluation
            )
        yield


@pytest.fixture(autouse=True)
def home(tmp_path_factory, monkeypatch):
    """Journals of a test go to a folder of its own."""
    # `mktemp` would number it, and list the folders of all tests before to do so.
    folder = tmp_path_factory.getbasetemp() / "homes" / str(next(NUMBERS))
    folder.mkdir(parents=True)
    monkeypatch.setenv("NAPARI_MEDVLM_HOME", str(folder))
    return folder


@pytest.fixture
def reported(monkeypatch):
    """The messages shown to the user, errors included."""
    reported = []
    for name in ("show_info", "show_warning", "show_error"):
        monkeypatch.setattr(f"napari.utils.notifications.{name}", reported.append)
    return reported


def make_phantom(shape=(24, 40, 44), spacing=(2.0, 1.0, 1.0), degrees=(0, 0, 0), seed=0):
    """A volume with two bright ellipsoids on noise, and their masks."""
    affine = np.eye(4)
    rotation = Rotation.from_euler("xyz", degrees, degrees=True).as_matrix()
    affine[:3, :3] = rotation * np.array(spacing)
    affine[:3, 3] = (-20, 30, 10)
    z, y, x = np.indices(shape)

    def ellipsoid(center, radii):
        at = [
            (i - c * n) / (r * n)
            for i, c, r, n in zip((z, y, x), center, radii, shape, strict=True)
        ]
        return sum(a**2 for a in at) <= 1

    left = ellipsoid((0.5, 0.5, 0.3), (0.3, 0.25, 0.16))
    right = ellipsoid((0.5, 0.5, 0.75), (0.25, 0.2, 0.14))
    noise = np.random.default_rng(seed).normal(0, 6, shape)
    data = (100 + 100 * left + 160 * right + noise).astype(np.int16)
    volume = Volume(data, affine, modality=Modality.CT, name="phantom")
    return volume, left, right


@pytest.fixture
def phantom():
    return make_phantom()


def dice(a, b):
    return 2 * np.sum(a & b) / (np.sum(a) + np.sum(b))


@pytest.fixture(scope="session")
def running_orthanc(tmp_path_factory):
    with started(tmp_path_factory.mktemp("orthanc")) as server:
        yield server


@pytest.fixture
def orthanc(running_orthanc):
    """An empty PACS, whose user and password are `USER` and `PASSWORD` of `tests.io.orthanc`."""
    running_orthanc.empty()
    return running_orthanc


@pytest.fixture
def kept_logins(monkeypatch):
    """What is in the system's keyring, which is one of the test's own."""
    kept = {}
    monkeypatch.setattr("keyring.get_password", lambda *key: kept.get(key))
    monkeypatch.setattr("keyring.set_password", lambda *of: kept.update({of[:2]: of[2]}))
    return kept


@pytest.fixture
def signed_in(orthanc, kept_logins):
    """A PACS that the keyring knows the login of."""
    keep_login(orthanc.url, Login(USER, PASSWORD))
    return orthanc
