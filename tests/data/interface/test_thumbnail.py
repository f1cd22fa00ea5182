"""What a notebook shows of a volume and a mask."""

from dataclasses import replace
from io import BytesIO

import numpy as np
from PIL import Image

import napari_medvlm as nmv


def test_a_repr_is_a_line(phantom):
    volume, left, _ = phantom
    assert repr(volume) == (f"Volume('phantom', CT, shape={volume.shape}, spacing=2 x 1 x 1 mm)")
    mask = nmv.Mask.of(left)
    assert repr(mask) == f"Mask(shape={left.shape}, voxels={left.sum()})"


def test_the_thumbnail_of_a_volume_is_its_middle_slice(phantom):
    volume = replace(phantom[0], modality=nmv.Modality.MR)
    image = Image.open(BytesIO(volume._repr_png_()))
    assert max(image.size) == 192
    bright = np.asarray(image).mean(axis=2) > 128
    assert 0.02 < bright.mean() < 0.6


def test_the_thumbnail_of_a_mask_is_its_largest_slice(phantom):
    left = phantom[1]
    image = np.asarray(Image.open(BytesIO(nmv.Mask.of(left)._repr_png_())))
    largest = left.reshape(len(left), -1).sum(axis=1).max()
    share = largest / (left.shape[1] * left.shape[2])
    assert abs((image > 127).mean() - share) < 0.03
    assert nmv.Mask.empty((2, 3, 4))._repr_png_()


def test_texts_of_a_file_bring_no_markup(phantom):
    evil = "<script>alert(1)</script>\"'"
    volume = replace(phantom[0], name=evil, notes=(evil,))
    assert "<script" not in volume._repr_html_()
    assert "&lt;script&gt;" in volume._repr_html_()
    mask = replace(nmv.Mask.of(phantom[1]), notes=(evil,))
    assert "<script" not in mask._repr_html_()
