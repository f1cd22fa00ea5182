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
class Box:
    """Half-open; one voxel along the first axis for a box in a slice."""

    low: Index
    high: Index


Gesture = Point | Line | Box
