"""MONAI bundles give the labels that MONAI gives when their configuration is run by hand."""

import copy
import json

import numpy as np
import pytest
import torch

from napari_medvlm.backends import dispatch
from napari_medvlm.backends.automatic.monai_bundle import BundleBackend
from napari_medvlm.backends.conformance.phantom import phantom
from napari_medvlm.backends.models.trust import trust
from napari_medvlm.data.errors import BackendUnavailable, Cancelled
from napari_medvlm.data.grounding import GroundQuery, Scope
from tests.backends.automatic.tiny_volumes import (
    CONFIG,
    NAMES,
    bundle,
    nifti,
    oblique,
    run_by_monai,
)

ALL = Scope()


def quiet(fraction, message=""):
    pass


def ground(folder, volume, *phrases, progress=quiet, scope=ALL):
    backend = BundleBackend()
    backend.load(str(folder), "cpu")
    backend.set_volume(volume)
    return dispatch.ground(backend, volume, GroundQuery(phrases, scope), progress)


def by_hand(folder, path):
    """The label image ``(z, y, x)`` that MONAI makes of a file."""
    return run_by_monai(folder, str(path))[0].transpose(2, 1, 0)


@pytest.mark.filterwarnings("ignore:NvImgCodec")
@pytest.mark.parametrize("volume", [phantom(), oblique(), oblique(45, (2, 1, 0))])
def test_the_masks_are_those_that_monai_makes_of_the_same_file(volume, tmp_path):
    folder = bundle(tmp_path / "bundle")
    volume = nifti(volume, tmp_path / "scan.nii")
    reference = by_hand(folder, tmp_path / "scan.nii")
    result = ground(folder, volume, *NAMES[1:])
    assert {r.name for r in result.regions} == {NAMES[int(v)] for v in np.unique(reference) if v}
    assert len(result.regions) >= 2
    for region in result.regions:
        assert np.array_equal(region.mask.full(), reference == NAMES.index(region.name))


def test_phrases_are_matched_to_the_labels_and_unknown_ones_list_the_labels(tmp_path):
    result = ground(bundle(tmp_path / "b"), phantom(), "Niere links", "kidney", "spleen")
    assert {r.name for r in result.of("Niere links")} == {"left kidney"}
    assert {r.name for r in result.of("kidney")} <= {"left kidney", "right kidney"}
    reason = next(n.reason for n in result.not_found if n.phrase == "spleen")
    assert "Structures: left kidney, right kidney, bright lesion." in reason


def test_everything_gives_all_labels(tmp_path):
    result = ground(bundle(tmp_path / "b"), phantom(), "everything", *NAMES[1:])
    assert {r.name for r in result.of("everything")} == {
        r.name for r in result.regions if r.phrase != "everything"
    }


def test_the_network_runs_once_for_a_volume(tmp_path):
    backend, messages = BundleBackend(), []
    backend.load(str(bundle(tmp_path / "b")), "cpu")
    for volume in (phantom(), phantom()):
        backend.set_volume(volume)
        for phrase in ("left kidney", "right kidney"):
            query = GroundQuery((phrase,))
            dispatch.ground(backend, volume, query, lambda f, message="": messages.append(message))
    assert messages.count("window 1 of 2") == 1
    assert messages.count("window 2 of 2") == 1


def test_the_names_are_read_without_the_network(tmp_path):
    folder = bundle(tmp_path / "b")
    (folder / "models" / "model.pt").unlink()
    assert BundleBackend.vocabulary(str(folder)) == NAMES[1:]


def test_a_cancel_between_windows_is_passed_on(tmp_path):
    def stop(fraction, message=""):
        if message.startswith("window 2"):
            raise Cancelled

    with pytest.raises(Cancelled):
        ground(bundle(tmp_path / "b"), phantom(), "left kidney", progress=stop)


def test_a_channel_for_each_label_may_overlap(tmp_path):
    config = copy.deepcopy(CONFIG)
    config["postprocessing"]["transforms"][0] = {
        "_target_": "Activationsd", "keys": "pred", "sigmoid": True,
    }  # fmt: skip
    config["postprocessing"]["transforms"][2] = {
        "_target_": "AsDiscreted", "keys": "pred", "threshold": 0.5,
    }  # fmt: skip
    result = ground(bundle(tmp_path / "b", config), phantom(), *NAMES[1:])
    assert len(result.regions) + len(result.not_found) == 3


def test_a_bundle_brings_modules_of_its_own(tmp_path):
    config = {**CONFIG, "inferer": {"_target_": "scripts.own.make", "side": 16}}
    sides = {}
    for side in (16, 24):
        folder = bundle(tmp_path / f"b{side}", config)
        (folder / "scripts").mkdir()
        (folder / "scripts" / "__init__.py").touch()
        (folder / "scripts" / "own.py").write_text(
            "from monai.inferers import SlidingWindowInferer\n"
            f"def make(side): return SlidingWindowInferer([{side}] * 3)\n"
        )
        trust(folder)
        backend = BundleBackend()
        backend.load(str(folder), "cpu")
        sides[side] = backend._inferer.roi_size[0]
    assert sides == {16: 16, 24: 24}


def without(part):
    def make(folder):
        (bundle(folder) / part).unlink()
        trust(folder)
        return folder

    return make


def other_weights(folder):
    torch.save({"weight": torch.zeros(1)}, bundle(folder) / "models" / "model.pt")
    trust(folder)
    return folder


def damaged(folder):
    file = bundle(folder) / "models" / "model.pt"
    file.write_bytes(file.read_bytes()[:-500])
    trust(folder)
    return folder


def pickled(folder):
    torch.save({"model": copy.copy}, bundle(folder) / "models" / "model.pt")
    trust(folder)
    return folder


def of_vista(folder):
    return bundle(folder, {**CONFIG, "network_def": "$monai.networks.nets.vista3d132()"})


def unknown_class(folder):
    return bundle(folder, {**CONFIG, "inferer": {"_target_": "no.such.Inferer"}})


@pytest.mark.parametrize(
    ("make", "messages"),
    [
        (lambda folder: folder / "nowhere", "There is no folder"),
        (without("configs/inference.json"), "no configs/inference.json"),
        (without("configs/metadata.json"), "no configs/metadata.json"),
        (without("models/model.pt"), "no weights at"),
        (other_weights, "for another network"),
        (damaged, "is damaged"),
        (pickled, "holds more than weights"),
        (of_vista, "segments by prompts"),
        (unknown_class, "The inferer of the bundle"),
    ],
)
def test_what_cannot_be_run_is_reported_with_a_remedy(make, messages, tmp_path):
    with pytest.raises(BackendUnavailable, match=messages) as caught:
        BundleBackend().load(str(make(tmp_path / "b")), "cpu")
    assert caught.value.hint


def test_no_code_of_a_bundle_runs_before_it_is_trusted_as_it_is_now(tmp_path):
    folder = bundle(tmp_path / "b")
    messages = json.loads((folder / "configs" / "inference.json").read_text())
    messages["imports"] = [f"$open({str(tmp_path / 'ran')!r}, 'w')"]
    (folder / "configs" / "inference.json").write_text(json.dumps(messages))
    with pytest.raises(BackendUnavailable, match="not trusted") as caught:
        BundleBackend().load(str(folder), "cpu")
    assert str(folder) in caught.value.hint
    assert not (tmp_path / "ran").exists()
    trust(folder)
    BundleBackend().load(str(folder), "cpu")
