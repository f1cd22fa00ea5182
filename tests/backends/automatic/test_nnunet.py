"""Trained folders of nnU-Net v2 give the labels that the predictor of nnunetv2 gives."""

import copy
import json
from functools import partial

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from nnunetv2.imageio.nibabel_reader_writer import NibabelIOWithReorient
from nnunetv2.imageio.simpleitk_reader_writer import SimpleITKIO
from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
from skimage import io

import napari_medvlm as nmv
from napari_medvlm.backends import dispatch
from napari_medvlm.backends.automatic.nnunet import NNUNetBackend
from napari_medvlm.backends.conformance.phantom import phantom
from napari_medvlm.data.errors import BackendUnavailable, Cancelled, InvalidImage
from napari_medvlm.data.grounding import GroundQuery
from tests.backends.automatic.tiny_nnunet import REGIONS, save_nnunet
from tests.backends.automatic.tiny_volumes import nifti, oblique, sequences


def quiet(fraction, message=""):
    pass


def ground(model, volume, *phrases, progress=quiet):
    backend = NNUNetBackend()
    backend.load(str(model), "cpu")
    backend.set_volume(volume)
    return dispatch.ground(backend, volume, GroundQuery(phrases), progress)


def predictor_of(folder, folds, mirror=True):
    predictor = nnUNetPredictor(device=torch.device("cpu"), use_mirroring=mirror, allow_tqdm=False)
    predictor.initialize_from_trained_model_folder(str(folder), folds)
    return predictor


def by_library(folder, paths, folds=(0,), reader=SimpleITKIO, mirror=True):
    """The label image ``(z, y, x)`` that the library makes of files."""
    image, properties = reader().read_images([str(path) for path in paths])
    predictor = predictor_of(folder, folds, mirror)
    return predictor.predict_single_npy_array(image, properties, None, None, False)


def masks_of(grounding):
    return {region.name: region.mask.full() for region in grounding.regions}


def require_equal(masks, values, labels):
    wanted = {
        name: np.isin(values, value)
        for name, value in labels.items()
        if value != 0 and np.isin(values, value).any()
    }
    assert masks.keys() == wanted.keys()
    assert len(wanted) >= 2
    for name, mask in masks.items():
        assert np.array_equal(mask, wanted[name])


def labels_of(folder):
    return json.loads((folder / "dataset.json").read_text())["labels"]


@pytest.mark.parametrize("volume", [phantom(), oblique()], ids=["straight", "oblique"])
def test_the_masks_are_those_of_the_librarys_predictor(volume, tmp_path):
    folder = save_nnunet(tmp_path / "model", folds=("0", "1"))
    volume = nifti(volume, tmp_path / "scan.nii")
    values = by_library(folder, [tmp_path / "scan.nii"], (0, 1))
    require_equal(masks_of(ground(folder, volume, "everything")), values, labels_of(folder))


def test_the_channels_of_the_data_set_are_given_together(tmp_path):
    names = ("T1c", "T1", "T2", "FLAIR")
    folder = save_nnunet(tmp_path / "model", names, REGIONS)
    images = sequences(phantom())
    paths = [tmp_path / f"{name}.nii" for name in names]
    read = {name: nifti(images[name], path) for name, path in zip(names, paths, strict=True)}
    values = by_library(folder, paths)
    assert NNUNetBackend.channels(str(folder)) == names
    shuffled = {name: read[name] for name in ("FLAIR", "T1", "T2", "T1c")}
    result = nmv.ground(read["T1"], ["everything"], "nnunet", model=str(folder), channels=shuffled)
    require_equal(masks_of(result), values, REGIONS)


def test_a_reader_that_turns_images_to_ras_is_followed(tmp_path):
    folder = save_nnunet(tmp_path / "model", reader="NibabelIOWithReorient")
    volume = nifti(oblique(20), tmp_path / "scan.nii")
    reader = NibabelIOWithReorient()
    image, properties = reader.read_images([str(tmp_path / "scan.nii")])
    values = predictor_of(folder, (0,)).predict_single_npy_array(image, properties)
    reader.write_seg(values, str(tmp_path / "labels.nii"), properties)
    back = sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "labels.nii")))
    require_equal(masks_of(ground(folder, volume, "everything")), back, labels_of(folder))
    other = save_nnunet(tmp_path / "other")
    turned = masks_of(ground(f"{other}#ras", volume, "everything"))
    require_equal(turned, back, labels_of(folder))


def test_options_choose_folds_and_leave_mirroring_out(tmp_path):
    folder = save_nnunet(tmp_path / "model", folds=("0", "1"))
    volume = nifti(phantom(), tmp_path / "scan.nii")
    values = by_library(folder, [tmp_path / "scan.nii"], (1,), mirror=False)
    messages = []
    result = ground(
        f"{folder}#fold_1,no-mirroring", volume, "everything",
        progress=lambda _, message="": messages.append(message),
    )  # fmt: skip
    require_equal(masks_of(result), values, labels_of(folder))
    counts = [m for m in messages if m.startswith("window")]
    assert counts[-1] == f"window {len(counts)} of {len(counts)}"


def test_colour_pictures_are_read_as_by_the_librarys_reader(tmp_path):
    from nnunetv2.imageio.natural_image_reader_writer import NaturalImage2DIO

    folder = save_nnunet(
        tmp_path / "model", ("R", "G", "B"), reader="NaturalImage2DIO", mirror=None, flat=True
    )
    pixels = np.random.default_rng(0).integers(0, 255, (40, 48, 3), np.uint8)
    pixels[10:30, 10:20] = 255
    io.imsave(tmp_path / "wound.png", pixels, check_contrast=False)
    values = by_library(folder, [tmp_path / "wound.png"], reader=NaturalImage2DIO)
    picture = nmv.read_volume(tmp_path / "wound.png")
    assert NNUNetBackend.channels(str(folder)) == ()
    require_equal(masks_of(ground(folder, picture, "everything")), values, labels_of(folder))
    with pytest.raises(InvalidImage, match="colour pictures"):
        ground(folder, phantom(), "everything")


def test_a_cancel_ends_the_prediction_and_its_thread(tmp_path):
    import threading

    folder = save_nnunet(tmp_path / "model")
    before = set(threading.enumerate())
    runs = []

    def stop(fraction, message=""):
        runs.append(message)
        if message.startswith("window 2"):
            raise Cancelled

    with pytest.raises(Cancelled):
        ground(folder, phantom(), "left kidney", progress=stop)
    assert runs[-1].startswith("window 2")
    for thread in set(threading.enumerate()) - before:
        thread.join(60)
        assert not thread.is_alive()


def test_a_trainer_that_the_library_lacks_is_replaced_by_the_usual(tmp_path):
    folder = save_nnunet(tmp_path / "model", trainer_name="nnUNetTrainer_7000epochs")
    usual = save_nnunet(tmp_path / "usual")
    volume = phantom()
    masks, others = (masks_of(ground(f, volume, "everything")) for f in (folder, usual))
    assert all(np.array_equal(masks[name], others[name]) for name in masks | others)


def test_the_only_trained_folder_within_is_taken(tmp_path):
    save_nnunet(tmp_path / "Dataset001" / "nnUNetTrainer__nnUNetPlans__3d_fullres")
    names = NNUNetBackend.vocabulary(str(tmp_path / "Dataset001"))
    assert names == ("left kidney", "right kidney", "bright lesion")


def without(part):
    def make(folder):
        (save_nnunet(folder) / part).unlink()
        return folder

    return make


def with_plans(**changes):
    def make(folder):
        path = save_nnunet(folder) / "plans.json"
        content = json.loads(path.read_text())
        content["configurations"]["3d_fullres"].update(changes)
        path.write_text(json.dumps(content))
        return folder

    return make


def other_weights(folder):
    save_nnunet(folder.with_name("other"), labels={"background": 0, "a": 1})
    name = "fold_0/checkpoint_final.pth"
    save_nnunet(folder)
    (folder / name).write_bytes((folder.with_name("other") / name).read_bytes())
    return folder


@pytest.mark.parametrize(
    ("make", "messages"),
    [
        (lambda folder: folder / "nowhere", "There is no folder"),
        (lambda folder: f"{save_nnunet(folder)}#fast", "'fast' is no option"),
        (lambda folder: f"{save_nnunet(folder)}#fold_4", "There is no .*fold_4"),
        (without("plans.json"), "has no plans.json; trained folders: none"),
        (without("dataset.json"), "dataset.json cannot be read"),
        (without("fold_0/checkpoint_final.pth"), "There is no .*checkpoint_final.pth"),
        (partial(save_nnunet, optimizer_state=copy.copy), "holds more than weights"),
        (other_weights, "cannot read the model"),
        (with_plans(previous_stage="3d_lowres"), "second stage of a cascade"),
        (with_plans(preprocessor_name="load_pickle"), "not trusted"),
        (with_plans(resampling_fn_data="load_pickle"), "not trusted"),
        (with_plans(normalization_schemes=["ABC"]), "not trusted"),
    ],
)
def test_what_cannot_be_run_is_reported_with_a_remedy(make, messages, tmp_path):
    with pytest.raises(BackendUnavailable, match=messages) as caught:
        NNUNetBackend().load(str(make(tmp_path / "b")), "cpu")
    assert caught.value.hint
