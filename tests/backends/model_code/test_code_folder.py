"""Code of a model runs in a worker of its own, for a trusted folder that has not changed."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest
from typer.testing import CliRunner

from napari_medvlm.backends.model_code.code_folder import code_files, code_of
from napari_medvlm.backends.model_code.loader import dtype_name
from napari_medvlm.backends.model_code.tiles import grid_of, tiles_of
from napari_medvlm.backends.models import registry
from napari_medvlm.backends.models.trust import trust, trusted
from napari_medvlm.backends.vlm.backend import VLMBackend
from napari_medvlm.cli import app
from napari_medvlm.data.errors import BackendUnavailable, SettingsError
from napari_medvlm.data.grounding import GroundQuery, Scope
from napari_medvlm.settings.paths import home
from napari_medvlm.worker.environment_runner import RoutedRunner
from napari_medvlm.worker.messages import AskRequest, GroundRequest
from napari_medvlm.worker.runner import InlineRunner
from tests.backends.detection.queries import GRAY, picture, volume_of
from tests.backends.model_code.code_models import CHAT, SEGMENT, write_model
from tests.backends.vlm.conversations import question_of


@pytest.fixture
def log(tmp_path):
    return tmp_path / "pids"


@pytest.fixture
def runner():
    with RoutedRunner() as runner:
        yield runner


def imported_by(log):
    """The processes that have imported the code of the model."""
    return set(map(int, log.read_text().split())) if log.exists() else set()


def ask_request(folder):
    volume, _ = volume_of("portrait")
    return AskRequest("vlm", volume, str(folder), question=question_of("portrait"))


def test_code_runs_in_a_worker_only_once_the_folder_is_trusted_and_while_it_is_unchanged(
    tmp_path, log, runner
):
    folder = write_model(tmp_path / "toy", log, CHAT)
    with pytest.raises(BackendUnavailable, match="it is not trusted") as error:
        runner.submit(ask_request(folder)).result()
    assert "models trust" in error.value.hint
    assert not log.exists()
    trust(folder)
    answer = runner.submit(ask_request(folder)).result().answer
    # 30 x 48 pixels: 1 column and 2 rows are nearest to the aspect ratio of 0.625, and the whole.
    assert answer.text == "Yes. I saw [3] of (3, 3, 28, 28) in 1: Is the lung dark?"
    assert answer.claims[0].text == "Yes."
    runner.stop()
    log.write_text("")
    with (folder / "README.md").open("a") as file:
        file.write("x")
    with pytest.raises(BackendUnavailable, match="it is not trusted"):
        runner.submit(ask_request(folder)).result()
    assert not imported_by(log)


def test_code_is_never_imported_in_the_process_of_the_viewer(tmp_path, log, runner):
    folder = write_model(tmp_path / "toy", log, CHAT)
    trust(folder)
    with pytest.raises(BackendUnavailable, match="only in a worker process of its own"):
        InlineRunner().submit(ask_request(folder)).result()
    VLMBackend.tools_unsupported_reason(str(folder))
    registry.add(folder, "vlm", lambda *_: None)
    assert not imported_by(log)
    runner.submit(ask_request(folder)).result()
    (pid,) = runner.pids.values()
    assert imported_by(log) == {pid} != {os.getpid()}


def test_each_folder_with_code_has_a_worker_that_no_other_model_shares(tmp_path, log, runner):
    first, second = (write_model(tmp_path / name, log, CHAT) for name in ("a", "b"))
    for folder in (first, second):
        trust(folder)
        runner.submit(ask_request(folder)).result()
    assert len(set(runner.pids.values())) == 2
    assert imported_by(log) == set(runner.pids.values())


def test_two_masks_of_a_text_lie_on_the_slice_that_was_searched(tmp_path, log, runner):
    folder = write_model(tmp_path / "toy", log, SEGMENT)
    trust(folder)
    volume, slice_ref = volume_of("portrait")
    query = GroundQuery(("liver",), Scope.of_slice(0, slice_ref.index), window=GRAY)
    request = GroundRequest("vlm", volume, str(folder), query=query)
    grounding = runner.submit(request).result().grounding
    assert grounding.prompts == {"liver": "Please segment liver."}
    shown = picture(volume, slice_ref)
    by_name = {region.name: region for region in grounding.regions}
    assert set(by_name) == {"bright tissue", "the dark"}
    for name, pixels in (
        ("bright tissue", shown.pixels[..., 0] > 200), ("the dark", shown.pixels[..., 0] < 80)
    ):  # fmt: skip
        assert by_name[name].slice == slice_ref
        assert np.array_equal(by_name[name].mask.full(), shown.mask(pixels).full())
        assert by_name[name].mask.full().any(axis=(1, 2)).nonzero()[0].tolist() == [2]


def test_masks_of_an_answer_belong_to_the_sentences_of_their_marks(tmp_path, log, runner):
    folder = write_model(tmp_path / "toy", log, SEGMENT)
    trust(folder)
    answer = runner.submit(ask_request(folder)).result().answer
    assert answer.text == "There is bright tissue. And the dark."
    assert "[SEG]" in answer.written
    assert [(c.text, [r.name for r in c.regions]) for c in answer.claims] == [
        ("There is bright tissue.", ["bright tissue"]), ("And the dark.", ["the dark"]),
    ]  # fmt: skip
    shown = picture(*volume_of("portrait"))
    mask = answer.claims[1].regions[0].mask
    assert np.array_equal(mask.full(), shown.mask(shown.pixels[..., 0] < 80).full())


@pytest.mark.parametrize("file", ["config.json", "processor_config.json", "vision/config.json"])
def test_code_that_lies_on_the_hub_is_refused_even_in_a_trusted_folder(tmp_path, log, runner, file):
    folder = write_model(tmp_path / "toy", log, CHAT)
    content = json.loads((folder / file).read_text()) if (folder / file).exists() else {}
    content["parts"] = [{"auto_map": {"AutoModel": ["lab/other--modeling.Other", None]}}]
    (folder / file).parent.mkdir(exist_ok=True)
    (folder / file).write_text(json.dumps(content))
    trust(folder)
    with pytest.raises(BackendUnavailable, match="lab/other--modeling.Other"):
        runner.submit(ask_request(folder)).result()
    assert not imported_by(log)


def test_the_command_lists_the_code_and_asks_before_it_trusts(tmp_path, log):
    folder = write_model(tmp_path / "toy", log, CHAT)
    (folder / "more").mkdir()
    (folder / "more" / "tool.py").write_text("")
    run = CliRunner().invoke
    done = run(app, ["models", "trust", str(folder)], input="n\n")
    assert done.exit_code == 1
    files = ("configuration_toy.py", "modeling_toy.py", "more/tool.py")
    assert code_files(folder) == files
    assert all(f"\n  {name}\n" in done.output for name in files)
    assert not trusted(folder)
    assert run(app, ["models", "trust", str(folder)], input="y\n").exit_code == 0
    assert trusted(folder)


def test_an_added_model_may_have_an_environment_of_its_own(tmp_path, log, runner):
    folder = write_model(tmp_path / "toy", log, CHAT)
    trust(folder)
    registry.add(folder, "vlm", lambda *_: None, "toy")
    (home() / "environments.yaml").write_text(f"toy: {tmp_path / 'nowhere'}\n")
    with pytest.raises(SettingsError, match=r"Line 1 of environments.yaml, toy: .*nowhere"):
        runner.submit(ask_request("toy")).result()
    assert runner.submit(ask_request(folder)).result().answer.text.startswith("Yes.")


def test_a_folder_without_classes_for_a_model_has_no_code(tmp_path):
    (tmp_path / "config.json").write_text('{"auto_map": {"AutoTokenizer": ["a.B", null]}}')
    assert code_of(tmp_path) is None
    assert code_of(tmp_path / "not there") is None


@pytest.mark.parametrize(
    ("size", "most", "grid"),
    [((448, 448), 12, (1, 1)), ((900, 900), 12, (2, 2)), ((800, 400), 12, (2, 1)),
     ((1600, 800), 12, (4, 2)), ((3000, 500), 12, (6, 1)), ((900, 900), 1, (1, 1))],
)  # fmt: skip
def test_tiles_have_the_nearest_aspect_ratio(size, most, grid):
    assert grid_of(*size, 448, most) == grid


@pytest.mark.parametrize(
    ("version", "name"),
    [("4.44.2", "torch_dtype"), ("4.56.0", "dtype"), ("5.0.0rc1", "dtype"), ("5.23.0", "dtype")],
)
def test_the_precision_has_the_name_of_the_installed_transformers(version, name):
    assert dtype_name(version) == name


def test_tiles_are_normalized_and_end_with_the_image_as_a_whole():
    from types import SimpleNamespace

    from PIL import Image

    config = SimpleNamespace(force_image_size=14, max_dynamic_patch=2, use_thumbnail=True)
    pixels = np.zeros((14, 28, 3), np.uint8)
    pixels[:, 14:] = 255
    tiles = tiles_of(Image.fromarray(pixels), config).numpy()
    assert tiles.shape == (3, 3, 14, 14)
    mean, deviation = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    assert np.allclose(tiles[0, :, 5, 5], -mean / deviation, atol=1e-6)
    assert np.allclose(tiles[1, :, 5, 8], (1 - mean) / deviation, atol=1e-6)
    assert tiles[2, 0, 5, 0] < 0 < tiles[2, 0, 5, 13]
