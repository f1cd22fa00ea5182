"""Volumes and label images in shared memory: the caller owns the blocks, the worker reads them."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import fields, replace
from multiprocessing.shared_memory import SharedMemory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.data.label_image import NamedLabels
from napari_medvlm.data.volume import Volume
from napari_medvlm.worker.job_messages import RunJob, SharedArray, SharedLabels
from napari_medvlm.worker.memory_block import Attached, free, free_bytes, new_block, require_space
from napari_medvlm.worker.messages import AskRequest, GroundRequest, RegisterRequest, Request

MAX_VOLUMES = 2
"""How many volumes stay in shared memory; more if one request has more."""
MAX_LABELS = 4
"""How many label images stay in shared memory; more if one request has more."""
DECAY = 0.9
"""What a use of a volume counts for after each further request."""
NO_VOXELS = np.zeros((1, 1, 1), np.uint8)


class SharedVolumes:
    """Blocks of shared memory with the volumes and label images of requests.

    Each volume is copied once; the `MAX_VOLUMES` that were requested most, recent requests counting
    more, stay. So the session's volume survives a series of changed copies of it that checks send.
    Label images are recognized by their digest, since each request has a new `NamedLabels`.
    """

    def __init__(self) -> None:
        self._volumes: dict[int, tuple[Volume, SharedMemory]] = {}
        self._uses: dict[int, float] = {}
        self._labels: OrderedDict[str, SharedMemory] = OrderedDict()

    def run(self, job: int, request: Request) -> RunJob:
        """The message that asks for a request; its volume and label images are shared.

        Label images for which there is no shared memory stay in the request.

        Raises
        ------
        OutOfMemory
            If the volume does not fit into the shared memory.
        """
        volume = request.volume
        prior = request.prior if isinstance(request, RegisterRequest) else None
        channels = _channels_of(request)
        needed = {id(volume), id(prior), *map(id, channels)}
        shared = self._share_volume(volume, needed)
        shared_channels = tuple(self._share_volume(channel, needed) for channel in channels)
        shared_prior = None if prior is None else self._share_volume(prior, needed)
        request, labels = self._share_labels(replace(request, volume=_without_voxels(volume)))
        blocks = [block for _, block in self._volumes.values()] + [*self._labels.values()]
        return RunJob(
            job=job,
            request=request,
            volume=shared,
            labels=labels,
            prior=shared_prior,
            channels=shared_channels,
            blocks=frozenset(block.name for block in blocks),
        )

    def clear(self) -> None:
        """Free all blocks."""
        while self._volumes:
            free(self._volumes.popitem()[1][1])
        self._uses.clear()
        while self._labels:
            free(self._labels.popitem()[1])

    def _share_volume(self, volume: Volume, needed: set[int]) -> SharedArray:
        """The voxels in a block; volumes with an identity in ``needed`` stay."""
        key = id(volume)
        if key not in self._volumes:
            while len(self._volumes) >= MAX_VOLUMES:
                others = [other for other in self._uses if other not in needed]
                if not others:
                    break
                least = min(others, key=lambda other: self._uses[other])
                del self._uses[least]
                free(self._volumes.pop(least)[1])
            require_space(volume.data.nbytes)
            self._volumes[key] = volume, new_block(volume.data)
        self._uses = {other: uses * DECAY for other, uses in self._uses.items()}
        self._uses[key] = self._uses.get(key, 0.0) + 1.0
        block = self._volumes[key][1]
        return SharedArray(block.name, volume.data.dtype.str, volume.data.shape)

    def _share_labels(self, request: Request) -> tuple[Request, tuple[SharedLabels, ...]]:
        """The request without the label images that are shared, and those."""
        match request:
            case RegisterRequest(prior=Volume() as prior):
                return replace(request, prior=_without_voxels(prior)), ()
            case GroundRequest(query=query):
                unshared, shared = self._split(query.labels)
                channels = tuple(
                    replace(channel, volume=_without_voxels(channel.volume))
                    for channel in query.channels
                )
                query = replace(query, labels=unshared, channels=channels)
                return replace(request, query=query), shared
            case AskRequest(question=question):
                unshared, shared = self._split(question.labels)
                return replace(request, question=replace(question, labels=unshared)), shared
            case _:
                return request, ()

    def _split(
        self, labels: tuple[NamedLabels, ...]
    ) -> tuple[tuple[NamedLabels, ...], tuple[SharedLabels, ...]]:
        unshared, shared = [], []
        needed = {label_image.digest for label_image in labels}
        for label_image in labels:
            block = self._label_block(label_image, needed)
            if block is None:
                unshared.append(label_image)
                continue
            values = label_image.values
            array = SharedArray(block.name, values.dtype.str, values.shape)
            names = [field.name for field in fields(label_image) if field.name != "values"]
            other = {name: getattr(label_image, name) for name in names}
            shared.append(SharedLabels(array, label_image.digest, other))
        return tuple(unshared), tuple(shared)

    def _label_block(self, labels: NamedLabels, needed: set[str]) -> SharedMemory | None:
        """The block of a label image; `None` if there is no space for it."""
        if labels.digest not in self._labels:
            unneeded = [digest for digest in self._labels if digest not in needed]
            while unneeded and len(self._labels) >= MAX_LABELS:
                free(self._labels.pop(unneeded.pop(0)))
            if labels.values.nbytes > free_bytes():
                return None
            self._labels[labels.digest] = new_block(labels.values)
        self._labels.move_to_end(labels.digest)
        return self._labels[labels.digest]


class SharedVolumeReader:
    """The worker's side: volumes and label images in the blocks of the caller, read-only."""

    def __init__(self) -> None:
        self._volumes: dict[str, Volume] = {}
        self._arrays: dict[str, NDArray[Any]] = {}

    def request(self, run: RunJob) -> Request:
        """The request with voxels and label images; the same arrays for the same blocks."""
        self._volumes = {name: v for name, v in self._volumes.items() if name in run.blocks}
        self._arrays = {name: a for name, a in self._arrays.items() if name in run.blocks}
        request = replace(run.request, volume=self._volume(run.request.volume, run.volume))
        labels = tuple(self._named_labels(shared) for shared in run.labels)
        match request:
            case RegisterRequest(prior=Volume() as prior) if run.prior is not None:
                return replace(request, prior=replace(prior, data=self._array(run.prior)))
            case GroundRequest(query=query):
                channels = tuple(
                    replace(channel, volume=self._volume(channel.volume, shared))
                    for channel, shared in zip(query.channels, run.channels, strict=True)
                )
                labels = (*labels, *query.labels)
                return replace(request, query=replace(query, labels=labels, channels=channels))
            case AskRequest(question=question):
                question = replace(question, labels=(*labels, *question.labels))
                return replace(request, question=question)
            case _:
                return request

    def _volume(self, without_voxels: Volume, shared: SharedArray) -> Volume:
        """The volume with its voxels; the same object for the same block."""
        if shared.block not in self._volumes:
            data = self._array(shared)
            self._volumes[shared.block] = replace(without_voxels, data=data)
        return self._volumes[shared.block]

    def _named_labels(self, shared: SharedLabels) -> NamedLabels:
        labels = NamedLabels(values=self._array(shared.values), **shared.other_fields)
        labels.__dict__["digest"] = shared.digest  # spares hashing the values once more
        return labels

    def _array(self, shared: SharedArray) -> NDArray[Any]:
        if shared.block not in self._arrays:
            self._arrays[shared.block] = np.asarray(Attached(shared))
        return self._arrays[shared.block]


def _channels_of(request: Request) -> tuple[Volume, ...]:
    if not isinstance(request, GroundRequest):
        return ()
    return tuple(channel.volume for channel in request.query.channels)


def _without_voxels(volume: Volume) -> Volume:
    """What a worker needs of a volume besides its voxels."""
    return Volume(
        NO_VOXELS, volume.affine, volume.modality, volume.name, volume.source, volume.window,
        suv=volume.suv, stated_unit=volume.stated_unit,
    )  # fmt: skip
