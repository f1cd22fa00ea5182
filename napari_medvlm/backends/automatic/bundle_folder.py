"""The configuration, metadata and weights in the folder of a MONAI bundle."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from napari_medvlm.data.errors import DAMAGED, BackendUnavailable

CONFIGS = ("inference.json", "inference.yaml", "inference.yml")
MOST_CHANNELS = 10_000
_WRONG = (ValueError, RuntimeError, TypeError, ImportError, AttributeError, LookupError, OSError)
"""What a configuration that does not fit this computer raises."""
_IMPORTABLE: list[str] = []
"""The folder of the bundle whose modules can be imported now."""


def bundle_folder(model: str | None) -> Path:
    """The folder of a bundle; `BackendUnavailable` if there is none."""
    folder = Path(model or "").expanduser()
    if not model or not folder.is_dir():
        raise BackendUnavailable(
            f"There is no folder {model}." if model else "No MONAI bundle was given.",
            "Choose the folder of a MONAI bundle: the one with configs and models.",
        )
    return folder.resolve()


def config_file(folder: Path) -> Path:
    """The configuration for inference; `BackendUnavailable` if there is none."""
    for name in CONFIGS:
        if (folder / "configs" / name).is_file():
            return folder / "configs" / name
    raise BackendUnavailable(
        f"The folder {folder} has no configs/inference.json or .yaml.",
        "Choose the folder of a MONAI bundle: the one with configs and models.",
    )


def read_metadata(folder: Path) -> dict[str, Any]:
    """What the bundle says of itself; `BackendUnavailable` if that cannot be read."""
    config_file(folder)
    try:
        return dict(json.loads((folder / "configs" / "metadata.json").read_text("utf-8")))
    except DAMAGED as error:
        raise BackendUnavailable(
            f"The bundle in {folder} has no configs/metadata.json that can be read.",
            "Download the bundle again; its labels are named there.",
        ) from error


def labels_in(metadata: Mapping[str, Any]) -> dict[int, str]:
    """Names of the output's values or channels, without the background."""
    try:
        outputs = metadata.get("network_data_format", {}).get("outputs", {})
        output: dict[str, Any] = outputs.get("pred") or next(iter(outputs.values()), {})
        channels = min(int(output.get("num_channels", 2)), MOST_CHANNELS)
        named = output.get("channel_def") or {str(k): f"label {k}" for k in range(1, channels)}
        labels = {int(k): str(name) for k, name in named.items()}
    except DAMAGED as error:
        raise BackendUnavailable(
            f"The labels in the bundle's metadata.json cannot be read: {error}.",
            "Download the bundle again.",
        ) from error
    if output.get("type") == "object" or not labels:
        raise BackendUnavailable(
            "The bundle does not segment: its metadata lists no label image.",
            "Choose a bundle for segmentation.",
        )
    return {k: name for k, name in labels.items() if name.lower() != "background"}


def channels_in(metadata: Mapping[str, Any]) -> tuple[str, ...]:
    """Names of the channels of the input; empty if it has a single one."""
    try:
        inputs = metadata.get("network_data_format", {}).get("inputs", {})
        several = {key: p for key, p in inputs.items() if int(p.get("num_channels", 1)) > 1}
        named = {key: dict(p.get("channel_def") or {}) for key, p in several.items()}
    except DAMAGED as error:
        raise BackendUnavailable(
            f"The inputs in the bundle's metadata.json cannot be read: {error}.",
            "Download the bundle again.",
        ) from error
    if several and len(inputs) > 1:
        raise BackendUnavailable(
            f"The bundle has {len(inputs)} inputs: {', '.join(inputs)}.",
            "Choose a bundle with a single input, of one or more channels.",
        )
    if not several:
        return ()
    ((key, part),) = several.items()
    count = min(int(part["num_channels"]), MOST_CHANNELS)
    return tuple(str(named[key].get(str(k)) or f"channel {k}") for k in range(count))


def steps_in(config: Any) -> Iterator[dict[str, Any]]:
    """Every part of a configuration that names a class to make."""
    if isinstance(config, dict):
        if "_target_" in config:
            yield config
        for part in config.values():
            yield from steps_in(part)
    elif isinstance(config, list):
        for part in config:
            yield from steps_in(part)


def part_of(parser: Any, name: str, folder: Path) -> Any:
    """Instantiate a part of the configuration; errors become a one-sentence message."""
    try:
        return parser.get_parsed_content(name)
    except _WRONG as error:
        cause = error.__cause__ or error
        raise BackendUnavailable(
            f"The {name} of the bundle in {folder} cannot be created: {str(cause).strip()[:300]}",
            "Install what its configs/metadata.json lists, or use a version for this MONAI.",
        ) from error


def weights_in(parser: Any, config: Mapping[str, Any], folder: Path) -> Path:
    """The file that the configuration loads, or where bundles keep it."""
    if "load_path" in (config.get("checkpointloader") or {}):
        return Path(part_of(parser, "checkpointloader#load_path", folder))
    return folder / "models" / "model.pt"


def make_importable(folder: Path) -> None:
    """Let the configuration import the bundle's own modules, and not those of an earlier one.

    No bytecode is written: a new file in the folder would end the trust in it.
    """
    sys.dont_write_bytecode = True
    for earlier in _IMPORTABLE:
        sys.path.remove(earlier)
        for name, module in list(sys.modules.items()):
            if str(getattr(module, "__file__", None) or "").startswith(earlier):
                del sys.modules[name]
    _IMPORTABLE[:] = [str(folder)]
    sys.path.insert(0, str(folder))
