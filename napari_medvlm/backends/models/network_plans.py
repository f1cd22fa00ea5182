"""The classes that a model's `plans.json` names: layers of torch and networks of nnU-Net only.

nnInteractive and VoxTell build a network by importing the names of this file and calling them with
the arguments that the file gives, so any other name could run any program.
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


def require_known_classes(folder: Path) -> None:
    """Check that `plans.json` names no code but subclasses of ``torch.nn.Module`` in `PACKAGES`.

    Raises
    ------
    BackendUnavailable
        If the file cannot be read, or names something else and the folder is not trusted.
    """
    try:
        plans = json.loads((folder / PLANS).read_text("utf-8"))
        names = sorted(set(_imported_names(plans)))
    except DAMAGED as error:
        raise BackendUnavailable(
            f"{folder / PLANS} cannot be read: {type(error).__name__}.",
            "Download the model again.",
        ) from error
    if not all(map(_is_layer, names)):
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
