"""Cases of a model of several images: their channels are paired, sent and scored."""

import numpy as np
import pytest

import napari_medvlm as nmv
from napari_medvlm.backends.conformance.phantom import phantom
from napari_medvlm.data.errors import InvalidReference
from napari_medvlm.evaluation.ground.cases import Layout
from napari_medvlm.evaluation.ground.datasets import find_cases
from napari_medvlm.evaluation.ground.measure import measure
from napari_medvlm.evaluation.ground.plan import Plan
from napari_medvlm.worker.environment_runner import RoutedRunner
from tests.backends.automatic.tiny_volumes import BRATS_CHANNELS, brats_bundle, nifti, sequences

PATTERNS = {name: f"{{case}}_{name}" for name in BRATS_CHANNELS}
NAME = "Whole tumor"


@pytest.fixture
def folders(tmp_path):
    """Images of two cases, of which the second has no FLAIR, and the masks of the model."""
    images, labels = tmp_path / "images", tmp_path / "labels"
    images.mkdir()
    labels.mkdir()
    model = brats_bundle(tmp_path / "brats")
    for case, names in (("a", BRATS_CHANNELS), ("b", BRATS_CHANNELS[:-1])):
        volumes = sequences(phantom())
        read = {k: nifti(v, images / f"{case}_{k}.nii") for k, v in volumes.items() if k in names}
        reference = read[BRATS_CHANNELS[0]]
        mask = np.zeros(reference.shape, bool)
        if len(read) == len(BRATS_CHANNELS):
            found = nmv.ground(reference, [NAME], "bundle", model=str(model), channels=read)
            mask = np.any([r.mask.full() for r in found.regions], axis=0)
            assert mask.any()
        nmv.write_mask(labels / f"{case}.nii", mask, reference)
    return images, labels, model


def test_the_channels_of_a_case_are_sent_to_the_model(folders):
    images, labels, model = folders
    dataset = find_cases(
        Layout.MASKS, images, labels, names={1: NAME}, channels=PATTERNS,
        patterns=(PATTERNS[BRATS_CHANNELS[0]], "{case}"),
    )  # fmt: skip
    (case,) = dataset.cases
    assert case.channels == {k: images / f"a_{k}.nii" for k in BRATS_CHANNELS}
    (skipped,) = (s for s in dataset.skipped if s.case == "b")
    assert skipped.reason == f"There is no image of {BRATS_CHANNELS[-1]}."
    with RoutedRunner() as runner:
        outcome = measure(case, Plan(backend="bundle", model=str(model)), runner)
    (result,) = outcome.results
    assert result.phrase == NAME
    assert result.iou == 1


def test_channels_with_another_layout_are_refused(tmp_path):
    with pytest.raises(InvalidReference, match="not paired with the images of coco"):
        find_cases(Layout.COCO, tmp_path, tmp_path / "c.json", channels=PATTERNS)
