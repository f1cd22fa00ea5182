"""From a PET series' intensities to the standardized uptake value by body weight (SUVbw).

After the pseudo-code of the Quantitative Imaging Biomarkers Alliance (QIBA), "SUV vendor-neutral".
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from napari_medvlm.data.errors import InvalidImage
from napari_medvlm.io.archive.base import day_of
from napari_medvlm.io.dicom.header import first_number, item, read_header, text
from napari_medvlm.io.dicom.units import pet_unit

if TYPE_CHECKING:
    from pydicom import Dataset

KEYWORDS = [
    *("Units", "CorrectedImage", "DecayCorrection", "PatientWeight", "SeriesDate", "SeriesTime"),
    *("AcquisitionDate", "AcquisitionTime", "FrameReferenceTime", "ActualFrameDuration"),
    *("RadiopharmaceuticalInformationSequence", "SUVType"),
]
PHILIPS, GE = "Philips PET Private Group", "GEMS_PETD_01"
PHILIPS_SUV, GE_SCAN_TIME = (0x7053, 0x00), (0x0009, 0x0D)
"""Group and element, within their block, of what these makers write: SUV of a count; scan time."""
LEAST_DOSE_BQ = 1e5
"""A dose below it was not written in becquerel."""
NO_DATE = date(2000, 1, 2)
DAY = timedelta(days=1)
EARLY = timedelta(hours=1)
"""How long before the injection a dynamic scan may begin."""
HOURS_WITHOUT_A_DAY, MOST_HALF_LIVES = 8, 10
"""The longest half-life for which the clock alone has the day of the injection; after so many
half-lives nothing is left that a scanner could see, so that one of the times is wrong."""
MOST_KG = 650
BODY_WEIGHT = "{SUVbw}"
"""How UCUM marks uptake by body weight, in "g/ml{SUVbw}"."""


class _Unknown(Exception):  # a reason, not an error
    """Why SUV cannot be computed, as the end of a sentence."""


@dataclass(frozen=True)
class Suv:
    """How intensities become SUVbw.

    Attributes
    ----------
    factor
        SUVbw in g/ml of an intensity of 1; `None` if the header does not allow to compute it.
    note
        Why it does not, in a sentence; else empty.
    unit
        The unit of the intensities themselves, in UCUM; empty if the header states none.
    """

    factor: float | None
    note: str = ""
    unit: str = ""


def suv_of(files: Sequence[Path], mapped: str = "") -> Suv:
    """How the intensities of a PET series become SUVbw.

    Parameters
    ----------
    files
        All files of the series: the earliest is the start of the scan.
    mapped
        The unit of an enhanced PET image's real world values, which has no Units of its own.
    """
    tags = [*KEYWORDS, "00090010", "0009100D", "70530010", "70531000"]
    unit = ""
    try:
        headers = [read_header(path, tags) for path in files]
        unit = pet_unit(headers[0]) or mapped.removesuffix(BODY_WEIGHT)
        if mapped.endswith(BODY_WEIGHT) and not text(headers[0], "Units"):
            return Suv(1.0, unit=unit)
        if mapped and not text(headers[0], "Units"):
            raise _Unknown("it is not computed for enhanced PET.")
        return Suv(_factor(headers), unit=unit)
    except _Unknown as unknown:
        reason = str(unknown)
    except InvalidImage as error:
        reason = error.message
    intensities = f"in {unit}" if unit else "stored values"
    return Suv(None, f"No SUV by body weight; intensities are {intensities}: {reason}", unit)


def _factor(headers: Sequence[Dataset]) -> float:
    first = headers[0]
    match text(first, "Units"):
        case "GML" if text(first, "SUVType").upper() in ("", "BW"):
            return 1.0
        case "GML":
            raise _Unknown(f"the header's SUV Type is {text(first, 'SUVType')}, not BW.")
        case "CNTS":
            return _of_counts(first)
        case "BQML":
            return _weight_g(first) / _dose_bq(headers)
        case units:
            raise _Unknown(f"the header's units are {units or 'missing'}, not BQML.")


def _of_counts(header: Dataset) -> float:
    value = _private(header, PHILIPS, *PHILIPS_SUV)
    try:
        factor = float(value)
    except ValueError:
        factor = 0.0
    if not (math.isfinite(factor) and factor > 0):
        raise _Unknown("the header's units are counts without a factor for SUV (7053,1000).")
    return factor


def _weight_g(header: Dataset) -> float:
    weight_kg = first_number(header, "PatientWeight")
    if weight_kg is None or weight_kg <= 0:
        raise _Unknown("the header has no patient weight.")
    if weight_kg > MOST_KG:
        raise _Unknown(f"the header's weight, {weight_kg:g}, cannot be in kilograms.")
    return 1000 * weight_kg


def _dose_bq(headers: Sequence[Dataset]) -> float:
    """The activity that was given, decayed to the time that the images are corrected to."""
    first = headers[0]
    administration = item(first, "RadiopharmaceuticalInformationSequence")
    if administration is None:
        raise _Unknown("the header has no radiopharmaceutical information.")
    dose = _positive(administration, "RadionuclideTotalDose", "the dose")
    if dose < LEAST_DOSE_BQ:
        raise _Unknown(f"the header's dose, {dose:g}, cannot be in becquerel.")
    corrected = first.get("CorrectedImage") or ()
    corrections = {corrected} if isinstance(corrected, str) else set(corrected)
    if not {"ATTN", "DECY"} <= corrections:
        raise _Unknown("the images are not corrected for attenuation and decay.")
    match text(first, "DecayCorrection"):
        case "ADMIN":
            return dose
        case "START":
            half_life_s = _positive(administration, "RadionuclideHalfLife", "the half-life")
            scan = _scan_start(headers, half_life_s)
            given = _given_at(administration, scan, half_life_s)
            half_lives = (scan - given).total_seconds() / half_life_s
            if half_lives > MOST_HALF_LIVES:
                raise _Unknown(f"the scan began {half_lives:.0f} half-lives after the injection.")
            return dose * math.pow(2, -half_lives)
        case other:
            raise _Unknown(f"decay is corrected to {other or 'an unknown time'}.")


def _scan_start(headers: Sequence[Dataset], half_life_s: float) -> datetime:
    """The time that images are decay-corrected to; a series made later has a later time itself."""
    series = _moment(headers[0], "SeriesDate", "SeriesTime")
    acquired = [(_moment(h, "AcquisitionDate", "AcquisitionTime"), h) for h in headers]
    known = [(at, header) for at, header in acquired if at is not None]
    earliest, header = min(known, key=lambda k: k[0]) if known else (None, headers[0])
    if series is not None and (earliest is None or series <= earliest):
        return series
    ge_time = _date_time(_private(headers[0], GE, *GE_SCAN_TIME))
    if ge_time is not None:
        return ge_time
    if earliest is None:
        raise _Unknown("the header has no scan start time.")
    return earliest - _into_scan(header, half_life_s)


def _into_scan(header: Dataset, half_life_s: float) -> timedelta:
    """How long after the reference of the decay correction a frame began, if it is known."""
    reference_ms = first_number(header, "FrameReferenceTime")
    duration_ms = first_number(header, "ActualFrameDuration")
    if not reference_ms or not duration_ms:
        return timedelta()
    rate = math.log(2) / half_life_s
    decay = rate * duration_ms / 1000
    average_s = math.log(decay / -math.expm1(-decay)) / rate
    return timedelta(seconds=reference_ms / 1000 - average_s)


def _given_at(administration: Dataset, scan: datetime, half_life_s: float) -> datetime:
    """When the activity was given: before the scan, or soon after the start of a dynamic one.

    A date that cannot be, as some anonymisers write, is ignored; the clock alone is used for the
    nearest such time within a day, also over midnight.
    """
    exact = _date_time(text(administration, "RadiopharmaceuticalStartDateTime"))
    longest = max(DAY, timedelta(seconds=MOST_HALF_LIVES * half_life_s))
    if exact is not None and scan - longest < exact <= scan + EARLY:
        return exact
    clock = _clock(text(administration, "RadiopharmaceuticalStartTime"))
    if clock is None:
        raise _Unknown("the header has no injection time.")
    if half_life_s > 3600 * HOURS_WITHOUT_A_DAY:
        raise _Unknown("the header does not give the day of the injection.")
    at = datetime.combine(scan.date(), clock)
    days = (at + n * DAY for n in (1, 0, -1))
    return next(moment for moment in days if moment <= scan + EARLY)


def _positive(values: Dataset, keyword: str, what: str) -> float:
    value = first_number(values, keyword)
    if value is None or value <= 0:
        raise _Unknown(f"the header does not give {what} of the injected dose.")
    return value


def _moment(header: Dataset, day: str, clock: str) -> datetime | None:
    """A day and a time; without a day, which is taken out of some files, the series' own."""
    value = _clock(text(header, clock))
    if value is None:
        return None
    on = day_of(text(header, day)) or day_of(text(header, "SeriesDate")) or NO_DATE
    return datetime.combine(on, value)


def _date_time(text: str) -> datetime | None:
    on, clock = day_of(text[:8]), _clock(text[8:].partition("+")[0].partition("-")[0])
    return None if on is None or clock is None else datetime.combine(on, clock)


def _clock(text: str) -> time | None:
    """A time as DICOM writes it: ``HHMMSS.FFFFFF`` from the left, as far as it is known."""
    digits, _, part = text.strip().replace(":", "").partition(".")
    try:
        hours, minutes, seconds = (int(digits[k : k + 2] or 0) for k in (0, 2, 4))
        return time(hours, minutes, seconds, int(part.ljust(6, "0")[:6])) if digits else None
    except ValueError:
        return None


def _private(header: Dataset, creator: str, group: int, element: int) -> str:
    """A value of a maker's own as a text; empty if it is not there."""
    try:
        value = header.private_block(group, creator)[element].value
    except KeyError:
        return ""
    text = value.decode("ascii", "ignore") if isinstance(value, bytes) else str(value)
    return text.strip("\0 ")
