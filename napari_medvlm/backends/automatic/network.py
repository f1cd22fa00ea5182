"""Networks in TorchScript or ONNX files with a card that describes their input and output."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from napari_medvlm.backends.automatic.base import (
    LabelledBackend,
    masks_of_values,
    require_shape,
)
from napari_medvlm.backends.automatic.monai_io import array_of, teller, tensor_of, windows
from napari_medvlm.backends.automatic.network_card import (
    Intensity,
    NetworkCard,
    card_of,
    network_of,
)
from napari_medvlm.backends.automatic.sliced_network import Predictor, sliced, window_of
from napari_medvlm.backends.automatic.textbrats import (
    CHANNELS,
    CUT,
    PARTS,
    TextBraTS,
    textbrats_file,
)
from napari_medvlm.backends.base import BackendInfo, Progress, Task
from napari_medvlm.backends.memory.fallback import MemoryFallbacks
from napari_medvlm.backends.models.transformers_loader import torch_device
from napari_medvlm.backends.models.trust import require_trusted
from napari_medvlm.data.errors import BackendUnavailable, InvalidPrompt
from napari_medvlm.data.grounding import Grounding, GroundQuery
from napari_medvlm.data.mask import Mask
from napari_medvlm.data.volume import Volume


class NetworkBackend(LabelledBackend):
    """The labels of a network, window by window.

    The image is turned and resampled as the card says, linearly; the answer is led back to the
    image's own voxels, each taking the value of the nearest.
    """

    info = BackendInfo(
        name="network",
        title="Network (TorchScript or ONNX)",
        code_licence="BSD-3-Clause",
        tasks=frozenset({Task.GROUND}),
        weights_licence="see its card",
        modules=("torch", "monai"),
        memory_mib=4000,
    )
    _textbrats: TextBraTS | None = None
    _report = ""

    @classmethod
    def vocabulary(cls, model: str | None) -> tuple[str, ...]:
        """The names of the labels, from the card."""
        return PARTS if textbrats_file(model) else _names(card_of(network_of(model)))

    @classmethod
    def channels(cls, model: str | None) -> tuple[str, ...]:
        """The names of the images that the network takes together, from the card."""
        return CHANNELS if textbrats_file(model) else card_of(network_of(model)).channels

    @classmethod
    def takes_report(cls, model: str | None) -> bool:
        """Whether it is TextBraTS."""
        return textbrats_file(model) is not None

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the loaded network's labels."""
        return PARTS if self._textbrats is not None else _names(self._card)

    def load(self, model: str | None, device: str) -> None:
        """Read the card and the network.

        Raises
        ------
        BackendUnavailable
            If one is missing, or the network brings code (TorchScript does) and is not trusted.
        """
        self._device = torch_device(device)
        self._ladder = MemoryFallbacks(self.info.title, device)
        self._cached.clear()
        checkpoint = textbrats_file(model)
        if checkpoint is not None:
            self._textbrats = TextBraTS(checkpoint, self._device)
            self.channel_names = CHANNELS
            return
        self._textbrats = None
        path = network_of(model)
        self._card = card_of(path)
        self.channel_names = self._card.channels
        if path.suffix == ".onnx":
            self._predict = _onnx(path, self._device)
        else:
            require_trusted(path, "The network in")
            self._predict = _torchscript(path, self._device)

    def ground(self, query: GroundQuery, progress: Progress) -> Grounding:
        """The masks of the names that the phrases mean, if they reach into the scope.

        Raises
        ------
        InvalidPrompt
            If the model takes a report and there is none.
        """
        if self._textbrats is None:
            return super().ground(query, progress)
        if not query.report.strip():
            raise InvalidPrompt(
                "TextBraTS needs the report of the examination.",
                "Write or paste it into Input report; on the command line: --report FILE",
            )
        if query.report != self._report:
            self._report = query.report
            self._cached.clear()
        grounding = super().ground(query, progress)
        cut = (CUT,) if self._textbrats.is_cut(query.report) else ()
        return replace(grounding, notes=(*grounding.notes, *cut))

    def masks(self, names: Sequence[str], progress: Progress) -> Mapping[str, Mask]:
        """The masks of all labels: the network gives them together."""
        if self._textbrats is not None:
            return self._textbrats.masks(self._images, self._report, progress)
        import torch
        from monai.data import MetaTensor
        from monai.inferers import sliding_window_inference
        from monai.transforms import Compose, Invertd, Orientationd, Spacingd

        card = self._card
        progress(0.0, "preparing the image")
        steps: list[Any] = []
        if self._volume.has_planes:
            steps.append(Orientationd("image", axcodes=card.axcodes, labels=None))
        if card.spacing_mm is not None:
            steps.append(Spacingd("image", pixdim=card.spacing_mm, mode="bilinear"))
        before = Compose(steps)
        item = before({"image": tensor_of(*self._inputs())})
        seen = scaled(item["image"].as_tensor(), card.intensity)[None].to(self._device)
        patch, predict = window_of(card, seen.shape[2:]), self._predict
        if card.is_flat:
            predict = sliced(predict, card.patch if card.resize else None)
        report = teller(windows(seen.shape[2:], patch, card.overlap), progress)
        with torch.no_grad():
            answer = sliding_window_inference(
                seen, patch, 1, lambda window: (report(), predict(window))[1], card.overlap
            )
        progress(0.9, "resampling the labels")
        item["pred"] = MetaTensor(decided(answer[0], card).cpu())
        if steps:
            item = Invertd("pred", before, "image", nearest_interp=True)(item)
        output = array_of(item["pred"])
        require_shape(output.shape, self._volume, self._card.title or "The network")
        if card.answer == "exclusive":
            return masks_of_values(output[0], {k: n for k, n in card.labels.items() if k})
        return {name: Mask.of(output[k] > 0.5) for k, name in card.labels.items()}

    def _inputs(self) -> tuple[Volume, ...]:
        """A volume for each input channel of the network."""
        if not self._card.color:
            return self._images
        volume = self._volume
        if not volume.is_color:
            return (volume, volume, volume)
        return tuple(replace(volume, data=volume.data[..., k]) for k in range(3))


def scaled(image: Any, how: Intensity) -> Any:
    """Intensities as a card wants them; a tensor ``(channel, ...)``, each channel by itself."""
    import torch

    return torch.stack([_scaled(channel, how, k) for k, channel in enumerate(image)])


def _scaled(image: Any, how: Intensity, channel: int) -> Any:
    import torch

    mean, sd = (v[channel] if isinstance(v, tuple) else v for v in (how.mean, how.sd))
    limits = how.clip
    if how.percentile is not None:
        low, high = np.percentile(image.numpy(), how.percentile)
        limits = float(low), float(high)
    if limits is not None:
        image = torch.clip(image, *limits)
    if mean is not None and sd is not None:
        return (image - mean) / sd
    return image if limits is None else (image - limits[0]) / max(limits[1] - limits[0], 1e-6)


def decided(answer: Any, card: NetworkCard) -> Any:
    """Convert network output ``(channel, x, y, z)`` to label values ``(1, x, y, z)``, float32.

    Of overlapping labels it is 0 or 1 in each channel.

    Raises
    ------
    BackendUnavailable
        If the card names labels that the network does not have.
    """
    channels = len(answer)
    values = channels if card.answer == "overlapping" else max(channels, 2)
    if max(card.labels) >= values:
        raise BackendUnavailable(
            f"The card names the label {max(card.labels)}, but the network returns {channels} "
            "channels.",
            "Correct labels or answer in the card.",
        )
    if card.answer == "overlapping" or channels == 1:
        return (answer > card.threshold).float()
    return answer.argmax(0, keepdim=True).float()


def _torchscript(path: Path, device: Any) -> Predictor:
    import torch

    try:
        with warnings.catch_warnings():  # that torch will have another format one day
            warnings.simplefilter("ignore", FutureWarning)
            network: Predictor = torch.jit.load(str(path), map_location=device).eval()
    except RuntimeError as error:
        raise BackendUnavailable(
            f"{path} is not a TorchScript network.",
            "Export it with torch.jit.trace and save, or as ONNX; weights alone are not enough.",
        ) from error
    return network


def _onnx(path: Path, device: Any) -> Predictor:
    try:
        import onnxruntime
        from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidGraph, InvalidProtobuf
    except ImportError as error:
        raise BackendUnavailable(
            "Networks in ONNX need onnxruntime, which is not installed.",
            'Install it with: pip install "napari-medvlm[onnx]"',
        ) from error
    import torch

    have = onnxruntime.get_available_providers()
    wanted = ["CUDAExecutionProvider"] if device.type == "cuda" else []
    chosen = [name for name in (*wanted, "CPUExecutionProvider") if name in have]
    try:
        session = onnxruntime.InferenceSession(str(path), providers=chosen)
    except (Fail, InvalidGraph, InvalidProtobuf) as error:
        raise BackendUnavailable(
            f"{path} is no ONNX network that onnxruntime {onnxruntime.__version__} can run.",
            "Export it again with torch.onnx.export.",
        ) from error
    name = session.get_inputs()[0].name

    def predict(window: Any) -> Any:
        answer = session.run(None, {name: window.cpu().numpy()})[0]
        return torch.from_numpy(answer).to(window.device)

    return predict


def _names(card: NetworkCard) -> tuple[str, ...]:
    return tuple(name for k, name in card.labels.items() if k or card.answer == "overlapping")
