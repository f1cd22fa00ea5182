"""A plain network with a card gives the labels that the same steps give by hand."""

import re
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from monai.data import MetaTensor
from monai.inferers import sliding_window_inference
from monai.transforms import (
    Compose,
    EnsureChannelFirstd,
    Invertd,
    LoadImaged,
    Orientationd,
    Spacingd,
)

from napari_medvlm.backends import dispatch
from napari_medvlm.backends.automatic.network import NetworkBackend
from napari_medvlm.backends.conformance.phantom import phantom
from napari_medvlm.backends.conformance.segment import check_backend
from napari_medvlm.backends.models.trust import trust
from napari_medvlm.data.errors import BackendUnavailable, Cancelled
from napari_medvlm.data.grounding import GroundQuery
from tests.backends.automatic.tiny_volumes import (
    CARD,
    NAMES,
    layers,
    nifti,
    oblique,
    onnx_network,
    torchscript,
)

MAKERS = pytest.mark.parametrize("make", [torchscript, onnx_network])


def quiet(fraction, message=""):
    pass


def ground(folder, volume, *phrases, progress=quiet):
    backend = NetworkBackend()
    backend.load(str(folder), "cpu")
    backend.set_volume(volume)
    return dispatch.ground(backend, volume, GroundQuery(phrases), progress)


def predictor(file):
    if file.suffix == ".pt":
        return layers()
    session = onnxruntime.InferenceSession(file)
    return lambda x: torch.from_numpy(session.run(None, {"x": x.numpy()})[0])


def by_hand(file, path):
    """The label image ``(z, y, x)`` of a file, by MONAI and numpy alone."""
    before = Compose(
        [
            LoadImaged("image"),
            EnsureChannelFirstd("image"),
            Orientationd("image", axcodes="LPS"),
            Spacingd("image", pixdim=(1.5, 1.25, 2), mode="bilinear"),
        ]
    )
    item = before({"image": str(path)})
    image = item["image"].numpy()
    image = (np.clip(image, *np.percentile(image, [1, 99]).astype(np.float32)) - 120) / 40
    with torch.no_grad():
        seen = torch.from_numpy(image)[None]
        answer = sliding_window_inference(seen, (12, 16, 10), 1, predictor(file), 0.25)
    item["pred"] = MetaTensor(answer[0].argmax(0, keepdim=True).float())
    back = Invertd("pred", before, "image", nearest_interp=True)(item)["pred"]
    return back.numpy()[0].transpose(2, 1, 0)


@MAKERS
@pytest.mark.filterwarnings("ignore:NvImgCodec")
@pytest.mark.parametrize("volume", [phantom(), oblique(), oblique(45, (2, 1, 0))])
def test_the_masks_are_those_of_the_same_steps_by_hand(make, volume, tmp_path):
    file = make(tmp_path / "net")
    volume = nifti(volume, tmp_path / "scan.nii")
    reference = by_hand(file, tmp_path / "scan.nii")
    result = ground(file, volume, *NAMES[1:])
    assert {region.score for region in result.regions} == {None}, "a name is no confidence"
    assert {r.name for r in result.regions} == {NAMES[int(v)] for v in np.unique(reference) if v}
    assert result.regions
    for region in result.regions:
        assert np.array_equal(region.mask.full(), reference == NAMES.index(region.name))


def test_onnx_conforms(tmp_path):
    check_backend(NetworkBackend, str(onnx_network(tmp_path / "net")))


@MAKERS
def test_a_cancel_between_windows_is_passed_on(make, tmp_path):
    def stop(fraction, message=""):
        if message.startswith("window 2"):
            raise Cancelled

    with pytest.raises(Cancelled):
        ground(make(tmp_path / "net"), phantom(), "left kidney", progress=stop)


def test_the_progress_counts_the_windows(tmp_path):
    messages = []
    ground(
        torchscript(tmp_path / "n"),
        phantom(),
        "kidney",
        progress=lambda f, m="": messages.append(m),
    )
    counted = [m for m in messages if m.startswith("window")]
    assert counted[-1] == f"window {len(counted)} of {len(counted)}"


def test_channels_by_themselves_may_overlap(tmp_path):
    folder = torchscript(tmp_path / "net").parent
    (folder / "card.yaml").write_text(CARD + "answer: overlapping\n")
    result = ground(folder, phantom(), "everything")
    assert NetworkBackend.vocabulary(str(folder)) == NAMES
    assert sum(r.mask.voxels for r in result.regions) != phantom().data.size


def test_the_folder_may_be_named_for_its_only_network(tmp_path):
    folder = onnx_network(tmp_path / "net").parent
    assert NetworkBackend.vocabulary(str(folder)) == NAMES[1:]


def without(make, name):
    def new_folder(folder):
        (make(folder).parent / name).unlink()
        return folder

    return new_folder


def with_card(text):
    def new_folder(folder):
        (torchscript(folder).parent / "card.yaml").write_text(text)
        return folder

    return new_folder


def spoiled(make, name):
    def new_folder(folder):
        (make(folder).parent / name).write_bytes(b"\x80nothing")
        trust(folder / name)
        return folder

    return new_folder


def two(folder):
    torchscript(folder)
    return onnx_network(folder).parent


@pytest.mark.parametrize(
    ("make", "messages"),
    [
        (lambda folder: folder, "There is no network"),
        (two, "more than one"),
        (without(torchscript, "card.yaml"), "no card.yaml"),
        (with_card(CARD + "colour: blue\n"), "colour"),
        (with_card(CARD.replace("sd: 40", "sd: -1")), "sd"),
        (with_card(CARD.replace(", sd: 40", "")), "give both mean and sd"),
        (spoiled(torchscript, "net.pt"), "not a TorchScript"),
        (spoiled(onnx_network, "net.onnx"), "no ONNX network"),
    ],
)
def test_a_model_that_cannot_be_loaded_is_reported_with_a_remedy(make, messages, tmp_path):
    with pytest.raises(BackendUnavailable, match=messages) as caught:
        NetworkBackend().load(str(make(tmp_path / "net")), "cpu")
    assert caught.value.hint


def test_a_label_that_the_network_does_not_have_is_reported(tmp_path):
    folder = with_card(CARD.replace("3:", "9:"))(tmp_path / "net")
    with pytest.raises(BackendUnavailable, match="names the label 9, but the network returns 4"):
        ground(folder, phantom(), "kidney")


def test_the_card_of_the_documentation_can_be_read(tmp_path):
    text = (Path(__file__).parents[3] / "docs" / "automatic-models.md").read_text("utf-8")
    cards = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    files = [with_card(card)(tmp_path / f"net{k}") for k, card in enumerate(cards)]
    names = [NetworkBackend.vocabulary(str(file)) for file in files]
    assert names == [("liver", "liver tumour"), ("wound",)]


def test_torchscript_is_code_and_must_be_trusted(tmp_path, monkeypatch):
    file = torchscript(tmp_path / "net")
    monkeypatch.setenv("NAPARI_MEDVLM_HOME", str(tmp_path / "another"))
    with pytest.raises(BackendUnavailable, match="not trusted") as caught:
        NetworkBackend().load(str(file), "cpu")
    assert "net.pt" in caught.value.hint
