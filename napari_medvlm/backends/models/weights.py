"""Files of weights: whether a file can be one, and how much memory its parameters need."""

from __future__ import annotations

import json
import math
from pathlib import Path

from napari_medvlm.backends.models.files import files_of
from napari_medvlm.data.errors import DAMAGED, BackendUnavailable

START_BYTES = 4096
"""Bytes of a file that are looked at."""
SUFFIXES = (".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".onnx", ".ts", ".gguf", ".h5")
HALF_BYTES = 2
"""Bytes of a parameter in half precision."""
LARGEST_HEADER = 100_000_000
"""Bytes of the longest header of a safetensors file, as the format allows."""


def require_weights(path: Path) -> None:
    """Raise `BackendUnavailable` if a file is empty or a text, which no weights are.

    Folders pass: what they hold is checked when the model is loaded.
    """
    if not path.is_file():
        return
    with path.open("rb") as file:
        start = file.read(START_BYTES)
    if not _is_text(start):
        return
    what = f"it is a text that begins with {start[:24].decode(errors='replace')!r}"
    raise BackendUnavailable(
        f"{path} has no weights: {what if start else 'it is empty'}.",
        "A web page or a link may have been saved instead. Choose or download the file again.",
    )


def _is_text(start: bytes) -> bool:
    """Whether bytes are text in UTF-8; a character that is cut at the end is text too."""
    try:
        text = start.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(start) - 3:
            return False
        text = start[: error.start].decode("utf-8")
    return all(character.isprintable() or character in "\r\n\t\f" for character in text)


def parameters_mib(path: Path) -> int:
    """The memory that the parameters of a model need in half precision, in MiB; at least 1.

    Parameters are counted in the headers of safetensors files. Other files of weights count with
    their size on disk. 0: there are no files of weights.
    """
    weights = [f for f in files_of(path).values() if f.suffix.lower() in SUFFIXES]
    tensors = [f for f in weights if f.suffix.lower() == ".safetensors"]
    total = sum(_bytes_in_half(file) for file in tensors or weights)
    return math.ceil(total / 2**20)


def _bytes_in_half(file: Path) -> int:
    if file.suffix.lower() != ".safetensors":
        return file.stat().st_size
    try:
        with file.open("rb") as opened:
            length = int.from_bytes(opened.read(8), "little")
            header = json.loads(opened.read(min(length, LARGEST_HEADER)))
        shapes = [entry["shape"] for key, entry in header.items() if key != "__metadata__"]
        return HALF_BYTES * sum(int(math.prod(shape)) for shape in shapes)
    except DAMAGED:
        return file.stat().st_size
