"""What NRRD and MetaImage headers say of the voxel size, its unit and the compression.

SimpleITK reports neither whether a size is stored nor the unit of space directions.
https://teem.sourceforge.net/nrrd/format.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from napari_medvlm.data.volume import ASSUMED
from napari_medvlm.io.read_errors import unsupported

NRRD = (".nrrd", ".nhdr")
METAIMAGE = (".mha", ".mhd")
HEADER_BYTES = 2**20
SIDES = ("left", "right", "anterior", "posterior", "superior", "inferior")
ORIENTED = ("transformmatrix", "rotation", "orientation")
"""Fields of MetaImage with the directions of the axes; any of them."""
NO_SIZE = f"The file has no voxel size; {ASSUMED}"
MM_PER_UNIT = {
    **dict.fromkeys(("mm", "millimeter", "millimeters", "millimetre", "millimetres"), 1.0),
    **dict.fromkeys(("cm", "centimeter", "centimeters", "centimetre", "centimetres"), 10.0),
    **dict.fromkeys(("m", "meter", "meters", "metre", "metres"), 1000.0),
    **dict.fromkeys(("um", "µm", "μm", "micron", "microns", "micrometer", "micrometers"), 1e-3),
    **dict.fromkeys(("nm", "nanometer", "nanometers"), 1e-6),
}


def size_unit(path: Path) -> tuple[float, tuple[str, ...]]:
    """Millimetres of a unit of the file's lengths, and what was assumed.

    Raises
    ------
    InvalidImage
        If the voxels are compressed in a way that SimpleITK does not read.
    """
    fields = header_fields(path)
    if path.name.lower().endswith(NRRD):
        return _of_nrrd(path, fields)
    if path.name.lower().endswith(METAIMAGE):
        notes = () if {"elementspacing", "elementsize"} & fields.keys() else (NO_SIZE,)
        factor, more = _factor({fields.get("distanceunits", "mm")} - {"?"})
        sides = () if fields.keys() & set(ORIENTED) else _no_sides("no directions of its axes")
        return factor, (*notes, *more, *sides, *_not_applied(fields))
    return 1.0, ()


def _not_applied(fields: Mapping[str, str]) -> tuple[str, ...]:
    """That a MetaImage header has a scale of its values, which SimpleITK leaves out."""
    slope = fields.get("elementtointensityfunctionslope", "1")
    offset = fields.get("elementtointensityfunctionoffset", "0")
    try:
        if float(slope) == 1 and float(offset) == 0:
            return ()
    except ValueError:
        pass
    return (
        f"The header has a slope of {slope[:20]} and an offset of {offset[:20]} for the values, "
        "which SimpleITK does not apply; they are as stored.",
    )


def has_list(path: Path) -> bool:
    """Whether the values of a voxel in a NRRD file are those of several volumes.

    3D Slicer writes sequences and the layers of segmentations along an axis of that kind.
    """
    kinds = header_fields(path).get("kinds", "").lower().split()
    return path.name.lower().endswith(NRRD) and "list" in kinds


def header_fields(path: Path) -> Mapping[str, str]:
    """The fields of a NRRD or MetaImage header, their names in lower case."""
    with path.open("rb") as file:
        lines = file.read(HEADER_BYTES).split(b"\n")
    fields = {}
    for line in lines:
        text = line.decode("utf-8", errors="replace").strip()
        name, mark, value = re.match(r"([^:=]*)\s*(:=|:|=)?\s*(.*)", text).groups()  # type: ignore[union-attr]
        if mark is not None and mark != ":=":
            fields[name.strip().lower()] = value.strip()
        if not text or name.strip().lower() == "elementdatafile":
            break
    return fields


def _of_nrrd(path: Path, fields: Mapping[str, str]) -> tuple[float, tuple[str, ...]]:
    if fields.get("encoding", "").lower() in ("bz2", "bzip2"):
        raise unsupported(
            path,
            "its voxels are compressed by bzip2, which SimpleITK does not read",
            "Save it with gzip, for instance in 3D Slicer or with pynrrd.",
        )
    sizes = fields.get("spacings", "").lower().split()
    is_picture = fields.get("dimension") == "2"
    sides = () if is_picture else _sides_of_nrrd(fields.get("space", ""))
    if "space directions" not in fields:
        without = [axis for axis, size in zip("xyz", sizes, strict=False) if size == "nan"]
        if not sizes or len(without) == len(sizes[:3]):
            return 1.0, (NO_SIZE, *sides)
        if without:
            note = f"The file has no voxel size along {', '.join(without)}; {ASSUMED}"
            return 1.0, (note, *sides)
    kinds = fields.get("kinds", "").lower().split()
    if "time" in kinds and "none" in fields.get("space directions", ""):
        raise unsupported(
            path,
            "its axis of time has no direction in space, and SimpleITK does not read that",
            "Set the kind of that axis to list in the header.",
        )
    names = re.findall(r'"([^"]*)"', fields.get("space units") or fields.get("units") or "")
    factor, notes = _factor({name for name in names if name} - {"s", "ms", "???"})
    return factor, (*notes, *sides)


def _sides_of_nrrd(space: str) -> tuple[str, ...]:
    """That the sides of the patient are unknown, unless the space is named by them."""
    name = space.lower()
    abbreviations = ("ras", "las", "lps", "rast", "last", "lpst")
    if name in abbreviations or set(name.split("-")) <= {*SIDES, "time"}:
        return ()
    return _no_sides(f"the space {space[:40]}" if space else "no space of the patient")


def _no_sides(what: str) -> tuple[str, ...]:
    return (f"The header has {what}: sides are unknown.",)


def _factor(names: set[str]) -> tuple[float, tuple[str, ...]]:
    """Millimetres of the one unit that is named, and that they were converted."""
    factors = {MM_PER_UNIT.get(name.lower()) for name in names} or {1.0}
    named = ", ".join(sorted(names))
    if len(factors) > 1 or None in factors:
        return 1.0, (f"The unit of lengths ({named}) is not read; they were taken as mm.",)
    factor = factors.pop() or 1.0
    if factor == 1:
        return 1.0, ()
    return factor, (f"The header gives lengths in {named}; they were converted to mm.",)
