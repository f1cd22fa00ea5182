"""What a layout of authors is: how it is recognized, and how it is converted."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from napari_medvlm.backends.layouts.recipes import Recipe
from napari_medvlm.backends.layouts.weight_files import WeightFiles
from napari_medvlm.data.errors import DAMAGED


@dataclass(frozen=True)
class Checkpoint:
    """A model as its authors publish it.

    Parameters
    ----------
    path
        Its folder, or its file of weights.
    options
        What the user states because no file does, such as ``{"image_size": "512"}``.
    """

    path: Path
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """The folder with its configuration."""
        return self.path if self.path.is_dir() else self.path.parent

    @cached_property
    def config(self) -> Mapping[str, Any]:
        """Its ``config.json``; empty if there is none, or for a file."""
        file = self.path / "config.json"
        try:
            config = json.loads(file.read_text("utf-8"))
        except DAMAGED:
            return {}
        return config if isinstance(config, dict) else {}

    @property
    def architectures(self) -> tuple[str, ...]:
        """The classes that its configuration names."""
        names = self.config.get("architectures")
        return tuple(map(str, names)) if isinstance(names, list) else ()

    @cached_property
    def weights(self) -> WeightFiles:
        """Its weights; raises `BackendUnavailable` if there are none."""
        return WeightFiles(self.path)


@dataclass(frozen=True, eq=False)
class Conversion:
    """A model in the layout of transformers, before its weights are written.

    Parameters
    ----------
    model_class
        Name of the class of transformers.
    config
        The configuration, an instance of the library's class.
    recipes
        How the weights are made, by their names in the model.
    processor
        The processor, which can be saved.
    unused
        Patterns of weights of the checkpoint that the model does not need.
    generation
        Settings of ``generation_config.json``.
    bases
        Weights of other models that `recipes` name, by the prefix of their names.
    notes
        Sentences for the user.
    build
        Builds the model without weights; `None`: the class of transformers by its configuration.
    write_config
        Writes the configuration into a folder, in place of that of transformers.
    stem
        Name of the file of weights, without its suffix.
    """

    model_class: str
    config: Any
    recipes: Mapping[str, Recipe]
    processor: Any
    unused: tuple[str, ...] = ()
    generation: Mapping[str, Any] = field(default_factory=dict)
    bases: Mapping[str, WeightFiles] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    build: Callable[[], Any] | None = None
    write_config: Callable[[Path], None] | None = None
    stem: str = "model"


class Layout(ABC):
    """A layout in which authors publish models.

    Attributes
    ----------
    name
        Identifier, such as the ``model_type`` of its configuration.
    title
        For people.
    backend
        The backend that loads the converted model.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    backend: ClassVar[str]

    @abstractmethod
    def recognizes(self, checkpoint: Checkpoint) -> bool:
        """Return whether a checkpoint has this layout."""

    @abstractmethod
    def conversion(self, checkpoint: Checkpoint) -> Conversion:
        """The conversion of a checkpoint; no weight is read.

        Raises
        ------
        BackendUnavailable
            If a file is missing, or the model has parts that transformers does not have.
        """
