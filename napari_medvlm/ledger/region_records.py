"""The records of located phrases, checks of their regions and classifications."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import Field

from napari_medvlm.data.check_result import CheckResult
from napari_medvlm.data.geometry.channels import Channel
from napari_medvlm.data.grounding import Grounding, NotFound
from napari_medvlm.data.region import Region
from napari_medvlm.data.volume import Volume, Window
from napari_medvlm.ledger.serialization import (
    Number,
    RegionRecord,
    StoredSlice,
    Value,
    now,
    restored,
)
from napari_medvlm.settings.privacy import names_somebody

MASKS_NOT_STORED = "Sessions store boxes only. Press Ground to compute the masks again."


class ImageReference(Value):
    """An image that a ledger or a request is about; the digest decides, the rest is for people.

    Attributes
    ----------
    source
        Where the image was; None if that is not known, or would name the patient.
    """

    digest: str
    shape: tuple[int, int, int]
    name: str
    source: str | None

    @classmethod
    def of(cls, volume: Volume) -> ImageReference:
        """The reference to a volume."""
        source = None if volume.source is None else str(Path(volume.source).absolute())
        if source is not None and names_somebody(source, volume.patient):
            source = None
        return cls(digest=volume.digest, shape=volume.shape, name=volume.name, source=source)


class Grounded(Value):
    """A backend located a phrase, or did not find it.

    Attributes
    ----------
    sent
        The very text that the model got.
    slices
        Axis and index of the slices that were looked at.
    window
        Center and width of the intensities that the model saw.
    not_found
        Why there is no region.
    channels
        Of a model of several images: which image was which of its channels, as it was sent; not
        written if it is empty, for programs that do not know it.
    report
        The text of the report that the model saw with the image; not written if it is empty.
    """

    record: Literal["grounded"] = "grounded"
    phrase: str
    sent: str
    backend: str
    model: str | None
    slices: tuple[StoredSlice, ...]
    window: tuple[Number, Number] | None
    regions: tuple[RegionRecord, ...]
    not_found: str | None
    best_score: float | None
    texts: tuple[str, ...]
    seconds: Number
    channels: dict[str, ImageReference] = Field(default={}, exclude_if=operator.not_)
    report: str = Field(default="", exclude_if=operator.not_)
    time: datetime = Field(default_factory=now)

    @classmethod
    def of(
        cls,
        phrase: str,
        grounding: Grounding,
        backend: str,
        model: str | None,
        seconds: float,
        channels: Sequence[Channel] = (),
    ) -> Grounded:
        """The record of the result for a phrase."""
        missing = next((n for n in grounding.not_found if n.phrase == phrase), None)
        window = grounding.window
        return cls(
            phrase=phrase,
            sent=grounding.prompts.get(phrase, phrase),
            backend=backend,
            model=model,
            slices=grounding.slices,
            window=None if window is None else (window.center, window.width),
            regions=tuple(RegionRecord.model_validate(region) for region in grounding.of(phrase)),
            not_found=None if missing is None else missing.reason,
            best_score=None if missing is None else missing.best_score,
            texts=grounding.texts,
            seconds=seconds,
            channels={channel.name: ImageReference.of(channel.volume) for channel in channels},
        )

    def grounding(self) -> Grounding:
        """The result as far as it is stored: regions are boxes, without masks and heatmaps."""
        reason = self.not_found
        missing = () if reason is None else (NotFound(self.phrase, reason, self.best_score),)
        return Grounding(
            regions=tuple(restored(Region, r, phrase=self.phrase) for r in self.regions),
            not_found=missing,
            slices=self.slices,
            window=None if self.window is None else Window(*self.window),
            prompts={self.phrase: self.sent},
            texts=self.texts,
            notes=(MASKS_NOT_STORED,) if any(r.mask_digest for r in self.regions) else (),
        )


class RegionChecked(Value):
    """A check of a region of a phrase ended."""

    record: Literal["region_checked"] = "region_checked"
    phrase: str
    backend: str
    model: str | None
    region: RegionRecord
    result: CheckResult
    time: datetime = Field(default_factory=now)


class Classified(Value):
    """A backend returned the probabilities of labels.

    Attributes
    ----------
    sent
        The very texts that the model compared with the picture, by the label they describe.
    """

    record: Literal["classified"] = "classified"
    backend: str
    model: str | None
    probabilities: dict[str, Number]
    descriptors: dict[str, dict[str, Number]]
    sent: dict[str, str]
    slices: tuple[StoredSlice, ...]
    seconds: Number
    time: datetime = Field(default_factory=now)


class DescriptorToggled(Value):
    """A descriptor of a label was switched off or on."""

    record: Literal["descriptor_toggled"] = "descriptor_toggled"
    label: str
    descriptor: str
    used: bool
    time: datetime = Field(default_factory=now)
