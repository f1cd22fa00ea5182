"""Layers of other plugins become volumes as they stand in the viewer."""

from pathlib import Path

import dask.array
import nibabel
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from napari.components import ViewerModel
from napari.layers import Image, Labels, Layer
from numpy.testing import assert_allclose, assert_array_equal

import napari_medvlm as nmv
from napari_medvlm._writer import write_labels
from napari_medvlm.data.errors import GeometryMismatch, InvalidImage
from napari_medvlm.data.geometry.display import display_grid
from napari_medvlm.data.geometry.grid import Grid
from napari_medvlm.data.label_image import NamedLabels, flattened
from napari_medvlm.data.mask import Mask
from napari_medvlm.data.volume import Modality, Volume, Window
from napari_medvlm.data.window_presets import CT_WINDOWS, default_window, windows
from napari_medvlm.layers import labels_data, labels_of, layer_data, mask_of_label, volume_of
from napari_medvlm.layers.difference_layer import paired, values_in
from napari_medvlm.layers.label_names import named_labels
from napari_medvlm.layers.question_objects import masks_of, offered
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


def test_nan_in_a_layer_is_mended_and_reported():
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


def overlapping_layer(volume, left):
    """Left in everything, as a layer that was read from a file."""
    masks = {1: Mask.of(np.ones(volume.shape)), 2: Mask.of(left)}
    sizes = {value: mask.voxels for value, mask in masks.items()}
    values, covered = flattened(sizes, masks.__getitem__, volume.shape)
    named = NamedLabels(values, volume.grid, {1: "body", 2: "left"}, "plan", covered=covered)
    return Layer.create(*labels_data(named))


@pytest.mark.parametrize("degrees", [(0, 0, 0), (20, 15, 30)])
def test_a_layer_of_regions_that_overlap_has_each_mask(degrees):
    volume, left, _ = make_phantom(degrees=degrees)
    layer = overlapping_layer(volume, left)
    assert_array_equal(mask_of_label(layer, 1, volume).full(), np.ones(volume.shape, bool))
    assert_array_equal(mask_of_label(layer, 2, volume).full(), left)
    assert values_in(layer) == [1, 2]
    pair = paired((layer, 1), (layer, 2))
    assert (pair.a.voxels, pair.b.voxels) == (left.size, np.count_nonzero(left))


def test_questions_and_phrases_are_about_the_masks_of_regions_that_overlap():
    volume, left, _ = make_phantom()
    viewer = ViewerModel()
    viewer.add_layer(overlapping_layer(volume, left))
    body, inner = masks_of(offered(viewer, volume), volume)
    assert (body.mask.voxels, inner.mask.voxels) == (left.size, np.count_nonzero(left))
    (named,) = named_labels(viewer, volume)
    found = nmv.ground(volume, ["body"], labels=[named])
    assert found.regions[0].mask.voxels == left.size


def test_regions_that_overlap_are_saved_to_a_file_each(tmp_path):
    volume, left, _ = make_phantom()
    data, meta, _ = overlapping_layer(volume, left).as_layer_data_tuple()
    paths = write_labels(str(tmp_path / "plan.nii.gz"), data, meta)
    assert [Path(path).name for path in paths] == ["plan_1_body.nii.gz", "plan_2_left.nii.gz"]
    sizes = [np.count_nonzero(np.asarray(nibabel.load(path).dataobj)) for path in paths]
    assert sizes == [left.size, np.count_nonzero(left)]


def test_the_slider_of_a_viewer_reaches_every_slice():
    generator = np.random.default_rng(3)
    published = [0.664062, 0.703125, 0.7421875, 0.8, 2.1, 3.0, 6.499999999999998]
    missed = 0
    for _ in range(40):
        spacing = generator.choice(published, 3) * generator.choice([-1, 1], 3)
        start = np.round(generator.uniform(-300, 300, 3), generator.integers(0, 7))
        affine = np.diag([*spacing, 1.0])
        affine[:3, 3] = start
        shape = tuple(int(n) for n in generator.integers(2, 60, 3))
        volume = Volume(np.zeros(shape, np.uint8), affine)
        data, keywords, _ = layer_data(volume)
        viewer = ViewerModel()
        layer = viewer.add_image(data, affine=keywords["affine"])
        assert viewer.dims.nsteps == shape
        last = np.array(shape) - 1
        assert_allclose(layer.data_to_world(last), volume.grid.to_world(last), atol=1e-5)
        viewer.layers.clear()
        viewer.add_image(data, affine=affine)
        missed += viewer.dims.nsteps != shape
    assert missed  # by the unchanged affine


@given(
    spacing=st.floats(1e-4, 100),
    start=st.floats(-2000, 2000),
    slices=st.integers(1, 4000),
)
def test_slices_of_any_spacing_are_counted_exactly(spacing, start, slices):
    affine = np.diag([spacing, 1.0, 1.0, 1.0])
    affine[0, 3] = start
    shown = display_grid(Grid((slices, 1, 1), affine))
    first, last = (shown.to_world((n, 0, 0))[0] for n in (0, slices - 1))
    assert int((last - first) / shown.spacing[0]) + 1 == slices
    assert abs(shown.affine[0, 3] - start) < 1e-7 * spacing
    assert abs(shown.spacing[0] - spacing) < 1e-7 * spacing
