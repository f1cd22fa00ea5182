"""VISTA3D: classes of a CT by name, and any object by points."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.backends.automatic.base import LabelledBackend, masks_of_values
from napari_medvlm.backends.automatic.monai_io import (
    array_of,
    fill,
    monai_progress,
    state_of,
    tensor_of,
    windows,
)
from napari_medvlm.backends.automatic.vista3d_classes import ZERO_SHOT, classes
from napari_medvlm.backends.base import BackendInfo, ObjectPrompts, Progress, Task
from napari_medvlm.backends.memory.fallback import Fallback, MemoryFallbacks
from napari_medvlm.backends.models.transformers_loader import torch_device
from napari_medvlm.data.errors import DAMAGED, BackendUnavailable, InvalidImage
from napari_medvlm.data.geometry.display import Reslice
from napari_medvlm.data.geometry.frames import affine_from_ras
from napari_medvlm.data.geometry.grid import Grid
from napari_medvlm.data.mask import Mask
from napari_medvlm.data.prompts import InitialMask, Point
from napari_medvlm.data.volume import Volume

HOUNSFIELD = (-963.8247715525971, 1053.678477684517)
"""What becomes 0 and 1."""
PATCH, SPACING_MM = (128, 128, 128), (1.5, 1.5, 1.5)
SURE = 10.0
"""The logit of a voxel of a mask to start from, and the negative of that of the others."""
LOGITS = 2**30
"""How many logits of classes are held at once; more classes are asked for in turns."""


@dataclass(frozen=True, eq=False)
class _Seen:
    """A volume as the network sees it.

    Parameters
    ----------
    item
        MONAI's item with the image ``(1, x, y, z)``.
    steps
        What was done to it, for the way back.
    """

    item: dict[str, Any]
    steps: Any

    @property
    def affine(self) -> NDArray[np.float64]:
        """From its voxel index (x, y, z) to RAS millimetres."""
        return np.asarray(self.item["image"].affine, np.float64)

    @property
    def grid(self) -> Grid:
        """Its voxels (z, y, x) in the patient."""
        x, y, z = self.item["image"].shape[1:]
        return Grid((int(z), int(y), int(x)), affine_from_ras(self.affine))


class VISTA3DBackend(LabelledBackend):
    """Classes by name and objects by points, as the bundle of MONAI's model zoo does it.

    Model: the bundle's folder, or the file of its weights; ``#`` and the name of a class after it
    makes points refine that class, else they show an object of no class (zero-shot).

    A class asked for by name is what its own logits say. *Everything* gives each voxel to one
    class, and leaves out those that overlap others.
    """

    info = BackendInfo(
        name="vista3d",
        title="VISTA3D",
        code_licence="BSD-3-Clause",
        prompts=frozenset({Point, InitialMask}),
        tasks=frozenset({Task.GROUND, Task.SEGMENT}),
        weights_licence="see the bundle's LICENSE.weights",
        modules=("torch", "monai", "einops"),
        memory_mib=8000,
    )

    @classmethod
    def vocabulary(cls, model: str | None) -> tuple[str, ...]:
        """The names of the classes; they do not depend on the weights."""
        return tuple(classes())

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the classes."""
        return tuple(classes())

    @property
    def everything(self) -> tuple[str, ...]:
        """The classes that do not overlap."""
        return tuple(name for name, known in classes().items() if known.use == "all")

    def load(self, model: str | None, device: str) -> None:
        """Load the weights of a file, or of a bundle's folder with its configuration.

        Raises
        ------
        BackendUnavailable
            If there are none, they are for another network, or there is no such class.
        """
        from monai.networks.nets import vista3d132

        path, _, chosen = str(model or "").partition("#")
        if not path or (chosen and chosen not in classes()):
            raise BackendUnavailable(
                f"VISTA3D has no class {chosen!r}." if path else "VISTA3D needs its weights.",
                "Name the bundle's folder or its model.pt; after #, one of the classes' names.",
            )
        self._class = classes()[chosen].number if chosen else ZERO_SHOT
        self._device = torch_device(device)
        weights, self._patch, self._spacing_mm = _settings(Path(path).expanduser())
        state = state_of(weights, "VISTA3D")
        width = state.get("image_encoder.encoder.conv_init.weight", np.zeros(48)).shape[0]
        network = vista3d132(encoder_embed_dim=int(width), in_channels=1)
        fill(network, state, weights)
        self._network = network.to(self._device).eval()
        self._at_once = LOGITS
        self._ladder = self._new_ladder(self._device)
        self._cached.clear()

    def set_volume(self, volume: Volume) -> None:
        """Take the volume."""
        super().set_volume(volume)
        self._seen: _Seen | None = None
        self._all: Mapping[str, Mask] | None = None

    def masks(self, names: Sequence[str], progress: Progress) -> Mapping[str, Mask]:
        """The masks of classes, each by its own logits; of wholes, of their parts together."""
        parts = [number for name in names for number in classes()[name].parts]
        wanted = list(dict.fromkeys(parts))
        alone: dict[int, Mask] = {}
        for group, logits in self._logits(wanted, progress):
            for number, values in zip(group, logits, strict=True):
                alone[number] = Mask.of(self._back((values > 0)[None])[0] > 0.5)
        return {name: _union([alone[k] for k in classes()[name].parts]) for name in names}

    def all_masks(self, progress: Progress) -> Mapping[str, Mask]:
        """Each voxel is of the class with the highest logit, if one is positive."""
        if self._all is None:
            import torch

            numbers = {classes()[name].number: name for name in self.everything}
            image = self._prepared(progress).item["image"]
            best = torch.zeros(image.shape[1:])
            values = torch.zeros(image.shape[1:])
            for group, logits in self._logits(list(numbers), progress):
                most, at = logits.max(dim=0)
                values = torch.where(most > best, torch.tensor(group)[at].float(), values)
                best = torch.maximum(most, best)
            empty = dict.fromkeys(self.everything, Mask.empty(self._volume.shape))
            self._all = empty | masks_of_values(self._back(values[None])[0], numbers)
        return self._all

    def segment(self, prompts: ObjectPrompts, progress: Progress) -> Mask:
        """The mask of the points, starting from the previous mask if there is one."""
        mask, notes = self._ladder.tried(lambda: self._masked(prompts, progress), progress)
        return replace(mask, notes=notes)

    def _new_ladder(self, usual: Any) -> MemoryFallbacks:
        """The fallbacks for too little memory, mildest first."""

        def work(device: Any, at_once: int) -> None:
            self._device, self._at_once = torch_device(str(device)), at_once
            self._network.to(device)

        rungs = [Fallback("one class at a time", lambda: work(usual, 0))]
        if usual.type != "cpu":
            rungs.append(Fallback("on the CPU", lambda: work("cpu", 0)))
        return MemoryFallbacks(
            self.info.title, str(usual), rungs, usual=lambda: work(usual, LOGITS)
        )

    def _masked(self, prompts: ObjectPrompts, progress: Progress) -> Mask:
        at = max((k for k, p in enumerate(prompts) if isinstance(p, InitialMask)), default=-1)
        first = prompts[at] if at >= 0 else None
        mask = first.mask(self._volume.grid) if isinstance(first, InitialMask) else None
        points = [p for p in prompts[at + 1 :] if isinstance(p, Point)]
        progress(0.0, "preparing the image")
        if not points or (mask is None and not any(p.positive for p in points)):
            return mask or Mask.empty(self._volume.shape)
        logits = self._refined(points, mask, progress)
        progress(0.9, "resampling the mask")
        mask = Mask.of(self._back(logits > 0)[0] > 0.5)
        progress(1.0, "done")
        return mask

    def _refined(self, points: Sequence[Point], mask: Mask | None, progress: Progress) -> Any:
        """The logits ``(1, x, y, z)`` of points; NaN where no window was evaluated."""
        import torch
        from monai.apps.vista3d.inferer import point_based_window_inferer

        seen = self._prepared(progress)
        number = torch.tensor([[self._class]], device=self._device)
        supported = self._class <= self._network.point_head.last_supported
        with (
            torch.no_grad(),
            self._half(),
            monai_progress(self._network, len(points), progress),
            warnings.catch_warnings(),
        ):
            # It gives its answer the image's affine twice, and warns of that.
            warnings.filterwarnings("ignore", "Setting affine", UserWarning)
            answer = point_based_window_inferer(
                inputs=seen.item["image"][None].to(self._device),
                roi_size=self._patch,
                predictor=self._network,
                point_coords=self._coordinates(points, seen).to(self._device),
                point_labels=self._polarities(points).to(self._device),
                class_vector=number if supported and mask is None else None,
                prompt_class=number,
                prev_mask=None if mask is None else self._started(mask, seen),
                transpose=True,
            )
        return answer[0].as_tensor()

    def _coordinates(self, points: Sequence[Point], seen: _Seen) -> Any:
        """The points ``(1, n, 3)`` as indices (x, y, z) of the image that the network sees."""
        import torch

        index = self._volume.grid.to_index([p.position_mm for p in points])
        xyz1 = np.c_[np.round(index[:, ::-1], 3), np.ones(len(points))]
        original = np.asarray(seen.item["image"].meta["original_affine"], np.float64)
        moved = np.linalg.inv(seen.affine) @ original @ xyz1.T
        return torch.from_numpy(np.ascontiguousarray(moved.T[None, :, :3]))

    def _polarities(self, points: Sequence[Point]) -> Any:
        """1 in and 0 outside the object ``(1, n)``; 3 and 2 for the classes that need it so."""
        import torch
        from monai.apps.vista3d.transforms import VistaPreTransformd

        inputs = {"label_prompt": [self._class], "point_labels": [int(p.positive) for p in points]}
        return torch.as_tensor([VistaPreTransformd("image")(inputs)["point_labels"]])

    def _started(self, mask: Mask, seen: _Seen) -> Any:
        """A mask as the logits ``(1, 1, x, y, z)`` of an earlier answer."""
        import torch

        full = mask.full().view(np.uint8)
        here = np.asarray(Reslice(full, self._volume.grid, seen.grid, order=0)).T
        return torch.from_numpy(np.where(here > 0, SURE, -SURE).astype(np.float32))[None, None]

    def _logits(self, numbers: Sequence[int], progress: Progress) -> Any:
        """Classes, some at a time, and their logits ``(class, x, y, z)``."""
        import torch
        from monai.inferers import SlidingWindowInfererAdapt

        image = self._prepared(progress).item["image"][None].to(self._device)
        at_once = max(self._at_once // image[0].numel(), 1)
        groups = [numbers[k : k + at_once] for k in range(0, len(numbers), at_once)]
        slide = SlidingWindowInfererAdapt(
            roi_size=self._patch, sw_batch_size=1, with_coord=True, padding_mode="replicate"
        )
        count = windows(image.shape[2:], self._patch, slide.overlap)
        with monai_progress(self._network, count * len(groups), progress):
            for group in groups:
                vector = torch.tensor(group, device=self._device)[:, None]
                with torch.no_grad(), self._half():
                    answer = slide(image, self._network, transpose=True, class_vector=vector)
                yield group, answer[0].as_tensor().float().cpu()

    def _prepared(self, progress: Progress) -> _Seen:
        """The preprocessed volume, computed once."""
        if self._seen is None:
            from monai import transforms as t

            progress(0.0, "preparing the image")
            if self._volume.range[1] <= 0:
                raise InvalidImage(
                    f"The highest intensity of the image is {self._volume.range[1]:g}, and "
                    "VISTA3D crops to what is above 0.",
                    "Give it a CT in Hounsfield units.",
                )
            low, high = HOUNSFIELD
            steps = t.Compose(
                [
                    t.Spacingd("image", pixdim=self._spacing_mm, mode="bilinear"),
                    t.CropForegroundd("image", "image", margin=10, allow_smaller=True),
                    t.ScaleIntensityRanged("image", low, high, 0, 1, clip=True),
                    t.Orientationd("image", axcodes="RAS", labels=None),
                    t.CastToTyped("image", np.float32),
                ]
            )
            self._seen = _Seen(steps({"image": tensor_of(self._volume)}), steps)
        return self._seen

    def _back(self, values: Any) -> NDArray[Any]:
        """Values ``(c, x, y, z)`` of the image that the network sees, on the volume's voxels."""
        from monai.data import MetaTensor
        from monai.transforms import Invertd

        assert self._seen is not None
        item = {**self._seen.item, "pred": MetaTensor(values.float().cpu())}
        lead = Invertd("pred", self._seen.steps, "image", nearest_interp=True)
        return array_of(lead(item)["pred"])

    def _half(self) -> Any:
        import torch

        return torch.autocast("cuda", enabled=self._device.type == "cuda")


def _settings(path: Path) -> tuple[Path, tuple[int, ...], tuple[float, ...]]:
    """The weights of a bundle or file, the size of the windows, and the voxel size x, y, z."""
    if not path.is_dir():
        return path, PATCH, SPACING_MM
    try:
        config = json.loads((path / "configs" / "inference.json").read_text("utf-8"))
        patch = tuple(map(int, config.get("patch_size") or PATCH))
        spacing_mm = tuple(map(float, config.get("resample_spacing") or SPACING_MM))
        if len(patch) != 3 or len(spacing_mm) != 3 or min(*patch, *spacing_mm) <= 0:
            raise ValueError("sizes of three axes are needed")
    except FileNotFoundError:
        patch, spacing_mm = PATCH, SPACING_MM
    except DAMAGED as error:
        raise BackendUnavailable(
            f"configs/inference.json of the bundle in {path} cannot be read: {error}.",
            "Download the bundle again.",
        ) from error
    return path / "models" / "model.pt", patch, spacing_mm


def _union(masks: Sequence[Mask]) -> Mask:
    union = masks[0]
    for mask in masks[1:]:
        union = union.union(mask)
    return union
