"""Files of a converted model: weights in safetensors, and the record of the conversion."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from napari_medvlm.backends.base import Progress
from napari_medvlm.backends.layouts.layout import Checkpoint, Conversion, Layout
from napari_medvlm.backends.layouts.weight_files import WeightFiles
from napari_medvlm.backends.models.files import digest_of_list, hashes

if TYPE_CHECKING:
    import torch

SHARD_BYTES = 4 << 30
RECORD = "conversion.json"
WRITING = 0.8
"""Part of the progress that is the writing of weights; the rest is hashing the source."""


def write_weights(
    conversion: Conversion, weights: WeightFiles, folder: Path, progress: Progress
) -> torch.dtype:
    """Write the weights, one shard in memory at a time; returns their precision.

    Parameters
    ----------
    weights
        Of the checkpoint.
    folder
        The new folder.
    """
    from safetensors.torch import save_file

    files: list[tuple[Path, list[str]]] = []
    size, precision = 0, None
    for shard in _shards(conversion, weights, progress):
        floats = [t.dtype for t in shard.values() if t.is_floating_point()]
        precision = precision or (floats[0] if floats else None)
        file = folder / f"shard-{len(files)}"
        save_file(shard, file, metadata={"format": "pt"})
        size += sum(t.nbytes for t in shard.values())
        files.append((file, list(shard)))
    _rename_shards(files, folder, size, conversion.stem)
    if precision is None:
        raise ValueError("there are no weights")
    return precision


def _shards(
    conversion: Conversion, weights: WeightFiles, progress: Progress
) -> Iterator[dict[str, torch.Tensor]]:
    """The new weights in groups of up to `SHARD_BYTES`."""
    shard: dict[str, torch.Tensor] = {}
    size = 0
    for number, (name, recipe) in enumerate(conversion.recipes.items()):
        progress(WRITING * number / len(conversion.recipes), "Writing weights")
        tensor = recipe.apply([_read(source, conversion, weights) for source in recipe.sources])
        tensor = tensor.detach().clone().contiguous()
        if shard and size + tensor.nbytes > SHARD_BYTES:
            yield shard
            shard, size = {}, 0
        shard[name] = tensor
        size += tensor.nbytes
    yield shard


def _read(name: str, conversion: Conversion, weights: WeightFiles) -> torch.Tensor:
    for prefix, base in conversion.bases.items():
        if name.startswith(prefix):
            return base.tensor(name.removeprefix(prefix))
    return weights.tensor(name)


def _rename_shards(
    files: Sequence[tuple[Path, list[str]]], folder: Path, size: int, stem: str
) -> None:
    """Give the shards the names that transformers expects, with an index if there are several."""
    if len(files) == 1:
        files[0][0].rename(folder / f"{stem}.safetensors")
        return
    weight_map: dict[str, str] = {}
    for number, (file, names) in enumerate(files, 1):
        name = f"{stem}-{number:05}-of-{len(files):05}.safetensors"
        file.rename(folder / name)
        weight_map |= dict.fromkeys(names, name)
    index = {"metadata": {"total_size": size}, "weight_map": weight_map}
    _write_json(folder / f"{stem}.safetensors.index.json", index)


def write_record(
    folder: Path,
    layout: Layout,
    checkpoint: Checkpoint,
    licences: Sequence[str],
    progress: Progress,
) -> None:
    """Write ``conversion.json``: the layout, and the source with its SHA-256."""
    sha256 = hashes(
        checkpoint.path, lambda done, _="": progress(WRITING + (1 - WRITING) * done, "Hashing")
    )
    record = {
        "layout": layout.name,
        "source": str(checkpoint.path),
        "source_sha256": digest_of_list(sha256),
        "source_files_sha256": sha256,
        "options": dict(checkpoint.options),
        "licence_files": list(licences),
        "napari_medvlm": version("napari-medvlm"),
        "transformers": version("transformers"),
    }
    _write_json(folder / RECORD, record)


def _write_json(file: Path, content: object) -> None:
    file.write_text(json.dumps(content, indent=2) + "\n", "utf-8")
