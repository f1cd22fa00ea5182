"""Adapters of the peft library, such as LoRA: found with their base model and merged into it.

An adapter is a folder with ``adapter_config.json`` and ``adapter_model.safetensors``. The
configuration names the model that the adapter was trained on; nothing is downloaded.
"""

from __future__ import annotations

import json
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_medvlm.backends.models import hub_cache, local
from napari_medvlm.backends.models.download import is_hub_id
from napari_medvlm.data.errors import DAMAGED, BackendUnavailable
from napari_medvlm.settings.paths import exists
from napari_medvlm.settings.shell import quoted

CONFIG = "adapter_config.json"
WEIGHTS = "adapter_model.safetensors"
PICKLED = "adapter_model.bin"
REFUSED_KEYS = ("megatron_config", "megatron_core")
"""Settings by which peft imports a module that the configuration names."""
PROCESSOR_FILES = ("processor_config.json", "preprocessor_config.json")


@dataclass(frozen=True)
class Adapter:
    """An adapter on this computer.

    Parameters
    ----------
    folder
        Its folder.
    kind
        The method, such as ``"LORA"``.
    base
        The model that it changes, as its configuration names it: a hub id or a path.
    """

    folder: Path
    kind: str
    base: str

    @property
    def base_folder(self) -> Path | None:
        """The folder of the base model; `None`: it is not on this computer.

        An existing path goes before an added model of that name, and that before a download of the
        hub. A relative path is one in the adapter's folder.
        """
        named = Path(self.base).expanduser()
        folders = [named if named.is_absolute() else self.folder / named]
        own = local.added()
        folders += [own[name].path for name in (self.base, self._short) if name in own]
        folders += [e.path for e in own.values() if e.path.name == self._short]
        here = (f for f in folders if exists(f / "config.json") and f != self.folder)
        base = next(here, None)
        if base is None and is_hub_id(self.base):
            base = hub_cache.folder_of(self.base)
        return base

    @property
    def description(self) -> str:
        """Method, base model, and whether the base model is here, in a sentence."""
        base = self.base_folder
        here = ", which is not on this computer" if base is None else f" in {base}"
        return f"{self.kind} adapter of {self.base}{'' if self.base == str(base) else here}."

    @property
    def _short(self) -> str:
        """The last part of the base model's name."""
        return self.base.replace("\\", "/").rstrip("/").rpartition("/")[2]


def adapter_of(folder: Path) -> Adapter | None:
    """The adapter in a folder; `None` if the folder has no ``adapter_config.json``.

    Raises
    ------
    BackendUnavailable
        If the configuration cannot be read or names no base model.
    """
    path = folder / CONFIG
    if not path.is_file():
        return None
    try:
        config = json.loads(path.read_text("utf-8"))
        kind, base = str(config["peft_type"]).upper(), config["base_model_name_or_path"]
    except DAMAGED as error:
        raise BackendUnavailable(
            f"{path} cannot be read: {type(error).__name__}.", "Download the adapter again."
        ) from error
    if not isinstance(base, str) or not base.strip():
        raise BackendUnavailable(
            f"{path} does not name the model that the adapter changes.",
            "Set base_model_name_or_path to the folder or hub id of that model.",
        )
    return Adapter(folder, kind, base)


def description_of(folder: Path | None) -> str:
    """`Adapter.description` of a folder; empty if it has no adapter that can be read."""
    try:
        adapter = None if folder is None or not folder.is_dir() else adapter_of(folder)
    except BackendUnavailable as error:
        return error.message
    return "" if adapter is None else adapter.description


def base_of(folder: Path) -> Path:
    """The folder of the model itself: that of the base model for an adapter, else the same.

    Raises
    ------
    BackendUnavailable
        If the base model is not on this computer, or is an adapter itself.
    """
    adapter = adapter_of(folder)
    if adapter is None:
        return folder
    base = adapter.base_folder
    if base is None:
        raise BackendUnavailable(
            f"{folder} is an adapter of {adapter.base}, which is not on this computer.",
            f"Run: napari-medvlm models download {quoted(adapter.base)}"
            if is_hub_id(adapter.base)
            else f"Add that model, or set base_model_name_or_path in {CONFIG} to its folder.",
        )
    if (base / CONFIG).is_file():
        raise BackendUnavailable(
            f"{folder} is an adapter of {base}, which is an adapter itself.",
            "Merge the first adapter into its model, and save the result as a model.",
        )
    return base


def processor_folder(folder: Path) -> Path:
    """The folder of the processor: the adapter's if it has one, else that of its base model."""
    own = any((folder / name).is_file() for name in PROCESSOR_FILES)
    return folder if own else base_of(folder)


def names_of(model: str, folder: Path) -> tuple[str, ...]:
    """The names by which a model's catalogue row is chosen: its own, and that of its base model."""
    adapter = adapter_of(folder)
    if adapter is None:
        return (model,)
    return (model, adapter.base, str(adapter.base_folder or adapter.base))


def merged(model: Any, folder: Path) -> Any:
    """A model with the adapter of a folder merged into its weights.

    Parameters
    ----------
    model
        The base model, as transformers loads it. It is changed.
    folder
        The adapter's folder; without an adapter the model is returned as it is.

    Raises
    ------
    BackendUnavailable
        If peft is not installed, the adapter's weights are no safetensors, or they do not fit the
        model.

    Notes
    -----
    Merged by ``PeftModel.merge_and_unload`` of peft, in the precision of the model.
    """
    adapter = adapter_of(folder)
    if adapter is None:
        return model
    _check(adapter)
    try:
        from peft import PeftConfig, PeftModel
    except ImportError:
        raise BackendUnavailable(
            f"{folder} is an adapter, which needs peft, and peft is not installed.",
            'Install it with: pip install "napari-medvlm[vlm]"',
        ) from None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # of peft's use of transformers
            warnings.filterwarnings("error", message=".*missing adapter keys.*")
            config = PeftConfig.from_pretrained(str(folder))
            with_adapter = PeftModel.from_pretrained(
                model,
                str(folder),
                config=config,
                torch_device=str(model.device),
                key_mapping=_renamed_keys(model),
            )
        return with_adapter.merge_and_unload(safe_merge=True)
    except (Warning, OSError, ValueError, KeyError, RuntimeError, AttributeError, TypeError) as e:
        reason = next(iter(str(e).strip().splitlines()), "")[:200]
        raise BackendUnavailable(
            f"The {adapter.kind} adapter in {folder} does not fit {adapter.base}: "
            f"{type(e).__name__}: {reason}",
            "Choose the base model that it was trained on, and a method that can be merged.",
        ) from e


def _renamed_keys(model: Any) -> dict[str, str] | None:
    """Patterns of weight names of older versions of transformers, and the present names.

    peft looks for them by the model type only; of some models, such as Qwen2.5-VL, transformers
    lists them by the class. `None`: there are none, or peft reads them by itself.
    """
    try:
        from transformers.conversion_mapping import (
            WeightRenaming,
            get_checkpoint_conversion_mapping,
        )
    except ImportError:
        return None
    if get_checkpoint_conversion_mapping(model.config.model_type) is not None:
        return None
    renamings = get_checkpoint_conversion_mapping(type(model).__name__) or []
    return {
        pattern: renaming.target_patterns[0]
        for renaming in renamings
        if type(renaming) is WeightRenaming
        for pattern in renaming.source_patterns
    } or None


def _check(adapter: Adapter) -> None:
    """Refuse an adapter with pickled weights, and settings that import modules.

    Raises
    ------
    BackendUnavailable
        If there are.
    """
    folder = adapter.folder
    if not (folder / WEIGHTS).is_file():
        pickled = (folder / PICKLED).is_file()
        has = f"only {PICKLED}, a pickle, which can run code" if pickled else f"no {WEIGHTS}"
        raise BackendUnavailable(
            f"The adapter in {folder} has {has}.",
            "Choose a version of it in safetensors, or convert it to safetensors.",
        )
    try:
        config = json.loads((folder / CONFIG).read_text("utf-8"))
        named = [key for key in REFUSED_KEYS if config.get(key) not in (None, "megatron.core")]
    except DAMAGED as error:
        raise BackendUnavailable(
            f"{folder / CONFIG} cannot be read: {type(error).__name__}.",
            "Download the adapter again.",
        ) from error
    if named:
        raise BackendUnavailable(
            f"{folder / CONFIG} sets {', '.join(named)}, which imports code.",
            "Choose an adapter without it.",
        )
