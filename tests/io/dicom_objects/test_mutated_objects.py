"""Mutated segmentations and structure sets are read, or refused with a sentence."""

import random

import pytest

from napari_medvlm.io import write_segments
from napari_medvlm.io.dicom_objects.rtstruct_read import is_rtstruct, read_rtstruct, series_of
from napari_medvlm.io.dicom_objects.seg_read import is_seg, read_seg
from napari_medvlm.io.dicom_objects.sr_read import read_sr
from tests.io.dicom_objects.test_rtstruct import TOLD, two_objects
from tests.mutations import ends_with_a_sentence, mutated


@pytest.mark.parametrize("name", ["a.rtstruct.dcm", "a.dcm"])
def test_mutated_objects_are_read_or_refused_with_a_sentence(volume, tmp_path, name):
    path, broken = tmp_path / name, tmp_path / "broken.dcm"
    write_segments(path, two_objects(volume), volume, TOLD)
    source, seed = path.read_bytes(), random.Random(name)
    readers = [is_rtstruct, series_of, lambda file: read_rtstruct(file, volume.grid)]
    if name == "a.dcm":
        readers = [is_seg, lambda file: read_seg(file, volume.grid), read_sr]
    for _ in range(60):
        broken.write_bytes(mutated(source, seed))
        for read in readers:
            ends_with_a_sentence(lambda read=read: read(broken))
