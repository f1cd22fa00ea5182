"""Weights of a checkpoint by name, read without running code that a file may hold."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_medvlm.backends.memory.out_of_memory import is_out_of_memory
from napari_medvlm.backends.models.trust import check_weights_file, numbers_of_numpy
from napari_medvlm.data.errors import DAMAGED, BackendUnavailable
from napari_medvlm.settings.paths import exists

if TYPE_CHECKING:
    import torch

Shape = tuple[int, ...]
PICKLES = (".bin", ".pt", ".pth", ".ckpt")
SUFFIXES = (".safetensors", *PICKLES)
MOST_BYTES = 1 << 26
"""Most bytes of a table of contents that are read."""
_NOT_WEIGHTS = ("training_args", "optimizer", "scheduler", "rng_state")
"""How files of training scripts begin that hold no weights of the model."""
_WRAPPERS = ("model", "state_dict", "model_state_dict", "module")
"""Keys under which training scripts put the weights."""


def read_file(path: Path) -> Any:
    """The content of a file of weights; of a pickle tensors and plain containers only.

    Raises
    ------
    BackendUnavailable
        If the file cannot be read, or holds more than weights.
    """
    import pickle

    import torch

    try:
        if is_safetensors(path):
            return _safetensors(path)
        check_weights_file(path)
        with torch.serialization.safe_globals(numbers_of_numpy()):
            return torch.load(path, map_location="cpu", weights_only=True, mmap=_is_zip(path))
    except pickle.UnpicklingError:
        raise BackendUnavailable(
            f"{path.name} holds more than weights; its code is not run.",
            "Save its state_dict() alone with torch.save, or choose another checkpoint.",
        ) from None
    except (OSError, RuntimeError, ValueError, EOFError) as error:
        if is_out_of_memory(error):
            raise
        raise _damaged(path, error) from error


def _safetensors(path: Path) -> Any:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except SafetensorError as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> BackendUnavailable:
    return BackendUnavailable(
        f"{path.name} cannot be read: {type(error).__name__}.",
        "The file may be damaged or not be a checkpoint; download it again.",
    )


class WeightFiles:
    """The weights of a file, or of all weight files of a folder, by name.

    Safetensors go before pickles of the same folder. Tensors are read when they are asked for.

    Parameters
    ----------
    path
        A file, or a folder with files of weights.

    Raises
    ------
    BackendUnavailable
        If there are no weights.
    """

    def __init__(self, path: Path) -> None:
        self.files = weight_files(path)
        if not self.files:
            raise BackendUnavailable(
                f"There are no weights in {path}.",
                "Choose the folder or file that the authors publish, downloaded in full.",
            )

    @cached_property
    def shapes(self) -> Mapping[str, Shape]:
        """The shape of each weight by its name."""
        return {
            name: shape for file in self.files for name, shape in self._opened(file).shapes.items()
        }

    def tensor(self, name: str) -> torch.Tensor:
        """A weight on the CPU in the precision of the file.

        Raises
        ------
        KeyError
            If there is none of that name.
        """
        return self._file_of[name].tensor(name)

    @cached_property
    def _file_of(self) -> Mapping[str, _Safetensors | _Pickle]:
        return {name: self._opened(f) for f in self.files for name in self._opened(f).shapes}

    @cached_property
    def _open_files(self) -> dict[Path, _Safetensors | _Pickle]:
        return {}

    def _opened(self, file: Path) -> _Safetensors | _Pickle:
        if file not in self._open_files:
            kind = _Safetensors if is_safetensors(file) else _Pickle
            self._open_files[file] = kind(file)
        return self._open_files[file]


class _Safetensors:
    """An open safetensors file."""

    def __init__(self, path: Path) -> None:
        from safetensors import SafetensorError, safe_open

        try:
            file: Any = safe_open(path, framework="pt", device="cpu")
            self._file = file
            self.shapes: Mapping[str, Shape] = {
                name: tuple(file.get_slice(name).get_shape())
                for name in file.keys()  # noqa: SIM118 - it is no mapping
            }
        except (OSError, SafetensorError) as error:
            raise BackendUnavailable(
                f"{path.name} cannot be read: {type(error).__name__}.", "Download it again."
            ) from error

    def tensor(self, name: str) -> torch.Tensor:
        tensor: torch.Tensor = self._file.get_tensor(name)
        return tensor


class _Pickle:
    """The tensors of a pickle, mapped from the disk."""

    def __init__(self, path: Path) -> None:
        self._tensors = state_of(read_file(path))
        self.shapes: Mapping[str, Shape] = {n: tuple(t.shape) for n, t in self._tensors.items()}

    def tensor(self, name: str) -> torch.Tensor:
        return self._tensors[name]


def state_of(content: Any) -> dict[str, torch.Tensor]:
    """The tensors of a checkpoint by name, without the containers of training scripts."""
    while isinstance(content, Mapping) and (
        key := next((k for k in _WRAPPERS if isinstance(content.get(k), Mapping)), "")
    ):
        content = content[key]
    if not isinstance(content, Mapping):
        return {}
    return {
        str(name).removeprefix("module."): tensor
        for name, tensor in content.items()
        if hasattr(tensor, "shape")
    }


def weight_files(path: Path) -> tuple[Path, ...]:
    """The files with the weights of a checkpoint, safetensors if there are any; none if absent."""
    if path.is_file():
        return (path,) if path.suffix in SUFFIXES else ()
    indexed = _indexed(path)
    if indexed:
        return indexed
    files = [f for f in sorted(path.glob("*")) if f.is_file() and f.suffix in SUFFIXES]
    files = [f for f in files if not f.name.startswith(_NOT_WEIGHTS)]
    safe = [f for f in files if f.suffix == ".safetensors"]
    return tuple(safe or files)


def mentioned(file: Path, names: Sequence[str]) -> bool:
    """Whether a file of weights names all of some weights, by parts of their names.

    Its table of contents is searched as text: nothing is unpickled.
    """
    try:
        contents = _contents(file)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):
        return False
    return all(name.encode() in contents for name in names)


def is_safetensors(file: Path) -> bool:
    """Whether a file is in the safetensors format, by its suffix or its first bytes."""
    if file.suffix == ".safetensors":
        return True
    with file.open("rb") as opened:
        length, brace = int.from_bytes(opened.read(8), "little"), opened.read(1)
    return brace == b"{" and length < file.stat().st_size


def _contents(file: Path) -> bytes:
    """The names of weights in a file, as the bytes that hold them."""
    if is_safetensors(file):
        with file.open("rb") as opened:
            length = int.from_bytes(opened.read(8), "little")
            return opened.read(min(length, MOST_BYTES))
    if not _is_zip(file):
        with file.open("rb") as opened:
            return opened.read(MOST_BYTES)
    with zipfile.ZipFile(file) as archive:
        name = next((n for n in archive.namelist() if n.endswith("data.pkl")), "data.pkl")
        with archive.open(name) as opened_member:
            return opened_member.read(MOST_BYTES)


def _indexed(folder: Path) -> tuple[Path, ...]:
    """The files that the index of a sharded checkpoint names; none if there is no index.

    Raises
    ------
    BackendUnavailable
        If the index cannot be read, or a file that it names is missing.
    """
    for name in ("model.safetensors.index.json", "pytorch_model.bin.index.json"):
        index = folder / name
        if not index.is_file():
            continue
        try:
            names = sorted(set(json.loads(index.read_text("utf-8"))["weight_map"].values()))
        except DAMAGED as error:
            raise BackendUnavailable(f"{index} cannot be read.", "Download it again.") from error
        files = tuple(folder / Path(str(file)).name for file in names)
        missing = [file.name for file in files if not exists(file)]
        if missing:
            raise BackendUnavailable(
                f"{folder} lacks {len(missing)} of {len(files)} files of weights, the first "
                f"{missing[0]}.",
                "Download the model again.",
            )
        return files
    return ()


def _is_zip(path: Path) -> bool:
    """Whether a pickle is in the archive format of torch, which can be mapped from the disk."""
    with path.open("rb") as file:
        return file.read(4) == b"PK\x03\x04"
