"""Which models call tools is known before they are loaded."""

import json

import pytest

from napari_medvlm.backends import registry
from napari_medvlm.data.errors import BackendUnavailable

SERVER = "http://127.0.0.1:8000/v1"


@pytest.mark.parametrize(
    ("kind", "folder", "calls"),
    [("qwen2_5_vl", "qwen", True), ("llava", "llava-med", False), ("new_kind", "new", True)],
)
def test_a_model_in_a_folder_is_known_by_its_kind(tmp_path, kind, folder, calls):
    model_path = tmp_path / folder
    model_path.mkdir()
    (model_path / "config.json").write_text(json.dumps({"model_type": kind}))
    assert (registry.tools_unsupported_reason("vlm", str(model_path)) == "") is calls


@pytest.mark.parametrize(
    ("name", "calls"),
    [("qwen2.5-vl:3b", True), ("llava:7b", False), ("who-knows", True), ("", True)],
)
def test_a_model_of_a_server_is_known_by_its_name(name, calls):
    assert (registry.tools_unsupported_reason("server", f"{SERVER}#{name}") == "") is calls


def test_a_backend_without_images_supports_no_tools_and_a_missing_model_is_an_error():
    assert registry.info("embedded").uses_no_images
    assert registry.tools_unsupported_reason("embedded", None)
    with pytest.raises(BackendUnavailable):
        registry.tools_unsupported_reason("vlm", None)
