"""Cases of a grounding evaluation: an image, what to look for, and where it is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from napari_medvlm.data.errors import InvalidReference
from napari_medvlm.data.label_image import NamedLabels
from napari_medvlm.data.region import Region
from napari_medvlm.data.volume import Volume
from napari_medvlm.evaluation.references.boxes import patient_region, slice_region, voxel_region
from napari_medvlm.evaluation.runs.cases import EvaluationCase
from napari_medvlm.evaluation.segment.cases import integer_labels


class Layout(StrEnum):
    """How the references lie on disk."""

    COCO = "coco"
    """COCO JSON: ``images``, ``annotations`` with ``bbox``, ``categories``."""
    MSCXR = "ms-cxr"
    """The table of MS-CXR: phrases of reports and their boxes."""
    VINDR = "vindr"
    """The tables of VinDr-CXR: findings and their boxes."""
    MEDSG = "medsg"
    """The questions of MedSG-Bench: a phrase, a sequence of images, one box."""
    BOXES = "boxes"
    """A table of one's own, also of boxes in space."""
    MASKS = "masks"
    """A folder of label images, also in space."""


class Frame(StrEnum):
    """What the corners of a reference are."""

    PIXELS = "pixels"
    """``(y, x)`` on a slice along axis 0, from edge to edge."""
    VOXELS = "voxels"
    """``(z, y, x)``, a half-open index box."""
    PATIENT = "patient"
    """``(S, P, L)`` in patient millimetres."""


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Reference(_Value):
    """Where a phrase is.

    Attributes
    ----------
    label
        The class that the phrase belongs to.
    low, high
        Two corners, in the frame.
    slice
        Of a box on a slice; `None` there: on whichever slice it is found.
    """

    phrase: str
    label: str
    frame: Frame = Frame.PIXELS
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    slice: int | None = 0

    def region(self, volume: Volume, location: str, on: int = 0) -> Region:
        """The region on a volume; `InvalidReference` if it lies outside.

        Parameters
        ----------
        on
            The slice of a box that may be on any.
        """
        if self.frame is Frame.VOXELS:
            return voxel_region(self.phrase, volume, self.low, self.high, location)
        if self.frame is Frame.PATIENT:
            return patient_region(self.phrase, volume, self.low, self.high, location)
        bounds = (self.low[1], self.low[0], self.high[1], self.high[0])
        index = on if self.slice is None else self.slice
        return slice_region(self.phrase, volume, index, bounds, location)


class Case(EvaluationCase):
    """An image, or a sequence of pictures that is taken as slices, and what is to be found.

    Attributes
    ----------
    images
        One image; several: pictures of one size, each a slice.
    size
        Height and width that the references were drawn on, if the data set states it.
    references
        Where phrases are.
    labels
        A label image whose values are the references.
    names
        Names of its values.
    absent
        Phrases to look for that are nowhere in the image.
    question
        Of a sequence: the whole question, sent with all images together by backends that can.
    channels
        The images of a model that takes several, by the names of its channels.
    """

    images: tuple[Path, ...]
    size: tuple[int, int] | None = None
    references: tuple[Reference, ...] = ()
    labels: Path | None = None
    names: dict[int, str] = {}
    absent: tuple[str, ...] = ()
    question: str = ""
    channels: dict[str, Path] = {}


@dataclass(frozen=True, eq=False)
class Loaded:
    """A case in memory.

    Attributes
    ----------
    wanted
        The regions of the reference.
    label_of
        The class of each phrase.
    floating
        References on whichever slice they are found.
    """

    volume: Volume
    wanted: tuple[Region, ...]
    label_of: dict[str, str]
    floating: tuple[Reference, ...] = ()


def load(case: Case) -> Loaded:
    """Read a case.

    Raises
    ------
    InvalidImage
        If an image cannot be read, or pictures of a sequence have different sizes.
    InvalidReference
        If a reference lies outside the image, or the image has another size than it was drawn on.
    """
    from napari_medvlm.evaluation.references.image_stack import read_stack
    from napari_medvlm.evaluation.references.read import references_of_labels

    volume = read_stack(case.images)
    if case.size is not None and case.size != volume.shape[1:]:
        raise InvalidReference(
            f"The image of {case.name} is {volume.shape[1]} pixels high and {volume.shape[2]} "
            f"wide, its reference was drawn on {case.size[0]} and {case.size[1]}.",
            "Use the images at their full size.",
        )
    if case.labels is not None:
        named = _named_labels(case, case.labels, volume)
        regions = references_of_labels(named, volume)
        return Loaded(volume, regions, {r.phrase: r.phrase for r in regions})
    fixed = [r for r in case.references if r.slice is not None or r.frame is not Frame.PIXELS]
    regions = tuple(r.region(volume, case.name) for r in fixed)
    floating = tuple(r for r in case.references if r not in fixed)
    return Loaded(volume, regions, {r.phrase: r.label for r in case.references}, floating)


def _named_labels(case: Case, path: Path, volume: Volume) -> NamedLabels:
    """The labels of a case; names of the data set count before those of the file."""
    from napari_medvlm.evaluation.references.label_objects import has_objects, read_objects
    from napari_medvlm.io import read_volume

    if has_objects(path):
        named = read_objects(path, volume)
        return replace(named, names={**named.names, **case.names})
    label_image = read_volume(path)
    values = integer_labels(label_image.data, path)
    return NamedLabels(values, label_image.grid, case.names, path.name)
