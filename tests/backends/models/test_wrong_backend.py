"""A model that another backend runs is refused with the name of that backend."""

import pytest

from napari_medvlm.backends import registry
from napari_medvlm.data.errors import BackendUnavailable
from tests.backends.tiny_models import dino, florence


@pytest.mark.parametrize(
    ("backend", "make", "right"),
    [("vlm", dino, "detector"), ("florence", dino, "detector"), ("detector", florence, "florence")],
)
def test_the_backend_of_the_model_is_named(backend, make, right, tmp_path):
    model = make(tmp_path / "model")
    with pytest.raises(BackendUnavailable, match=f"Run it with the backend {right}: --backend"):
        registry.create(backend).load(str(model), "cpu")
