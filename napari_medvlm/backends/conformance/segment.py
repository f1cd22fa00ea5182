"""The conformance kit: what every backend must do, checked on a small phantom.

For a backend in your own package::

    import pytest
    from napari_medvlm.backends.conformance.segment import CHECKS, backend_class

    @pytest.mark.parametrize("check", CHECKS)
    def test_conformance(check):
        check(backend_class("my-backend"), None)    # or the folder of a small model

A check of a task that the backend does not name passes.
"""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np

from napari_medvlm.backends import dispatch, registry
from napari_medvlm.backends.base import Backend, BackendInfo, ObjectPrompts, Task
from napari_medvlm.backends.conformance.answer import ANSWER_CHECKS
from napari_medvlm.backends.conformance.phantom import CENTER, SHAPE, phantom
from napari_medvlm.backends.conformance.text import (
    check_explain,
    check_ground,
    check_ground_again,
    check_ground_cancel,
    check_label,
)
from napari_medvlm.backends.faults import author_hint, error_position, method_position
from napari_medvlm.data.errors import (
    BackendFailed,
    BackendUnavailable,
    Cancelled,
    MedVLMError,
    PromptNotSupported,
)
from napari_medvlm.data.mask import Mask
from napari_medvlm.data.prompts import (
    PROMPT_TYPES,
    Box,
    InitialMask,
    Lasso,
    Line,
    Point,
    Prompt,
    Scribble,
)
from napari_medvlm.data.volume import Volume

Check = Callable[[type[Backend], str | None], None]


def prompts_of(kind: type[Any], volume: Volume) -> Prompt:
    """A prompt of some type on the phantom's ellipsoid."""
    z, y, x = CENTER
    outline = [(z, y - 7, x - 8), (z, y - 7, x + 8), (z, y + 7, x + 8), (z, y + 7, x - 8)]
    mask = np.zeros(SHAPE, bool)
    mask[z - 2 : z + 3, y - 3 : y + 4, x - 3 : x + 4] = True
    factories: dict[type[Any], Callable[[], Prompt]] = {
        Point: lambda: Point.at_index(volume, CENTER),
        Box: lambda: Box.at_index(volume, (z, y - 8, x - 9), (z + 1, y + 9, x + 10)),
        Scribble: lambda: Scribble.at_index(volume, [(z, y, x + i) for i in range(-4, 5)]),
        Lasso: lambda: Lasso.at_index(volume, outline),
        Line: lambda: Line.at_index(volume, (z, y, x - 7), (z, y, x + 7)),
        InitialMask: lambda: InitialMask.of(volume, mask),
    }
    return factories[kind]()


def _segments(check: Check) -> Check:
    """Mark a check that applies only to segmentation backends."""

    @wraps(check)
    def run(cls: type[Backend], model: str | None = None) -> None:
        if Task.SEGMENT in cls.info.tasks:
            check(cls, model)

    return run


def check_backend(cls: type[Backend], model: str | None = None) -> None:
    """Run all checks, also after one has failed.

    Raises
    ------
    AssertionError
        If the backend does not keep the contract; the text has a line for each check that failed.
    """
    failures = []
    for check in CHECKS:
        try:
            check(cls, model)
        except Exception as error:  # noqa: BLE001  # a foreign backend may raise anything
            failures.append(f"{check.__name__}: {_described(error, cls, check)}")
        if check is check_info and not isinstance(getattr(cls, "info", None), BackendInfo):
            break  # the other checks read the info
    if failures:
        raise AssertionError(
            f"{cls.__name__} fails {len(failures)} of {len(CHECKS)} checks.\n" + "\n".join(failures)
        )


def _described(error: Exception, cls: type[Backend], check: Check) -> str:
    """What went wrong, on which line of the backend, and what its author should change."""
    if isinstance(error, BackendFailed):
        return str(error)  # has the line already, and a hint for the author
    method = next((m for m in METHODS if m in check.__name__), "segment")
    if isinstance(error, AssertionError) and not error_position(error, cls):
        position = method_position(cls, "" if check in CLASS_CHECKS else method)
        return f"{error} ({position})" if position else str(error)
    position = error_position(error, cls) or method_position(cls, method)
    what = error.message if isinstance(error, MedVLMError) else str(error)
    hint = author_hint(error)
    return f"it raised {type(error).__name__}: {what} ({position})" + (f" {hint}" if hint else "")


def backend_class(name: str) -> type[Backend]:
    """The class of a registered backend."""
    return type(registry.create(name))


def check_imports_without_torch(cls: type[Backend], model: str | None = None) -> None:
    """Menus read the class where torch may not be installed."""
    code = (
        "import sys; sys.modules['torch'] = None\n"
        f"from importlib import import_module; import_module({cls.__module__!r})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        files = [line.strip() for line in lines if line.strip().startswith('File "')]
        where = f" ({files[-1]})" if files else ""
        raise AssertionError(
            f"{cls.__module__} cannot be imported without torch: {lines[-1]}{where}; "
            "import the libraries of a model inside the methods"
        )


def check_info(cls: type[Backend], model: str | None = None) -> None:
    """The info is complete, has the entry point's name, and can be pickled."""
    info = getattr(cls, "info", None)
    assert isinstance(info, BackendInfo), f"{cls.__name__}.info is not a BackendInfo"
    assert info.name in registry.names(), f"no entry point is called {info.name}"
    assert info.title.strip(), "info.title is empty"
    assert info.code_licence.strip(), "info.code_licence is empty"
    assert info.weights_licence.strip(), "info.weights_licence is empty: say 'none'"
    assert info.tasks, "info.tasks is empty"
    segments = Task.SEGMENT in info.tasks
    assert segments == bool(info.prompts), "info.prompts names the prompts that it segments by"
    assert info.prompts <= set(PROMPT_TYPES), "info.prompts names what is no prompt"
    assert pickle.loads(pickle.dumps(info)) == info


def check_tasks(cls: type[Backend], model: str | None = None) -> None:
    """A backend that does not segment raises an error when asked to."""
    if Task.SEGMENT in cls.info.tasks:
        return
    try:
        cls().segment(ObjectPrompts(()), lambda fraction, message="": None)
    except BackendUnavailable:
        return
    raise AssertionError("it segments, and info.tasks does not name it")


@_segments
def check_prompt_kinds(cls: type[Backend], model: str | None = None) -> None:
    """Each kind that is named is taken, each other refused."""
    volume = phantom()
    for kind in PROMPT_TYPES:
        prompt = prompts_of(kind, volume)
        if kind in cls.info.prompts:
            mask = _ask(cls(), model, volume, prompt)
            assert mask.voxels, f"a {prompt.label} on the object gives nothing"
        else:
            _refused(cls, model, volume, prompt)


@_segments
def check_mask(cls: type[Backend], model: str | None = None) -> None:
    """The mask lies on the volume's grid, holds the clicked voxel, and travels."""
    volume = phantom()
    mask = _ask(cls(), model, volume, _first_prompt(cls, volume))
    assert mask.shape == volume.shape, f"mask of shape {mask.shape}, volume of {volume.shape}"
    assert mask.crop.dtype == np.bool_, f"mask of type {mask.crop.dtype}"
    assert mask.score is None or np.isfinite(mask.score), f"score {mask.score}"
    assert mask.full()[CENTER], "the voxel that was pointed at is not in the mask"
    assert pickle.loads(pickle.dumps(mask)).digest == mask.digest


@_segments
def check_repeatable(cls: type[Backend], model: str | None = None) -> None:
    """The same prompts give the same mask: again, after others, and in a fresh instance."""
    volume, other = phantom(), phantom(20)
    prompt = _first_prompt(cls, volume)
    backend = cls()
    first = _ask(backend, model, volume, prompt).digest
    _ask(backend, model, other, _first_prompt(cls, other))
    assert _ask(backend, model, volume, prompt).digest == first, (
        "it depends on what was asked before"
    )
    assert _ask(cls(), model, volume, prompt).digest == first, "a fresh instance gives another mask"


@_segments
def check_volume_unchanged(cls: type[Backend], model: str | None = None) -> None:
    """The image is left as it is, and may be read-only."""
    volume = phantom()
    before = volume.data.copy()
    _ask(cls(), model, volume, _first_prompt(cls, volume))
    assert np.array_equal(volume.data, before), "the backend writes to the image"


@_segments
def check_oblique(cls: type[Backend], model: str | None = None) -> None:
    """An oblique, anisotropic grid works as an upright one: prompts are read in the patient."""
    volume = phantom(30)
    mask = _ask(cls(), model, volume, _first_prompt(cls, volume)).full()
    assert mask[CENTER], "on an oblique grid the mask misses the voxel that was pointed at"


@_segments
def check_cancel(cls: type[Backend], model: str | None = None) -> None:
    """`Cancelled` raised by the progress gets through, and the next request works."""
    volume = phantom()
    prompt = _first_prompt(cls, volume)

    def stop(fraction: float, message: str = "") -> None:
        raise Cancelled

    backend = cls()
    _ask(backend, model, volume, prompt)
    try:
        dispatch.segment(backend, volume, ObjectPrompts((prompt,), (1,)), stop)
    except Cancelled:
        pass
    else:
        raise AssertionError("progress is never called, or Cancelled does not get through")
    assert _ask(backend, model, volume, prompt).voxels


@_segments
def check_excluded(cls: type[Backend], model: str | None = None) -> None:
    """Voxels of locked objects are not in the mask."""
    volume = phantom()
    excluded = np.zeros(SHAPE, bool)
    excluded[:, :, 18:] = True
    mask = _ask(cls(), model, volume, _first_prompt(cls, volume), Mask.of(excluded)).full()
    assert not (mask & excluded).any(), "the mask holds voxels of a locked object"


@_segments
def check_initial_mask(cls: type[Backend], model: str | None = None) -> None:
    """An initial mask without later prompts is returned unchanged."""
    if InitialMask not in cls.info.prompts:
        return
    volume = phantom()
    prompt = prompts_of(InitialMask, volume)
    assert isinstance(prompt, InitialMask)
    mask = _ask(cls(), model, volume, prompt)
    assert np.array_equal(mask.full(), prompt.mask(volume.grid).full()), "the mask was changed"


CHECKS: tuple[Check, ...] = (
    check_imports_without_torch,
    check_info,
    check_tasks,
    check_prompt_kinds,
    check_mask,
    check_repeatable,
    check_volume_unchanged,
    check_oblique,
    check_cancel,
    check_excluded,
    check_initial_mask,
    check_ground,
    check_ground_again,
    check_ground_cancel,
    check_label,
    check_explain,
    *ANSWER_CHECKS,
)
CLASS_CHECKS = (check_imports_without_torch, check_info)
"""Checks of the class, of no method."""
METHODS = ("ground", "label", "explain", "answer")
"""Methods that the names of their checks contain; all other checks are of `segment`."""


def _first_prompt(cls: type[Backend], volume: Volume) -> Prompt:
    """A point if the backend takes points, else the first kind that it takes."""
    kind = next(kind for kind in PROMPT_TYPES if kind in cls.info.prompts)
    return prompts_of(kind, volume)


def _ask(
    backend: Backend,
    model: str | None,
    volume: Volume,
    prompt: Prompt,
    excluded: Mask | None = None,
) -> Mask:
    backend.load(model, "cpu")
    dispatch.set_volume(backend, volume)
    prompts = ObjectPrompts((prompt,), (1,), excluded)
    return dispatch.segment(backend, volume, prompts, lambda fraction, message="": None)


def _refused(cls: type[Backend], model: str | None, volume: Volume, prompt: Prompt) -> None:
    try:
        _ask(cls(), model, volume, prompt)
    except PromptNotSupported:
        return
    raise AssertionError(f"a {prompt.label} is not in info.prompts and yet is taken")
