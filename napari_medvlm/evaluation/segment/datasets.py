"""Finding the cases of a data set, by its layout."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from napari_medvlm.data.errors import InvalidReference
from napari_medvlm.evaluation.references.label_objects import object_file
from napari_medvlm.evaluation.runs.cases import Cases, SkippedCase
from napari_medvlm.evaluation.runs.run_folder import safe
from napari_medvlm.evaluation.segment.cases import Case, Layout, named
from napari_medvlm.evaluation.segment.nnunet_datasets import ENDINGS, msd, nnunet, with_files
from napari_medvlm.io.dicom.folder import holds_dicom

PAIRS_REMEDY = (
    "Choose the layout with --dataset, or the names of the files with --image-pattern and "
    "--label-pattern."
)
SAME_FILE_REMEDY = (
    "Say where the labels are with --labels, or distinguish them with --image-pattern and "
    "--label-pattern."
)


@dataclass(frozen=True)
class PairKind:
    """What is paired with labels: its name in errors, and the remedies of a command.

    Attributes
    ----------
    is_folder
        Whether a folder is that of a case; its name is the case's, or `safe` of it.
    """

    first: str = "image"
    no_case: str = PAIRS_REMEDY
    same_file: str = SAME_FILE_REMEDY
    is_folder: Callable[[Path], bool] = holds_dicom


def find_cases(  # keyword arguments, each independent
    layout: Layout,
    images: Path,
    labels: Path | None = None,
    *,
    channel: int | None = None,
    patterns: tuple[str, str] = ("{case}", "{case}"),
    names: Mapping[int, str] | None = None,
    pair: PairKind = PairKind(),
) -> Cases[Case]:
    """The cases of a data set, in order of name.

    Parameters
    ----------
    layout
        How it lies on disk. A case of pairs may be a folder of DICOM files: an image, and next to
        it or in the folder of labels one segmentation or structure set.
    images
        Its folder; for pairs and npz that of the images; ``imagesTr`` also means its parent.
    labels
        The folder of the labels, where they are not in their usual place.
    channel
        Which channel of an image with several; `None`: the first of nnU-Net's and the Decathlon's.
    patterns
        For pairs: file names of images and of labels, with ``{case}`` for the case's name. A
        pattern without an ending takes any known one.
    names
        Names of the label values, for layouts that have none of their own.
    pair
        What is paired with the labels.

    Raises
    ------
    InvalidReference
        If the folder is not of that layout, or has no case at all.
    """
    if not images.is_dir():
        raise InvalidReference(f"There is no folder {images}.", "Check the path.")
    if layout is Layout.NNUNET:
        dataset = nnunet(_root(images), labels, channel or 0)
    elif layout is Layout.MSD:
        dataset = msd(_root(images), channel or 0)
    elif layout is Layout.CVPR25:
        dataset = _npz(images, labels, names or {})
    else:
        dataset = _pairs(images, labels or images, patterns, channel, names or {}, pair)
    if not dataset.cases:
        reasons = " ".join(dict.fromkeys(skipped.reason for skipped in dataset.skipped[:3]))
        raise InvalidReference(
            f"There is no case in {images} ({layout}). {reasons}".strip(),
            pair.no_case,
        )
    order = sorted(dataset.cases, key=lambda case: case.name)
    return Cases(tuple(order), dataset.skipped)


def _pairs(
    images: Path,
    labels: Path,
    patterns: tuple[str, str],
    channel: int | None,
    names: Mapping[int, str],
    pair: PairKind,
) -> Cases[Case]:
    matching = _matching(labels, patterns[1], holds_dicom)
    full_name = {safe(name): name for name in matching}
    of_image = {
        full_name.get(name, name) if path.is_dir() else name: path
        for name, path in _matching(images, patterns[0], pair.is_folder).items()
        if path not in (images, labels)
    }
    of_label, skipped = _label_files(matching)
    same = [path for name, path in of_image.items() if of_label.get(name) == path]
    if same:
        raise InvalidReference(
            f"{same[0].name} would be both {pair.first} and labels.", pair.same_file
        )
    skipped += [
        SkippedCase(name, f"There is no label image for {path.name}.")
        for name, path in of_image.items()
        if name not in matching
    ]
    skipped += [
        SkippedCase(name, f"There is no {pair.first} for the labels {path.name}.")
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


def _label_files(matching: Mapping[str, Path]) -> tuple[dict[str, Path], list[SkippedCase]]:
    """The labels of each case, and cases whose folder has not exactly one file of objects."""
    files, skipped = {}, []
    for name, path in matching.items():
        try:
            files[name] = object_file(path) if path.is_dir() else path
        except InvalidReference as error:
            skipped.append(SkippedCase(name, error.message))
    return files, skipped


def _matching(folder: Path, pattern: str, is_folder: Callable[[Path], bool]) -> dict[str, Path]:
    """The files and folders of a pattern, by the name of their case."""
    if pattern.count("{case}") != 1:
        raise InvalidReference(
            f"The pattern {pattern!r} does not say once where the case's name is.",
            "Write {case} there, as in {case}_seg.nii.gz.",
        )
    before, after = (re.escape(part) for part in pattern.split("{case}"))
    ending = "" if pattern.endswith(ENDINGS) else f"(?:{'|'.join(map(re.escape, ENDINGS))})"
    form = re.compile(f"{before}(?P<case>.+?){after}{ending}")
    of_folder = re.compile(f"{before}(?P<case>.+){after}")
    if not folder.is_dir():
        raise InvalidReference(f"There is no folder {folder}.", "Check the path.")
    matches = (
        (path, (of_folder if path.is_dir() else form).fullmatch(path.name))
        for path in sorted(folder.iterdir())
    )
    files: dict[str, Path] = {}
    for path, match in matches:
        if match is None or path.name.startswith("."):
            continue
        if not path.is_file() and not is_folder(path):
            continue
        name = match["case"]
        if name in files:
            raise InvalidReference(
                f"{files[name].name} and {path.name} are both of the case {name}.",
                "Say which to take with --image-pattern and --label-pattern.",
            )
        files[name] = path
    return files


def _npz(images: Path, labels: Path | None, names: Mapping[int, str]) -> Cases[Case]:
    folder = labels or images
    files = {path.stem: (path, folder / path.name) for path in sorted(images.glob("[!.]*.npz"))}
    return with_files(files, Layout.CVPR25, None, named(names))


def _root(folder: Path) -> Path:
    return folder.parent if folder.name == "imagesTr" else folder
