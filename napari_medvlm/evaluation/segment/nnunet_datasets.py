"""Data sets that a ``dataset.json`` describes: nnU-Net's and the Decathlon's."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from napari_medvlm.data.errors import DAMAGED, InvalidReference
from napari_medvlm.evaluation.runs.cases import Cases, SkippedCase
from napari_medvlm.evaluation.segment.cases import Case, Layout, Structure

ENDINGS = (
    *(".rtstruct.dcm", ".labelmap.dcm", ".seg.dcm", ".dcm", ".seg.nrrd"),
    *(".nii.gz", ".nii", ".nrrd", ".nhdr", ".mha", ".mhd"),
    *(".png", ".jpg", ".jpeg", ".tif", ".tiff"),
)
"""Endings of images and labels that pairs may have, longer ones first."""
NOT_STRUCTURES = {"background", "ignore"}
"""Names in nnU-Net's ``dataset.json`` that are no structures."""


def nnunet(root: Path, labels: Path | None, channel: int) -> Cases[Case]:
    """The training cases of nnU-Net's raw data; errors as of `layouts.find_cases`."""
    content = _dataset(root)
    ending = content.get("file_ending", ".nii.gz")
    structures = tuple(_structures(_mapping(content, "labels", root)))
    folder = labels or root / "labelsTr"
    if isinstance(content.get("dataset"), dict):
        listed = _named_files(content["dataset"], root, channel)
    else:
        label_files = sorted(
            folder.glob(f"[!.]*{ending}")
        )  # a Mac leaves hidden files next to others
        listed = {
            (name := path.name.removesuffix(ending)): (
                root / "imagesTr" / f"{name}_{channel:04d}{ending}", path
            )
            for path in label_files
        }  # fmt: skip
        listed |= _without_labels(root / "imagesTr", folder, ending, channel, set(listed))
    return with_files(listed, Layout.NNUNET, None, structures)


def _named_files(
    entries: Mapping[str, Any], root: Path, channel: int
) -> dict[str, tuple[Path, Path]]:
    """The files that ``dataset.json`` names itself."""
    try:
        return {
            name: (root / entry["images"][channel], root / entry["label"])
            for name, entry in entries.items()
        }
    except (KeyError, IndexError, TypeError) as error:
        raise InvalidReference(
            f'The cases in dataset.json in {root} lack "images", "label" or channel {channel}.',
            "Repair the file, or choose another --channel.",
        ) from error


def _without_labels(
    images: Path, labels: Path, ending: str, channel: int, known: set[str]
) -> dict[str, tuple[Path, Path]]:
    """Images of nnU-Net's whose labels are missing, so that they can be listed."""
    tail = f"_{channel:04d}{ending}"
    image_paths = {
        path.name.removesuffix(tail): path for path in sorted(images.glob(f"[!.]*{tail}"))
    }
    return {
        name: (path, labels / f"{name}{ending}")
        for name, path in image_paths.items()
        if name not in known
    }


def _structures(labels: Mapping[str, Any]) -> list[Structure]:
    """Names and values as of version 2, name to value or values, or of version 1, the reverse."""
    structures = []
    for key, value in labels.items():
        name, values = (value, key) if isinstance(value, str) else (key, value)
        several = values if isinstance(values, list) else [values]
        if name.casefold() not in NOT_STRUCTURES:
            structures.append(Structure(name=name, values=_values(name, several)))
    return [structure for structure in structures if structure.values != (0,)]


def _values(name: str, values: list[Any]) -> tuple[int, ...]:
    try:
        return tuple(int(value) for value in values)
    except (TypeError, ValueError):
        raise InvalidReference(
            f"The label {name!r} in dataset.json has the values {values}, not whole numbers.",
            "Repair the file.",
        ) from None


def msd(root: Path, channel: int) -> Cases[Case]:
    """The training cases of the Decathlon; errors as of `layouts.find_cases`."""
    content = _dataset(root)
    structures = tuple(_structures(_mapping(content, "labels", root)))
    entries = content.get("training")
    if not isinstance(entries, list) or not all(
        isinstance(e, dict) and "image" in e and "label" in e for e in entries
    ):
        raise InvalidReference(
            f'dataset.json in {root} has no list "training" of images and labels.',
            "Choose a folder of the Medical Segmentation Decathlon, or --dataset nnunet.",
        )
    listed = {
        _stem(entry["image"]): (root / entry["image"], root / entry["label"]) for entry in entries
    }
    if len(listed) < len(entries):
        raise InvalidReference(
            f"Of {len(entries)} cases in {root}, {len(entries) - len(listed)} have the name of "
            "another.",
            "Give each image of dataset.json a name of its own.",
        )
    return with_files(listed, Layout.MSD, channel, structures)


def with_files(
    listed: Mapping[str, tuple[Path, Path]],
    layout: Layout,
    channel: int | None,
    structures: tuple[Structure, ...],
) -> Cases[Case]:
    """The cases whose files are there."""
    cases, skipped = [], []
    for name, (image, labels) in listed.items():
        missing = [path for path in (image, labels) if not path.is_file()]
        if missing:
            reason = f"There is no {missing[0].name} in {missing[0].parent}."
            skipped.append(SkippedCase(name, reason))
            continue
        cases.append(
            Case(
                name=name, image=image, labels=labels, layout=layout,
                channel=channel, structures=structures,
            )
        )  # fmt: skip
    return Cases(tuple(cases), tuple(skipped))


def _dataset(root: Path) -> dict[str, Any]:
    path = root / "dataset.json"
    if not path.is_file():
        raise InvalidReference(
            f"There is no dataset.json in {root}.",
            "Choose the folder that holds it, or another layout: pairs needs none.",
        )
    try:
        content = json.loads(path.read_text("utf-8-sig"))
        if not isinstance(content, dict):
            raise ValueError("it is not a mapping")
    except DAMAGED as error:
        raise InvalidReference(
            f"{path} cannot be read: {error}.", "Choose the folder that holds dataset.json."
        ) from error
    return content


def _mapping(content: Mapping[str, Any], key: str, root: Path) -> Mapping[str, Any]:
    mapping = content.get(key)
    if not isinstance(mapping, dict) or not mapping:
        raise InvalidReference(
            f'dataset.json in {root} has no "{key}".', "Add the names and values of the labels."
        )
    return mapping


def _stem(name: str) -> str:
    stem = Path(name).name
    return next((stem.removesuffix(e) for e in ENDINGS if stem.endswith(e)), stem)
