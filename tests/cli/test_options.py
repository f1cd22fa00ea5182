"""Options that several commands share."""

import nibabel
import numpy as np

from napari_medvlm.cli.options import read_image


def test_what_was_assumed_in_reading_is_printed(tmp_path, capsys):
    image = nibabel.Nifti1Image(np.ones((4, 5, 6), np.int16), np.eye(4))
    image.set_sform(None, 0)
    image.set_qform(None, 0)
    nibabel.save(image, tmp_path / "a.nii")
    volume = read_image(tmp_path / "a.nii")
    printed = capsys.readouterr().err.splitlines()
    assert printed == list(volume.notes)
    assert "sides are unknown" in printed[0]
