"""Folders of models with code of their own, and the conditions under which that code runs.

Such a folder has ``auto_map`` in its JSON files, which names classes in its Python files. The code
runs in a worker process only, and only after the user has trusted the folder.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_medvlm.backends.models import maira2
from napari_medvlm.backends.models.trust import require_trusted, trusted_before
from napari_medvlm.data.errors import DAMAGED, BackendUnavailable

WORKER = "NAPARI_MEDVLM_MODEL_CODE"
"""The environment variable of worker processes that may run code of models: the folder."""
CODE_SUFFIXES = (".py", ".pyc", ".pyd", ".so", ".dll", ".dylib")
MAP = "auto_map"
HUB_MARK = "--"
"""Between a repository of the hub and a module in it."""


@dataclass(frozen=True)
class ModelCode:
    """The code of a model's folder.

    Parameters
    ----------
    folder
        The folder.
    kind
        The ``model_type`` of its config.json.
    classes
        The ``auto_map`` of its config.json: names of classes of transformers, such as
        ``"AutoModelForCausalLM"``, with ``module.Class`` for each.
    """

    folder: Path
    kind: str
    classes: Mapping[str, str]


def code_of(folder: Path) -> ModelCode | None:
    """The code that a folder's config.json names for a model; `None`: none, or no such folder."""
    config = _json(folder / "config.json")
    classes = config.get(MAP) if isinstance(config, dict) else None
    if not isinstance(classes, dict) or not any(name.startswith("AutoModel") for name in classes):
        return None
    return ModelCode(folder, str(config.get("model_type", "")), classes)


def code_files(folder: Path) -> tuple[str, ...]:
    """The files of a folder that can run, by their path in it, at any depth."""
    names_of_code = [
        Path(root, name).relative_to(folder).as_posix()
        for root, _, names in os.walk(folder, followlinks=True)
        for name in names
        if name.endswith(CODE_SUFFIXES)
    ]
    return tuple(sorted(names_of_code))


def code_to_run(folder: Path) -> ModelCode | None:
    """The code of a folder that must run to load its model; `None` if transformers needs none.

    Transformers' own class is used if it has one for the model type, unless the user has trusted
    the folder; this package's class for MAIRA-2 is always used.

    Raises
    ------
    BackendUnavailable
        If the folder is not trusted, or has changed since; its code is on the hub; or this process
        is no worker for it.
    """
    code = code_of(folder)
    if code is None or code.kind == maira2.KIND:
        return None
    if not (trusted_before(folder) or _needs_code(code, folder)):
        return None
    refuse_hub_code(folder)
    require_trusted(folder, "The model in")
    if os.environ.get(WORKER) != str(folder.resolve()):
        raise BackendUnavailable(
            f"The code of the model in {folder} runs only in a worker process of its own.",
            "Use a session with runner='worker', a dock, or the command line.",
        )
    return code


def refuse_hub_code(folder: Path) -> None:
    """Refuse a folder whose ``auto_map`` names code in another repository of the hub.

    Raises
    ------
    BackendUnavailable
        If one of its JSON files does, at any depth.
    """
    for file in sorted(folder.rglob("*.json")):
        if (name := next((n for n in _named(_json(file)) if HUB_MARK in n), None)) is not None:
            raise BackendUnavailable(
                f"{file} names code that lies in another repository of the hub: {name}.",
                "Copy its Python files into the folder and remove the text before -- from "
                f"{MAP}. No code is fetched from the hub.",
            )


def _needs_code(code: ModelCode, folder: Path) -> bool:
    """Whether transformers has no class of its own for the model type, nor is it convertible."""
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES

    from napari_medvlm.backends.layouts.table import layout_of

    return code.kind not in CONFIG_MAPPING_NAMES and layout_of(folder) is None


def _named(content: Any) -> Iterator[str]:
    """All names in all ``auto_map`` of a JSON text."""
    if isinstance(content, list):
        for item in content:
            yield from _named(item)
    if isinstance(content, dict):
        for key, value in content.items():
            yield from _texts(value) if key == MAP else _named(value)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    if isinstance(value, (list, dict)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item)


def _json(file: Path) -> Any:
    try:
        return json.loads(file.read_text("utf-8"))
    except DAMAGED:
        return {}
