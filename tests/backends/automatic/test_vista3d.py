"""VISTA3D gives the masks of MONAI's own inferers and transforms, called by hand on the file."""

import numpy as np
import pytest
import torch
from monai import transforms as t
from monai.apps.vista3d.inferer import point_based_window_inferer
from monai.apps.vista3d.transforms import VistaPostTransformd, VistaPreTransformd
from monai.inferers import SlidingWindowInfererAdapt
from monai.networks.nets import vista3d132

from napari_medvlm.backends import dispatch
from napari_medvlm.backends.automatic import vista3d
from napari_medvlm.backends.automatic.vista3d import VISTA3DBackend
from napari_medvlm.backends.automatic.vista3d_classes import classes
from napari_medvlm.backends.base import ObjectPrompts
from napari_medvlm.backends.conformance.phantom import CENTER, phantom
from napari_medvlm.data.errors import BackendUnavailable, Cancelled, InvalidImage
from napari_medvlm.data.grounding import GroundQuery
from napari_medvlm.data.prompts import InitialMask, Point
from napari_medvlm.data.volume import Volume
from tests.backends.automatic.tiny_volumes import nifti, oblique
from tests.backends.automatic.tiny_volumes import vista3d as tiny

VOLUMES = pytest.mark.parametrize("turned", [phantom, oblique], ids=["axial", "oblique"])
pytestmark = [
    pytest.mark.filterwarnings("ignore:NvImgCodec"),
    pytest.mark.filterwarnings("ignore:Setting affine"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny(tmp_path_factory.mktemp("model") / "vista3d")


def quiet(fraction, message=""):
    pass


def loaded(folder, volume, chosen=""):
    backend = VISTA3DBackend()
    backend.load(f"{folder}{chosen}", "cpu")
    backend.set_volume(volume)
    return backend


def ground(backend, volume, *phrases, progress=quiet):
    return dispatch.ground(backend, volume, GroundQuery(phrases), progress)


def segment(backend, volume, prompts, progress=quiet):
    decoded = ObjectPrompts(tuple(prompts), (len(prompts),))
    return dispatch.segment(backend, volume, decoded, progress).full()


class ByHand:
    """The steps of the model zoo's bundle, on a file."""

    def __init__(self, folder, path):
        self.network = vista3d132(encoder_embed_dim=8).eval()
        self.network.load_state_dict(torch.load(folder / "models" / "model.pt"))
        self.before = t.Compose(
            [
                t.LoadImaged("image", image_only=True),
                t.EnsureChannelFirstd("image"),
                t.EnsureTyped("image", track_meta=True),
                t.Spacingd("image", pixdim=[1.5, 1.0, 2.0], mode="bilinear"),
                t.CropForegroundd("image", allow_smaller=True, margin=10, source_key="image"),
                VistaPreTransformd("image"),
                t.ScaleIntensityRanged(
                    "image", a_min=-963.8247715525971, a_max=1053.678477684517, b_min=0, b_max=1,
                    clip=True,
                ),
                t.Orientationd("image", axcodes="RAS"),
                t.CastToTyped("image", dtype=torch.float32),
            ]
        )  # fmt: skip
        self.path = path

    def values(self, label_prompt, points=None, point_labels=None, prev=None):
        """The label image ``(z, y, x)``, 255 where nothing was predicted."""
        inputs = {"image": str(self.path), "label_prompt": label_prompt}
        inputs |= {} if points is None else {"points": points, "point_labels": point_labels}
        item = self.before(inputs)
        image, prompt = item["image"], torch.tensor(item["label_prompt"])[:, None]
        vector = None if prompt.max() > 132 or prev is not None else prompt
        with torch.no_grad():
            if points is None:
                slide = SlidingWindowInfererAdapt(
                    roi_size=[32] * 3, sw_batch_size=1, with_coord=True, padding_mode="replicate"
                )
                logits = slide(image[None], self.network, transpose=True, class_vector=vector)
            else:
                move = np.linalg.inv(image.affine.numpy()) @ image.meta["original_affine"]
                placed = (move @ np.c_[points, np.ones(len(points))].T).T
                logits = point_based_window_inferer(
                    inputs=image[None], roi_size=[32] * 3, predictor=self.network, transpose=True,
                    point_coords=torch.from_numpy(placed[None, :, :3]),
                    point_labels=torch.tensor([item["point_labels"]]), class_vector=vector,
                    prompt_class=prompt, prev_mask=None if prev is None else prev(image),
                )  # fmt: skip
        decoded = {"image": image, "pred": logits[0], "label_prompt": prompt[:, 0]}
        decoded = VistaPostTransformd("pred")(decoded)
        back = t.Invertd("pred", self.before, "image", nearest_interp=True)(decoded)["pred"]
        return torch.nan_to_num(back, nan=255).numpy()[0].transpose(2, 1, 0)


@VOLUMES
def test_classes_by_name_are_those_of_the_bundles_inferer(turned, folder, tmp_path):
    volume = nifti(turned(), tmp_path / "scan.nii")
    by_hand = ByHand(folder, tmp_path / "scan.nii")
    backend = loaded(folder, volume)
    result = ground(backend, volume, "liver", "Milz")
    for name, phrase, numbers in [("liver", "liver", [1]), ("spleen", "Milz", [3])]:
        reference = by_hand.values(numbers) == numbers[0]
        masks = [r.mask.full() for r in result.of(phrase) if r.name == name]
        assert np.array_equal(masks[0] if masks else np.zeros(volume.shape, bool), reference)


def test_a_whole_is_its_parts_together(folder):
    volume = phantom()
    result = ground(loaded(folder, volume), volume, "kidney", "left kidney", "right kidney")
    (kidneys,) = (r.mask.full() for r in result.of("kidney"))
    sides = [r.mask.full() for name in ("left", "right") for r in result.of(f"{name} kidney")]
    assert np.array_equal(kidneys, np.any(sides, axis=0))


@pytest.mark.parametrize("at_once", [2**30, 1])
def test_everything_gives_each_voxel_to_the_best_class(at_once, folder, tmp_path, monkeypatch):
    few = {name: classes()[name] for name in ("liver", "spleen", "aorta", "heart")}
    monkeypatch.setattr(vista3d, "LOGITS", at_once)
    monkeypatch.setattr(vista3d, "classes", lambda: few)
    volume = nifti(phantom(), tmp_path / "scan.nii")
    reference = ByHand(folder, tmp_path / "scan.nii").values([c.number for c in few.values()])
    result = ground(loaded(folder, volume), volume, "everything")
    assert len(result.regions) >= 2
    for region in result.regions:
        assert np.array_equal(region.mask.full(), reference == few[region.name].number)
    assert sum(r.mask.voxels for r in result.regions) == np.count_nonzero(reference)


@pytest.mark.parametrize(
    ("turned", "chosen", "number"),
    [
        (phantom, "", 133),
        (oblique, "", 133),
        (oblique, "#spleen", 3),
        (phantom, "#hepatic tumor", 26),
    ],
)
def test_points_give_the_masks_of_the_point_inferer(turned, chosen, number, folder, tmp_path):
    volume = nifti(turned(), tmp_path / "scan.nii")
    by_hand = ByHand(folder, tmp_path / "scan.nii")
    middle = np.array(volume.shape) // 2
    zyx = [middle, middle + (0, 4, 3), middle - (3, 2, 5)]
    positive = [True, False, True]
    prompts = [Point.at_index(volume, p, w) for p, w in zip(zyx, positive, strict=True)]
    backend = loaded(folder, volume, chosen)
    for count in (1, 3)[bool(chosen) :]:
        points = [p[::-1].tolist() for p in zyx[:count]]
        reference = by_hand.values([number], points, [int(w) for w in positive[:count]])
        mask = segment(backend, volume, prompts[:count])
        assert np.array_equal(mask, reference == number)


def test_points_refine_a_mask_and_leave_it_elsewhere(folder, tmp_path):
    volume = nifti(phantom(), tmp_path / "scan.nii")
    start = np.zeros(volume.shape, bool)
    start[3:9, 5:15, 4:20] = True
    backend = loaded(folder, volume)
    first = InitialMask.of(volume, start)
    assert np.array_equal(segment(backend, volume, [first]), start)
    mask = segment(backend, volume, [first, Point.at_index(volume, (6, 10, 12), False)])
    before = ByHand(folder, tmp_path / "scan.nii")

    def prev(image):
        stored = nifti(Volume(start.astype(np.uint8), volume.affine), tmp_path / "start.nii")
        assert stored.shape == volume.shape
        steps = t.Compose(
            [
                t.LoadImaged("m"), t.EnsureChannelFirstd("m"),
                t.ResampleToMatchd("m", "image", mode="nearest", padding_mode="zeros"),
            ]
        )  # fmt: skip
        moved = steps({"m": str(tmp_path / "start.nii"), "image": image})["m"]
        return torch.where(moved > 0, 10.0, -10.0).as_tensor()[None]

    reference = before.values([133], [[12, 10, 6]], [0], prev) == 133
    assert np.array_equal(mask, reference)


def test_only_points_outside_give_nothing(folder):
    volume = phantom()
    backend = loaded(folder, volume)
    assert not segment(backend, volume, [Point.at_index(volume, CENTER, False)]).any()


def test_a_cancel_between_windows_is_passed_on(folder):
    def stop(fraction, message=""):
        if message.startswith("window 1"):
            raise Cancelled

    volume = phantom()
    backend = loaded(folder, volume)
    with pytest.raises(Cancelled):
        ground(backend, volume, "liver", progress=stop)
    with pytest.raises(Cancelled):
        segment(backend, volume, [Point.at_index(volume, CENTER)], stop)


def test_the_classes_are_those_that_the_documentation_supports():
    known = classes()
    assert len(known) == 127
    assert (known["liver"].number, known["airway"].number) == (1, 132)
    assert sum(c.use == "all" for c in known.values()) == 117
    assert known["kidney"].parts == (14, 5)
    assert len(known["bone"].parts) == 24 + 35 + 3


def test_an_unknown_name_is_reported_some_that_are_known(folder):
    volume = phantom()
    (missing,) = ground(loaded(folder, volume), volume, "a spaceship").not_found
    assert "Structures: liver, kidney, spleen" in missing.reason
    assert "and 97 more." in missing.reason


def test_an_image_without_positive_intensities_is_refused(folder):
    volume = Volume(np.full((8, 9, 10), -5.0))
    with pytest.raises(InvalidImage, match="-5"):
        ground(loaded(folder, volume), volume, "liver")


@pytest.mark.parametrize(
    ("model", "inputs"),
    [
        (None, "needs its weights"),
        ("/nowhere/model.pt", "no weights at"),
        ("{folder}#flying saucer", "no class 'flying saucer'"),
        ("{folder}/configs/inference.json", "has no weights"),
    ],
)
def test_a_model_that_cannot_be_loaded_is_reported_with_a_remedy(model, inputs, folder):
    with pytest.raises(BackendUnavailable, match=inputs) as caught:
        VISTA3DBackend().load(model and model.format(folder=folder), "cpu")
    assert caught.value.hint
