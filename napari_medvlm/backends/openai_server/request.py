"""A question as the request that an OpenAI-compatible server takes, and calls of tools from parts.

A request holds pixels and the texts of the question, nothing else: no name of a file, no field of
a header.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from napari_medvlm.backends.models.catalog import Row
from napari_medvlm.backends.openai_server.images import framed_for, png_url
from napari_medvlm.backends.openai_server.limits import typed
from napari_medvlm.backends.vlm.chat_messages import Message, messages, pictures_of
from napari_medvlm.backends.vlm.text_tools import called
from napari_medvlm.data.answer import AnswerKind, Question
from napari_medvlm.data.slice_image import SliceImage
from napari_medvlm.data.tool_call import ToolCall, ToolSpec

TOP = 20
"""How many of the likeliest tokens are asked for: as many as the protocol allows."""
OPTIONAL = {
    "tools": re.compile(r"\btools?\b|tool_choice|function call", re.IGNORECASE),
    "logprobs": re.compile(r"logprob", re.IGNORECASE),
    "stream_options": re.compile(r"stream_options|include_usage", re.IGNORECASE),
    "temperature": re.compile(r"temperature", re.IGNORECASE),
    "extra_body": re.compile(
        r"skip_special_tokens|extra (?:inputs|fields|forbidden)|unrecognized request argument"
        r"|unknown (?:parameter|field|argument)",
        re.IGNORECASE,
    ),
}
"""What a request can do without, and how a server that does not take it speaks of it."""
IN_SPECIAL_TOKENS = frozenset(
    {"qwen2", "medseq", "internvl", "medrega", "minicpm", "florence2", "paligemma", "kosmos2"}
)
"""Grammars whose tags are special tokens, which servers leave out unless asked not to."""


def request_of(
    question: Question, row: Row, name: str, without: frozenset[str] = frozenset()
) -> dict[str, Any]:
    """The body of a chat completion request.

    Parameters
    ----------
    name
        The model's.
    without
        Names in `OPTIONAL` that the server does not take. Without ``"tools"``, tools are offered
        in text.
    """
    functions = "tools" not in without
    needs_frames = bool(question.places or row.pixel_size)
    frames = [framed_for(p, row) for p, _ in pictures_of(question)] if needs_frames else []
    chat = messages(question, row, functions=functions, frames=frames)
    request: dict[str, Any] = {
        "model": name,
        "messages": [_message(m, row) for m in chat],
        "stream_options": {"include_usage": True},
        "temperature": 0,
    }
    if question.kind in (AnswerKind.CHOICE, AnswerKind.YES_NO):
        request |= {"logprobs": True, "top_logprobs": TOP}
    if question.tools:
        request["tools"] = [_tool(tool) for tool in question.tools]
    if row.grammar in IN_SPECIAL_TOKENS:
        request["extra_body"] = {"skip_special_tokens": False}
    dropped = {*without, *(("top_logprobs",) if "logprobs" in without else ())}
    return {key: value for key, value in request.items() if key not in dropped}


def prompt_of(request: Mapping[str, Any]) -> str:
    """The messages of a request as text, each after its role; ``[image]`` in place of an image."""
    return "\n\n".join(
        f"{message['role']}: {_plain(message['content'])}" for message in request["messages"]
    )


def _plain(content: str | Sequence[Mapping[str, Any]] | None) -> str:
    if content is None or isinstance(content, str):
        return content or ""
    return "\n".join(str(part.get("text", "[image]")) for part in content)


def refused(words: str, request: Mapping[str, Any]) -> str:
    """The parameter that a server rejects, by its error message; empty if unknown."""
    return next(
        (n for n, pattern in OPTIONAL.items() if n in request and pattern.search(words)), ""
    )


def _message(message: Message, row: Row) -> dict[str, Any]:
    if message.role == "tool":
        return {"role": "tool", "tool_call_id": message.call_id, "content": message.text}
    if message.calls:
        calls = [_call(call) for call in message.calls]
        return {"role": "assistant", "content": message.text or None, "tool_calls": calls}
    if any(isinstance(part, SliceImage) for part in message.parts):
        return {"role": message.role, "content": [_part(part, row) for part in message.parts]}
    return {"role": message.role, "content": message.text}


def _part(part: str | SliceImage, row: Row) -> dict[str, Any]:
    if isinstance(part, SliceImage):
        return {"type": "image_url", "image_url": {"url": png_url(framed_for(part, row).pixels)}}
    return {"type": "text", "text": part}


def _call(call: ToolCall) -> dict[str, Any]:
    function = {"name": call.name, "arguments": json.dumps(dict(call.arguments))}
    return {"id": call.id, "type": "function", "function": function}


def _tool(tool: ToolSpec) -> dict[str, Any]:
    function = {
        "name": tool.name,
        "description": tool.description,
        "parameters": dict(tool.parameters),
    }
    return {"type": "function", "function": function}


@dataclass
class _Parts:
    id: str = ""
    name: str = ""
    arguments: str = ""


class ToolCallIds:
    """Join streamed parts of tool calls by their index.

    Parameters
    ----------
    tools
        Those that were offered.
    round_number
        How many rounds were before; calls that the server gives no id get one of their own.
    """

    def __init__(self, tools: Sequence[ToolSpec], round_number: int) -> None:
        self._tools = tools
        self._round = round_number
        self._parts: dict[int, _Parts] = {}

    def feed(self, parts: Iterable[Any]) -> None:
        """Take more parts, as the protocol has them.

        A part without an index begins a call if it has a name, and else belongs to the last one.
        Some servers give all calls the same index: another id is another call.
        """
        for part in parts:
            function = getattr(part, "function", None)
            call_id = typed(str, getattr(part, "id", None)) or ""
            name = typed(str, getattr(function, "name", None)) or ""
            own = self._parts.setdefault(self._index(part, name), _Parts())
            if call_id and own.id and call_id != own.id:
                own = self._parts[len(self._parts)] = _Parts()
            own.id, own.name = own.id or call_id, own.name or name
            own.arguments += typed(str, getattr(function, "arguments", None)) or ""

    @property
    def arguments(self) -> str:
        """The arguments of the last call, as far as they have come."""
        return self._parts[max(self._parts)].arguments if self._parts else ""

    def joined(self) -> tuple[ToolCall, ...]:
        """The calls in their order, each with what is wrong with it."""
        return tuple(
            called(p.name, p.arguments, self._tools, p.id or f"call_{self._round}_{index}")
            for index, p in sorted(self._parts.items())
        )

    def _index(self, part: Any, name: str) -> int:
        index = getattr(part, "index", None)
        if isinstance(index, int):
            return index
        return len(self._parts) if name or not self._parts else max(self._parts)
