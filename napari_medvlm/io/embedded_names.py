"""Names and colours of labels that an image file has in its own header.

3D Slicer writes them as ``Segment<n>_…`` of an NRRD, TotalSegmentator and Connectome Workbench as
a label table in an extension of a NIfTI file.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

from napari_medvlm.io.itk_header import NRRD, has_list
from napari_medvlm.io.nifti_images import NIFTI

Names = tuple[dict[int, str], dict[int, str]]
"""The name of each value, and the colour (``#rrggbb``) of those that have one."""
NAME_KEY = re.compile(r"Segment(\d+)_Name")


class SlicerSegment(NamedTuple):
    """A segment of a segmentation that 3D Slicer wrote.

    Parameters
    ----------
    color
        ``#rrggbb``; empty if there is none.
    value
        Its value in its layer.
    layer
        Which volume of the file it is in, from 0.
    """

    name: str
    color: str
    value: int
    layer: int


def embedded_names(path: Path) -> Names:
    """What the header of a label image calls its values; empty if it has no names."""
    name = path.name.lower()
    if not path.is_file():
        return {}, {}
    if name.endswith(NRRD):
        segments = slicer_segments(path)
        colors = {segment.value: segment.color for segment in segments if segment.color}
        return {segment.value: segment.name for segment in segments}, colors
    return _of_nifti(path) if name.endswith(NIFTI) else ({}, {})


def has_layers(path: Path) -> bool:
    """Whether a file is a segmentation of 3D Slicer in several volumes, its layers."""
    if not path.is_file() or not path.name.lower().endswith(NRRD):
        return False
    return has_list(path) and bool(slicer_segments(path))


def slicer_segments(path: Path) -> tuple[SlicerSegment, ...]:
    """The segments of a segmentation of 3D Slicer, in their order; none of another NRRD file.

    https://apidocs.slicer.org/main/group__SegmentationCore.html, "vtkMRMLSegmentationStorageNode".
    """
    import SimpleITK as sitk

    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError:  # reported when the image itself is read
        return ()
    fields = {key: reader.GetMetaData(key) for key in reader.GetMetaDataKeys()}
    numbers = sorted(int(match[1]) for key in fields if (match := NAME_KEY.fullmatch(key)))
    segments = (_slicer_segment(fields, n, i) for i, n in enumerate(numbers))
    return tuple(segment for segment in segments if segment is not None)


def _slicer_segment(fields: dict[str, str], number: int, order: int) -> SlicerSegment | None:
    """A segment from its fields; versions before layers have one volume for each segment."""
    of = {name: fields.get(f"Segment{number}_{name}", "") for name in ("LabelValue", "Layer")}
    if not all(value.isdigit() or not value for value in of.values()):
        return None
    has_value = bool(of["LabelValue"])
    rgb = fields.get(f"Segment{number}_Color", "").split()
    return SlicerSegment(
        fields[f"Segment{number}_Name"],
        _hex(rgb) if len(rgb) == 3 else "",
        int(of["LabelValue"] or 1),
        int(of["Layer"] or (0 if has_value else order)),
    )


def _of_nifti(path: Path) -> Names:
    import nibabel
    from nibabel.filebasedimages import ImageFileError

    try:
        header = nibabel.load(path).header
    except (OSError, EOFError, ValueError, ImageFileError):  # reported when the image is read
        return {}, {}
    for extension in getattr(header, "extensions", ()):
        # nibabel before 5.3 has the bytes in get_content, which later decodes them.
        content = extension.content if hasattr(extension, "content") else extension.get_content()
        if isinstance(content, bytes) and b"<LabelTable" in content:
            return _of_table(content.rstrip(b"\0"))
    return {}, {}


def _of_table(xml: bytes) -> Names:
    try:
        root = ElementTree.fromstring(xml)
    except ElementTree.ParseError:
        return {}, {}
    names: dict[int, str] = {}
    colors: dict[int, str] = {}
    for label in root.iter("Label"):
        key, name = label.get("Key", ""), (label.text or "").strip()
        if not key.isdigit() or int(key) == 0 or not name:
            continue
        names[int(key)] = name
        rgb = [label.get(channel) for channel in ("Red", "Green", "Blue")]
        colors |= {int(key): _hex([c for c in rgb if c])} if all(rgb) else {}
    return names, colors


def _hex(rgb: list[str]) -> str:
    """Three texts from 0 to 1 as ``#rrggbb``; grey if one is no number."""
    try:
        levels = [round(255 * min(max(float(level), 0), 1)) for level in rgb]
    except ValueError:
        levels = [128] * 3
    return "#" + "".join(f"{level:02x}" for level in levels)
