"""Status of models: whether they are local, and whether their backend can run them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from napari_medvlm.backends import registry
from napari_medvlm.backends.base import Task
from napari_medvlm.backends.layouts.table import conversion_hint, layout_of
from napari_medvlm.backends.models import registry as models_registry
from napari_medvlm.backends.models.registry import Model, State
from napari_medvlm.backends.registry import EXTRAS
from napari_medvlm.data.errors import BackendUnavailable
from napari_medvlm.settings import verified_models
from napari_medvlm.worker.environments import obstacle

DOES = {
    Task.SEGMENT: "segmentation",
    Task.GROUND: "phrase grounding",
    Task.LABEL: "classification",
    Task.ANSWER: "question answering",
    Task.EXPLAIN: "evidence maps",
}


@dataclass(frozen=True)
class ModelStatus:
    """A model, and what can be done with it here.

    Parameters
    ----------
    model
        The model.
    tasks
        What its backend can do; none if that is not known here.
    obstacle
        Why its backend cannot be used, in a sentence; `None` if it can.
    loaded
        Whether a worker has it in memory.
    layout
        Title of the layout of its authors, which must be converted; empty if it can be loaded.
    """

    model: Model
    tasks: frozenset[Task]
    obstacle: str | None
    loaded: bool = False
    layout: str = ""

    @property
    def state(self) -> str:
        """Whether it is here, in a few words."""
        if self.loaded:
            return "loaded"
        if self.obstacle and self.model.state is State.NOT_DOWNLOADED:
            return "not installed"
        if self.layout:
            return "needs conversion"
        return str(self.model.state)

    @property
    def tested(self) -> str:
        """Whether the model was run with its files here: untested, or its last run."""
        return verified_models.verification_status(self.model.name, self.model.bytes)

    @property
    def here(self) -> bool:
        """Whether its files are on this computer."""
        return self.model.path is not None

    @property
    def does(self) -> str:
        """Tasks of its backend, in words."""
        return ", ".join(DOES[task] for task in Task if task in self.tasks)

    @property
    def installable(self) -> bool:
        """Whether it is known what to install for its backend."""
        missing = self.obstacle is not None and not self.layout
        return missing and self.model.about.backend in EXTRAS


def offered(loaded: Iterable[tuple[str, str | None]] = ()) -> tuple[ModelStatus, ...]:
    """All models with what can be done with them. It looks at the disk and asks no network.

    Parameters
    ----------
    loaded
        The backends and models that workers have loaded, as they were named.
    """
    return tuple(_of(model, set(loaded)) for model in models_registry.models())


def offer_of(name: str) -> ModelStatus:
    """Status of one model; raises as `models.find` does."""
    return _of(models_registry.find(name), set())


def _of(model: Model, loaded: set[tuple[str, str | None]]) -> ModelStatus:
    backend = model.about.backend
    names = {model.name, None if model.path is None else str(model.path)} - {None}
    in_memory = any((backend, name) in loaded for name in names)
    layout = None if model.path is None else layout_of(model.path)
    if layout is not None:
        tasks = _tasks(layout.backend)
        return ModelStatus(model, tasks, conversion_hint(model.name, layout), layout=layout.title)
    try:
        return ModelStatus(model, registry.info(backend).tasks, obstacle(backend), in_memory)
    except BackendUnavailable as error:
        return ModelStatus(model, frozenset(), str(error) if backend else None, in_memory)


def _tasks(backend: str) -> frozenset[Task]:
    try:
        return registry.info(backend).tasks
    except BackendUnavailable:
        return frozenset()
