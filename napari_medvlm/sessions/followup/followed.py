"""What became of the lesions of a prior study: rows, sums and their tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from napari_medvlm.data.errors import CannotSave
from napari_medvlm.data.geometry.pairing import Pairing
from napari_medvlm.data.label_image import NamedLabels
from napari_medvlm.data.measurements.csv_file import write_table
from napari_medvlm.data.volume import Volume
from napari_medvlm.io.dicom_objects.seg_write import Segment
from napari_medvlm.sessions.followup.overlap import LesionState
from napari_medvlm.sessions.followup.response import Response

Millimetres = tuple[float, float, float]
COLUMNS = (
    "name", "study", "date", "state", "s_mm", "p_mm", "l_mm", "volume_ml", "longest_mm",
    "perpendicular_mm", "is_node", "is_target", "change_percent", "doubling_days",
    "planted_percent", "measured_percent", "registration_mm", "is_reliable", "notes",
)  # fmt: skip
"""Of the table: two rows for a lesion, of the prior and of the current study."""


@dataclass(frozen=True)
class Reliability:
    """What a planted change of a lesion was measured as.

    Parameters
    ----------
    planted_percent
        The change of volume that was planted in the prior.
    measured_percent
        What the same steps measured of it; `None` if the planted lesion was not linked.
    registration_mm
        How far the surroundings of the lesion lie from their mapped position.
    correlation
        Normalised cross-correlation of the surroundings there, -1 to 1.
    prompts
        The form of the prompts that segmented the lesion; empty if masks were given.
    reasons
        Why the change is not reliable, a sentence each; empty if it is.
    is_registered
        Whether the surroundings are like those in the prior, and close to their mapped position.
    """

    planted_percent: float
    measured_percent: float | None
    registration_mm: float
    correlation: float
    prompts: str = ""
    reasons: tuple[str, ...] = ()
    is_registered: bool = True

    @property
    def error_points(self) -> float | None:
        """Measured minus planted change, in percentage points."""
        if self.measured_percent is None:
            return None
        return self.measured_percent - self.planted_percent

    @property
    def is_reliable(self) -> bool:
        """Whether nothing speaks against the change."""
        return not self.reasons

    def to_json(self) -> dict[str, Any]:
        """The values by name."""
        return {
            "planted_percent": self.planted_percent,
            "measured_percent": _rounded(self.measured_percent, 2),
            "error_points": _rounded(self.error_points, 2),
            "registration_mm": round(self.registration_mm, 2),
            "correlation": round(self.correlation, 3),
            "prompts": self.prompts,
            "is_reliable": self.is_reliable,
            "reasons": list(self.reasons),
        }


@dataclass(frozen=True)
class Extent:
    """Size and position of a lesion in one study; of several pieces, their sums and centroid.

    Parameters
    ----------
    center_mm
        ``(S, P, L)`` in millimetres of its own study; `None` if the lesion is not there.
    volume_ml
        Sum of the volumes.
    longest_mm, perpendicular_mm
        Longest diameter in an axial slice and the longest at a right angle to it (RECIST 1.1);
        of pieces the sum.
    """

    center_mm: Millimetres | None
    volume_ml: float = 0.0
    longest_mm: float = 0.0
    perpendicular_mm: float = 0.0


@dataclass(frozen=True)
class FollowedLesion:
    """A lesion in both studies.

    Parameters
    ----------
    name
        Of the lesion of the prior; of a new lesion its own.
    state
        What became of it; `None` if that is not known: the point is only proposed, or lies outside
        the current study.
    prior, current
        Its extent in both; `current` has the proposed point, and zeros where nothing is measured.
    change_percent
        Of the volume; of merged lesions, of all of them together. `None` if not measured.
    doubling_days
        Days in which the volume doubled; `None` if it has not grown or the dates are not known.
    reliability
        How well a planted change was measured; `None` if it was not tried.
    is_node, is_target
        Whether it is a lymph node, and whether it counts in the sum of diameters.
    is_measured
        Whether the current study was measured; False of a proposed point.
    value, current_values
        Its value in the prior's label image (0 of a new lesion) and in the current one.
    group
        Names of the lesions that merged.
    notes
        A sentence each.
    """

    name: str
    state: LesionState | None
    prior: Extent
    current: Extent
    change_percent: float | None = None
    doubling_days: float | None = None
    reliability: Reliability | None = None
    is_node: bool = False
    is_target: bool = False
    is_measured: bool = True
    value: int = 0
    current_values: tuple[int, ...] = ()
    group: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def change_text(self) -> str:
        """The change in volume with its sign, such as ``"+18 %"``; empty if there is none."""
        if self.change_percent is None:
            return ""
        rounded = round(self.change_percent)
        return f"{rounded:+d} %" if rounded else "0 %"

    def to_json(self) -> dict[str, Any]:
        """The values by name; pairs are of the prior and the current study."""
        extents = (self.prior, self.current)
        reliability = self.reliability

        def pair(name: str) -> list[float | None]:
            values = [round(getattr(extent, name), 4) for extent in extents]
            return [values[0], values[1] if self.is_measured else None]

        return {
            "name": self.name,
            "prior_mm": _point(self.prior.center_mm),
            "current_mm": _point(self.current.center_mm),
            "state": None if self.state is None else str(self.state),
            "volume_ml": pair("volume_ml"),
            "longest_mm": pair("longest_mm"),
            "perpendicular_mm": pair("perpendicular_mm"),
            "change_percent": _rounded(self.change_percent, 2),
            "doubling_days": _rounded(self.doubling_days, 1),
            "is_node": self.is_node,
            "is_target": self.is_target,
            "group": list(self.group),
            "values": [self.value, list(self.current_values)],
            "reliability": None if reliability is None else reliability.to_json(),
            "notes": list(self.notes),
        }


@dataclass(frozen=True, eq=False)
class FollowUp:
    """The lesions of a prior study in a current one.

    Parameters
    ----------
    lesions
        Those of the prior in the order of its label image, then new ones.
    sum_mm
        Sum of the diameters of the target lesions in the prior and the current study; the second
        is `None` if it is not measured.
    category
        Response by RECIST 1.1.
    pairing
        From the prior to the current study.
    masks
        Lesions of the current study; `None` if points are only proposed.
    dates
        Of the prior and the current study, if they are known.
    notes
        On the pair as such, a sentence each.
    """

    lesions: tuple[FollowedLesion, ...]
    sum_mm: tuple[float, float | None]
    category: Response
    pairing: Pairing
    masks: NamedLabels | None = None
    dates: tuple[date, date] | None = None
    notes: tuple[str, ...] = field(default=())

    def to_json(self) -> dict[str, Any]:
        """What the command ``follow --json`` prints."""
        return {
            "lesions": [lesion.to_json() for lesion in self.lesions],
            "sum_mm": [_rounded(value, 4) for value in self.sum_mm],
            "category": str(self.category),
            "dates": None if self.dates is None else [day.isoformat() for day in self.dates],
            "pairing": {
                "kind": str(self.pairing.kind),
                "affine_mm": self.pairing.affine_mm.tolist(),
                "notes": list(self.pairing.notes),
            },
            "notes": list(self.notes),
        }

    def write_csv(self, path: str | Path) -> None:
        """Write the table: a row for each lesion and study.

        Raises
        ------
        CannotSave
            If the file cannot be written.
        """
        rows = [self._row(lesion, study) for lesion in self.lesions for study in (0, 1)]
        write_table(Path(path), COLUMNS, ([row.get(c) for c in COLUMNS] for row in rows))

    def write_masks(self, path: str | Path, current: Volume) -> None:
        """Write the lesions of the current study, with the tracking UIDs of the prior's.

        Formats without names get a table of them in a ``.tsv`` file of the same name.

        Raises
        ------
        CannotSave
            If nothing is segmented, or the file cannot be written.
        """
        from napari_medvlm.io.label_images import write_names
        from napari_medvlm.io.writers import write_mask

        masks = self.masks
        if masks is None or not masks.present:
            raise CannotSave("The current study has no lesion to save.", "Save the table instead.")
        path = Path(path)
        write_mask(path, masks.values, current, self.segments())
        if not path.name.lower().endswith((".dcm", ".stl")):
            write_names(path, {value: (name, "") for value, name in masks.names.items()})

    def segments(self) -> dict[int, Segment]:
        """What DICOM files hold of the lesions of the current study, by their value."""
        if self.masks is None:
            return {}
        uids = self.masks.tracking_uids
        return {
            value: Segment(name, tracking_id=name, tracking_uid=uids.get(value, ""))
            for value, name in self.masks.names.items()
        }

    def _row(self, lesion: FollowedLesion, study: int) -> Mapping[str, Any]:
        extent = (lesion.prior, lesion.current)[study]
        row: dict[str, Any] = {
            "name": lesion.name,
            "study": ("prior", "current")[study],
            "date": "" if self.dates is None else self.dates[study].isoformat(),
            "is_node": lesion.is_node,
            "is_target": lesion.is_target,
        }
        if extent.center_mm is not None:
            row |= {f"{a}_mm": round(v, 3) for a, v in zip("spl", extent.center_mm, strict=True)}
        if study == 0 or lesion.is_measured:
            names = ("volume_ml", "longest_mm", "perpendicular_mm")
            row |= {name: round(getattr(extent, name), 6) for name in names}
        if study == 1:
            row |= {name: lesion.to_json()[name] for name in ("change_percent", "doubling_days")}
            row |= {"state": lesion.state or "", "notes": " ".join(lesion.notes)}
            row |= {} if lesion.reliability is None else lesion.reliability.to_json()
        return row


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)


def _point(center_mm: Millimetres | None) -> dict[str, float] | None:
    if center_mm is None:
        return None
    return {axis: round(value, 3) for axis, value in zip("spl", center_mm, strict=True)}
