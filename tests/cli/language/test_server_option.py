"""The address of a server and the name of its model become the model of a run."""

import pytest
import typer

from napari_medvlm.cli.language.options import server_model


def test_an_address_and_a_name_are_a_model():
    model = server_model("server", "seer", "http://127.0.0.1:8000/v1", False)
    assert model == "http://127.0.0.1:8000/v1#seer"
    assert server_model("server", model, None, False) == model
    assert server_model("vlm", "folder", None, False) == "folder"


def test_a_server_without_an_address_is_wrong_usage():
    with pytest.raises(typer.BadParameter, match="--base-url"):
        server_model("server", "my-model", None, False)
