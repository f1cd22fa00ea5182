"""Damaged and hostile variants of good files, from a seed; what is done with them must end well."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from copy import deepcopy
from random import Random
from typing import Any

from napari_medvlm.data.errors import MedVLMError

TOKENS = (b"-1", b"1e999", b"null", b'"', b"[" * 500, b"{", b"99999999999999999999", b"\0", b"\xff")
VALUES: tuple[Any, ...] = (
    *(None, True, 0, -1, 1, 70_000, 2**31, 10**20, 1e308, 1e-308, -0.5),
    *(float("nan"), float("inf"), "", "x", "\ud83d", "\0", "../../x", "-1", "<b>", "a" * 5000),
    *([], [[]], {}, [None], [1, 2, 3], [[0, 0, 0]], {"a": {}}, [1e308] * 3, ["x", 1]),
)  # fmt: skip


def mutated(data: bytes, random: Random) -> bytes:
    """The bytes with one to five changes: bits, noise, cuts, copies and tokens."""
    changed = bytearray(data)
    for _ in range(random.randint(1, 5)):
        if changed:
            _change(changed, random.randrange(len(changed)), random)
    return bytes(changed)


def _change(changed: bytearray, at: int, random: Random) -> None:
    end = at + random.randint(1, 40)
    match random.randrange(6):
        case 0:
            changed[at] ^= 1 << random.randrange(8)
        case 1:
            changed[at:end] = random.randbytes(end - at)
        case 2:
            del changed[at:end]
        case 3:
            changed[at:at] = changed[at // 2 : end // 2]
        case 4:
            changed[at : at + 1] = random.choice(TOKENS)
        case _:
            del changed[at + random.randrange(len(changed)) :]


def mutated_json(data: bytes, random: Random) -> bytes:
    """JSON with one to three members that are replaced, removed, doubled or moved elsewhere."""
    root = [json.loads(data)]
    for _ in range(random.randint(1, 3)):
        members = list(_members(root))
        container, key = random.choice(members)
        match random.randrange(5):
            case 0 if container is not root:
                del container[key]
            case 1 if isinstance(container, list) and container is not root:
                container.insert(key, container[key])
            case 2:
                other, its_key = random.choice(members)
                container[key] = json.loads(json.dumps(other[its_key]))
            case _:
                container[key] = deepcopy(random.choice(VALUES))
    return json.dumps(root[0]).encode()


def mutated_lines(data: bytes, random: Random) -> bytes:
    """Lines of JSON with `mutated_json` applied to one or two of them."""
    lines = data.rstrip(b"\n").split(b"\n")
    for _ in range(random.randint(1, 2)):
        at = random.randrange(len(lines))
        lines[at] = mutated_json(lines[at], random)
    return b"\n".join(lines) + b"\n"


def _members(value: Any) -> Iterator[tuple[Any, Any]]:
    """All members of a JSON value at any depth, as their container and key."""
    keys = list(value) if isinstance(value, dict) else range(len(value))
    for key in keys:
        yield value, key
        if isinstance(value[key], dict | list):
            yield from _members(value[key])


def ends_with_a_sentence(action: Callable[[], Any]) -> bool:
    """Run an action; whether it succeeded. Fails on errors that are no sentence for the user."""
    try:
        action()
    except MedVLMError as error:
        text = error.message.rstrip("\"')")
        assert text.endswith((".", "?", "!", "…")), error.message
        assert error.message.isprintable(), error.message
        assert len(error.message) <= 1000, error.message
        assert error.hint, error.message
        return False
    return True
