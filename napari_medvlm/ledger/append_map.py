"""A mapping that shares its items with the mappings that it was extended to."""

from __future__ import annotations

from collections.abc import Callable, ItemsView, Iterator, Mapping, Sequence, ValuesView
from itertools import islice
from typing import Any, Generic, TypeVar, overload

V = TypeVar("V")


class AppendMap(Mapping[int, V], Generic[V]):
    """An immutable mapping in the order of insertion; one more item costs the same at any size.

    `appended` returns another mapping with one more item. Both read the same lists, of which each
    sees its own first items. Reading is safe while another thread appends.

    Parameters
    ----------
    items
        The items to copy.
    """

    __slots__ = ("_count", "_keys", "_rows", "_values")

    def __init__(self, items: Mapping[int, V] | None = None) -> None:
        self._keys = [] if items is None else list(items)
        self._values = [] if items is None else list(items.values())
        self._rows = {key: row for row, key in enumerate(self._keys)}
        self._count = len(self._keys)

    def appended(self, key: int, value: V) -> AppendMap[V]:
        """Add an item; it replaces the item of the same key. Returns another mapping."""
        if key in self:
            return AppendMap({**self, key: value})
        if len(self._keys) > self._count:  # another item follows this mapping already
            return AppendMap(self).appended(key, value)
        longer = object.__new__(AppendMap)
        longer._keys, longer._values, longer._rows = self._keys, self._values, self._rows
        longer._count = self._count + 1
        self._rows[key] = self._count
        self._values.append(value)
        self._keys.append(key)
        return longer

    def extends(self, other: object) -> bool:
        """Whether it begins with the items of ``other``, which it was extended from."""
        return (
            isinstance(other, AppendMap)
            and other._keys is self._keys
            and other._count <= self._count
        )

    def items_from(self, start: int) -> Iterator[tuple[int, V]]:
        """The items from a position on, oldest first."""
        keys, values = self._keys[start : self._count], self._values[start : self._count]
        return zip(keys, values, strict=True)

    def values_from(self, start: int) -> AppendedValues[V]:
        """The values from a position on, oldest first."""
        return AppendedValues(self._values, start, self._count)

    def key_at(self, position: int) -> int:
        """The key at a position, 0 or more."""
        if position >= self._count:
            raise IndexError(position)
        return self._keys[position]

    def __getitem__(self, key: int) -> V:
        row = self._rows[key]
        if row >= self._count:
            raise KeyError(key)
        return self._values[row]

    def __contains__(self, key: object) -> bool:
        row = self._rows.get(key) if isinstance(key, int) else None
        return row is not None and row < self._count

    def __iter__(self) -> Iterator[int]:
        return islice(self._keys, self._count)

    def __reversed__(self) -> Iterator[int]:
        return reversed(self._keys[: self._count])

    def __len__(self) -> int:
        return self._count

    def values(self) -> ValuesView[V]:
        """The values, oldest first."""
        return _Values(self)

    def items(self) -> ItemsView[int, V]:
        """The items, oldest first."""
        return _Items(self)

    def __repr__(self) -> str:
        return f"AppendMap({dict(self.items())})"


class AppendedValues(Sequence[V]):
    """A part of the values of an `AppendMap`, which is no copy; it is pickled as a tuple."""

    __slots__ = ("_start", "_stop", "_values")

    def __init__(self, values: list[V], start: int, stop: int) -> None:
        self._values, self._start, self._stop = values, start, stop

    @overload
    def __getitem__(self, index: int) -> V: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[V, ...]: ...
    def __getitem__(self, index: int | slice) -> V | tuple[V, ...]:
        inside = range(self._start, self._stop)[index]
        if isinstance(inside, int):
            return self._values[inside]
        return tuple(self._values[i] for i in inside)

    def __len__(self) -> int:
        return self._stop - self._start

    def __iter__(self) -> Iterator[V]:
        return islice(self._values, self._start, self._stop)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, tuple | AppendedValues) and tuple(self) == tuple(other)

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        return repr(tuple(self))

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return tuple, (tuple(self),)


class _Values(ValuesView[V]):
    def __init__(self, mapping: AppendMap[V]) -> None:
        super().__init__(mapping)
        self._map = mapping

    def __iter__(self) -> Iterator[V]:
        return iter(self._map.values_from(0))


class _Items(ItemsView[int, V]):
    def __init__(self, mapping: AppendMap[V]) -> None:
        super().__init__(mapping)
        self._map = mapping

    def __iter__(self) -> Iterator[tuple[int, V]]:
        return self._map.items_from(0)
