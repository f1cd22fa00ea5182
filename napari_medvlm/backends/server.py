"""Answers by an OpenAI-compatible server: vLLM, Ollama, llama.cpp's, LM Studio, transformers."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from napari_medvlm.answers import Answer, AnswerDelta, Question
from napari_medvlm.backends import thoughts, tool_text
from napari_medvlm.backends.addresses import require_allowed
from napari_medvlm.backends.base import Backend, BackendInfo, Progress, Task
from napari_medvlm.backends.catalog import Row
from napari_medvlm.backends.chat import fewer_pictures, pictures_of
from napari_medvlm.backends.server_chat import Calls, refused, request_of
from napari_medvlm.backends.server_errors import TOO_LONG, TOO_MANY_PICTURES, said, told, wrong_model
from napari_medvlm.backends.server_link import address_of, models_of
from napari_medvlm.backends.server_stream import Piece, Reading
from napari_medvlm.errors import BackendFailed, BackendUnavailable, MedVLMError
from napari_medvlm.volume import Volume

TICK_S = 0.2
BATCH_S = 0.02
"""Text that comes within this time is told together: nobody reads faster."""
TRIES = 8
LONGEST = 200_000
"""Characters after which no model has anything more to say."""


@dataclass
class _Reply:
    """What has come of an answer."""

    calls: Calls
    stream: thoughts.Stream
    thinking: str = ""
    likely: list[dict[str, float]] = field(default_factory=list)
    finish: str = ""
    tokens: int = 0
    begun: bool = False
    notes: list[str] = field(default_factory=list)


class ServerBackend(Backend):
    """Asks a model behind a server, over HTTP; sends pixels and the texts of the question only.

    Parameters
    ----------
    first_s, silent_s
        How long to wait for the first sign of an answer, and for the next one, in seconds.
    """

    info = BackendInfo(
        name="server",
        title="Server",
        tasks=frozenset({Task.ANSWER}),
        code_licence="Apache-2.0",
        weights_licence="as of the server's model",
        modules=("openai",),
    )
    first_s = 300.0
    silent_s = 120.0

    def load(self, model: str | None, device: str) -> None:
        """Take the server and the model of ``http://127.0.0.1:8000/v1#name``.

        The name may be left out if the server offers one model only. The device is the server's.
        """
        self._url, name = address_of(model)
        require_allowed(self._url)
        self._name = name or _only(models_of(self._url), self._url)
        self._without: frozenset[str] = frozenset()

    def set_volume(self, volume: Volume) -> None:
        """Nothing: the question brings the pictures."""
