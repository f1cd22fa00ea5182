"""Names and colours of labels that an image file has in its own header.

3D Slicer writes them as ``Segment<n>_…`` of an NRRD, TotalSegmentator and Connectome Workbench as
a label table in an extension of a NIfTI file.
"""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

from napari_medvlm.io.itk_header import NRRD
from napari_medvlm.io.nifti_images import NIFTI

Names = tuple[dict[int, str], dict[int, str]]
"""The name of each value, and the colour (``#rrggbb``) of those that have one."""


def embedded_names(path: Path) -> Names:
    """What the header of a label image calls its values; empty if it has no names."""
    name = path.name.lower()
    if not path.is_file():
        return {}, {}
    if name.endswith(NRRD):
        return _of_slicer(path)
    return _of_nifti(path) if name.endswith(NIFTI) else ({}, {})


def _of_slicer(path: Path) -> Names:
    import SimpleITK as sitk

    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError:  # reported when the image itself is read
        return {}, {}
    fields = {key: reader.GetMetaData(key) for key in reader.GetMetaDataKeys()}
    names: dict[int, str] = {}
    colors: dict[int, str] = {}
    for key, name in fields.items():
        segment, _, field = key.partition("_")
        value = fields.get(f"{segment}_LabelValue", "")
        if segment.startswith("Segment") and field == "Name" and value.isdigit():
            names[int(value)] = name
            rgb = fields.get(f"{segment}_Color", "").split()
            colors |= {int(value): _hex(rgb)} if len(rgb) == 3 else {}
    return names, colors


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
