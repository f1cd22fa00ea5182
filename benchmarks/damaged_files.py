"""DICOM files damaged on purpose, the same for the same seed, out of those that pydicom ships."""

from __future__ import annotations

import random
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydicom import Dataset

KINDS = (
    "cut off", "garbage", "holes", "wrong VR", "wrong length", "wrong sizes", "missing elements",
    "odd values", "mixed UIDs", "bad frames",
)  # fmt: skip
VRS = [b"AE", b"DS", b"IS", b"SQ", b"OW", b"UN", b"FD", b"US", b"UT", b"PN", b"??", b"\0\0"]
LARGEST = 2_000_000
"""In bytes: larger ones show nothing more."""


@dataclass(frozen=True)
class Damaged:
    """A file as bytes; ``kind`` is what was done to it, ``source`` what it was."""

    kind: str
    source: str
    data: bytes


def damaged(count: int, seed: int = 0) -> Iterator[Damaged]:
    """As many damaged files, the kinds in turn."""
    rng = random.Random(seed)
    paths = sources()
    for i in range(count):
        kind = KINDS[i % len(KINDS)]
        path = rng.choice(paths if kind != "bad frames" else _encapsulated())
        yield Damaged(kind, path.name, _damage(kind, path, rng))


@cache
def sources() -> list[Path]:
    """The DICOM files with pixels that pydicom ships."""
    from pydicom.data import get_testdata_file

    paths = sorted(Path(get_testdata_file("CT_small.dcm", download=False)).parent.rglob("*.dcm"))
    small = [path for path in paths if path.stat().st_size < LARGEST]
    return [path for path in small if "PixelData" in _read(path)]


@cache
def _encapsulated() -> list[Path]:
    syntaxes = {p: _read(p).file_meta.get("TransferSyntaxUID") for p in sources()}
    return [path for path, syntax in syntaxes.items() if syntax and syntax.is_encapsulated]


def _read(path: Path) -> Dataset:
    from pydicom import dcmread

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return dcmread(path, force=True)


def _damage(kind: str, path: Path, rng: random.Random) -> bytes:
    data = bytearray(path.read_bytes())
    if kind == "cut off":
        return bytes(data[: rng.randrange(1, len(data))])
    if kind == "garbage":
        return _garbage(data, rng, rng.choice([1, 4, 32, 256]), rng.choice([1000, len(data)]))
    if kind == "holes":
        for _ in range(3):
            at = rng.randrange(132, len(data))
            del data[at : at + rng.randrange(1, 50)]
        return bytes(data)
    if kind == "bad frames":
        at = max(data.find(b"\xe0\x7f\x10\x00"), 0)
        return bytes(data[:at]) + _garbage(data[at:], rng, 64, len(data) - at)
    if kind in ("wrong VR", "wrong length"):
        return _header_bytes(kind, data, rng)
    return _values(kind, path, rng)


def _garbage(data: bytearray, rng: random.Random, count: int, within: int) -> bytes:
    for _ in range(count):
        data[rng.randrange(min(within, len(data)))] = rng.randrange(256)
    return bytes(data)


def _header_bytes(kind: str, data: bytearray, rng: random.Random) -> bytes:
    """Another VR, or another length, of an element that explicit files name by its VR."""
    places = [
        at
        for at in range(136, min(len(data) - 12, 6000))
        if data[at : at + 2] in (b"US", b"DS", b"IS", b"UI", b"CS", b"LO", b"OW", b"SQ", b"OB")
    ]
    for _ in range(rng.choice([1, 3])):
        at = rng.choice(places or [rng.randrange(136, max(137, len(data) - 12))])
        if kind == "wrong VR":
            data[at : at + 2] = rng.choice(VRS)
        else:
            data[at + 2 : at + 4] = rng.choice([0, 1, 3, 0x7FFF, 0xFFFF]).to_bytes(2, "little")
    return bytes(data)


SIZES = ("Rows", "Columns", "BitsAllocated", "BitsStored", "NumberOfFrames", "SamplesPerPixel")
NUMBERS = (0, 1, 3, 7, 65535, 12, 40, 64)
ODD = (
    ("PixelSpacing", ["0", "0"]), ("PixelSpacing", ["-1", "nan"]), ("PixelSpacing", ["1"]),
    ("ImageOrientationPatient", ["0"] * 6), ("ImageOrientationPatient", ["1", "0"]),
    ("ImagePositionPatient", ["inf", "0", "0"]), ("RescaleSlope", "0"), ("RescaleSlope", "1e400"),
    ("RescaleIntercept", "abc"), ("SliceThickness", "-5"), ("PixelRepresentation", 7),
    ("PhotometricInterpretation", "UNKNOWN"), ("NumberOfFrames", "100000000"),
    ("NumberOfFrames", "-3"), ("BitsAllocated", 13), ("SpecificCharacterSet", "ISO_IR 999"),
    ("WindowWidth", "x"), ("InstanceNumber", "1.5e300"), ("SeriesNumber", "99999999999999"),
    ("RescaleIntercept", "1e300"), ("PlanarConfiguration", 9),
)  # fmt: skip
UIDS = ("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID")
SYNTAXES = (
    "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99",
    "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.90",
    "1.2.840.10008.1.2.5", "1.2.3.4", "",
)  # fmt: skip


def _values(kind: str, path: Path, rng: random.Random) -> bytes:
    """Another value of an element, whatever the standard says of it; written as it is."""
    made = _read(path)
    if kind == "wrong sizes":
        for keyword in rng.sample(SIZES, rng.choice([1, 2])):
            _put(made, keyword, rng.choice(NUMBERS))
    elif kind == "odd values":
        _put(made, *rng.choice(ODD))
    elif kind == "missing elements":
        tags = [tag for tag in made.keys() if tag.group in (0x8, 0x20, 0x28, 0x5200, 0x7FE0)]  # noqa: SIM118
        for tag in rng.sample(tags, min(len(tags), rng.choice([1, 3, 8]))):
            del made[tag]
    elif rng.random() < 0.5:
        return _other_syntax(made, path.read_bytes(), rng)
    else:
        uid = rng.choice(["", "1.2.3", "x" * 70, "1.2.840.10008.1.3.10"])
        _put(made, rng.choice(UIDS), uid)
    return _written(made) or path.read_bytes()[: rng.randrange(200, path.stat().st_size)]


def _put(made: Dataset, keyword: str, value: Any) -> None:
    from pydicom.datadict import dictionary_VR, tag_for_keyword
    from pydicom.dataelem import RawDataElement
    from pydicom.tag import Tag

    tag, vr = Tag(tag_for_keyword(keyword)), dictionary_VR(keyword)
    if vr == "US":
        raw = int(value).to_bytes(2, "little")
    else:
        raw = ("\\".join(value) if isinstance(value, list) else str(value)).encode()
    raw += b" " * (len(raw) % 2)
    made[tag] = RawDataElement(tag, vr, len(raw), raw, 0, made.is_implicit_VR, True)


def _other_syntax(made: Dataset, data: bytes, rng: random.Random) -> bytes:
    """The file says that it is written in another way than it is."""
    old = str(getattr(made, "file_meta", {}).get("TransferSyntaxUID", "")).encode()
    new = rng.choice(SYNTAXES).encode()[: len(old)].ljust(len(old), b"\0")
    return data.replace(old, new, 1) if old else data


def _written(made: Dataset) -> bytes:
    """Nothing if pydicom will not write it."""
    from pydicom import config

    buffer, before = BytesIO(), config.settings.writing_validation_mode
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        config.settings.writing_validation_mode = config.IGNORE
        try:
            made.save_as(buffer, enforce_file_format=False)
        except Exception:  # noqa: BLE001  # whatever it says of such values
            return b""
        finally:
            config.settings.writing_validation_mode = before
    return buffer.getvalue()
