"""Prompts on the grid of an image: voxel indices ``(z, y, x)``."""

from __future__ import annotations

from dataclasses import dataclass

Index = tuple[int, int, int]


@dataclass(frozen=True)
class Point:
    """A voxel that belongs to the structure, or not."""

    zyx: Index
    positive: bool = True


@dataclass(frozen=True)
class Line:
    """A diameter, from one voxel of the border to the opposite one."""

    start: Index
    end: Index


@dataclass(frozen=True)
class Stroke:
    """Voxels that belong to the structure, or not."""

    voxels: tuple[Index, ...]
    positive: bool = True


@dataclass(frozen=True)
class Box:
    """Half-open; one voxel along one axis for a box in a slice."""

    low: Index
    high: Index

    @property
    def flat_axis(self) -> int | None:
        """The axis along which it is one voxel thick; None for a box with depth."""
        sizes = [b - a for a, b in zip(self.low, self.high, strict=True)]
        return sizes.index(1) if 1 in sizes else None


Gesture = Point | Line | Stroke | Box


def is_positive(gesture: Gesture) -> bool:
    """Whether a prompt is about what belongs to the structure."""
    return gesture.positive if isinstance(gesture, Point | Stroke) else True
