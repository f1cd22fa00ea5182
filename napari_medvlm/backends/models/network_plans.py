"""The code that a model's `plans.json` names: layers of torch and parts of nnU-Net only.

nnInteractive, VoxTell and nnU-Net build a network by importing the names of this file and calling
them with the arguments that the file gives, so any other name could run any program. nnU-Net looks
up its own parts, such as the resampling, by name in modules that also import other functions.
"""

from __future__ import annotations

import json
import pydoc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from napari_medvlm.backends.models.trust import require_trusted
from napari_medvlm.data.errors import DAMAGED, BackendUnavailable

PLANS = "plans.json"
PACKAGES = ("torch.nn.", "dynamic_network_architectures.")
"""Where the classes of networks may come from."""
PARTS = {
    "preprocessor_name": ("DefaultPreprocessor",),
    "label_manager": ("LabelManager",),
    "image_reader_writer": (
        "NaturalImage2DIO", "NibabelIO", "NibabelIOWithReorient", "SimpleITKIO",
        "SimpleITKIOWithReorient", "Tiff3DIO",
    ),
    "normalization_schemes": (
        "CTNormalization", "NoNormalization", "RGBTo01Normalization", "RescaleTo01Normalization",
        "ZScoreNormalization",
    ),
    **dict.fromkeys(
        ("resampling_fn_data", "resampling_fn_probabilities", "resampling_fn_seg"),
        (
            "no_resampling_hack", "resample_data_or_seg_to_shape", "resample_torch_fornnunet",
            "resample_torch_simple",
        ),
    ),
}  # fmt: skip
"""The parts of nnU-Net that plans choose by name, as nnunetv2 2.7 has them."""


def require_known_classes(folder: Path) -> None:
    """Check that `plans.json` names no code but layers and networks of `PACKAGES`, and `PARTS`.

    Raises
    ------
    BackendUnavailable
        If the file cannot be read, or names something else and the folder is not trusted.
    """
    try:
        plans = json.loads((folder / PLANS).read_text("utf-8"))
        names = sorted(set(_imported_names(plans)))
        own_parts = all(_are_known_parts(part) for part in _dicts(plans))
    except DAMAGED as error:
        raise BackendUnavailable(
            f"{folder / PLANS} cannot be read: {type(error).__name__}.",
            "Download the model again.",
        ) from error
    if not own_parts or not all(map(_is_layer, names)):
        require_trusted(folder, "The model in")


def _imported_names(plans: Any) -> Iterator[str]:
    """All names in plans, at any depth, that the libraries import."""
    for part in _dicts(plans):
        if "network_class_name" in part:
            yield str(part["network_class_name"])
        arguments = part.get("arch_kwargs")
        if isinstance(arguments, dict):
            keys = part.get("_kw_requires_import") or ()
            yield from (str(arguments[k]) for k in keys if arguments.get(k) is not None)


def _are_known_parts(part: dict[str, Any]) -> bool:
    """Whether all parts of nnU-Net that an object of the file names are in `PARTS`."""
    for key, known in PARTS.items():
        value = part.get(key)
        names = value if isinstance(value, list) else [] if value is None else [value]
        if not all(name in known for name in names):
            return False
    return True


def _dicts(value: Any) -> Iterator[dict[str, Any]]:
    """All objects of a JSON value, at any depth."""
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, list):
        for part in value:
            yield from _dicts(part)


def _is_layer(name: str) -> bool:
    """Whether a dotted name is that of a class of layers or networks in `PACKAGES`."""
    if not name.startswith(PACKAGES):
        return False
    import torch

    located = pydoc.locate(name)
    return (
        isinstance(located, type)
        and issubclass(located, torch.nn.Module)
        and f"{located.__module__}.".startswith(PACKAGES)
    )
