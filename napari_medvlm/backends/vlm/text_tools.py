"""Tools in plain text, for models that cannot call functions.

The prompt lists the tools. To call one, the model writes a line of its own::

    <tool>{"name": "segment", "arguments": {"phrase": "left kidney"}}</tool>

and ends there. What came of it follows in the next message, one for each call::

    <result>The left kidney: 152.3 ml.</result>

A result of a call that did not work begins with ``failed:``. The tags that Qwen's models were
taught, ``<tool_call>``, are read in the same way.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from napari_medvlm.data.tool_call import ToolCall, ToolResult, ToolSpec

HIDDEN = (("<tool>", "</tool>"), ("<tool_call>", "</tool_call>"))
"""What stands around a call, and is not shown as text."""

_CALL = re.compile(r"<tool(_call)?>(.*?)(?:</tool(?:_call)?>|(?=<tool(?:_call)?>)|\Z)", re.DOTALL)


def offer(tools: Sequence[ToolSpec]) -> str:
    """The description of the tools for the prompt."""
    lines = [
        "You may use these tools before you answer:",
        *(
            f"- {tool.name}: {tool.description} Arguments: {json.dumps(dict(tool.parameters))}"
            for tool in tools
        ),
        "To use one, write a line of its own and stop:",
        '<tool>{"name": "...", "arguments": {...}}</tool>',
        "Its result comes in <result>...</result>. When you know enough, answer without a tool.",
    ]
    return "\n".join(lines)


def written(call: ToolCall) -> str:
    """A call as a model writes it."""
    content = json.dumps({"name": call.name, "arguments": dict(call.arguments)})
    return f"<tool>{content}</tool>"


def tool_result_text(result: ToolResult) -> str:
    """A result as a model reads it."""
    return f"<result>{words(result)}</result>"


def words(result: ToolResult) -> str:
    """The text of a tool result, marked if it failed."""
    return f"failed: {result.text}" if result.failed else result.text


def calls_in(text: str, tools: Sequence[ToolSpec]) -> tuple[tuple[ToolCall, ...], str]:
    """The calls in a text, and the text without them."""
    calls = tuple(_read(match.group(2).strip(), tools) for match in _CALL.finditer(text))
    return calls, _CALL.sub("", text).strip()


def _read(content: str, tools: Sequence[ToolSpec]) -> ToolCall:
    try:
        parsed = json.loads(content)
    except (ValueError, RecursionError):
        return ToolCall("", {}, problem=f"This is not JSON: {content[:200]!r}.")
    if not isinstance(parsed, dict) or not isinstance(parsed.get("name"), str):
        return ToolCall("", {}, problem=f"There is no name of a tool in {content[:200]!r}.")
    return called(parsed["name"], parsed.get("arguments", {}), tools)


def called(name: str, arguments: Any, tools: Sequence[ToolSpec], id: str = "") -> ToolCall:  # noqa: A002  # as ToolCall has it
    """A call as it was written, with what is wrong with it.

    Parameters
    ----------
    arguments
        A mapping, or the text of a JSON object.
    tools
        Those that there are.
    """
    if isinstance(arguments, str):
        try:
            arguments = json.loads(arguments or "{}")
        except (ValueError, RecursionError):
            problem = f"The arguments are not JSON: {arguments[:200]!r}."
            return ToolCall(name, {}, id, problem)
    if not isinstance(arguments, dict):
        return ToolCall(name, {}, id, f"The arguments of {name!r} are not an object.")
    spec = next((tool for tool in tools if tool.name == name), None)
    if spec is None:
        known = ", ".join(tool.name for tool in tools) or "none"
        problem = f"There is no tool {name[:60]!r}. There are: {known}."
        return ToolCall(name, arguments, id, problem)
    return ToolCall(name, arguments, id, spec.argument_error(arguments))
