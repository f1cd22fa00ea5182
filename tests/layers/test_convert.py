"""Layers of other plugins become volumes as they stand in the viewer."""

import dask.array
import numpy as np
import pytest
from napari.layers import Image, Labels
from numpy.testing import assert_allclose, assert_array_equal

from napari_medvlm.data.errors import GeometryMismatch, InvalidImage
from napari_medvlm.data.volume import Modality, Volume, Window
from napari_medvlm.data.window_presets import CT_WINDOWS, default_window, windows
from napari_medvlm.layers import labels_of, volume_of
from tests.conftest import make_phantom

DATA = np.random.default_rng(0).random((4, 5, 6)).astype(np.float32)


def test_a_layer_of_another_reader_is_taken_where_it_stands():
    layer = Image(DATA, scale=(3, 2, 1), translate=(10, 20, 30), rotate=25)
    volume = volume_of(layer)
    assert_array_equal(volume.data, DATA)
    assert_allclose(volume.grid.to_world((1, 2, 3)), layer.data_to_world((1, 2, 3)))


def test_a_flat_layer_is_one_slice():
    volume = volume_of(Image(DATA[0], scale=(2, 3)))
    assert volume.shape == (1, 5, 6)
    assert volume.spacing == (1, 2, 3)


def test_nan_in_a_layer_is_mended_and_told():
    broken = DATA.copy()
    broken[0, 0, 0] = np.nan
    volume = volume_of(Image(broken))
    assert np.isfinite(volume.data).all()
    assert "NaN" in volume.notes[0]


def test_a_layer_with_more_axes_is_refused_with_the_remedy():
    with pytest.raises(InvalidImage, match="4 axes") as refused:
        volume_of(Image(np.zeros((2, 3, 4, 5))))
    assert "Split Stack" in refused.value.hint


def test_a_colour_layer_stays_in_colour():
    assert volume_of(Image(np.zeros((5, 6, 3), np.uint8), rgb=True)).is_color


def test_a_colour_layer_loses_what_is_seen_through():
    assert volume_of(Image(np.zeros((5, 6, 4), np.uint8), rgb=True)).shape == (1, 5, 6)


def test_a_layer_of_yes_and_no_is_shown_whole():
    assert default_window(volume_of(Image(DATA > 0.5))).limits == (0, 1)


def test_a_lazy_layer_beyond_the_memory_is_refused_with_sizes():
    lazy = dask.array.zeros((5_000_000, 400, 400), dtype=np.int16, chunks=(2000, 400, 400))
    with pytest.raises(InvalidImage, match=r"1490\.1 GiB of memory; .* GiB are free"):
        volume_of(Image(lazy, contrast_limits=(0, 1)))


@pytest.mark.filterwarnings("ignore:Non-orthogonal slicing")  # of a foreign oblique layer
@pytest.mark.parametrize("degrees", [(0, 0, 0), (20, 0, 10)])
def test_labels_on_another_grid_are_refused(degrees):
    volume = make_phantom(degrees=degrees)[0]
    with pytest.raises(GeometryMismatch, match="another grid"):
        labels_of(Labels(np.ones((3, 3, 3), int), name="small"), volume)
    same = Labels(np.ones(volume.shape, int), affine=volume.affine)
    assert labels_of(same, volume).shape == volume.shape


def test_the_header_chooses_the_window_and_ct_has_presets():
    asked = Volume(DATA, window=Window(5, 10))
    assert default_window(asked) == Window(5, 10)
    ct = Volume(DATA, modality=Modality.CT)
    assert default_window(ct) == CT_WINDOWS["Abdomen"]
    assert set(CT_WINDOWS) < set(windows(ct))
    assert list(windows(Volume(DATA))) == ["As loaded"]
    low, high = default_window(Volume(DATA)).limits
    assert 0 <= low < high <= 1
