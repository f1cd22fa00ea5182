"""Finding the cases of a data set, by its layout."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from napari_medvlm.errors import InvalidReference
from napari_medvlm.evaluation.segment.cases import (
    Case,
    Cases,
    Layout,
    Skipped,
    Structure,
    named,
)

ENDINGS = (".nii.gz", ".nii", ".nrrd", ".nhdr", ".mha", ".mhd", ".png", ".tif", ".tiff")
"""Endings of images that pairs may have."""
NOT_STRUCTURES = {"background", "ignore"}
"""Names in nnU-Net's ``dataset.json`` that are no structures."""


def find_cases(
    layout: Layout,
    images: Path,
    labels: Path | None = None,
    *,
    channel: int | None = None,
    patterns: tuple[str, str] = ("{case}", "{case}"),
    names: Mapping[int, str] | None = None,
) -> Cases:
    """The cases of a data set, in order of name.

    Parameters
    ----------
    layout
        How it lies on disk.
    images
        Its folder; for pairs and npz that of the images; ``imagesTr`` also stands for its parent.
    labels
        The folder of the labels, where they are not in their usual place.
    channel
        Which channel of an image with several; `None`: the first of nnU-Net's and the Decathlon's.
    patterns
        For pairs: file names of images and of labels, with ``{case}`` for the case's name. A
        pattern without an ending takes any known one.
    names
        Names of the label values, for layouts that have none of their own.

    Raises
    ------
    InvalidReference
        If the folder is not of that layout, or has no case at all.
    """
    if not images.is_dir():
        raise InvalidReference(f"There is no folder {images}.", "Check the path.")
    if layout is Layout.NNUNET:
        found = _nnunet(_root(images), labels, channel or 0)
    elif layout is Layout.MSD:
        found = _msd(_root(images), channel or 0)
    elif layout is Layout.CVPR25:
        found = _npz(images, labels, names or {})
    else:
        found = _pairs(images, labels or images, patterns, channel, names or {})
    if not found.cases:
        reasons = " ".join(dict.fromkeys(skipped.reason for skipped in found.skipped))
        raise InvalidReference(
            f"There is no case in {images} ({layout}). {reasons}".strip(),
            "Choose the layout with --dataset, or the names of the files with --image-pattern "
            "and --label-pattern.",
        )
    order = sorted(found.cases, key=lambda case: case.name)
    return Cases(tuple(order), found.skipped)


def _pairs(
    images: Path,
    labels: Path,
    patterns: tuple[str, str],
    channel: int | None,
    names: Mapping[int, str],
) -> Cases:
    of_image, of_label = (_matching(f, p) for f, p in zip((images, labels), patterns, strict=True))
    same = [path for name, path in of_image.items() if of_label.get(name) == path]
    if same:
        raise InvalidReference(
            f"{same[0].name} would be both image and labels.",
            "Say where the labels are with --labels, or tell them apart with --image-pattern and "
            "--label-pattern.",
        )
    skipped = [
        Skipped(name, f"There is no label image for {path.name}.")
        for name, path in of_image.items()
        if name not in of_label
    ]
    skipped += [
        Skipped(name, f"There is no image for the labels {path.name}.")
        for name, path in of_label.items()
        if name not in of_image
    ]
    cases = [
        Case(
            name=name, image=path, labels=of_label[name], layout=Layout.PAIRS,
            channel=channel, structures=named(names),
        )
        for name, path in of_image.items()
        if name in of_label
    ]  # fmt: skip
    return Cases(tuple(cases), tuple(skipped))


def _matching(folder: Path, pattern: str) -> dict[str, Path]:
    """The files of a pattern by the name of their case."""
    if pattern.count("{case}") != 1:
        raise InvalidReference(
            f"The pattern {pattern!r} does not say once where the case's name is.",
            "Write {case} there, as in {case}_seg.nii.gz.",
        )
    before, after = (re.escape(part) for part in pattern.split("{case}"))
    ending = "" if pattern.endswith(ENDINGS) else f"(?:{'|'.join(map(re.escape, ENDINGS))})"
    form = re.compile(f"{before}(?P<case>.+?){after}{ending}")
    if not folder.is_dir():
        raise InvalidReference(f"There is no folder {folder}.", "Check the path.")
    matches = ((path, form.fullmatch(path.name)) for path in sorted(folder.iterdir()))
    found: dict[str, Path] = {}
    for path, match in matches:
        if match is None or path.name.startswith(".") or not path.is_file():
            continue
        name = match["case"]
        if name in found:
            raise InvalidReference(
                f"{found[name].name} and {path.name} are both of the case {name}.",
                "Say which to take with --image-pattern and --label-pattern.",
            )
        found[name] = path
    return found


def _nnunet(root: Path, labels: Path | None, channel: int) -> Cases:
    content = _dataset(root)
    ending = content.get("file_ending", ".nii.gz")
    structures = tuple(_nnunet_structures(_mapping(content, "labels", root)))
    folder = labels or root / "labelsTr"
    if isinstance(content.get("dataset"), dict):
        listed = _nnunet_listed(content["dataset"], root, channel)
    else:
        drawn = sorted(folder.glob(f"*{ending}"))
        listed = {
            (name := path.name.removesuffix(ending)): (
                root / "imagesTr" / f"{name}_{channel:04d}{ending}", path
            )
            for path in drawn
        }  # fmt: skip
        listed |= _without_labels(root / "imagesTr", folder, ending, channel, set(listed))
    return _listed(listed, Layout.NNUNET, None, structures)


def _nnunet_listed(
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
    """Images of nnU-Net's whose labels are missing, so that they can be told."""
    tail = f"_{channel:04d}{ending}"
    found = {path.name.removesuffix(tail): path for path in sorted(images.glob(f"*{tail}"))}
    return {
        name: (path, labels / f"{name}{ending}")
        for name, path in found.items()
        if name not in known
    }


def _nnunet_structures(labels: Mapping[str, Any]) -> list[Structure]:
    """Names and values as of version 2, name to value or values, or of version 1, the reverse."""
    found = []
    for key, value in labels.items():
        name, values = (value, key) if isinstance(value, str) else (key, value)
        several = values if isinstance(values, list) else [values]
        if name.casefold() not in NOT_STRUCTURES:
            found.append(Structure(name=name, values=_values(name, several)))
    return [structure for structure in found if structure.values != (0,)]


def _values(name: str, values: list[Any]) -> tuple[int, ...]:
    try:
        return tuple(int(value) for value in values)
    except (TypeError, ValueError):
        raise InvalidReference(
            f"The label {name!r} in dataset.json has the values {values}, not whole numbers.",
            "Repair the file.",
        ) from None


def _msd(root: Path, channel: int) -> Cases:
    content = _dataset(root)
    structures = tuple(_nnunet_structures(_mapping(content, "labels", root)))
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
    return _listed(listed, Layout.MSD, channel, structures)


def _npz(images: Path, labels: Path | None, names: Mapping[int, str]) -> Cases:
    folder = labels or images
    listed = {path.stem: (path, folder / path.name) for path in sorted(images.glob("*.npz"))}
    return _listed(listed, Layout.CVPR25, None, named(names))


def _listed(
    listed: Mapping[str, tuple[Path, Path]],
    layout: Layout,
    channel: int | None,
    structures: tuple[Structure, ...],
) -> Cases:
    """The cases whose files are there."""
    cases, skipped = [], []
    for name, (image, labels) in listed.items():
        missing = [path for path in (image, labels) if not path.is_file()]
        if missing:
            skipped.append(Skipped(name, f"There is no {missing[0].name} in {missing[0].parent}."))
            continue
        cases.append(
            Case(
                name=name, image=image, labels=labels, layout=layout,
                channel=channel, structures=structures,
            )
        )  # fmt: skip
    return Cases(tuple(cases), tuple(skipped))


def _root(folder: Path) -> Path:
    return folder.parent if folder.name == "imagesTr" else folder


def _dataset(root: Path) -> dict[str, Any]:
    path = root / "dataset.json"
    try:
        content = json.loads(path.read_text("utf-8-sig"))
        if not isinstance(content, dict):
            raise ValueError("it is not a mapping")
    except (OSError, ValueError) as error:
        raise InvalidReference(
            f"{path} cannot be read: {error}.", "Choose the folder that holds dataset.json."
        ) from error
    return content


def _mapping(content: Mapping[str, Any], key: str, root: Path) -> Mapping[str, Any]:
    found = content.get(key)
    if not isinstance(found, dict) or not found:
        raise InvalidReference(
            f'dataset.json in {root} has no "{key}".', "Add the names and values of the labels."
        )
    return found


def _stem(name: str) -> str:
    stem = Path(name).name
    return next((stem.removesuffix(e) for e in ENDINGS if stem.endswith(e)), stem)
