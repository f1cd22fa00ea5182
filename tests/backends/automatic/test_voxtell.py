"""VoxTell gives the masks of its authors' predictor, called by hand on the file."""

import numpy as np
import pytest
import torch
from nnunetv2.imageio.nibabel_reader_writer import NibabelIOWithReorient
from voxtell.inference.predictor import VoxTellPredictor

from napari_medvlm.backends import dispatch
from napari_medvlm.backends.automatic.voxtell import VoxTellBackend
from napari_medvlm.backends.conformance.phantom import phantom
from napari_medvlm.backends.models import transformers_loader
from napari_medvlm.data.errors import BackendUnavailable, Cancelled, InvalidImage
from napari_medvlm.data.geometry.frames import affine_from_ras
from napari_medvlm.data.geometry.grid import apply_affine
from napari_medvlm.data.grounding import GroundQuery, Scope
from napari_medvlm.data.volume import Volume
from tests.backends.automatic.tiny_volumes import PHRASES, nifti, oblique, text_model, voxtell

pytestmark = pytest.mark.filterwarnings("ignore:enable_nested_tensor")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return voxtell(tmp_path_factory.mktemp("model") / "voxtell_v1.1")


@pytest.fixture(autouse=True)
def no_text_model(monkeypatch):
    def absent(*_):
        raise BackendUnavailable("not here", "download it")

    monkeypatch.setattr(transformers_loader, "model_folder", absent)


def quiet(fraction, message=""):
    pass


def ground(folder, volume, *phrases, progress=quiet, scope=None):
    backend = VoxTellBackend()
    backend.load(str(folder), "cpu")
    backend.set_volume(volume)
    return dispatch.ground(backend, volume, GroundQuery(phrases, scope or Scope()), progress)


def by_hand(folder, path, volume, phrases):
    """The masks of phrases on the volume's voxels, led back through the patient's millimetres."""
    image, properties = NibabelIOWithReorient().read_images([str(path)])
    bank = str(folder / "text_embeddings.npz")
    reader = str(folder / "text_model")
    predictor = VoxTellPredictor(str(folder), torch.device("cpu"), reader, embedding_bank=bank)
    masks = predictor.predict_single_image(image, list(phrases))
    affine = affine_from_ras(properties["nibabel_stuff"]["reoriented_affine"])
    there = np.linalg.inv(affine) @ volume.affine
    index = np.moveaxis(np.indices(volume.shape), 0, -1)
    z, y, x = np.moveaxis(np.rint(apply_affine(there, index)).astype(int), -1, 0)
    return [mask[z, y, x] > 0 for mask in masks]


@pytest.mark.parametrize(
    "volume",
    [phantom(), oblique(30), oblique(45, (2, 1, 0)), oblique(-45, (1, 2, 0)), oblique(135)],
    ids=["axial", "oblique", "45", "-45", "135"],
)
def test_the_masks_are_those_of_the_predictor(volume, folder, tmp_path):
    volume = nifti(volume, tmp_path / "scan.nii.gz")
    result = ground(folder, volume, *PHRASES)
    assert len(result.regions) >= 2
    reference = by_hand(folder, tmp_path / "scan.nii.gz", volume, PHRASES)
    for phrase, mask in zip(PHRASES, reference, strict=True):
        regions = result.of(phrase)
        ours = regions[0].mask.full() if regions else np.zeros(volume.shape, bool)
        assert np.array_equal(ours, mask)


def test_a_volume_larger_than_the_window_is_reported_window_by_window(folder, tmp_path):
    rng = np.random.default_rng(1)
    volume = Volume(rng.normal(size=(20, 50, 40)).astype(np.float32))
    volume = nifti(volume, tmp_path / "scan.nii.gz")
    messages = []
    result = ground(folder, volume, "spleen", progress=lambda f, m="": messages.append((f, m)))
    (reference,) = by_hand(folder, tmp_path / "scan.nii.gz", volume, ["spleen"])
    ours = result.regions[0].mask.full() if result.regions else np.zeros(volume.shape, bool)
    assert np.array_equal(ours, reference)
    windows = [m for _, m in messages if m.startswith("window")]
    assert windows == [f"window {k} of {len(windows)}" for k in range(1, len(windows) + 1)]
    assert len(windows) > 1
    assert [f for f, _ in messages] == sorted(f for f, _ in messages)


def test_a_cancel_stops_after_a_window(folder):
    def stop(fraction, message=""):
        if message.startswith("window 1"):
            raise Cancelled

    with pytest.raises(Cancelled):
        ground(folder, phantom(), "spleen", progress=stop)


def test_phrases_without_a_vector_are_reported_what_is_missing(folder):
    result = ground(folder, phantom(), "Spleen", "something else")
    (missing,) = [n for n in result.not_found if n.phrase == "something else"]
    assert "None of the 4 stored phrases" in missing.reason
    assert "Qwen/Qwen3-Embedding-4B" in missing.reason


def test_any_phrase_is_read_by_the_text_model_beside_the_model(tmp_path):
    folder = voxtell(tmp_path / "v")
    text_model(folder / "text_model")
    phrases = ["a dark thing", "left kidney"]  # the second is kept
    volume = nifti(phantom(), tmp_path / "scan.nii.gz")
    result = ground(folder, volume, *phrases)
    reference = by_hand(folder, tmp_path / "scan.nii.gz", volume, phrases)
    for phrase, mask in zip(phrases, reference, strict=True):
        regions = result.of(phrase)
        ours = regions[0].mask.full() if regions else np.zeros(volume.shape, bool)
        assert np.array_equal(ours, mask)


def test_cached_phrases_are_read_without_the_model(folder):
    assert VoxTellBackend.vocabulary(str(folder)) == PHRASES


def test_slices_that_a_mask_does_not_reach_have_none_of_it(folder):
    result = ground(folder, phantom(), *PHRASES)
    part = [r for r in result.regions if r.mask.stop[0] < 16 or r.mask.start[0] > 0]
    for region in part:
        index = 0 if region.mask.start[0] > 0 else 15
        again = ground(folder, phantom(), *PHRASES, scope=Scope.of_slice(0, index))
        assert not again.of(region.phrase)


def test_an_image_of_one_value_is_refused(folder):
    with pytest.raises(InvalidImage, match="same value"):
        ground(folder, Volume(np.zeros((4, 5, 6))), "spleen")


class Program:
    def __reduce__(self):
        return print, ("ran",)


def test_a_file_that_holds_more_than_weights_is_not_read(folder, tmp_path, capsys):
    other = voxtell(tmp_path / "other")
    torch.save({"network_weights": Program()}, other / "fold_0" / "checkpoint_final.pth")
    with pytest.raises(BackendUnavailable, match="more than weights"):
        ground(other, phantom(), "spleen")
    assert "ran" not in capsys.readouterr().out


def test_a_model_that_is_not_there_or_damaged_is_reported_with_a_remedy(tmp_path):
    for model, messages in [(None, "needs a model"), (tmp_path, "There is no plans.json")]:
        with pytest.raises(BackendUnavailable, match=messages) as caught:
            VoxTellBackend().load(model and str(model), "cpu")
        assert caught.value.hint
    folder = voxtell(tmp_path / "damaged")
    (folder / "plans.json").write_text("{}")
    with pytest.raises(BackendUnavailable, match="cannot read the model"):
        VoxTellBackend().load(str(folder), "cpu")
