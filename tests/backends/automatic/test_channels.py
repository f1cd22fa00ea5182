"""Several images of a patient as one request: bundles of T1, T1c, T2 and FLAIR."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

import napari_medvlm as nmv
from napari_medvlm.backends import dispatch
from napari_medvlm.backends.automatic.monai_bundle import BundleBackend
from napari_medvlm.backends.conformance.phantom import phantom
from napari_medvlm.data.errors import BackendUnavailable, GeometryMismatch, InvalidPrompt
from napari_medvlm.data.geometry.channels import Channel
from napari_medvlm.data.grounding import GroundQuery
from napari_medvlm.ledger.ledger import Ledger
from tests.backends.automatic.tiny_volumes import (
    BRATS_CHANNELS,
    BRATS_NAMES,
    brats_bundle,
    bundle,
    nifti,
    oblique,
    run_by_monai,
    sequences,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return brats_bundle(tmp_path_factory.mktemp("bundles") / "brats")


@pytest.fixture(autouse=True)
def trusted(folder):
    """Each test has a home folder of its own, so the bundle is trusted again."""
    from napari_medvlm.backends.models.trust import trust

    trust(folder)


def by_hand(folder, paths):
    """The masks ``(3, z, y, x)`` that MONAI makes of a list of files."""
    masks = run_by_monai(folder, [str(path) for path in paths])
    return masks.transpose(0, 3, 2, 1) > 0.5


@pytest.mark.filterwarnings("ignore:NvImgCodec")
@pytest.mark.parametrize("base", [phantom(), oblique()], ids=["straight", "oblique"])
def test_the_masks_are_those_that_monai_makes_of_the_same_four_files(folder, base, tmp_path):
    paths = [tmp_path / f"{name}.nii" for name in BRATS_CHANNELS]
    images = sequences(base)
    read = {name: nifti(images[name], path) for name, path in zip(images, paths, strict=True)}
    reference = by_hand(folder, paths)
    order = ("flair", "T1c", "t2", "T1")
    channels = {name: next(v for k, v in read.items() if k.lower() == name.lower())
                for name in order}  # fmt: skip
    result = nmv.ground(read["T1c"], BRATS_NAMES, "bundle", model=str(folder), channels=channels)
    masks = {region.name: region.mask.full() for region in result.regions}
    assert set(masks) == {n for n, m in zip(BRATS_NAMES, reference, strict=True) if m.any()}
    assert len(masks) >= 2
    for name, mask in masks.items():
        assert np.array_equal(mask, reference[BRATS_NAMES.index(name)])


def test_the_channels_are_named_by_the_model_without_loading_it(folder, tmp_path):
    assert BundleBackend.channels(str(folder)) == BRATS_CHANNELS
    assert BundleBackend.channels(str(bundle(tmp_path / "b"))) == ()
    assert BundleBackend.channels(str(bundle(tmp_path / "c", channels=2))) == (
        "channel 0",
        "channel 1",
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda images: {}, "Missing: T1c, T1, T2, FLAIR"),
        (lambda images: {k: v for k, v in images.items() if k != "T2"}, "Missing: T2"),
        (lambda images: images | {"DWI": images["T1"]}, "Unknown: DWI"),
        (lambda images: images | {"flair": images["T1"]}, "given twice"),
    ],
    ids=["none", "missing", "unknown", "twice"],
)
def test_a_channel_that_does_not_fit_the_model_is_named(folder, change, message):
    images = sequences(phantom())
    volume = next(iter(images.values()))
    with pytest.raises(InvalidPrompt, match=message):
        ground_inline(folder, volume, change(images))


def test_channels_for_a_model_of_a_single_image_are_refused(tmp_path):
    images = sequences(phantom())
    with pytest.raises(InvalidPrompt, match="takes a single image, but 4 channels"):
        ground_inline(bundle(tmp_path / "b"), images["T1"], images)


def ground_inline(folder, volume, images):
    backend = BundleBackend()
    backend.load(str(folder), "cpu")
    backend.set_volume(volume)
    query = GroundQuery(("Tumor core",), channels=tuple(Channel(k, v) for k, v in images.items()))
    return dispatch.ground(backend, volume, query, lambda *_: None)


def test_channels_on_other_grids_are_all_named(folder):
    images = sequences(phantom())
    shifted = images["T1"].affine.copy()
    shifted[0, 3] += 1.5
    images["T2"] = replace(images["T2"], affine=shifted)
    images["FLAIR"] = replace(images["FLAIR"], data=images["FLAIR"].data[:-1])
    with pytest.raises(GeometryMismatch, match=r"than T1c \(.*\): T2 \(.*, FLAIR \(") as caught:
        nmv.ground(images["T1c"], ["Tumor core"], "bundle", model=str(folder), channels=images)
    assert "--resample" in caught.value.hint


def test_channels_are_resampled_to_the_first_linearly_and_a_note_says_so(folder):
    images = sequences(phantom())
    t1 = images["T1"]
    coarse = replace(
        t1, data=t1.data[::2], affine=t1.affine @ np.diag([2.0, 1, 1, 1]), name="coarse"
    )
    z = np.arange(t1.shape[0]) / 2
    grid = np.meshgrid(z, *(np.arange(n) for n in t1.shape[1:]), indexing="ij")
    by_scipy = ndimage.map_coordinates(coarse.data, grid, order=1, cval=coarse.data.min())
    ask = {"backend": "bundle", "model": str(folder)}
    same = nmv.ground(
        images["T1c"], BRATS_NAMES, channels=images | {"T1": replace(t1, data=by_scipy)}, **ask
    )
    result = nmv.ground(
        images["T1c"], BRATS_NAMES, channels=images | {"T1": coarse}, resample=True, **ask
    )
    assert result.notes == ("Resampled to the grid of the image: T1.",)
    assert same.notes == ()
    for a, b in zip(result.regions, same.regions, strict=True):
        differing = a.mask.full() != b.mask.full()
        assert differing.mean() < 1e-3


def test_other_channels_of_the_same_image_are_segmented_anew(folder):
    images = sequences(phantom())
    volume = images["T1c"]
    with nmv.GroundingSession(volume, "bundle", "inline", model=str(folder)) as session:
        session.ask(["Whole tumor"], channels=images)
        session.wait()
        first = session.grounding.regions
        session.ask(["Whole tumor"], channels=images | {"T2": images["T1"]})
        session.wait()
        second = session.grounding.regions
    voxels = [sum(r.mask.voxels for r in regions) for regions in (first, second)]
    assert voxels[0] != voxels[1]


def test_the_session_file_states_which_image_was_which_channel(folder, tmp_path):
    images = sequences(phantom())
    volume, file = images["T1c"], tmp_path / "ground.jsonl"
    settings = {"model": str(folder), "journal": file}
    with nmv.GroundingSession(volume, "bundle", "inline", **settings) as session:
        session.ask(["Whole tumor"], channels=images)
        session.wait()
        (record,) = session.ledger.records
    assert {name: image.digest for name, image in record.channels.items()} == {
        name: image.digest for name, image in images.items()
    }
    assert len({image.digest for image in record.channels.values()}) == 4
    assert Ledger.load(file).records == (record,)
    with nmv.GroundingSession(volume, "embedded", "inline", journal=tmp_path / "one") as session:
        session.ask(["Whole tumor"])
        session.wait()
    assert "channels" not in (tmp_path / "one").read_text()


def test_a_worker_gets_all_channels(folder):
    images = sequences(phantom())
    inline = nmv.ground(images["T1"], ["Whole tumor"], "bundle", model=str(folder), channels=images)
    with nmv.GroundingSession(images["T1"], "bundle", model=str(folder)) as session:
        session.ask(["Whole tumor"], channels=images)
        session.wait(300)
        result = session.grounding
    assert [r.mask.voxels for r in result.regions] == [r.mask.voxels for r in inline.regions]
    assert result.regions


def test_a_bundle_with_several_inputs_is_refused(tmp_path):
    folder = bundle(tmp_path / "b", channels=2)
    path = folder / "configs" / "metadata.json"
    path.write_text(path.read_text().replace('"inputs": {', '"inputs": {"label": {}, '))
    with pytest.raises(BackendUnavailable, match="has 2 inputs: label, image"):
        BundleBackend.channels(str(folder))
