"""Doing what a request asks: the same in the worker process and in the caller's thread."""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from napari_medvlm.backends import dispatch, registry
from napari_medvlm.backends.base import Backend, Progress
from napari_medvlm.backends.devices import require_device
from napari_medvlm.backends.faults import author_hint, error_position, is_foreign
from napari_medvlm.backends.memory.out_of_memory import is_out_of_memory
from napari_medvlm.backends.models.resolve import resolve
from napari_medvlm.backends.registration.engine import register_volumes
from napari_medvlm.data.errors import BackendFailed, MedVLMError, OutOfMemory
from napari_medvlm.data.volume import Volume
from napari_medvlm.settings.log_file import log_path
from napari_medvlm.worker.messages import (
    AnswerReply,
    AskRequest,
    ExplainReply,
    ExplainRequest,
    GroundReply,
    GroundRequest,
    LabelReply,
    LabelRequest,
    PrepareReply,
    PrepareRequest,
    RegisterReply,
    RegisterRequest,
    Reply,
    Request,
    SegmentReply,
    SegmentRequest,
)

logger = logging.getLogger(__name__)

MAX_BACKENDS = 3
"""Who answers, and who segments and grounds for its tools."""
Deliver = Callable[[str], None]


@dataclass
class _Loaded:
    backend: Backend
    volume: Volume | None = None


class Executor:
    """Executes requests with the backends used last; all calls come from one thread."""

    def __init__(self) -> None:
        self._loaded: OrderedDict[tuple[str, str | None, str], _Loaded] = OrderedDict()

    def do(self, request: Request, progress: Progress, deliver: Deliver) -> Reply | None:
        """Execute a request.

        Parameters
        ----------
        deliver
            Called with each piece of an answer's text as it comes.

        Raises
        ------
        MedVLMError
            Whatever goes wrong: errors of the backend's own become `BackendFailed`, with the
            traceback in the log.
        """
        try:
            if isinstance(request, RegisterRequest):
                return _register(request, progress)
            return self._do(request, progress, deliver)
        except MedVLMError:
            raise
        except Exception as error:  # a backend may raise anything
            if is_out_of_memory(error):
                raise OutOfMemory(
                    f"Out of memory: {request.backend} on {request.device}.",
                    "Close other programs, crop the image, or choose a smaller model or the CPU.",
                ) from error
            logger.exception("The backend %s failed", request.backend)
            raise _failed(request.backend, error) from error

    def _do(self, request: Request, progress: Progress, deliver: Deliver) -> Reply | None:
        loaded = self._load(request)
        if loaded.volume is not request.volume:
            loaded.volume = None
            progress(0.0, "Preparing the image")
            dispatch.set_volume(loaded.backend, request.volume)
            loaded.volume = request.volume
        start = time.perf_counter()
        match request:
            case SegmentRequest():
                mask = dispatch.segment(loaded.backend, request.volume, request.prompts, progress)
                return SegmentReply(mask, time.perf_counter() - start)
            case PrepareRequest(axis=axis, start=first, stop=stop):
                slices = range(first, stop)
                done = dispatch.prepare(loaded.backend, request.volume, axis, slices, progress)
                return PrepareReply(done, time.perf_counter() - start)
            case GroundRequest():
                grounding = dispatch.ground(loaded.backend, request.volume, request.query, progress)
                return GroundReply(grounding, time.perf_counter() - start)
            case LabelRequest():
                classification = dispatch.label(
                    loaded.backend, request.volume, request.query, progress
                )
                return LabelReply(classification, time.perf_counter() - start)
            case AskRequest():
                answer = dispatch.answer(
                    loaded.backend, request.volume, request.question, progress, deliver
                )
                return AnswerReply(answer, time.perf_counter() - start)
            case ExplainRequest(question=question, written=written, picture=picture):
                heatmap = dispatch.explain(loaded.backend, question, written, picture, progress)
                return ExplainReply(heatmap, time.perf_counter() - start)
            case _:
                return None

    def _load(self, request: Request) -> _Loaded:
        require_device(request.device)
        model = resolve(request.model)
        key = (request.backend, model, request.device)
        if key not in self._loaded:
            backend = registry.create(request.backend)
            backend.load(model, request.device)
            self._loaded[key] = _Loaded(backend)
            while len(self._loaded) > MAX_BACKENDS:
                self._loaded.popitem(last=False)
        self._loaded.move_to_end(key)
        return self._loaded[key]


def _failed(name: str, error: Exception) -> BackendFailed:
    """The error for a backend's own, with the line at fault of one of another package."""
    cls = registry.backend_type(name) if name in registry.names() else None
    position = error_position(error, cls) if cls is not None and is_foreign(cls) else ""
    message = f"{name} failed: {type(error).__name__}: {str(error).rstrip('.')}"
    hint = (
        "Prompts are not lost. Change them or choose another backend. Details are in the "
        f"log: {log_path()}"
    )
    return BackendFailed(
        f"{message} ({position})." if position else f"{message}.",
        f"{author_hint(error)} {hint}".strip(),
    )


def _register(request: RegisterRequest, progress: Progress) -> RegisterReply:
    assert request.prior is not None, "a registration needs a prior"
    pairing = register_volumes(request.volume, request.prior, request.kind, progress)
    return RegisterReply(pairing, pairing.seconds)
