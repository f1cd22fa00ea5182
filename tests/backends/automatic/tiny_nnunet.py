"""Small trained folders of nnU-Net v2 with random weights, laid out as ``nnUNetv2_train`` does."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

from tests.backends.nninteractive.tiny_nninteractive import plans as plans_of_one_channel

CONFIGURATION = "3d_fullres"
LABELS = {"background": 0, "left kidney": 1, "right kidney": 2, "bright lesion": 3}
REGIONS = {
    "background": 0, "whole tumor": [1, 2, 3], "tumor core": [2, 3], "enhancing tumor": 3,
}  # fmt: skip
KINDS = ("data", "seg", "probabilities")


def plans(channels: int, reader: str, flat: bool) -> dict[str, Any]:
    """The plans of a U-Net of two stages for windows of 16 voxels, in 2D if `flat`."""
    content = plans_of_one_channel(16, (4, 8))
    (configuration,) = content["configurations"].values()
    for kind in KINDS:
        configuration[f"resampling_fn_{kind}_kwargs"] = {
            "is_seg": kind == "seg", "order": 1, "order_z": 0, "force_separate_z": None,
        }  # fmt: skip
    configuration["normalization_schemes"] = ["ZScoreNormalization"] * channels
    configuration["use_mask_for_norm"] = [False] * channels
    configuration["spacing"] = [2.0, 1.5, 1.5]
    if flat:
        architecture = configuration["architecture"]["arch_kwargs"]
        architecture |= {
            "kernel_sizes": [[3, 3]] * 2, "strides": [[1, 1], [2, 2]],
            "conv_op": "torch.nn.modules.conv.Conv2d",
            "norm_op": "torch.nn.modules.instancenorm.InstanceNorm2d",
        }  # fmt: skip
        configuration |= {"patch_size": [16, 16], "spacing": [1.0, 1.0]}
    intensities = content["foreground_intensity_properties_per_channel"]
    intensities |= {str(k): intensities["0"] for k in range(channels)}
    content |= {"configurations": {CONFIGURATION: configuration}, "image_reader_writer": reader}
    return content


def save_nnunet(
    folder: Path,
    channels: Sequence[str] = ("CT",),
    labels: dict[str, Any] | None = None,
    reader: str = "SimpleITKIO",
    folds: Sequence[str] = ("0",),
    mirror: tuple[int, ...] | None = (0, 1),
    flat: bool = False,
    **checkpoint: Any,
) -> Path:
    """A trained folder.

    Parameters
    ----------
    channels
        The names of the input channels.
    labels
        As in ``dataset.json``; a list of values is a region.
    mirror
        The axes along which training mirrored.
    flat
        Whether the network is 2D.
    checkpoint
        Other entries of the checkpoint.
    """
    labels = labels or LABELS
    content = plans(len(channels), reader, flat)
    dataset = {
        "channel_names": {str(k): name for k, name in enumerate(channels)}, "labels": labels,
        "numTraining": 1, "file_ending": ".nii.gz", "regions_class_order": [1, 2, 3],
    }  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "plans.json").write_text(json.dumps(content))
    (folder / "dataset.json").write_text(json.dumps(dataset))
    manager = PlansManager(content)
    heads = manager.get_label_manager(dataset).num_segmentation_heads
    for k, fold in enumerate(folds):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(k + 3)
            network = nnUNetTrainer.build_network_architecture(
                manager, manager.get_configuration(CONFIGURATION), len(channels), heads, False
            )
            for part in network.modules():
                if isinstance(part, torch.nn.Conv3d | torch.nn.Conv2d):
                    torch.nn.init.normal_(part.weight, std=0.5)
        state = {
            "network_weights": network.state_dict(), "trainer_name": "nnUNetTrainer",
            "init_args": {"configuration": CONFIGURATION, "fold": k},
            "inference_allowed_mirroring_axes": mirror, "optimizer_state": {}, "_best_ema": 0.5,
        }  # fmt: skip
        (folder / f"fold_{fold}").mkdir(exist_ok=True)
        torch.save(state | checkpoint, folder / f"fold_{fold}" / "checkpoint_final.pth")
    return folder
