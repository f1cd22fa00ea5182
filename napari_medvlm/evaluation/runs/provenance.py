"""What the figures of a run depend on besides its settings: versions, weights, the machine."""

from __future__ import annotations

import contextlib
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path

from napari_medvlm.backends import registry
from napari_medvlm.backends.memory.free import MIB, free, gigabytes
from napari_medvlm.backends.models import files
from napari_medvlm.data.errors import BackendUnavailable


def provenance(
    backend: str, model: str | None, libraries: Sequence[str]
) -> Mapping[str, str | None]:
    """Versions of all that the figures depend on, the weights' digest, and the machine."""
    package = registry.distribution(backend)
    packages = (package,) if package else ()
    wanted = dict.fromkeys((*libraries, *registry.info(backend).modules, *packages))
    return {
        **library_versions(tuple(wanted)),
        "weights_licence": registry.info(backend).weights_licence,
        "weights_digest": weights_digest(model),
        "machine": f"{platform.system()} {platform.machine()}",
    }


def library_versions(libraries: Sequence[str]) -> dict[str, str | None]:
    """Versions of Python, of libraries and of this package."""
    version: str = sys.modules["napari_medvlm"].__version__
    versions = {name: _version(name) for name in libraries}
    return {"python": platform.python_version(), **versions, "napari-medvlm": version}


def hardware() -> dict[str, str]:
    """The processor, its number of threads, the memory and the graphics cards of this machine."""
    import psutil

    cards = [card.name for card in free().cards]
    return {
        "system": platform.platform(),
        "cpu": _cpu(),
        "cpu_threads": str(os.cpu_count() or 1),
        "ram": gigabytes(psutil.virtual_memory().total // MIB),
        "gpu": ", ".join(cards) or "none found",
    }


def _cpu() -> str:
    """The model of the processor; its architecture where the system does not state it."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def weights_digest(model: str | None) -> str | None:
    """The digest of a model's file or folder; see `napari_medvlm.backends.models.files`.

    `None` where no model is named, or the weights are not a file or folder on this computer and
    not in the cache of the Hugging Face hub either.
    """
    path = None if model is None else _weights_path(model)
    if path is None:
        return None
    return files.weights_digest(path)


def _weights_path(model: str) -> Path | None:
    path = Path(model).expanduser()
    if path.exists():
        return path
    try:
        from napari_medvlm.backends.models.transformers_loader import model_folder

        return model_folder(model, "The backend", model)
    except (BackendUnavailable, ImportError):
        return None


def _version(name: str) -> str | None:
    """Of what is installed under that name, or brings a module of that name."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        distributions = metadata.packages_distributions().get(name)
        return metadata.version(distributions[0]) if distributions else None
