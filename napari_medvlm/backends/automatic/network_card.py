"""The card next to a plain network: what it must be shown, and what its answer means."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, model_validator

from napari_medvlm.data.errors import BackendUnavailable, SettingsError
from napari_medvlm.language.yaml_tables import YamlTable, read

KINDS = (".onnx", ".pt", ".ts", ".pth")
"""How files of networks end: ONNX, or TorchScript."""

Range = tuple[float, float]
Sizes = tuple[PositiveInt, PositiveInt, PositiveInt] | tuple[PositiveInt, PositiveInt]


class Intensity(BaseModel):
    """Intensity preprocessing of the network, in this order.

    Parameters
    ----------
    percentile, clip
        Lowest and highest intensity that are kept: percentiles of the image, or intensities.
    mean, sd
        Subtracted, and then divided by: a number, or a list with one for each input channel.
        Without them, the range that was kept becomes 0 to 1.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    percentile: Range | None = None
    clip: Range | None = None
    mean: float | tuple[float, ...] | None = None
    sd: PositiveFloat | tuple[PositiveFloat, ...] | None = None

    @model_validator(mode="after")
    def _fits(self) -> Intensity:
        if (self.mean is None) != (self.sd is None):
            raise ValueError("give both mean and sd")
        if self.percentile and self.clip:
            raise ValueError("give either percentile or clip")
        for limits in (self.percentile, self.clip):
            if limits and limits[0] >= limits[1]:
                raise ValueError("the lower limit of a range comes first")
        return self


class NetworkCard(YamlTable):
    """The input that a network expects, and the meaning of its output.

    Parameters
    ----------
    labels
        What the values of the answer are called; 0 is the background. For ``overlapping``, what its
        channels are called, from 0.
    spacing_mm
        Voxel size along x, y, z after turning; none: the image's own.
    orientation
        Towards where x, y and z grow, as nibabel says it; none: RAS, or LPS for 2D networks, whose
        rows then go from anterior to posterior. Pictures and projections are never turned.
    color
        Whether the network takes red, green and blue; a grey image is given three times.
    channels
        The names of the images of a patient that the network takes together, in its order.
    patch, overlap
        Size of the windows in voxels, x, y, z, and how much of a side neighbours share. With two
        numbers, x and y, the network is 2D and gets each slice as ``(n, channel, y, x)``.
    resize
        Whether a 2D network gets whole slices, resized to `patch`, and not windows.
    answer
        ``exclusive``: the channel with the highest value wins, the first is the background; of a
        single channel, what exceeds the threshold is 1. ``overlapping``: each channel by itself.
    threshold
        0 for logits, 0.5 for probabilities.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=False)

    labels: Annotated[dict[int, str], Field(min_length=1)]
    title: str = ""
    spacing_mm: tuple[PositiveFloat, PositiveFloat, PositiveFloat] | None = None
    orientation: Annotated[str | None, Field(pattern="^[LR][PA][IS]$")] = None
    color: bool = False
    channels: tuple[str, ...] = ()
    intensity: Intensity = Intensity()
    patch: Sizes
    overlap: Annotated[float, Field(ge=0, lt=1)] = 0.25
    resize: bool = False
    answer: Literal["exclusive", "overlapping"] = "exclusive"
    threshold: float = 0.0
    licence: str = "not stated"

    @property
    def is_flat(self) -> bool:
        """Whether the network is 2D."""
        return len(self.patch) == 2

    @property
    def inputs(self) -> int:
        """The number of input channels."""
        return 3 if self.color else max(len(self.channels), 1)

    @property
    def axcodes(self) -> str:
        """Towards where x, y and z grow."""
        return self.orientation or ("LPS" if self.is_flat else "RAS")

    @model_validator(mode="after")
    def _fits(self) -> NetworkCard:
        if self.color and self.channels:
            raise ValueError("give either color or channels")
        if self.resize and not self.is_flat:
            raise ValueError("only slices for a 2D network are resized: patch has two numbers then")
        for value in (self.intensity.mean, self.intensity.sd):
            if isinstance(value, tuple) and len(value) != self.inputs:
                raise ValueError(f"mean and sd need {self.inputs} numbers, one for each channel")
        return self


def network_of(model: str | None) -> Path:
    """The file of a network: a file, or the only one in a folder.

    Raises
    ------
    BackendUnavailable
        If there is none, or several.
    """
    path = Path(model or "").expanduser()
    files = sorted(p for p in path.iterdir() if p.suffix in KINDS) if path.is_dir() else [path]
    if not model or len(files) != 1 or not files[0].is_file():
        raise BackendUnavailable(
            f"There is no network at {model}, or more than one."
            if model
            else "No network was given.",
            f"Choose a network file ({', '.join(KINDS)}) with a card.yaml in the same folder.",
        )
    return files[0].resolve()


def card_of(network: Path) -> NetworkCard:
    """The card of a network: the YAML file of its name, or ``card.yaml`` in its folder.

    Raises
    ------
    BackendUnavailable
        If there is none, or it cannot be read; the place in it is named.
    """
    candidates = [network.with_suffix(".yaml"), network.with_name("card.yaml")]
    path = next((candidate for candidate in candidates if candidate.is_file()), None)
    if path is None:
        raise BackendUnavailable(
            f"The network {network} has no card.yaml in its folder.",
            "Write one with patch, spacing_mm, intensity and labels; docs/automatic-models.md "
            "shows one.",
        )
    try:
        return read(path, NetworkCard)
    except SettingsError as error:
        raise BackendUnavailable(error.message, error.hint) from error
