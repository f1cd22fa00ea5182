"""A small model folder of nnInteractive, and the library's own server on it."""

from __future__ import annotations

import atexit
import functools
import json
import os
import socket
import sys
import time
import urllib.request
from pathlib import Path

from tests.worker import fork_server

CONFIGURATION = "3d_fullres_tiny"
FEATURES = (2, 4, 4)
CHANNELS = 1 + 7
POSITIVE = (2, 4, 6)
NEGATIVE = (3, 5, 7)
"""Input channels of boxes and lassos, points, scribbles; the image is 0."""
PREVIOUS = 1
LICENCE = "none: random weights"


def save_nninteractive(
    folder: Path,
    patch: int = 64,
    extra: dict | None = None,
    features: tuple[int, int, int] = FEATURES,
) -> Path:
    """A network with seeded random weights, which keeps to what was prompted.

    Parameters
    ----------
    extra
        What the checkpoint holds besides.
    features
        How many the network has at each of its stages.
    """
    import torch

    (folder / "fold_0").mkdir(parents=True, exist_ok=True)
    (folder / "plans.json").write_text(json.dumps(plans(patch, features)))
    (folder / "dataset.json").write_text(
        json.dumps({"channel_names": {"0": "image"}, "labels": {"background": 0, "object": 1},
                    "numTraining": 1, "file_ending": ".nii.gz"})
    )  # fmt: skip
    (folder / "inference_session_class.json").write_text(
        json.dumps({"inference_class": "nnInteractiveInferenceSession", "point_radius": 4,
                    "preferred_scribble_thickness": [2, 2, 2], "interaction_decay": 0.9,
                    "pad_mode_image": "constant"})
    )  # fmt: skip
    (folder / "LICENSE").write_text(LICENCE + "\n")
    checkpoint = {
        "network_weights": weights(patch, features),
        "trainer_name": "nnInteractiveTrainer_stub",
        "init_args": {"configuration": CONFIGURATION},
        "inference_allowed_mirroring_axes": None,
    }
    torch.save(checkpoint | (extra or {}), folder / "fold_0" / "checkpoint_final.pth")
    return folder


def weights(patch: int, features: tuple[int, int, int] = FEATURES) -> dict:
    """Random weights, with a way for the prompts and the last mask to the output."""
    import torch
    from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
    from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

    manager = PlansManager(plans(patch, features))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = nnUNetTrainer.build_network_architecture(
            manager, manager.get_configuration(CONFIGURATION), CHANNELS, 2, False
        )
    with torch.no_grad():
        first = network.encoder.stages[0][0].convs[0].conv
        first.weight[0] *= 0.2
        first.weight[0, [*POSITIVE, PREVIOUS], 1, 1, 1] += 4
        first.weight[0, [*NEGATIVE], 1, 1, 1] -= 8
        last = network.decoder.stages[-1].convs[0].conv
        last.weight[0] *= 0.3
        last.weight[0, features[0], 1, 1, 1] += 4
        head = network.decoder.seg_layers[-1]
        head.weight[1, 0] += 3
        head.bias[0] += 1.5
    return network.state_dict()


def plans(patch: int, features: tuple[int, int, int] = FEATURES) -> dict:
    """The plans of a U-Net of three stages."""
    n = len(features)
    resampling = {
        f"resampling_fn_{kind}{suffix}": value
        for kind in ("data", "seg", "probabilities")
        for suffix, value in (("", "resample_data_or_seg_to_shape"), ("_kwargs", {}))
    }
    architecture = {
        "network_class_name": "dynamic_network_architectures.architectures.unet.PlainConvUNet",
        "arch_kwargs": {
            "n_stages": n, "features_per_stage": list(features), "kernel_sizes": [[3] * 3] * n,
            "strides": [[1] * 3] + [[2] * 3] * (n - 1), "n_conv_per_stage": [1] * n,
            "n_conv_per_stage_decoder": [1] * (n - 1), "conv_op": "torch.nn.modules.conv.Conv3d",
            "conv_bias": True, "norm_op": "torch.nn.modules.instancenorm.InstanceNorm3d",
            "norm_op_kwargs": {"eps": 1e-5, "affine": True}, "dropout_op": None,
            "dropout_op_kwargs": None, "nonlin": "torch.nn.LeakyReLU",
            "nonlin_kwargs": {"inplace": True},
        },
        "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
    }  # fmt: skip
    configuration = {
        "data_identifier": "tiny", "preprocessor_name": "DefaultPreprocessor", "batch_size": 1,
        "patch_size": [patch] * 3, "median_image_size_in_voxels": [patch] * 3,
        "spacing": [1, 1, 1], "normalization_schemes": ["ZScoreNormalization"],
        "use_mask_for_norm": [False], "batch_dice": False, "architecture": architecture,
        **resampling,
    }  # fmt: skip
    return {
        "dataset_name": "Dataset000_tiny", "plans_name": "tiny",
        "original_median_spacing_after_transp": [1, 1, 1],
        "original_median_shape_after_transp": [patch] * 3, "image_reader_writer": "SimpleITKIO",
        "transpose_forward": [0, 1, 2], "transpose_backward": [0, 1, 2],
        "experiment_planner_used": "none", "label_manager": "LabelManager",
        "configurations": {CONFIGURATION: configuration},
        "foreground_intensity_properties_per_channel": {
            "0": dict.fromkeys(
                ("max", "mean", "median", "min", "percentile_00_5", "percentile_99_5", "std"), 1
            )
        },
    }  # fmt: skip


class Served:
    """The library's server on a folder, on a free port of this machine."""

    def __init__(self, folder: Path, *options: str) -> None:
        self._port = free_port()
        arguments = ("--model-dir", str(folder), "--fold", "0", "--device", "cpu",
                     "--no-torch-compile", "--port", str(self._port), *options)  # fmt: skip
        environment = {**os.environ, "NN_INTERACTIVE_API_KEY": ""}
        context = fork_server.context()
        self._process = context.Process(target=serve, args=(arguments, environment), daemon=True)
        self._process.start()
        atexit.register(self.stop)

    @functools.cached_property
    def url(self) -> str:
        """Its address, as soon as it answers there."""
        url = f"http://127.0.0.1:{self._port}"
        while self._process.is_alive():
            try:
                urllib.request.urlopen(f"{url}/healthz", timeout=1).close()
            except OSError:
                time.sleep(0.05)
            else:
                return url
        raise RuntimeError(f"the server ended with {self._process.exitcode}")

    def stop(self) -> None:
        """End it now."""
        self._process.kill()
        self._process.join()


def serve(arguments: tuple[str, ...], environment: dict[str, str]) -> None:
    """Become the library's server, which looks for sessions that ended ten times a second."""
    os.environ.clear()
    os.environ.update(environment)
    with open(os.devnull, "r+b") as nothing:
        for number in (0, 1, 2):
            os.dup2(nothing.fileno(), number)
    from nnInteractive.inference.server import app, main

    main.make_app = functools.partial(app.make_app, sweep_interval_seconds=0.1)
    sys.exit(main.main([*arguments]))


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def served(folder: Path) -> str:
    """The address of a server on a small model, which lives as long as this process."""
    return Served(save_nninteractive(folder), "--max-sessions", "8").url
