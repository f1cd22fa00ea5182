"""NIfTI files of every orientation and type, Analyze and MGH files that nibabel writes."""

import itertools

import nibabel
import numpy as np

from tests.corpus.nifti_rows import NO_SIDES, OBLIQUE, SHAPE, by_nibabel, patched, written
from tests.corpus.rows import NUMBER_TYPES, RAS, Image, Rows, counted, matrix

KINDS = Rows()
AXES = ["".join(axes) for axes in itertools.product(*["LR", "AP", "IS"])]
ORDERS = ["".join(p) for axes in AXES for p in itertools.permutations(axes)]


@KINDS.each("io11-axes", {axes: (axes,) for axes in ORDERS})
def axes_in_any_order(axes, folder):
    """In which the first, second and third index point along these letters."""
    steps = {
        "R": (2, 0, 0),
        "L": (-2, 0, 0),
        "A": (0, 3, 0),
        "P": (0, -3, 0),
        "S": (0, 0, 4),
        "I": (0, 0, -4),
    }
    affine = matrix([steps[letter] for letter in axes], (9, 8, 7))
    assert "".join(nibabel.aff2axcodes(affine)) == axes
    path, data = written(folder, "a.nii", affine)
    return Image(path, data.T, RAS @ affine)


@KINDS.each("type", {name: (name,) for name in NUMBER_TYPES})
def data_type(name, folder):
    data = (counted(SHAPE) % 100).astype(name)
    data.flat[0] = np.iinfo(name).max if "int" in name else 0.1
    nibabel.save(nibabel.Nifti1Image(data, OBLIQUE, dtype=name), path := folder / "a.nii")
    return Image(path, data.T, RAS @ OBLIQUE)


@KINDS.each(
    "io69-name",
    {"japanese": ("肝臓.nii.gz",), "signs": ("a#b%20c d.nii",), "capitals": ("A.NII.GZ",)},
)
def name_of_file(name, folder):
    path, data = written(folder, "a.nii.gz" if name.lower().endswith("gz") else "a.nii")
    return Image(path.rename(folder / name), data.T, RAS @ OBLIQUE)


@KINDS("analyze")
def analyze(folder):
    image = nibabel.AnalyzeImage(counted(SHAPE), np.diag([-2.0, 2.0, 3.0, 1.0]))
    nibabel.save(image, folder / "a.img")
    return by_nibabel(folder / "a.img", (NO_SIDES,))


@KINDS.each("io41-mgh", {"mgz": ("a.mgz",), "mgh": ("a.mgh",)})
def mgh(name, folder):
    image = nibabel.MGHImage(counted(SHAPE, np.int32), OBLIQUE.astype(np.float32))
    nibabel.save(image, path := folder / name)
    return by_nibabel(path)


@KINDS("io41-mgh-several-frames")
def mgh_several_frames(folder):
    image = nibabel.MGHImage(counted((*SHAPE, 2), np.float32), OBLIQUE.astype(np.float32))
    nibabel.save(image, path := folder / "a.mgz")
    return by_nibabel(path, frame=1)


@KINDS("io41-mgh-no-orientation")
def mgh_no_orientation(folder):
    nibabel.save(nibabel.MGHImage(counted(SHAPE, np.int32), np.eye(4)), path := folder / "a.mgh")
    patched(path, 28, ">h", 0)
    return by_nibabel(path, (NO_SIDES, "no voxel size"))
