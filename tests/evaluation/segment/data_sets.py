"""Small data sets, written in exactly the layouts that people have."""

import json

import nibabel
import numpy as np

from napari_medvlm import write_mask
from napari_medvlm.data.geometry.frames import ras_matrix
from tests.conftest import make_phantom

SHAPE = (20, 28, 30)


def cases(number):
    """Phantoms with two structures: volumes and labels 1 and 2."""
    for seed in range(number):
        volume, left, right = make_phantom(SHAPE, seed=seed, degrees=(0, 0, 5 * seed))
        yield f"case_{seed:02d}", volume, left * 1 + right * 2


def save_image(path, data, affine):
    """Write intensities ``(z, y, x)`` or ``(channel, z, y, x)`` as NIfTI."""
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(np.asarray(data).T, ras_matrix(affine)), path)


def save_labels(path, labels, volume):
    path.parent.mkdir(parents=True, exist_ok=True)
    write_mask(path, labels, volume)


def write_pairs(root, number=2):
    for name, volume, labels in cases(number):
        save_image(root / "images" / f"{name}.nii.gz", volume.data, volume.affine)
        save_labels(root / "labels" / f"{name}.nii.gz", labels, volume)
    return root / "images", root / "labels"


def write_nnunet(root, number=2):
    """Version 2: two channels, and a region made of both labels."""
    for name, volume, labels in cases(number):
        for channel in (0, 1):
            data = volume.data + 1000 * channel
            save_image(root / "imagesTr" / f"{name}_{channel:04d}.nii.gz", data, volume.affine)
        save_labels(root / "labelsTr" / f"{name}.nii.gz", labels, volume)
    content = {
        "channel_names": {"0": "CT", "1": "PET"},
        "labels": {"background": 0, "both": [1, 2], "right": 2, "ignore": 3},
        "regions_class_order": [1, 2],
        "numTraining": number,
        "file_ending": ".nii.gz",
    }
    (root / "dataset.json").write_text(json.dumps(content))
    return root


def write_msd(root, number=2):
    """As the Decathlon's prostate: 4D images with two channels."""
    entries = []
    for name, volume, labels in cases(number):
        data = np.stack([volume.data, volume.data + 1000])
        save_image(root / "imagesTr" / f"{name}.nii.gz", data, volume.affine)
        save_labels(root / "labelsTr" / f"{name}.nii.gz", labels, volume)
        entries.append({"image": f"./imagesTr/{name}.nii.gz", "label": f"./labelsTr/{name}.nii.gz"})
    content = {
        "name": "Phantoms",
        "tensorImageSize": "4D",
        "modality": {"0": "T2", "1": "ADC"},
        "labels": {"0": "background", "1": "left", "2": "right"},
        "numTraining": number,
        "training": entries,
        "test": [],
    }
    (root / "dataset.json").write_text(json.dumps(content))
    return root


def challenge_box(truth):
    """As the challenge's `get_boxes.py` writes it: first and last, on the middle slice."""
    z = np.unique(np.argwhere(truth)[:, 0])
    middle = z[len(z) // 2]
    y, x = np.nonzero(truth[middle])
    return {
        "z_min": z[0], "z_max": z[-1], "z_mid": middle,
        "z_mid_x_min": x.min(), "z_mid_y_min": y.min(),
        "z_mid_x_max": x.max(), "z_mid_y_max": y.max(),
    }  # fmt: skip


def write_npz(folder, number=2, **more):
    folder.mkdir(parents=True, exist_ok=True)
    for name, volume, labels in cases(number):
        grey = np.clip(volume.data, 0, 255).astype(np.uint8)
        np.savez_compressed(
            folder / f"CT_Phantom_{name}.npz",
            imgs=grey,
            gts=labels.astype(np.uint8),
            spacing=volume.spacing,
            boxes=[challenge_box(labels == value) for value in (1, 2)],
            text_prompts={"1": "Left blob", "2": "Right blob", "instance_label": 0},
            **more,
        )
    return folder
