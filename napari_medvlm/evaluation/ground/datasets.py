"""Finding the cases of a data set of phrases and places, by its layout."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from napari_medvlm.data.errors import InvalidReference
from napari_medvlm.evaluation.ground.cases import Case, Layout
from napari_medvlm.evaluation.ground.dataset_readers import READERS, ListedImages, read_medsg
from napari_medvlm.evaluation.references import dataset_files
from napari_medvlm.evaluation.references.dataset_files import ImageIndex
from napari_medvlm.evaluation.runs.cases import Cases, SkippedCase


def find_cases(
    layout: Layout,
    images: Path,
    references: Path,
    *,
    every_class: bool = False,
    names: Mapping[int, str] | None = None,
    patterns: tuple[str, str] = ("{case}", "{case}"),
    channels: Mapping[str, str] | None = None,
) -> Cases[Case]:
    """The cases of a data set, in order of name.

    Parameters
    ----------
    layout
        How it lies on disk.
    images
        The folder of the images; a path or file name in the references is looked for in it.
    references
        The file of the references; of masks, the folder of the label images.
    every_class
        Look for every class of the data set on each image, so that false alarms are seen.
    names
        Of masks: names of the label values.
    patterns
        Of masks: names of images and label images, ``{case}`` in the place of the case's name.
    channels
        Of masks: names of the images of each channel of a model, by the channel's name.

    Raises
    ------
    InvalidReference
        If the files are not of that layout, there is no case at all, or channels are named for
        another layout than masks.
    """
    if layout is Layout.MASKS:
        dataset = _masks(images, references, names or {}, patterns)
        dataset = _with_channels(dataset, images, references, channels or {}, patterns[1])
    else:
        _refuse_channels(layout, channels or {})
        below = ImageIndex(images)
        with dataset_files.report_damage(references, layout):
            dataset = (
                read_medsg(references, below)
                if layout is Layout.MEDSG
                else _with_files(READERS[layout](references), below)
            )
    dataset.require_any("case", references, layout)
    cases = sorted(dataset.cases, key=lambda case: case.name)
    if every_class:
        cases = _with_absent(cases)
    used = (case for case in cases if case.references or case.absent or case.labels)
    return Cases(tuple(used), dataset.skipped)


def _masks(
    images: Path, labels: Path, names: Mapping[int, str], patterns: tuple[str, str]
) -> Cases[Case]:
    """Images and label images, as `segment` pairs them."""
    from napari_medvlm.evaluation.segment.cases import Layout as Pairs
    from napari_medvlm.evaluation.segment.datasets import find_cases as find_pairs

    pairs = find_pairs(Pairs.PAIRS, images, labels, patterns=patterns)
    cases = tuple(
        Case(name=c.name, images=(c.image,), labels=c.labels, names=dict(names))
        for c in pairs.cases
    )
    return Cases(cases, pairs.skipped)


def _refuse_channels(layout: Layout, channels: Mapping[str, str]) -> None:
    if channels:
        raise InvalidReference(
            f"Channels are not paired with the images of {layout}.", "Use --dataset masks."
        )


def _with_channels(
    dataset: Cases[Case],
    images: Path,
    labels: Path,
    channels: Mapping[str, str],
    label_pattern: str,
) -> Cases[Case]:
    """The cases with the images of their channels; those that lack one are skipped."""
    from napari_medvlm.evaluation.segment.cases import Layout as Pairs
    from napari_medvlm.evaluation.segment.datasets import find_cases as find_pairs

    paths: dict[str, dict[str, Path]] = {}
    for name, pattern in channels.items():
        pairs = find_pairs(Pairs.PAIRS, images, labels, patterns=(pattern, label_pattern))
        for pair in pairs.cases:
            paths.setdefault(pair.name, {})[name] = pair.image
    cases, skipped = [], list(dataset.skipped)
    for case in dataset.cases:
        own = paths.get(case.name, {})
        missing = [name for name in channels if name not in own]
        if missing:
            reason = f"There is no image of {', '.join(missing)}."
            skipped.append(SkippedCase(case.name, reason))
        else:
            cases.append(case.model_copy(update={"channels": own}))
    return Cases(tuple(cases), tuple(skipped))


def _with_files(listed: ListedImages, below: ImageIndex) -> Cases[Case]:
    cases, skipped = [], []
    for name, image in listed.items():
        path = below(name)
        if path is None:
            skipped.append(SkippedCase(name, f"There is no image {name}."))
            continue
        references = tuple(image.references)
        cases.append(Case(name=name, images=(path,), size=image.size, references=references))
    return Cases(tuple(cases), tuple(skipped))


def _with_absent(cases: Iterable[Case]) -> list[Case]:
    """Each also with the phrases that only others have."""
    cases = list(cases)
    everything = sorted({r.phrase for case in cases for r in case.references})
    return [case.model_copy(update={"absent": tuple(_missing(case, everything))}) for case in cases]


def _missing(case: Case, phrases: Iterable[str]) -> Iterator[str]:
    there = {reference.phrase for reference in case.references}
    return (phrase for phrase in phrases if phrase not in there)
