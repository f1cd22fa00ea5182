"""Models are named the same way everywhere, and it is known which of them are in memory."""

import pytest

from napari_medvlm.backends import registry
from napari_medvlm.backends.models import registry as models_registry
from napari_medvlm.backends.models.offline import set_offline
from napari_medvlm.data.errors import BackendUnavailable
from napari_medvlm.worker import model_status
from napari_medvlm.worker.environment_runner import RoutedRunner, living
from napari_medvlm.worker.executor import Executor
from napari_medvlm.worker.messages import Request
from napari_medvlm.worker.process import variables


def ignored(fraction, message=""):
    """A progress that nobody looks at."""


@pytest.fixture
def weights(tmp_path):
    path = tmp_path / "weights.pth"
    path.write_bytes(b"\x80" * 100)
    return path


class Recording:
    """A backend that records the models that it loads."""

    loaded = []

    def load(self, model, device):
        self.loaded.append((model, device))

    def set_volume(self, volume):
        pass


def test_a_backend_is_given_the_path_of_a_named_model(weights, volume, monkeypatch):
    monkeypatch.setattr(registry, "create", lambda name: Recording())
    monkeypatch.setattr(Recording, "loaded", [])
    models_registry.add(weights, "vlm", ignored, "ours")
    work = Executor()
    for model in ("ours", str(weights), "ours#fast", "lab/other", None):
        work.do(Request("vlm", volume, model, "cpu"), ignored, lambda text: None)
    models = [model for model, _ in Recording.loaded]
    assert models == [str(weights), f"{weights}#fast", "lab/other", None], "once by name or path"
    weights.unlink()
    with pytest.raises(BackendUnavailable, match="ours no longer exists at"):
        work.do(Request("vlm", volume, "ours", "cpu"), ignored, lambda text: None)


def test_loaded_models_are_listed_until_the_worker_ends(ask):
    with RoutedRunner() as runner:
        assert runner in living()
        assert runner.models == ()
        runner.submit(ask()).result(120)
        assert runner.models == (("threshold", None),)
        runner.submit(ask("embedded")).result(120)
        assert runner.models == (("threshold", None), ("embedded", None))
        runner.stop()
        assert runner.models == ()
        assert runner.submit(ask()).result(120).mask.voxels == 60, "it goes on"
        assert runner.models == (("threshold", None),)


def test_a_model_in_memory_is_reported_as_loaded(weights):
    models_registry.add(weights, "vlm", ignored, "ours")
    for named in ("ours", str(weights)):
        (row,) = [r for r in model_status.offered([("vlm", named)]) if r.model.name == "ours"]
        assert row.state == "loaded"
    (row,) = [r for r in model_status.offered([("detector", "ours")]) if r.model.name == "ours"]
    assert row.state == "added"
    assert row.does == "phrase grounding, question answering, evidence maps"
    assert row.here
    assert row.obstacle is None


def test_workers_are_reported_that_nothing_may_be_fetched(monkeypatch):
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    assert "HF_HUB_OFFLINE" not in variables("python")
    set_offline(True)
    assert variables("python")["HF_HUB_OFFLINE"] == "1"
    set_offline(False)
    assert "HF_HUB_OFFLINE" not in variables("python")


def test_a_backend_that_lacks_a_module_is_reported_with_its_models(monkeypatch):
    monkeypatch.setattr(registry, "missing", lambda name: ("transformers",))
    row = model_status.offer_of("OWLv2, OWL-ViT")
    assert row.state == "not installed"
    assert row.obstacle.startswith("It needs transformers, which is not installed. Install it with")
    assert "napari-medvlm[vlm]" in row.obstacle
    assert row.installable
