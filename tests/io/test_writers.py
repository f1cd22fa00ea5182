"""Masks are written with their values, or refused: full disks, commas, labels beyond a type."""

import locale
import os
import signal
import subprocess
import sys
from contextlib import contextmanager

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk
from numpy.testing import assert_array_equal

from napari_medvlm.data.errors import CannotSave
from napari_medvlm.data.volume import Volume
from napari_medvlm.io import read_volume, write_mask
from napari_medvlm.io.numeric_locale import decimal_point

VOLUME = Volume(np.zeros((3, 4, 5), np.int16))
SUFFIXES = (".nii.gz", ".nii", ".nrrd", ".mha")


def stored(path):
    """The values as the library of the format has them, in its own type."""
    if ".nii" in path.name:
        return np.asanyarray(nibabel.load(path).dataobj).T
    return sitk.GetArrayFromImage(sitk.ReadImage(str(path)))


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(
    ("greatest", "dtype"),
    [
        (255, np.uint8),
        (256, np.uint16),
        (65535, np.uint16),
        (65536, np.int32),
        (614454277, np.int32),  # of the Allen atlas
        (2**31 - 1, np.int32),
        (2**31, np.uint32),
        (2**32 - 1, np.uint32),
    ],
)
@pytest.mark.parametrize("given", [np.int64, np.float64])
def test_labels_are_written_in_the_smallest_type_that_holds_them(
    tmp_path, suffix, greatest, dtype, given
):
    labels = np.zeros(VOLUME.shape, given)
    labels[0], labels[1] = greatest, 5
    write_mask(tmp_path / f"a{suffix}", labels, VOLUME)
    again = stored(tmp_path / f"a{suffix}")
    assert again.dtype == dtype
    assert_array_equal(again, labels)
    assert_array_equal(read_volume(tmp_path / f"a{suffix}").data, labels)


@pytest.mark.parametrize("suffix", [*SUFFIXES, ".stl", ".dcm"])
@pytest.mark.parametrize(
    ("value", "message"),
    [
        (0.7, "cannot hold 0.7: a mask has whole numbers"),
        (np.nan, "cannot hold nan"),
        (np.inf, "cannot hold inf"),
        (-1, "cannot hold the label -1"),
        (2**32, "the greatest is 4294967295"),
        (1j, "type complex128"),
    ],
)
def test_what_is_no_label_is_refused_and_the_earlier_file_stays(tmp_path, suffix, value, message):
    path = tmp_path / f"a{suffix}"
    path.write_bytes(b"earlier")
    with pytest.raises(CannotSave, match=message) as refused:
        write_mask(path, np.full(VOLUME.shape, value), VOLUME)
    assert refused.value.hint
    assert path.read_bytes() == b"earlier"


@contextmanager
def full_disk():
    """No byte can be written to a file."""
    resource = pytest.importorskip("resource")  # not on Windows
    earlier = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        signal.signal(signal.SIGXFSZ, earlier)


@pytest.mark.parametrize("suffix", [*SUFFIXES, ".stl"])
def test_a_full_disk_is_reported_and_the_earlier_mask_stays(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    write_mask(path, np.ones(VOLUME.shape, bool), VOLUME)
    before = path.read_bytes()
    with full_disk(), pytest.raises(CannotSave, match=path.name):
        write_mask(path, np.full(VOLUME.shape, 2), VOLUME)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


COMMAS = """
import locale, sys
import numpy as np, SimpleITK as sitk
from pathlib import Path
from napari_medvlm.data.volume import Volume
from napari_medvlm.io import read_volume, write_mask
folder = Path(sys.argv[1])
locale.setlocale(locale.LC_ALL, "")
assert locale.localeconv()["decimal_point"] == ","
volume = Volume(np.arange(60.0).reshape(3, 4, 5), np.diag([2.5, 0.5, 0.75, 1.0]))
for suffix in (".nrrd", ".mha", ".nii.gz"):
    path = folder / f"a{suffix}"
    write_mask(path, volume.data > 20, volume)
    assert read_volume(path).spacing == (2.5, 0.5, 0.75), suffix
assert locale.localeconv()["decimal_point"] == ","
"""


def test_sizes_stay_exact_where_numbers_have_a_decimal_comma(tmp_path):
    compiled = subprocess.run(
        ["localedef", "-i", "de_DE", "-f", "UTF-8", str(tmp_path / "de_DE.UTF-8")],
        capture_output=True,
        check=False,
    )
    if compiled.returncode:
        pytest.skip("no locale with a decimal comma can be compiled here")
    environment = {**os.environ, "LOCPATH": str(tmp_path), "LC_ALL": "de_DE.UTF-8"}
    done = subprocess.run(
        [sys.executable, "-c", COMMAS, str(tmp_path)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert sitk.ReadImage(str(tmp_path / "a.nrrd")).GetSpacing() == (0.75, 0.5, 2.5)


def test_the_locale_returns_when_the_last_user_has_left():
    before = locale.setlocale(locale.LC_NUMERIC)
    with decimal_point:
        with decimal_point:
            pass
        assert locale.setlocale(locale.LC_NUMERIC) == "C"
    assert locale.setlocale(locale.LC_NUMERIC) == before
