"""2D networks: colour pictures, slices of volumes, several images, as the same steps by hand."""

import json
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from monai.inferers import sliding_window_inference
from skimage import io
from torch.nn.functional import interpolate

import napari_medvlm as nmv
from napari_medvlm.backends.automatic.network import NetworkBackend
from napari_medvlm.backends.conformance.phantom import phantom
from napari_medvlm.backends.models.trust import trust
from napari_medvlm.data.errors import BackendUnavailable
from napari_medvlm.data.geometry.frames import ras_matrix
from tests.backends.automatic.tiny_volumes import oblique, sequences

LABELS = {0: "background", 1: "wound", 2: "necrosis"}
IMAGENET = {"mean": [123.675, 116.28, 103.53], "sd": [58.395, 57.12, 57.375]}


def network(channels: int) -> torch.nn.Sequential:
    torch.manual_seed(channels)
    first, last = torch.nn.Conv2d(channels, 4, 3, padding=1), torch.nn.Conv2d(4, 3, 1)
    for part in (first, last):
        torch.nn.init.normal_(part.weight)
        torch.nn.init.zeros_(part.bias)
    return torch.nn.Sequential(first, torch.nn.ReLU(), last).eval()


def saved(folder: Path, inputs: int, **card: object) -> str:
    """A trusted TorchScript network and its card."""
    folder.mkdir()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        traced = torch.jit.trace(network(inputs), torch.zeros(1, inputs, 8, 8))
        traced.save(folder / "net.pt")
    (folder / "card.yaml").write_text(yaml.safe_dump({"labels": LABELS} | card))
    trust(folder / "net.pt")
    return str(folder)


def ground(volume, model, **more):
    return nmv.ground(volume, ["everything"], "network", model=model, **more)


def require_equal(grounding, values):
    masks = {region.name: region.mask.full() for region in grounding.regions}
    assert len(masks) >= 1
    for number, name in LABELS.items():
        if number and (values == number).any():
            assert np.array_equal(masks.pop(name), values == number)
    assert not masks


@pytest.fixture
def photo(tmp_path):
    pixels = np.random.default_rng(1).integers(0, 255, (40, 56, 3), np.uint8)
    pixels[8:30, 10:25] = (200, 40, 30)
    io.imsave(tmp_path / "photo.png", pixels, check_contrast=False)
    return nmv.read_volume(tmp_path / "photo.png"), pixels


def normalized(pixels):
    scaled = (pixels - np.float32(IMAGENET["mean"])) / np.float32(IMAGENET["sd"])
    return torch.from_numpy(scaled.astype(np.float32)).permute(2, 0, 1)[None]


@torch.no_grad()
def test_a_network_of_colours_gets_windows_of_the_picture_as_it_stands(photo, tmp_path):
    volume, pixels = photo
    model = saved(tmp_path / "net", 3, color=True, patch=[24, 16], overlap=0.5, intensity=IMAGENET)
    answer = sliding_window_inference(normalized(pixels), (16, 24), 1, network(3), 0.5)
    require_equal(ground(volume, model), answer[0].argmax(0).numpy()[None])


@torch.no_grad()
def test_a_picture_is_resized_for_the_network_and_the_answer_back(photo, tmp_path):
    volume, pixels = photo
    model = saved(tmp_path / "net", 3, color=True, patch=[32, 24], resize=True, intensity=IMAGENET)
    small = interpolate(normalized(pixels), (24, 32), mode="bilinear", align_corners=False)
    answer = interpolate(network(3)(small), (40, 56), mode="bilinear", align_corners=False)
    require_equal(ground(volume, model), answer[0].argmax(0).numpy()[None])


@torch.no_grad()
def test_a_grey_picture_is_given_three_times_to_a_network_of_colours(tmp_path):
    pixels = np.random.default_rng(1).integers(0, 255, (40, 56), np.uint8)
    io.imsave(tmp_path / "xray.png", pixels, check_contrast=False)
    model = saved(tmp_path / "net", 3, color=True, patch=[56, 40], intensity=IMAGENET)
    answer = network(3)(normalized(np.repeat(pixels[..., None], 3, axis=2)))
    require_equal(
        ground(nmv.read_volume(tmp_path / "xray.png"), model), answer[0].argmax(0).numpy()[None]
    )


def upright(volume):
    """The array of an aligned volume with rows from anterior and columns from right, and back."""
    import nibabel as nib

    image = nib.Nifti1Image(volume.data.transpose(2, 1, 0), ras_matrix(volume.affine))
    own = nib.io_orientation(image.affine)
    wanted = nib.orientations.axcodes2ornt("LPS")
    there = nib.orientations.ornt_transform(own, wanted)
    back = nib.orientations.ornt_transform(wanted, own)
    turned = nib.apply_orientation(image.get_fdata(dtype=np.float32), there)
    return turned.transpose(2, 1, 0), lambda values: nib.apply_orientation(
        values.transpose(2, 1, 0), back
    ).transpose(2, 1, 0)


@torch.no_grad()
@pytest.mark.parametrize("volume", [phantom(), oblique(10, (2, 0, 1))], ids=["axial", "sagittal"])
def test_the_slices_of_a_volume_are_upright_axial_slices(volume, tmp_path):
    model = saved(
        tmp_path / "net", 1, patch=[128, 128], resize=True, intensity={"mean": 120, "sd": 40}
    )
    slices, back = upright(volume)
    answers = []
    for picture in slices:
        shown = torch.from_numpy(np.ascontiguousarray((picture - 120) / 40))[None, None]
        large = interpolate(shown, (128, 128), mode="bilinear", align_corners=False)
        answer = interpolate(network(1)(large), picture.shape, mode="bilinear", align_corners=False)
        answers.append(answer[0].argmax(0).numpy())
    require_equal(ground(volume, model), back(np.stack(answers)))


@torch.no_grad()
def test_the_channels_of_a_card_are_images_of_a_patient(tmp_path):
    images = sequences(phantom())
    pair = {"T1": images["T1"], "FLAIR": images["FLAIR"]}
    model = saved(
        tmp_path / "net", 2, channels=["FLAIR", "T1"], patch=[16, 16], overlap=0,
        intensity={"percentile": [1, 99]},
    )  # fmt: skip
    assert NetworkBackend.channels(model) == ("FLAIR", "T1")
    result = ground(pair["T1"], model, channels=pair)
    scaled, backs = [], []
    for name in ("FLAIR", "T1"):
        array, back = upright(pair[name])
        low, high = np.percentile(array, [1, 99]).astype(np.float32)
        scaled.append((np.clip(array, low, high) - low) / (high - low))
        backs.append(back)
    stacked = torch.from_numpy(np.ascontiguousarray(np.stack(scaled, axis=1)))
    answer = sliding_window_inference(stacked, (16, 16), 1, network(2), 0)
    require_equal(result, backs[0](answer.argmax(1).numpy()))


@pytest.mark.parametrize(
    ("card", "message"),
    [
        ({"patch": [8, 8, 8], "resize": True}, "only slices for a 2D network are resized"),
        ({"patch": [8, 8], "color": True, "channels": ["T1"]}, "either color or channels"),
        ({"patch": [8, 8], "color": True, "intensity": {"mean": [1, 2], "sd": 1}}, "3 numbers"),
        ({"patch": [8]}, "patch"),
    ],
)
def test_a_card_that_contradicts_itself_is_refused(card, message, tmp_path):
    with pytest.raises(BackendUnavailable, match=message):
        NetworkBackend().load(saved(tmp_path / "net", 1, **json.loads(json.dumps(card))), "cpu")
