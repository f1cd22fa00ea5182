"""Models of the transformers library: found on this computer, never fetched, and loaded whole."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_medvlm.backends.devices import require_device
from napari_medvlm.backends.layouts.table import refuse_unconverted
from napari_medvlm.backends.models import adapters, maira2
from napari_medvlm.backends.models.download import WANTED
from napari_medvlm.backends.models.pixel_shuffle import use_shuffle_version
from napari_medvlm.data.errors import DAMAGED, BackendUnavailable, InvalidPrompt
from napari_medvlm.settings.shell import quoted

if TYPE_CHECKING:
    import torch

BITS = "NAPARI_MEDVLM_BITS"
"""The environment variable that says in how many bits weights are kept: 4, 8, or unset."""
BLOCK = 32, 64
"""Outputs and inputs of a block of weights in 4 bits on the processor, bitsandbytes 0.50."""
KERNEL_KEYS = ("attn_implementation", "experts_implementation")
"""What a configuration names kernels by, with an underscore or none before it."""
PLAIN_KERNELS = (None, "eager", "sdpa")


@dataclass(frozen=True, eq=False)
class Loaded:
    """A model that is ready to work.

    Parameters
    ----------
    model, processor
        As the library gives them.
    device
        Where the model is.
    kind
        The ``model_type`` of its configuration.
    own_code
        Whether it runs code of its folder.
    """

    model: Any
    processor: Any
    device: torch.device
    kind: str
    own_code: bool = False

    def inputs(self, processed: Any) -> Any:
        """Move processor output to the model's device, with pixels in the model's precision."""
        return processed.to(self.device, self.model.dtype)

    def text(self, tokens: Sequence[int]) -> str:
        """Decode generated tokens without begin, end and padding tokens.

        Other special tokens stay: some families write places by them.
        """
        frame = self.frame
        content = [token for token in tokens if token not in frame]
        return str(self.processor.tokenizer.decode(content, skip_special_tokens=False)).strip()

    @property
    def frame(self) -> frozenset[int]:
        """The tokens that begin, end and fill up a text."""
        tokenizer = self.processor.tokenizer
        return frozenset([tokenizer.bos_token_id, tokenizer.pad_token_id, *self.ends])

    @property
    def ends(self) -> frozenset[int]:
        """The end-of-sequence tokens of the model."""
        ends = self.model.generation_config.eos_token_id
        ends = ends if isinstance(ends, list) else [ends]
        return frozenset([self.processor.tokenizer.eos_token_id, *ends])

    def refuse_control(self, words: str) -> None:
        """Refuse words that the model would take for a sign of where images or texts begin.

        Raises
        ------
        InvalidPrompt
            If there is one.
        """
        for token in self._control():
            if token in words:
                raise InvalidPrompt(
                    f"{words!r} holds {token}, which is a control token of the model.",
                    "Leave it out.",
                )

    def without_control(self, words: str) -> str:
        """Words without what the model would take for such a sign."""
        for token in self._control():
            words = words.replace(token, "")
        return words

    def _control(self) -> list[str]:
        tokenizer = getattr(self.processor, "tokenizer", self.processor)
        added = tokenizer.added_tokens_decoder.values()
        return [str(token) for token in added if token.special]


def model_folder(model: str | None, title: str, example_id: str) -> Path:
    """The folder of a model: a local one, or that of a hub id which was downloaded before.

    Nothing is downloaded.

    Raises
    ------
    BackendUnavailable
        If there is none.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    if not model:
        raise BackendUnavailable(
            f"{title} needs a model, but none was given.",
            f"Name the folder of one, or the id of one that was downloaded: {example_id}.",
        )
    if Path(model).expanduser().is_dir():
        return Path(model).expanduser()
    try:
        return Path(snapshot_download(model, local_files_only=True, **WANTED))
    except HFValidationError:
        raise BackendUnavailable(
            f"There is no folder {model}.",
            "Name a folder with a model's config.json, or the id of a model that was downloaded.",
        ) from None
    except LocalEntryNotFoundError:
        raise BackendUnavailable(
            f"Model {model} is not installed. Models are downloaded only on request.",
            f"Read its licence at https://huggingface.co/{model}, then press Download, or run: "
            f"napari-medvlm models download {quoted(model)}",
        ) from None


def kind_of(folder: Path) -> str:
    """The ``model_type`` that a model's configuration names; of an adapter, that of its base model.

    Raises
    ------
    BackendUnavailable
        If there is no configuration that can be read, an adapter's base model is missing, or the
        folder has the layout of its authors and must be converted first.
    """
    folder = adapters.base_of(folder)
    refuse_unconverted(folder)
    try:
        config = json.loads((folder / "config.json").read_text("utf-8"))
        return str(config["model_type"])
    except DAMAGED:
        raise BackendUnavailable(
            f"The folder {folder} has no config.json that names a model type.",
            "Choose the folder with config.json and the weights.",
        ) from None


def local_config(folder: Path) -> Any:
    """The library's configuration of a folder, without code of the folder and without kernels.

    A configuration may name a compiled kernel of the hub; here the library chooses by itself.

    Raises
    ------
    OSError, ValueError
        As the library does.
    """
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    for key in KERNEL_KEYS:
        setattr(config, f"_{key}", None)  # the setter does it in nested configurations too
    return config


def refuse_kernels(folder: Path) -> None:
    """Check that `config.json` of a folder names no kernel, for libraries that follow it.

    Raises
    ------
    BackendUnavailable
        If it cannot be read, or names an implementation other than those in `PLAIN_KERNELS`.
    """
    try:
        config = json.loads((folder / "config.json").read_text("utf-8"))
        named = {
            str(value)
            for part in [config, *filter(lambda v: isinstance(v, dict), config.values())]
            for key, value in part.items()
            if key.strip("_").removesuffix("_internal") in KERNEL_KEYS
            and value not in PLAIN_KERNELS
        }
    except DAMAGED as error:
        raise BackendUnavailable(
            f"{folder / 'config.json'} cannot be read: {type(error).__name__}.",
            "Download the model again.",
        ) from error
    if named:
        raise BackendUnavailable(
            f"The configuration in {folder} names the kernel {', '.join(sorted(named))}, which is "
            "code that would be loaded.",
            "Remove the entries that end with _implementation from config.json.",
        )


def torch_device(device: str) -> torch.device:
    """A device that torch can use.

    Raises
    ------
    BackendUnavailable
        If torch knows no such device, or does not see it on this computer.
    """
    import torch

    require_device(device)
    try:
        wanted = torch.device(device)
        torch.empty(0, device=wanted)
    except (RuntimeError, AssertionError, NotImplementedError):
        raise BackendUnavailable(
            f"The device {device!r} cannot be used: torch {torch.__version__} has none here.",
            "Choose cpu, or install a torch that supports the graphics card.",
        ) from None
    return wanted


def dtype_for(device: torch.device) -> torch.dtype:
    """The precision to compute in: single on the processor, half on graphics cards."""
    import torch

    if device.type != "cuda":
        return torch.float32
    return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16


def loaded(
    auto: str,
    folder: Path,
    device: str,
    *,
    title: str,
    half: bool = True,
    shared: bool = False,
    processor: str = "AutoProcessor",
) -> Loaded:
    """A model and its processor from a folder, without running code that the folder brings.

    The folder of an adapter gives its base model with the adapter merged into it.

    Parameters
    ----------
    auto
        The name of the library's class to load by, such as ``"AutoModelForImageTextToText"``.
    half
        Whether half precision will do where the device computes faster in it.
    shared
        Whether its layers may lie on all graphics cards, which the device ``"cuda"`` then means,
        and its weights may be kept in the bits that `BITS` says.
    processor
        The name of the library's class to load the processor by.

    Raises
    ------
    BackendUnavailable
        If the folder has no such model, it lacks weights, or the device cannot be used.
    """
    import torch
    import transformers

    kind, torch_device_ = kind_of(folder), torch_device(device)
    base = adapters.base_of(folder)
    settings = {"local_files_only": True, "trust_remote_code": False}
    processor, renamed = maira2.loading(kind, processor)
    try:
        model, loading_info = getattr(transformers, auto).from_pretrained(
            base,
            dtype=dtype_for(torch_device_) if half else torch.float32,
            output_loading_info=True,
            config=local_config(base),
            **(_placing(torch_device_) if shared else {}),
            **renamed,
            **settings,
        )
        loaded_processor = getattr(transformers, processor).from_pretrained(
            adapters.processor_folder(folder), **settings
        )
    except (OSError, ValueError, KeyError, RuntimeError, ImportError) as error:
        raise _cannot_load(title, kind, base, error) from error
    _require_complete(sorted(loading_info["missing_keys"]), kind, base)
    _require_blocks(model)
    maira2.fit(kind, loaded_processor, model.config)
    model = model if hasattr(model, "hf_device_map") else model.to(torch_device_)
    model = adapters.merged(model, folder)
    use_shuffle_version(model)
    return Loaded(model.eval(), loaded_processor, model.device, kind)


def _require_complete(missing: Sequence[str], kind: str, folder: Path) -> None:
    if missing:
        raise BackendUnavailable(
            f"The model in {folder} lacks {len(missing)} of the weights of {kind}, the first "
            f"{missing[0]}.",
            "Choose the version of it that was converted for transformers.",
        )


def _cannot_load(title: str, kind: str, folder: Path, error: Exception) -> BackendUnavailable:
    """The error of a model that cannot be loaded, with the backend that runs its kind if known."""
    from napari_medvlm.backends import registry
    from napari_medvlm.backends.models.catalog import rows

    others = sorted({row.backend for row in rows() if kind in row.kinds})
    if others and title not in {registry.info(name).title for name in others}:
        return BackendUnavailable(
            f"{title} does not run {kind} models such as {folder}.",
            f"Run it with the backend {' or '.join(others)}: --backend {others[0]}.",
        )
    return BackendUnavailable(
        f"{title} cannot load the {kind} model in {folder}: {_first_line(error)}",
        "Choose a model that transformers loads without code of its own, or download it again.",
    )


def _placing(device: torch.device) -> dict[str, Any]:
    """Loading options for quantized weights and their device; empty for full precision.

    Raises
    ------
    BackendUnavailable
        If `BITS` says what there is not.
    """
    import importlib.util

    import torch
    import transformers

    bits = os.environ.get(BITS, "")
    several = device.type == "cuda" and device.index is None and torch.cuda.device_count() > 1
    spread = "auto" if several and importlib.util.find_spec("accelerate") else {"": device}
    if not bits:
        return {"device_map": spread} if spread == "auto" else {}
    if bits not in ("4", "8"):
        raise BackendUnavailable(
            f"{BITS} is {bits!r}, but weights can be loaded in 4 or 8 bits.",
            f"Set {BITS} to 4 or 8, or unset it.",
        )
    if importlib.util.find_spec("bitsandbytes") is None:
        raise BackendUnavailable(
            f"{BITS} asks for weights in {bits} bits, but bitsandbytes is not installed.",
            f"Install bitsandbytes, or unset {BITS}.",
        )
    config = transformers.BitsAndBytesConfig(**{f"load_in_{bits}bit": True})
    return {"quantization_config": config, "device_map": spread}


def _require_blocks(model: Any) -> None:
    """Refuse weights in 4 bits of which bitsandbytes cannot make blocks for the processor.

    It packs layers in blocks of 32 outputs and 64 inputs there, and fails at the first image or
    token if they do not divide: Qwen2.5-VL has 3420 of them.

    Raises
    ------
    BackendUnavailable
        If there is such a layer.
    """
    for name, layer in model.named_modules():
        packed = getattr(layer, "support_avx512bf16_for_cpu", False)
        if (
            packed
            and layer.weight.device.type == "cpu"
            and (layer.out_features % BLOCK[0] or layer.in_features % BLOCK[1])
        ):
            raise BackendUnavailable(
                f"bitsandbytes cannot compute {name} in 4 bits on this processor: it has "
                f"{layer.in_features} inputs and {layer.out_features} outputs, not multiples of "
                f"{BLOCK[1]} and {BLOCK[0]}.",
                f"Set {BITS} to 8, unset it, or use a graphics card.",
            )


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:200]}" if lines else type(error).__name__
