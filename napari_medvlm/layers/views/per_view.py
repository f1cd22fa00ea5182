"""A helper for each of the linked views, made and closed as views come and go."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from napari_medvlm.layers.views.linked import LinkedViews

if TYPE_CHECKING:
    from napari.components import ViewerModel


class Closable(Protocol):
    """What a view has of its own."""

    def close(self) -> None:
        """Disconnect from the view and take away what was added to it."""


H = TypeVar("H", bound=Closable)


class PerView(Generic[H]):
    """A helper in a viewer and in each of its side views, also in those that are added later.

    Parameters
    ----------
    linked
        The views.
    make
        Makes the helper of a view; its `close` is called when the view is removed.
    """

    def __init__(self, linked: LinkedViews, make: Callable[[ViewerModel], H]) -> None:
        self._linked = linked
        self._make = make
        self._by_view: dict[int, H] = {}
        linked.added.connect(self._add)
        linked.removed.connect(self._remove)
        for view in linked:
            self._add(view)

    def __iter__(self) -> Iterator[H]:
        """The helpers, that of the viewer first."""
        return iter(tuple(self._by_view.values()))

    def close(self) -> None:
        """Close all helpers and follow the views no longer."""
        self._linked.added.disconnect(self._add)
        self._linked.removed.disconnect(self._remove)
        for helper in self:
            helper.close()
        self._by_view.clear()

    def _add(self, view: ViewerModel) -> None:
        self._by_view[hash(view)] = self._make(view)

    def _remove(self, view: ViewerModel) -> None:
        helper = self._by_view.pop(hash(view), None)
        if helper is not None:
            helper.close()
