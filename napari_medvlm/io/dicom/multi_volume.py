"""What distinguishes several volumes at the same position: echoes, time points, b-values."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Protocol, TypeVar

from napari_medvlm.io.dicom.header import value_of

if TYPE_CHECKING:
    from pydicom import Dataset

Label = tuple[float, ...] | tuple[str, ...]

KEYWORDS = (
    "EchoTime",
    "TemporalPositionIdentifier",
    "AcquisitionNumber",
    "DiffusionBValue",
    "TriggerTime",
    "ImageType",
    "AcquisitionTime",
    "EchoNumbers",
    "InversionTime",
    "FlipAngle",
    "RepetitionTime",
    "DiffusionGradientOrientation",
    "NominalPercentageOfCardiacPhase",
    "FrameReferenceTime",
    "KVP",
    "ConvolutionKernel",
    "ContentTime",
    "InstanceNumber",
)
"""By which volumes are distinguished, the first that does it alone before others."""

FRAME_VALUES = {
    "EchoTime": ("MREchoSequence", "EffectiveEchoTime"),
    "TemporalPositionIdentifier": ("FrameContentSequence", "TemporalPositionIndex"),
    "AcquisitionNumber": ("FrameContentSequence", "FrameAcquisitionNumber"),
    "DiffusionBValue": ("MRDiffusionSequence", "DiffusionBValue"),
    "TriggerTime": ("CardiacSynchronizationSequence", "NominalCardiacTriggerDelayTime"),
    "FlipAngle": ("MRTimingAndRelatedParametersSequence", "FlipAngle"),
    "RepetitionTime": ("MRTimingAndRelatedParametersSequence", "RepetitionTime"),
    "NominalPercentageOfCardiacPhase": (
        "CardiacSynchronizationSequence",
        "NominalPercentageOfCardiacPhase",
    ),
    "KVP": ("CTXRayDetailsSequence", "KVP"),
    "ConvolutionKernel": ("CTReconstructionSequence", "ConvolutionKernel"),
    "ImageType": ("", "FrameType"),
}
"""Where a multi-frame file has these values; a frame's type is in one of many sequences."""


class Labelled(Protocol):
    """A slice with the values that may distinguish it."""

    @property
    def labels(self) -> dict[str, Label]:
        """By DICOM keyword."""


P = TypeVar("P", bound=Labelled)


def labels_of(header: Dataset, groups: list[Dataset]) -> dict[str, Label]:
    """The values of a slice that may distinguish it from another slice at the same position.

    Parameters
    ----------
    groups
        The functional groups of a frame: its own, then the shared ones; empty for a plain file.
    """
    labels = {keyword: _label(value_of(header, keyword)) for keyword in KEYWORDS}
    for group in reversed(groups):
        labels |= {keyword: _label(value) for keyword, value in _frame_values(group)}
        labels |= _dimensions(header, group)
    return {keyword: label for keyword, label in labels.items() if label}


def _frame_values(group: Dataset) -> Iterator[tuple[str, object]]:
    for element in group:
        if element.VR != "SQ" or not element.value:
            continue
        values = element.value[0]
        for keyword, (sequence, name) in FRAME_VALUES.items():
            if sequence in ("", element.keyword) and name in values:
                yield keyword, values.get(name)


def split(places: Sequence[Sequence[P]]) -> tuple[str, list[str], list[list[P]]] | None:
    """Volumes of the slices at each place.

    Parameters
    ----------
    places
        Slices by place, more than one at some of them.

    Returns
    -------
    What varies, its values in rising order, and the slices that have each; None if the slices
    cannot be divided into volumes of equal size.
    """
    count = len(places[0])
    if any(len(group) != count for group in places):
        return None
    planes = [plane for group in places for plane in group]
    names = dict.fromkeys(keyword for plane in planes for keyword in plane.labels)
    varying = [
        name
        for name in names
        if name != "InstanceNumber" and len({plane.labels.get(name) for plane in planes}) > 1
    ]
    for size in (1, 2, 3):
        for chosen in itertools.combinations(varying, size):
            groups = _grouped(places, chosen)
            if len(groups) == count and all(len(g) == len(places) for g in groups.values()):
                keys = sorted(groups, key=lambda key: _order(key, groups[key]))
                return " and ".join(chosen), [_show(k) for k in keys], [groups[k] for k in keys]
    return _by_time(places, count) or _by_instance(places, count)


def _grouped(
    places: Sequence[Sequence[P]], chosen: tuple[str, ...]
) -> dict[tuple[Label | None, ...], list[P]]:
    """The slices with the same values of the chosen keywords; a place counts once a group."""
    groups: dict[tuple[Label | None, ...], list[P]] = defaultdict(list)
    for group in places:
        labels = {tuple(plane.labels.get(name) for name in chosen): plane for plane in group}
        for key, plane in labels.items():
            groups[key].append(plane)
    return groups


def _by_time(
    places: Sequence[Sequence[P]], count: int
) -> tuple[str, list[str], list[list[P]]] | None:
    """Phases: each was acquired, all its slices, before the next."""
    if not all(_time(plane) is not None for group in places for plane in group):
        return None
    ordered = [sorted(group, key=lambda plane: _time(plane) or 0.0) for group in places]
    volumes = [[group[i] for group in ordered] for i in range(count)]
    times = [sorted(_time(plane) or 0.0 for plane in volume) for volume in volumes]
    if any(a[-1] >= b[0] for a, b in itertools.pairwise(times)):
        return None
    return "AcquisitionTime", [_range(t[0], t[-1]) for t in times], volumes


def _time(plane: Labelled) -> float | None:
    """AcquisitionTime as the number ``HHMMSS.FFFFFF``, which rises during a day."""
    label = plane.labels.get("AcquisitionTime")
    return label[0] if label and isinstance(label[0], float) else None


def _by_instance(
    places: Sequence[Sequence[P]], count: int
) -> tuple[str, list[str], list[list[P]]] | None:
    """The first of each place, the second of each place, and so on."""
    if not all("InstanceNumber" in plane.labels for group in places for plane in group):
        return None
    ordered = [sorted(group, key=_instance) for group in places]
    volumes = [[group[i] for group in ordered] for i in range(count)]
    ranges = [sorted(_instance(plane) for plane in volume) for volume in volumes]
    return "InstanceNumber", [_range(r[0], r[-1]) for r in ranges], volumes


def _instance(plane: Labelled) -> float:
    value = plane.labels["InstanceNumber"][0]
    return float(value) if isinstance(value, float) else 0.0


def _range(low: float, high: float) -> str:
    return f"{low:.10g}" if low == high else f"{low:.10g} to {high:.10g}"


def _order(key: tuple[Label | None, ...], planes: Sequence[Labelled]) -> tuple[Hashable, ...]:
    """Rising values; directions, which have no order of their own, as they were acquired."""
    first = min(
        (_instance(plane) for plane in planes if "InstanceNumber" in plane.labels), default=0
    )

    def of(label: Label | None) -> tuple[str, tuple[float | str, ...]]:
        if not label:
            return "", ()
        is_vector = len(label) > 1 and isinstance(label[0], float)
        return type(label[0]).__name__, (first,) if is_vector else label

    return tuple(of(label) for label in key)


def _show(key: tuple[Label | None, ...]) -> str:
    return " with ".join(
        "\\".join(f"{v:.10g}" if isinstance(v, float) else v for v in label) if label else "none"
        for label in key
    )


def _label(value: object) -> Label | None:
    """A header's value as something that can be compared and sorted."""
    if value is None or value == "":
        return None
    parts = [value] if isinstance(value, str) or not isinstance(value, Iterable) else list(value)
    try:
        return tuple(float(part) for part in parts)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return tuple(str(part) for part in parts)


def _dimensions(header: Dataset, group: Dataset) -> dict[str, Label]:
    """Where a frame stands along the dimensions that its file defines for itself."""
    content = group.get("FrameContentSequence")
    indices = content[0].get("DimensionIndexValues") if content else None
    if indices is None:
        return {}
    defined = list(header.get("DimensionIndexSequence") or [])
    values = [float(v) for v in (indices if isinstance(indices, Iterable) else [indices])]
    names = [str(d.get("DimensionDescriptionLabel") or "") for d in defined]
    names += [""] * (len(values) - len(names))
    return {
        f"{name or 'Dimension'} {i + 1}": (value,)
        for i, (name, value) in enumerate(zip(names, values, strict=False))
    }
