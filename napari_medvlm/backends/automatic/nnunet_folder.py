"""The files of a trained nnU-Net: which folder, what it segments, and what it must be given."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_medvlm.data.errors import BackendUnavailable

CHECKPOINT = "checkpoint_final.pth"
PICTURE_READER = "NaturalImage2DIO"
REORIENTING = ("NibabelIOWithReorient", "SimpleITKIOWithReorient")
"""Readers that turn images to RAS; all others keep the order of the file."""
OPTIONS = ("ras", "no-mirroring")
HINT = "Choose a folder with plans.json, dataset.json and fold_*/checkpoint_final.pth."


@dataclass(frozen=True)
class NNUNetFolder:
    """A trained folder of nnU-Net v2, as ``nnUNetv2_train`` leaves it.

    Parameters
    ----------
    path
        The folder with ``plans.json`` and ``dataset.json``.
    plans, dataset
        The content of these files.
    folds
        The folds to average, such as ``("0", "1")`` or ``("all",)``.
    turns_to_ras
        Whether images are turned to RAS first, as the reader of the training does, or by option.
    mirrors
        Whether windows are also mirrored, as in training; without, prediction is faster.
    """

    path: Path
    plans: Mapping[str, Any]
    dataset: Mapping[str, Any]
    folds: tuple[str, ...]
    turns_to_ras: bool
    mirrors: bool

    @property
    def takes_pictures(self) -> bool:
        """Whether the model was trained on photographs and other 2D pictures."""
        return str(self.plans.get("image_reader_writer")) == PICTURE_READER

    @property
    def inputs(self) -> tuple[str, ...]:
        """The names of all input channels, in order."""
        named = self.dataset["channel_names"]
        return tuple(str(named[key]) for key in sorted(named, key=int))

    @property
    def channels(self) -> tuple[str, ...]:
        """The images of a patient that the model takes together; empty if it takes a single one.

        Red, green and blue are a single picture.
        """
        several = self.inputs if len(self.inputs) > 1 else ()
        return () if self.takes_pictures and len(several) == 3 else several

    @property
    def labels(self) -> dict[str, tuple[int, ...]]:
        """The values of the label image by name; a region has several."""
        labels = {}
        for name, value in self.dataset["labels"].items():
            values = tuple(map(int, value)) if isinstance(value, list) else (int(value),)
            if name != "ignore" and values != (0,):
                labels[str(name)] = values
        return labels

    def checkpoint(self, fold: str) -> Path:
        """The weights of a fold."""
        return self.path / f"fold_{fold}" / CHECKPOINT


def nnunet_folder(model: str | None) -> NNUNetFolder:
    """The trained folder of a model.

    Parameters
    ----------
    model
        The folder, or one that holds a single trained folder. Options after a ``#``, with commas
        between them: ``fold_0`` (default: all numbered folds together), ``no-mirroring``, and
        ``ras``, which turns images to RAS before prediction.

    Raises
    ------
    BackendUnavailable
        If there is none, its files cannot be read, or an option is unknown.
    """
    name, _, text = (model or "").partition("#")
    options = [option.strip() for option in text.split(",") if option.strip()]
    path = _path(name)
    plans, dataset = _read(path / "plans.json"), _read(path / "dataset.json")
    for key in ("channel_names", "labels"):
        if not isinstance(dataset.get(key), dict) or not dataset[key]:
            raise BackendUnavailable(f"{path / 'dataset.json'} has no {key}.", HINT)
    folds = tuple(o.removeprefix("fold_") for o in options if o.startswith("fold_"))
    unknown = [o for o in options if o not in OPTIONS and not o.startswith("fold_")]
    if unknown:
        raise BackendUnavailable(
            f"{unknown[0]!r} is no option of an nnU-Net.",
            f"Options after the # are fold_0, {' and '.join(OPTIONS)}.",
        )
    reader = str(plans.get("image_reader_writer"))
    folder = NNUNetFolder(
        path,
        plans,
        dataset,
        folds or _folds(path),
        "ras" in options or reader in REORIENTING,
        "no-mirroring" not in options,
    )
    for fold in folder.folds:
        if not folder.checkpoint(fold).is_file():
            raise BackendUnavailable(f"There is no {folder.checkpoint(fold)}.", HINT)
    return folder


def _path(name: str) -> Path:
    folder = Path(name).expanduser()
    if not name or not folder.is_dir():
        raise BackendUnavailable(
            f"There is no folder {name}." if name else "No nnU-Net was given.", HINT
        )
    if (folder / "plans.json").is_file():
        return folder.resolve()
    inner = sorted(path.parent for path in folder.glob("*/plans.json"))
    if len(inner) != 1:
        listed = ", ".join(path.name for path in inner) or "none"
        raise BackendUnavailable(f"{folder} has no plans.json; trained folders: {listed}.", HINT)
    return inner[0].resolve()


def _folds(path: Path) -> tuple[str, ...]:
    """All numbered folds with weights; else the fold of all data."""
    names = sorted(file.parent.name.removeprefix("fold_") for file in path.glob(f"*/{CHECKPOINT}"))
    return tuple(name for name in names if name.isdecimal()) or ("all",)


def _read(path: Path) -> Mapping[str, Any]:
    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise BackendUnavailable(f"{path} cannot be read: {type(error).__name__}.", HINT) from error
    if not isinstance(content, dict):
        raise BackendUnavailable(f"{path} holds no settings.", HINT)
    return content
