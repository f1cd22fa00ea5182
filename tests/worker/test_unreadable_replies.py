"""A reply that the viewer cannot read is an error of that request; the next request works."""

import os
import textwrap

import numpy as np
import pytest

from napari_medvlm.backends import registry
from napari_medvlm.backends.base import ObjectPrompts
from napari_medvlm.data.errors import MedVLMError
from napari_medvlm.data.prompts import Point
from napari_medvlm.worker.messages import SegmentRequest
from tests.worker.conftest import FOREIGN

CODE = """
    import dataclasses
    import numpy as np
    from napari_medvlm.backends.base import Backend, BackendInfo
    from napari_medvlm.data.mask import Mask
    from napari_medvlm.data.prompts import Point

    class Odd(str):
        def __reduce__(self):
            return (__import__, ("a_module_of_the_worker_alone",))

    class Unreadable(Backend):
        info = BackendInfo("unreadable", "Unreadable", "MIT", prompts=frozenset({Point}))

        def load(self, model, device):
            self.model = model

        def set_volume(self, volume):
            self.shape = volume.shape

        def segment(self, prompts, progress):
            mask = Mask.of(np.ones(self.shape, bool))
            if self.model == "class":
                return dataclasses.replace(mask, notes=(Odd("x"),))
            if self.model == "axes":
                return Mask(np.ones((5, 6), bool), (0, 0, 0), self.shape)
            return mask
"""


@pytest.fixture
def unreadable(tmp_path, monkeypatch):
    """A package with a backend whose replies cannot be read."""
    info = tmp_path / "unreadable-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: unreadable\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[napari_medvlm.backends]\nunreadable = unreadable_backend:Unreadable\n"
    )
    (tmp_path / "unreadable_backend.py").write_text(textwrap.dedent(CODE))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), str(FOREIGN)]))
    registry._entry_points.cache_clear()
    registry._load.cache_clear()


@pytest.mark.parametrize("model", ["class", "axes"])
def test_the_request_fails_and_the_next_one_is_answered(unreadable, runner, volume, model):
    def request(name):
        prompts = ObjectPrompts((Point.at_index(volume, (2, 0, 0)),), (1,), None)
        return SegmentRequest("unreadable", volume, name, "cpu", prompts)

    with pytest.raises(MedVLMError):
        runner.submit(request(model)).result(300)
    assert np.all(runner.submit(request("good")).result(300).mask.full())
