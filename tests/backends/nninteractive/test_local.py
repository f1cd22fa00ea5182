"""nnInteractive: the library's own masks, whatever was asked before; refusals in words."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest

import napari_medvlm as nmv
from napari_medvlm.backends.base import ObjectPrompts
from napari_medvlm.backends.models.trust import trust
from napari_medvlm.backends.nninteractive import local
from napari_medvlm.backends.nninteractive.local import MemorySettings as Memory
from napari_medvlm.backends.nninteractive.local import NNInteractiveBackend, opened
from napari_medvlm.data.errors import (
    BackendUnavailable,
    Cancelled,
    InvalidImage,
    OutOfMemory,
    PromptNotSupported,
)
from napari_medvlm.data.geometry.display import display_grid
from napari_medvlm.data.prompts import Box, InitialMask, Lasso, Point, Scribble
from napari_medvlm.data.volume import Volume
from tests.backends.nninteractive.by_hand import CASES, ByHand, Heard, asked, silent, volume
from tests.backends.nninteractive.tiny_nninteractive import LICENCE, save_nninteractive


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_nninteractive(tmp_path_factory.mktemp("model"))


def loaded(folder, image):
    backend = NNInteractiveBackend()
    backend.load(str(folder), "cpu")
    backend.set_volume(image)
    return backend


def by_hand(folder, image):
    return ByHand(opened(folder, Memory("cpu")), image)


@pytest.fixture(scope="module")
def expected(folder):
    """The library's mask after each prompt."""
    reference = by_hand(folder, volume())
    return [reference.take(number) for number in range(len(CASES))]


def test_each_prompt_of_a_long_list_gives_the_librarys_mask(folder, expected):
    image = volume()
    backend = loaded(folder, image)
    seen = set()
    for count in range(1, len(CASES) + 1):
        heard = Heard()
        mask = backend.segment(asked(image, count), heard)
        assert np.array_equal(mask.full(), expected[count - 1])
        assert heard.prompts == [f"Prompt {count} of {count}"]
        seen.add(mask.digest)
    assert len(seen) == len(CASES), "some prompts change nothing: the comparison says little"


def test_an_oblique_image_gives_the_librarys_mask(folder):
    image = volume((20, 10, 35))
    reference = by_hand(folder, image)
    masks = [reference.take(number) for number in range(6)]
    assert np.array_equal(loaded(folder, image).segment(asked(image, 6), silent).full(), masks[5])


def test_one_prompt_less_is_undone_and_costs_nothing(folder, expected):
    image = volume()
    backend, reference = loaded(folder, image), by_hand(folder, image)
    for number in range(3):
        reference.take(number)
    backend.segment(asked(image, 3), silent)
    heard = Heard()
    mask = backend.segment(asked(image, 2), heard)
    assert heard.prompts == []
    assert np.array_equal(mask.full(), expected[1])
    reference.session.undo()
    assert np.array_equal(mask.full(), reference.buffer.astype(bool))
    assert np.array_equal(backend.segment(asked(image, 3), silent).full(), expected[2])


def test_prefixes_in_any_order_are_replayed(folder, expected):
    image = volume()
    backend = loaded(folder, image)
    for count in (6, 2, 5, 4, 3, 1):
        mask = backend.segment(asked(image, count), silent)
        assert np.array_equal(mask.full(), expected[count - 1])


def test_a_replay_predicts_where_it_was_predicted(folder, expected):
    image = volume()
    reference = by_hand(folder, image)
    for number in range(8):
        reference.take(number, run=number + 1 in (2, 3, 7, 8))
    mask = loaded(folder, image).segment(asked(image, 8, (2, 3, 7, 8)), silent)
    assert np.array_equal(mask.full(), reference.buffer.astype(bool))
    assert not np.array_equal(mask.full(), expected[7])


def test_random_numbers_of_others_change_nothing_and_stay_theirs(folder):
    """The library places some of its patches at random where a change is spread out."""
    image = volume()
    spread = Scribble.at_index(image, [(z, 10 + 2 * z, 5 + 2 * z) for z in range(2, 26)])
    digests = set()
    for seed in (1, 2):
        backend = loaded(folder, image)
        np.random.seed(seed)  # noqa: NPY002  # the one that the library takes numbers from
        digests.add(backend.segment(ObjectPrompts((spread,), (1,)), silent).digest)
        assert np.random.rand() == np.random.RandomState(seed).rand()  # noqa: NPY002
    assert len(digests) == 1


def test_objects_in_turn_do_not_disturb_each_other(folder, expected):
    image = volume()
    backend = loaded(folder, image)
    other = ObjectPrompts((Point.at_index(image, (15, 20, 40)),), (1,))
    alone = loaded(folder, image).segment(other, silent).digest
    for count in (1, 2):
        mask = backend.segment(asked(image, count), silent)
        assert np.array_equal(mask.full(), expected[count - 1])
        assert backend.segment(other, silent).digest == alone


def test_a_changed_last_prompt_costs_one_prediction(folder):
    image = volume()
    backend = loaded(folder, image)
    arguments = asked(image, 3).items
    wider = Box.at_index(image, (15, 6, 4), (16, 42, 48))
    backend.segment(ObjectPrompts(arguments[:2], (1, 2)), silent)
    heard = Heard()
    mask = backend.segment(ObjectPrompts((arguments[0], wider), (1, 2)), heard)
    assert heard.prompts == ["Prompt 2 of 2"]
    fresh = loaded(folder, image).segment(ObjectPrompts((arguments[0], wider), (1, 2)), silent)
    assert mask.digest == fresh.digest


def test_an_initial_mask_takes_the_place_of_what_was_before(folder):
    image = volume()
    start = np.zeros(image.shape, bool)
    start[10:20, 12:30, 8:24] = True
    reference = by_hand(folder, image)
    reference.take(0)
    reference.session.add_initial_seg_interaction(start.astype(np.uint8))
    expected = reference.take(4)
    point, _, _, _, negative = asked(image, 5).items
    initial = InitialMask.of(image, start)
    backend = loaded(folder, image)
    assert np.array_equal(
        backend.segment(ObjectPrompts((point, initial), (1, 2)), silent).full(), start
    )
    mask = backend.segment(ObjectPrompts((point, initial, negative), (1, 2, 3)), silent)
    assert np.array_equal(mask.full(), expected)


def test_a_cancel_in_the_middle_of_a_prompt_leaves_it_as_it_was(folder, expected):
    image = volume()
    backend = loaded(folder, image)
    backend.segment(asked(image, 1), silent)
    messages = []

    def stop_at_the_second_pass(fraction, message=""):
        messages.append(message)
        if [m.startswith("Prompt 2") for m in messages].count(True) == 3:
            raise Cancelled

    with pytest.raises(Cancelled):
        backend.segment(asked(image, 2), stop_at_the_second_pass)
    heard = Heard()
    assert np.array_equal(backend.segment(asked(image, 2), heard).full(), expected[1])
    assert heard.prompts == ["Prompt 2 of 2"]


def test_the_licence_of_the_folder_is_reported(folder):
    heard = Heard()
    loaded(folder, volume()).segment(asked(volume(), 1), heard)
    assert f"Prompt 1 of 1 ({LICENCE})" in heard.messages


def test_autozoom_can_be_switched_off(folder, expected):
    image = volume()
    reference = ByHand(opened(folder, Memory("cpu", autozoom=False)), image)
    mask = loaded(f"{folder}#no-autozoom", image).segment(asked(image, 1), silent)
    assert np.array_equal(mask.full(), reference.take(0))
    assert not np.array_equal(mask.full(), expected[0])


@pytest.fixture
def copy(tmp_path, folder):
    """A folder of its own, and its checkpoint."""
    sessions = save_nninteractive(tmp_path / "model")
    return sessions, sessions / "fold_0" / "checkpoint_final.pth"


def capable(copy, **supported):
    info = json.loads((copy[0] / "inference_session_class.json").read_text())
    (copy[0] / "inference_info.json").write_text(
        json.dumps(info | {"supported_interactions": supported})
    )
    return loaded(copy[0], volume())


def test_kinds_of_prompt_that_the_model_was_not_trained_for_are_refused(copy):
    image = volume()
    backend = capable(copy, lasso=False, bbox3d=True)
    point, _, _, lasso = asked(image, 4).items
    with pytest.raises(PromptNotSupported, match=r"not trained for .* lasso"):
        backend.segment(ObjectPrompts((point, lasso), (1, 2)), silent)
    thick = Box.at_index(image, (10, 10, 10), (16, 20, 20))
    assert backend.segment(ObjectPrompts((thick,), (1,)), silent).voxels


def test_thick_boxes_are_refused_by_models_of_flat_ones(folder):
    thick = Box.at_index(volume(), (10, 10, 10), (16, 20, 20))
    with pytest.raises(PromptNotSupported, match="6 x 10 x 10"):
        loaded(folder, volume()).segment(ObjectPrompts((thick,), (1,)), silent)


@pytest.mark.parametrize("degrees", [(0, 0, 25), (0, 25, 0), (20, 10, 35)])
def test_a_box_drawn_on_a_plane_at_an_angle_is_taken_as_its_outline(folder, degrees):
    image = volume(degrees)
    shown = display_grid(image.grid)
    z, y, x = (n // 2 for n in shown.shape)
    box = Box.at_index(shown, (z - 6, y - 10, x), (z + 6, y + 10, x + 1))
    corners = [(-6.5, -10.5, 0), (-6.5, 9.5, 0), (5.5, 9.5, 0), (5.5, -10.5, 0)]
    lasso = Lasso.at_index(shown, np.add((z, y, x), corners))
    backend = loaded(folder, image)
    mask = backend.segment(ObjectPrompts((box,), (1,)), silent)
    assert mask.voxels
    assert mask.digest == backend.segment(ObjectPrompts((lasso,), (1,)), silent).digest


def test_images_that_it_cannot_take_are_reported(folder):
    backend = loaded(folder, volume())
    with pytest.raises(InvalidImage, match="colour"):
        backend.set_volume(Volume(np.zeros((2, 4, 4, 3), np.uint8), np.eye(4)))
    with pytest.raises(InvalidImage, match="the same value, 0"):
        backend.set_volume(Volume(np.zeros((4, 4, 4)), np.eye(4)))


def test_folders_that_are_no_model_are_reported(tmp_path, monkeypatch, copy):
    monkeypatch.setenv("NNINTERACTIVE_MODEL_DIR", str(tmp_path / "none"))
    backend = NNInteractiveBackend()
    with pytest.raises(BackendUnavailable, match="downloaded only on request"):
        backend.load(None, "cpu")
    with pytest.raises(BackendUnavailable, match="There is no folder /nowhere"):
        backend.load("/nowhere", "cpu")
    with pytest.raises(BackendUnavailable, match="has no plans.json"):
        backend.load(str(tmp_path), "cpu")
    with pytest.raises(BackendUnavailable, match="cuda:99"):
        backend.load(str(copy[0]), "cuda:99")
    copy[1].write_bytes(b"half a file")
    with pytest.raises(BackendUnavailable):
        backend.load(str(copy[0]), "cpu")
    copy[1].unlink()
    with pytest.raises(BackendUnavailable, match="holds 0 files"):
        backend.load(str(copy[0]), "cpu")


def test_a_published_model_that_was_downloaded_is_the_default(tmp_path, monkeypatch):
    save_nninteractive(tmp_path / "models" / local.PUBLISHED)
    monkeypatch.setenv("NNINTERACTIVE_MODEL_DIR", str(tmp_path))
    backend = NNInteractiveBackend()
    backend.load(None, "cpu")
    backend.load("nnInteractive_v1.0", "cpu")


class Program:
    """What a pickle can hold: a call that reading it makes."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


def test_a_checkpoint_that_would_run_a_program_is_refused_unless_trusted(tmp_path):
    sessions = tmp_path / "made by the file"
    folder = save_nninteractive(tmp_path / "model", extra={"logging": Program(str(sessions))})
    with pytest.raises(BackendUnavailable, match="can run code"):
        loaded(folder, volume())
    assert not sessions.exists()
    sessions.mkdir()
    sessions.rmdir()
    trust(folder / "fold_0" / "checkpoint_final.pth")
    assert loaded(folder, volume()).segment(asked(volume(), 1), silent).voxels
    assert sessions.exists()


def test_what_training_leaves_in_a_checkpoint_is_no_program(tmp_path):
    import torch

    left = {
        "_best_ema": np.float64(0.5),
        "logging": {"dice": [np.float32(0.25), np.int64(3)], "mean": np.zeros(3)},
        "init_args": {"configuration": "3d_fullres_tiny", "device": torch.device("cpu")},
    }
    folder = save_nninteractive(tmp_path, extra=left)
    assert loaded(folder, volume()).segment(asked(volume(), 1), silent).voxels


def full_until(monkeypatch, enough):
    """Memory that does not suffice until a session says that it does."""
    import torch
    from nnInteractive.inference.inference_session import nnInteractiveInferenceSession as Session

    real = Session._build_network_input

    def build(self, *args):
        if not enough(self):
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return real(self, *args)

    monkeypatch.setattr(Session, "_build_network_input", build)


def test_out_of_memory_is_tried_with_less_and_reported(folder, expected, monkeypatch):
    image = volume()
    backend = loaded(folder, image)
    backend.segment(asked(image, 2), silent)
    full_until(monkeypatch, lambda session: session.interactions_storage == "blosc2")
    heard = Heard()
    mask = backend.segment(asked(image, 3), heard)
    assert np.array_equal(mask.full(), expected[2])
    assert "ran with compressed prompts" in mask.notes[0]
    tries = [m for m in heard.messages if m.startswith("Out of memory")]
    assert [m.split("trying again ")[1] for m in tries] == [
        "after freeing unused memory",
        "with compressed prompts",
    ]
    monkeypatch.undo()
    backend.set_volume(volume(shape=(20, 30, 30)))
    assert backend._session.interactions_storage == "auto"


def test_out_of_memory_to_the_end_is_reported_and_the_next_request_works(
    folder, expected, monkeypatch
):
    image = volume()
    backend = loaded(folder, image)
    with monkeypatch.context() as full:
        full_until(full, lambda session: False)
        with pytest.raises(OutOfMemory, match="also with compressed prompts"):
            backend.segment(asked(image, 2), silent)
    backend.set_volume(image)
    assert np.array_equal(backend.segment(asked(image, 2), silent).full(), expected[1])


def test_a_session_runs_it_in_the_worker(folder, expected):
    image = volume()
    with nmv.SegmentationSession(image, backend="nninteractive", model=str(folder)) as session:
        session.add(asked(image, 1).items[0])
        session.wait(120)
        assert np.array_equal(session.mask, expected[0])
