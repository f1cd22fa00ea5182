"""What a checkpoint holds is read from its weights, and nothing in it is run."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from segment_anything import sam_model_registry

from napari_medvlm.backends.sam import SAMBackend
from napari_medvlm.backends.sam.checkpoint import Layout, load_sam
from napari_medvlm.data.errors import BackendUnavailable
from tests.backends.sam import tiny_sam

FULL = {"vit_b": (768, 12, 12), "vit_l": (1024, 24, 16), "vit_h": (1280, 32, 16)}


@pytest.mark.parametrize("variant", FULL)
def test_the_librarys_own_networks_are_known_by_their_weights(variant):
    with torch.device("meta"):
        theirs = sam_model_registry[variant]()
        layout = Layout.of(theirs.state_dict())
        ours = layout.build()
    assert (layout.width, layout.depth, layout.heads) == FULL[variant]
    assert repr(ours) == repr(theirs)
    assert ours.image_encoder.img_size == theirs.image_encoder.img_size == 1024
    for mine, other in zip(ours.image_encoder.blocks, theirs.image_encoder.blocks, strict=True):
        assert mine.window_size == other.window_size
        assert mine.attn.num_heads == other.attn.num_heads
        assert mine.attn.scale == other.attn.scale
    assert ours.prompt_encoder.mask_input_size == theirs.prompt_encoder.mask_input_size
    ours.load_state_dict(theirs.state_dict(), strict=True, assign=True)


def test_a_small_network_is_loaded_whole(tmp_path):
    sam = tiny_sam.network()
    loaded = load_sam(tiny_sam.checkpoint(tmp_path))
    assert Layout.of(loaded.state_dict()) == tiny_sam.LAYOUT
    for name, weight in sam.state_dict().items():
        assert torch.equal(weight, loaded.state_dict()[name])


def wrapped(state):
    return {"model": state, "epoch": 3}


def parallel(state):
    return {f"module.{name}": weight for name, weight in state.items()}


def with_text(state):
    return {"state_dict": {**state, "text_model.layer.weight": torch.zeros(3)}}


@pytest.mark.parametrize("wrap", [wrapped, parallel, with_text])
def test_what_training_puts_around_the_weights_is_taken_off(tmp_path, wrap):
    path = tmp_path / "checkpoint.pt"
    torch.save(wrap(tiny_sam.network().state_dict()), path)
    assert Layout.of(load_sam(path).state_dict()) == tiny_sam.LAYOUT


def test_safetensors_are_read(tmp_path):
    path = tmp_path / "checkpoint.safetensors"
    save_file(dict(tiny_sam.network().state_dict()), path)
    assert Layout.of(load_sam(path).state_dict()) == tiny_sam.LAYOUT


def test_the_only_checkpoint_of_a_folder_is_taken(tmp_path):
    tiny_sam.checkpoint(tmp_path)
    SAMBackend().load(str(tmp_path), "cpu")
    tiny_sam.checkpoint(tmp_path, "another.pth")
    with pytest.raises(BackendUnavailable, match="2 checkpoints"):
        SAMBackend().load(str(tmp_path), "cpu")


class Sting:
    def __reduce__(self):
        return print, ("stung",)


def test_code_in_a_checkpoint_is_not_run(tmp_path, capsys):
    path = tmp_path / "checkpoint.pth"
    torch.save({"model": tiny_sam.network().state_dict(), "sting": Sting()}, path)
    with pytest.raises(BackendUnavailable, match="its code is not run") as error:
        load_sam(path)
    assert "state_dict" in error.value.hint
    path.write_bytes(pickle.dumps(Sting(), protocol=2))
    with pytest.raises(BackendUnavailable):
        load_sam(path)
    assert "stung" not in capsys.readouterr().out


def without_a_weight(state):
    del state["mask_decoder.iou_token.weight"]
    return state


def with_an_adapter(state):
    return {**state, "image_encoder.blocks.0.adapter.weight": torch.zeros(3)}


def of_transformers(state):
    return {"vision_encoder.layers.0.weight": torch.zeros(3)}


@pytest.mark.parametrize("change", [without_a_weight, with_an_adapter, of_transformers])
def test_a_network_of_another_shape_is_refused_with_what_is_wrong(tmp_path, change):
    path = tmp_path / "checkpoint.pth"
    torch.save(change(tiny_sam.network().state_dict()), path)
    with pytest.raises(BackendUnavailable, match="not a Segment Anything checkpoint") as error:
        load_sam(path)
    assert (
        "iou_token" in str(error.value)
        or "adapter" in str(error.value)
        or "pos_embed" in str(error.value)
    )


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize(
    "content",
    [b"", b"no checkpoint", b"PK\x03\x04 cut short", b"\xff" * 8, b"\2" + bytes(7) + b"{}x"],
)
def test_a_file_that_is_no_checkpoint_is_reported(tmp_path, content, suffix):
    path = tmp_path / f"checkpoint{suffix}"
    path.write_bytes(content)
    with pytest.raises(BackendUnavailable) as error:
        load_sam(path)
    assert error.value.hint


def test_a_list_of_weights_is_refused(tmp_path):
    path = tmp_path / "checkpoint.pth"
    torch.save([torch.zeros(3)], path)
    with pytest.raises(BackendUnavailable, match="pos_embed"):
        load_sam(path)


@pytest.mark.parametrize("model", [None, "", "no/such/file.pth"])
def test_a_missing_checkpoint_is_reported(model):
    with pytest.raises(BackendUnavailable) as error:
        SAMBackend().load(model, "cpu")
    assert error.value.hint


def test_medsam_is_shown_pictures_as_its_authors_do(tmp_path):
    """Its own script, written out, on a picture that is not square."""
    from skimage import transform

    from napari_medvlm.backends.base import ObjectPrompts
    from napari_medvlm.data.prompts import Box
    from napari_medvlm.data.volume import Volume

    path, picture = tiny_sam.checkpoint(tmp_path, "medsam_tiny.pth"), tiny_sam.picture()
    volume = Volume(picture[None])
    backend = SAMBackend()
    backend.load(str(path), "cpu")
    backend.set_volume(volume)
    prompts = ObjectPrompts((Box.at_index(volume, (0, 10, 20), (1, 41, 52)),), (1,))
    mask = backend.segment(prompts, lambda fraction, message="": None).full()[0]

    sam, (height, width), side = load_sam(path), picture.shape[:2], 128
    small = transform.resize(
        picture, (side, side), order=3, preserve_range=True, anti_aliasing=True
    ).astype(np.uint8)
    unit = (small - small.min()) / np.clip(small.max() - small.min(), a_min=1e-8, a_max=None)
    with torch.no_grad():
        embedding = sam.image_encoder(torch.tensor(unit).float().permute(2, 0, 1).unsqueeze(0))
        box = np.array([[20, 10, 51, 40]]) / np.array([width, height, width, height]) * side
        sparse, dense = sam.prompt_encoder(
            points=None, boxes=torch.as_tensor(box, dtype=torch.float)[:, None, :], masks=None
        )
        logits, _ = sam.mask_decoder(
            image_embeddings=embedding, image_pe=sam.prompt_encoder.get_dense_pe(),
            sparse_prompt_embeddings=sparse, dense_prompt_embeddings=dense,
            multimask_output=False,
        )  # fmt: skip
        shown = torch.nn.functional.interpolate(
            torch.sigmoid(logits), size=(height, width), mode="bilinear", align_corners=False
        )
    assert 0 < mask.sum() < mask.size
    assert np.array_equal(mask, shown.squeeze().numpy() > 0.5)
