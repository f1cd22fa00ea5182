"""Conversion of a checkpoint to a folder that transformers loads."""

from __future__ import annotations

import re
import shutil
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_medvlm.backends.base import Progress
from napari_medvlm.backends.layouts.layout import Checkpoint, Conversion, Layout
from napari_medvlm.backends.layouts.output import write_record, write_weights
from napari_medvlm.backends.layouts.recipes import shapes_of
from napari_medvlm.backends.layouts.table import require_layout
from napari_medvlm.backends.models.files import no_progress, size_of
from napari_medvlm.data.errors import BackendUnavailable
from napari_medvlm.settings.paths import home

if TYPE_CHECKING:
    import torch

LICENCE_FILES = ("LICEN[SC]E*", "COPYING*", "NOTICE*", "USE_POLICY*", "README*")
SPACE = 1.2
"""Free space that a conversion needs, as a multiple of the size of the weights."""


@dataclass(frozen=True)
class Converted:
    """A converted model.

    Parameters
    ----------
    folder
        Its folder.
    layout
        The layout that its checkpoint had.
    backend
        The backend that loads it.
    licences
        Names of the files with licences that were copied.
    notes
        Sentences for the user.
    """

    folder: Path
    layout: str
    backend: str
    licences: tuple[str, ...]
    notes: tuple[str, ...]


def convert(
    path: Path | str,
    out: Path | str | None = None,
    progress: Progress = no_progress,
    options: Mapping[str, str] | None = None,
) -> Converted:
    """Convert a checkpoint in the layout of its authors; the checkpoint stays as it is.

    Weights keep their precision and are written as safetensors, with the configuration and the
    processor of transformers, the authors' licence files, and ``conversion.json``, which records
    the layout and the SHA-256 of the source's files.

    Parameters
    ----------
    path
        Folder or weights file.
    out
        New folder; default: the name of the source with ``-transformers``, next to it
        (downloads: in the settings folder).
    progress
        Called with the fraction done; may raise `Cancelled`.
    options
        What no file states, by name: ``image_size`` of a SAM 2 checkpoint.

    Raises
    ------
    BackendUnavailable
        If the layout is not known, weights are missing or do not fit, or the folder cannot be
        written.
    """
    source = Path(path).expanduser().absolute()
    checkpoint = Checkpoint(source, dict(options or {}))
    require_layout(checkpoint)
    target = Path(out).expanduser().absolute() if out else default_folder(source)
    _check_target(target, checkpoint)
    layout, conversion = plan(checkpoint)
    partial = target.with_name(f".{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir(parents=True)
        licences = _write(conversion, layout, checkpoint, partial, progress)
        partial.replace(target)
    except OSError as error:
        raise BackendUnavailable(
            f"{target} cannot be written: {error}.", "Choose another folder with --out."
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return Converted(target, layout.title, layout.backend, licences, conversion.notes)


def plan(checkpoint: Checkpoint) -> tuple[Layout, Conversion]:
    """The layout of a checkpoint and its conversion, checked without reading a weight.

    Raises
    ------
    BackendUnavailable
        As `convert`, except for the new folder.
    """
    layout = require_layout(checkpoint)
    conversion = _conversion(layout, checkpoint)
    _check_weights(conversion, checkpoint)
    return layout, conversion


def default_folder(source: Path) -> Path:
    """The folder for a converted model when none is named.

    Next to the source; for a download, whose folder is the hub library's own, ``models`` of the
    settings folder.
    """
    if source.parent.name == "snapshots":
        name = source.parents[1].name.removeprefix("models--").replace("--", "/")
        return home() / "models" / f"{name}-transformers"
    return source.with_name(f"{source.name if source.is_dir() else source.stem}-transformers")


def _conversion(layout: Layout, checkpoint: Checkpoint) -> Conversion:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return layout.conversion(checkpoint)
    except (KeyError, TypeError, ValueError, OSError, ImportError, IndexError) as error:
        raise BackendUnavailable(
            f"{checkpoint.path.name} cannot be converted as {layout.title}: "
            f"{type(error).__name__}: {str(error)[:200]}",
            "Choose the files as the authors publish them, or download them again.",
        ) from error


def _check_target(target: Path, checkpoint: Checkpoint) -> None:
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise BackendUnavailable(f"{target} already exists.", "Choose another folder with --out.")
    if checkpoint.path in target.parents:
        raise BackendUnavailable(
            f"{target} lies in the folder that is converted.", "Choose a folder outside with --out."
        )
    existing = next(parent for parent in target.parents if parent.exists())
    needed = SPACE * sum(size_of(file) for file in checkpoint.weights.files)
    free = shutil.disk_usage(existing).free
    if free < needed:
        raise BackendUnavailable(
            f"The converted model needs {needed / 1e9:.1f} GB; {free / 1e9:.1f} GB are free.",
            "Free disk space, or choose a folder on another disk with --out.",
        )


def _check_weights(conversion: Conversion, checkpoint: Checkpoint) -> None:
    """Compare names and shapes of the new weights with those of the model, without reading any.

    Raises
    ------
    BackendUnavailable
        If a weight is missing, has another shape, or would be lost.
    """
    expected, optional = _expected(conversion)
    sources: dict[str, tuple[int, ...]] = dict(checkpoint.weights.shapes)
    for prefix, base in conversion.bases.items():
        sources |= {f"{prefix}{name}": shape for name, shape in base.shapes.items()}
    used = {source for recipe in conversion.recipes.values() for source in recipe.sources}
    lost = [
        name
        for name in checkpoint.weights.shapes
        if name not in used and not any(re.search(p, name) for p in conversion.unused)
    ]
    got = shapes_of(conversion.recipes, sources)
    lost += [name for name in got if name not in expected]
    missing = [name for name in expected if name not in got and name not in optional]
    wrong = [
        f"{name} {got[name]} instead of {expected[name]}"
        for name in expected
        if name in got and got[name] != expected[name]
    ]
    problems = {"missing": missing, "of another shape": wrong, "unknown": lost}
    for problem, names in problems.items():
        if names:
            raise BackendUnavailable(
                f"{len(names)} weights are {problem} for {conversion.model_class}, the first: "
                f"{names[0]}.",
                "This version of the layout cannot be converted; ask the authors for a version "
                "for transformers.",
            )


def _expected(conversion: Conversion) -> tuple[dict[str, tuple[int, ...]], frozenset[str]]:
    """Shapes of the model's weights by name, and the names that are tied to others."""
    import torch
    import transformers

    with torch.device("meta"):
        if conversion.build is None:
            model = getattr(transformers, conversion.model_class)(conversion.config)
        else:
            model = conversion.build()
    shapes = {name: tuple(weight.shape) for name, weight in model.state_dict().items()}
    return shapes, frozenset(getattr(model, "all_tied_weights_keys", None) or ())


def _write(
    conversion: Conversion, layout: Layout, checkpoint: Checkpoint, folder: Path, progress: Progress
) -> tuple[str, ...]:
    """Write everything of a converted model; names of the licence files."""
    if conversion.write_config is not None:
        conversion.write_config(folder)
    else:
        conversion.processor.save_pretrained(folder)
    precision = write_weights(conversion, checkpoint.weights, folder, progress)
    if conversion.config is not None:
        _write_config(conversion, precision, folder)
    licences = _copied_licences(checkpoint.folder, folder)
    write_record(folder, layout, checkpoint, licences, progress)
    return licences


def _write_config(conversion: Conversion, precision: torch.dtype, folder: Path) -> None:
    """Write the configuration of the model, and how it generates text."""
    import transformers

    conversion.config.architectures = [conversion.model_class]
    conversion.config.dtype = precision
    conversion.config.save_pretrained(folder)
    if conversion.generation:
        settings: dict[str, Any] = dict(conversion.generation)
        transformers.GenerationConfig(**settings).save_pretrained(folder)


def _copied_licences(source: Path, folder: Path) -> tuple[str, ...]:
    files = sorted({f for pattern in LICENCE_FILES for f in source.glob(pattern) if f.is_file()})
    for file in files:
        shutil.copyfile(file, folder / file.name)
    return tuple(file.name for file in files)
