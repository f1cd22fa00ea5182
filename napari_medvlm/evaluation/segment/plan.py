"""What a run does, and what its figures depend on."""

from __future__ import annotations

import hashlib
import platform
import sys
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from napari_medvlm.backends import registry
from napari_medvlm.backends.base import Task
from napari_medvlm.errors import BackendUnavailable, PromptNotSupported
from napari_medvlm.evaluation.segment.user import CHALLENGE_SEED, Gesture
from napari_medvlm.prompts import Box, Lasso, Point, Scribble

PROMPTS = {
    Gesture.POINT: Point,
    Gesture.BOX: Box,
    Gesture.SCRIBBLE: Scribble,
    Gesture.LASSO: Lasso,
}
LIBRARIES = ("numpy", "scipy", "scikit-image", "SimpleITK")


class Plan(BaseModel):
    """What the simulated user does and who segments.

    Attributes
    ----------
    interactions
        How many prompts the user gives for each structure.
    first, then
        With what gesture it begins, and goes on.
    jitter_mm
        How unsteady its hand is: standard deviation along each axis.
    seed
        For all that is drawn at random.
    tolerance_mm
        How far surfaces may be apart for the surface Dice.
    structures
        Names or values of the structures; all if none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    backend: str = "embedded"
    model: str | None = None
    device: str = "cpu"
    interactions: int = Field(10, ge=1)
    first: Gesture = Gesture.POINT
    then: Gesture = Gesture.POINT
    jitter_mm: float = Field(0.0, ge=0)
    seed: int = Field(CHALLENGE_SEED, ge=0)
    tolerance_mm: float = Field(2.0, ge=0)
    structures: tuple[str, ...] = ()


def require_able(plan: Plan) -> None:
    """Raise unless the backend segments, and by the plan's gestures.

    Raises
    ------
    BackendUnavailable
        If there is no such backend, or it does not segment.
    PromptNotSupported
        If it does not take one of the gestures, or boxes were to follow one another.
    """
    info = registry.info(plan.backend)
    if Task.SEGMENT not in info.tasks:
        raise BackendUnavailable(f"{info.title} does not segment.", "Choose another backend.")
    if plan.then is Gesture.BOX:
        raise PromptNotSupported(
            "The user begins with a box only.", "Go on by point, scribble or lasso."
        )
    for gesture in (plan.first, plan.then):
        if PROMPTS[gesture] not in info.prompts:
            able = [g for g, kind in PROMPTS.items() if kind in info.prompts]
            raise PromptNotSupported(
                f"{info.title} takes no {gesture}.", f"Choose from: {', '.join(able)}."
            )


def provenance(plan: Plan) -> Mapping[str, str | None]:
    """Versions of all that the figures depend on, the weights' digest, and the machine."""
    version: str = sys.modules["napari_medvlm"].__version__
    wanted = dict.fromkeys((*LIBRARIES, *registry.info(plan.backend).modules))
    return {
        "napari-medvlm": version,
        "python": platform.python_version(),
        **{name: _version(name) for name in wanted},
        "weights_licence": registry.info(plan.backend).weights_licence,
        "weights_digest": weights_digest(plan.model),
        "machine": f"{platform.system()} {platform.machine()}",
    }


def weights_digest(model: str | None) -> str | None:
    """SHA-256 of a model's file, or of all files of its folder with their names.

    `None` where no model is named, or the weights are not a file or folder on this computer and
    not in the cache of the Hugging Face hub either.
    """
    place = None if model is None else _place(model)
    if place is None:
        return None
    if place.is_file():
        return _digest(place)
    whole = hashlib.sha256()
    for path in sorted(p for p in place.rglob("*") if p.is_file()):
        whole.update(f"{path.relative_to(place).as_posix()} {_digest(path)}\n".encode())
    return whole.hexdigest()


def _place(model: str) -> Path | None:
    path = Path(model).expanduser()
    if path.exists():
        return path
    try:
        from napari_medvlm.backends.hub import model_folder

        return model_folder(model, "The backend", model)
    except (BackendUnavailable, ImportError):
        return None


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _version(name: str) -> str | None:
    """Of what is installed under that name, or brings a module of that name."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        found = metadata.packages_distributions().get(name)
        return metadata.version(found[0]) if found else None
