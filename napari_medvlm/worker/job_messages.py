"""Messages between the runner and its worker process, which carry requests and replies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from napari_medvlm.worker.messages import Reply, Request


@dataclass(frozen=True)
class SharedArray:
    """An array in a block of shared memory: the block's name, numpy's type code and the shape."""

    block: str
    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class SharedLabels:
    """A `NamedLabels` whose values are in shared memory.

    Parameters
    ----------
    values
        The values.
    digest
        Their `NamedLabels.digest`.
    other_fields
        All other fields of the `NamedLabels`.
    """

    values: SharedArray
    digest: str
    other_fields: Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class RunJob:
    """Run a request.

    Parameters
    ----------
    job
        Number of the job.
    request
        The request; its volume has no voxels, and the label images in `labels` are left out.
    volume
        The voxels of the request's volume.
    labels
        The label images of the request's query or question.
    prior
        The voxels of the prior of a `RegisterRequest`.
    channels
        The voxels of the channels of the request's query.
    blocks
        Names of all blocks that the caller holds; the worker detaches from all others.
    """

    job: int
    request: Request
    volume: SharedArray
    labels: tuple[SharedLabels, ...] = ()
    prior: SharedArray | None = None
    channels: tuple[SharedArray, ...] = ()
    blocks: frozenset[str] = frozenset()


@dataclass(frozen=True)
class CancelJob:
    """A job is no longer wanted."""

    job: int


@dataclass(frozen=True)
class ProgressUpdate:
    """Progress of a job, 0 to 1, and a message."""

    job: int
    fraction: float
    message: str


@dataclass(frozen=True)
class TextDelta:
    """More of the text that a job writes."""

    job: int
    text: str


@dataclass(frozen=True, eq=False)
class JobDone:
    """The answer; `None` to a plain `Request`."""

    job: int
    reply: Reply | None


@dataclass(frozen=True)
class JobFailed:
    """The error of a job: name of a class in `errors`, message and hint."""

    job: int
    error: str
    message: str
    hint: str
