"""MONAI bundles that segment volumes, run by their own inference configuration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.backends.automatic.base import (
    LabelledBackend,
    masks_of_values,
    require_shape,
)
from napari_medvlm.backends.automatic.bundle_folder import (
    bundle_folder,
    channels_in,
    config_file,
    labels_in,
    make_importable,
    part_of,
    read_metadata,
    steps_in,
    weights_in,
)
from napari_medvlm.backends.automatic.monai_io import (
    array_of,
    fill,
    monai_progress,
    state_of,
    tensor_of,
    windows,
)
from napari_medvlm.backends.base import BackendInfo, Progress, Task
from napari_medvlm.backends.memory.fallback import Fallback, MemoryFallbacks
from napari_medvlm.backends.models.transformers_loader import torch_device
from napari_medvlm.backends.models.trust import require_trusted
from napari_medvlm.data.errors import BackendFailed, BackendUnavailable
from napari_medvlm.data.mask import Mask

SLIDING = ("sw_batch_size", "sw_device", "device")
"""What says of an inferer how many windows it looks at together, and where."""
FILES = ("LoadImaged", "LoadImage", "SaveImaged", "SaveImage")
"""Steps that read or write files: the image comes from here, and the masks stay here."""


class BundleBackend(LabelledBackend):
    """The labels of a MONAI bundle: its network, preprocessing, inferer and postprocessing.

    What its configuration does with files, with metrics and with an engine is left out. The labels
    are called as ``configs/metadata.json`` calls the channels of its output.
    """

    info = BackendInfo(
        name="bundle",
        title="MONAI bundle",
        code_licence="BSD-3-Clause",
        tasks=frozenset({Task.GROUND}),
        weights_licence="see the bundle's LICENSE",
        modules=("torch", "monai"),
        memory_mib=6000,
    )

    @classmethod
    def vocabulary(cls, model: str | None) -> tuple[str, ...]:
        """The names of the bundle's labels, from its metadata."""
        return tuple(labels_in(read_metadata(bundle_folder(model))).values())

    @classmethod
    def channels(cls, model: str | None) -> tuple[str, ...]:
        """The names of the channels of the bundle's input, from its metadata."""
        return channels_in(read_metadata(bundle_folder(model)))

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the loaded bundle's labels."""
        return tuple(self._labels.values())

    def load(self, model: str | None, device: str) -> None:
        """Read the configuration, which runs code of the bundle, and the weights, which do not.

        Raises
        ------
        BackendUnavailable
            If there is no bundle, it is not trusted, or it is for something else than segmenting.
        """
        folder = bundle_folder(model)
        metadata = read_metadata(folder)
        self._labels = labels_in(metadata)
        self.channel_names = channels_in(metadata)
        require_trusted(folder, "The bundle in")
        self._device = torch_device(device)
        self._read(folder, metadata)
        self._ladder = self._new_ladder(self._device)
        self._cached.clear()

    def masks(self, names: Sequence[str], progress: Progress) -> Mapping[str, Mask]:
        """The masks of all labels: the network gives them together."""
        import torch
        from monai.data import MetaTensor
        from monai.transforms import reset_ops_id

        progress(0.0, "preparing the image")
        with torch.no_grad():
            item = self._before({self._key: tensor_of(*self._images)})
            image = item[self._key][None].to(self._device)
            with (
                monai_progress(self._network, self._windows(image.shape[2:]), progress),
                self._half(),
            ):
                answer = self._inferer(image, network=self._network)[0]
            progress(0.9, "resampling the labels")
            item[self._key] = reset_ops_id(item[self._key]).cpu()
            item["pred"] = MetaTensor(answer.float().cpu())
            answer = array_of(self._after(item)["pred"])
        require_shape(answer.shape, self._volume, f"The bundle {self._title}")
        return _named(answer, self._labels)

    def _read(self, folder: Path, metadata: Mapping[str, Any]) -> None:
        """Make the network, the inferer and the steps around them."""
        from monai.bundle import ConfigParser

        make_importable(folder)
        parser = ConfigParser()
        config = ConfigParser.load_config_file(config_file(folder))
        _require_no_prompts(folder, config)
        for step in steps_in(config):
            if str(step["_target_"]).rpartition(".")[2] in FILES:
                step["_disabled_"] = True
        parser.read_config(config)
        parser["_meta_"] = dict(metadata)
        parser["bundle_root"], parser["device"] = str(folder), self._device
        self._title = str(metadata.get("name") or folder.name)
        self._key = str(parser.get("image_key", "image"))
        self._amp = bool((config.get("evaluator") or {}).get("amp", False))
        network = part_of(parser, "network_def" if "network_def" in config else "network", folder)
        path = weights_in(parser, config, folder)
        fill(network, state_of(path, f"The bundle {self._title}"), path)
        self._network = network.to(self._device).eval()
        self._inferer = part_of(parser, "inferer", folder)
        self._before = part_of(parser, "preprocessing", folder)
        self._after = part_of(parser, "postprocessing", folder)

    def _new_ladder(self, usual: Any) -> MemoryFallbacks:
        """The fallbacks for too little memory, mildest first."""
        sliding, amp = hasattr(self._inferer, "sw_batch_size"), self._amp
        settings = {k: getattr(self._inferer, k) for k in SLIDING} if sliding else {}

        def work(device: Any, amp: bool, inferer_settings: Mapping[str, Any]) -> None:
            self._device, self._amp = torch_device(str(device)), amp
            self._network.to(device)
            for name, value in inferer_settings.items():
                setattr(self._inferer, name, value)

        smallest = {"sw_batch_size": 1, "sw_device": usual, "device": torch_device("cpu")}
        rungs = (
            [Fallback("one window at a time", lambda: work(usual, amp, smallest))]
            if sliding
            else []
        )
        if usual.type != "cpu":
            rungs.append(Fallback("in half precision", lambda: work(usual, True, {})))
            cpu = {"sw_device": torch_device("cpu")} if sliding else {}
            rungs.append(Fallback("on the CPU", lambda: work("cpu", amp, cpu)))
        return MemoryFallbacks(
            self._title, str(usual), rungs, usual=lambda: work(usual, amp, settings)
        )

    def _windows(self, size: Sequence[int]) -> int:
        roi, overlap = getattr(self._inferer, "roi_size", None), self._inferer_overlap()
        if roi is None:
            return 1
        sides = [int(side) for side in np.broadcast_to(np.asarray(roi), (3,))]
        return -(-windows(size, sides, overlap) // int(self._inferer.sw_batch_size))

    def _inferer_overlap(self) -> float:
        return float(np.max(getattr(self._inferer, "overlap", 0.25)))

    def _half(self) -> AbstractContextManager[Any]:
        """Half precision where the bundle wants it, as its engine would: on graphics cards only."""
        import torch

        half: AbstractContextManager[Any] = torch.autocast(
            "cuda", enabled=self._amp and self._device.type == "cuda"
        )
        return half


def _require_no_prompts(folder: Path, config: Mapping[str, Any]) -> None:
    if "vista3d" in str(config.get("network_def", "")).lower():
        raise BackendUnavailable(
            f"The bundle in {folder} segments by prompts, which its configuration cannot be given.",
            "Choose the backend vista3d with the same folder.",
        )


def _named(answer: NDArray[Any], labels: Mapping[int, str]) -> dict[str, Mask]:
    """The masks in an answer ``(c, z, y, x)``: values of one channel, or a channel for each."""
    if len(answer) == 1 and any(labels):
        return masks_of_values(answer[0], {k: name for k, name in labels.items() if k})
    if len(answer) <= max(labels, default=0):
        raise BackendFailed(
            f"The bundle gives {len(answer)} channels and names {len(labels)}.",
            "Its configs/metadata.json does not match its network; report it to its authors.",
        )
    return {name: Mask.of(answer[k] > 0.5) for k, name in labels.items()}
