"""SAM-Med3D: a mask in a cube of 128 voxels of 1.5 mm, click by click."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.backends.automatic.monai_io import fill, state_of
from napari_medvlm.backends.base import Backend, BackendInfo, ObjectPrompts, Progress
from napari_medvlm.backends.memory.fallback import Fallback, MemoryFallbacks
from napari_medvlm.backends.models.transformers_loader import torch_device
from napari_medvlm.backends.sam.roi import SIDE, Lattice, covered, normalised
from napari_medvlm.data.errors import BackendUnavailable
from napari_medvlm.data.geometry.display import Reslice
from napari_medvlm.data.geometry.grid import Grid, Index, index_corners, round_index
from napari_medvlm.data.mask import Mask
from napari_medvlm.data.prompts import InitialMask, Point
from napari_medvlm.data.volume import Volume

LOW = SIDE // 4
"""Side of the mask that is fed back."""
MAX_CACHED = 4
"""Of how many cubes the embeddings are kept."""


@dataclass(eq=False)
class _State:
    """State after the previous steps.

    Parameters
    ----------
    full
        ``(z, y, x)`` bool on the volume: the mask.
    seen
        ``(n, 3)`` indices of the lattice that the object holds.
    start
        Where the cube begins; `None`: nowhere yet.
    low
        The last answer, logits ``(z, y, x)`` of the cube at a quarter of its resolution.
    """

    full: NDArray[np.bool_]
    seen: NDArray[np.float64]
    start: Index | None = None
    low: NDArray[np.float32] | None = None


class SAMMed3DBackend(Backend):
    """Segment from points and the previous mask in a cube around the points.

    Each prediction sees the points that are new since the one before and the mask that it gave, as
    the model was trained; the steps of `ObjectPrompts` are taken again in a replay. Beyond the cube
    the mask stays what earlier steps made of it.
    """

    info = BackendInfo(
        name="sammed3d",
        title="SAM-Med3D",
        code_licence="Apache-2.0",
        prompts=frozenset({Point, InitialMask}),
        weights_licence="Apache-2.0",
        modules=("torch", "medim"),
        memory_mib=4000,
    )

    def load(self, model: str | None, device: str) -> None:
        """Take the weights of a checkpoint as its authors save it.

        Raises
        ------
        BackendUnavailable
            If there are none, or they are for another network.
        """
        if not model:
            raise BackendUnavailable(
                "SAM-Med3D needs its weights.",
                "Name the file, sam_med3d_turbo.pth of blueyo0/SAM-Med3D.",
            )
        path = Path(model).expanduser()
        self._device = torch_device(device)
        state = state_of(path, "SAM-Med3D")
        network = _network(_sizes(state, path))
        fill(network, state, path)
        self._network = network.to(self._device).eval()
        self._embeddings: OrderedDict[Index, Any] = OrderedDict()
        self._half = False
        self._ladder = self._new_ladder(self._device)

    def set_volume(self, volume: Volume) -> None:
        """Take the volume."""
        self._ladder.renew()
        self._volume = volume
        self._lattice = Lattice(volume.grid)
        self._embeddings.clear()

    def segment(self, prompts: ObjectPrompts, progress: Progress) -> Mask:
        """The mask after all steps; empty while no point lies in the object."""
        mask, notes = self._ladder.tried(lambda: self._masked(prompts, progress), progress)
        return replace(mask, notes=notes)

    def _new_ladder(self, usual: Any) -> MemoryFallbacks:
        """The fallbacks for too little memory, mildest first."""

        def work(device: Any, half: bool) -> None:
            self._device, self._half = self._network.to(device).device, half

        rungs = []
        if usual.type != "cpu":
            rungs.append(Fallback("in half precision", lambda: work(usual, half=True)))
            rungs.append(Fallback("on the CPU", lambda: work("cpu", half=False)))
        return MemoryFallbacks(
            self.info.title, str(usual), rungs,
            free=self._embeddings.clear, usual=lambda: work(usual, half=False),
        )  # fmt: skip

    def _masked(self, prompts: ObjectPrompts, progress: Progress) -> Mask:
        progress(0.0, "reading the prompts")
        at = max((k for k, p in enumerate(prompts) if isinstance(p, InitialMask)), default=-1)
        state = self._started(prompts[at] if at >= 0 else None)
        ends = [end for end in (prompts.steps or (len(prompts),)) if end > at + 1]
        for k, (begin, end) in enumerate(zip([at + 1, *ends], ends, strict=False)):
            progress(k / len(ends), f"step {k + 1} of {len(ends)}")
            points = [p for p in prompts[begin:end] if isinstance(p, Point)]
            self._step(state, points, progress)
        progress(1.0, "done")
        return Mask.of(state.full)

    def _started(self, first: object) -> _State:
        """Nothing, or the mask to start from."""
        if not isinstance(first, InitialMask):
            return _State(np.zeros(self._volume.shape, bool), np.zeros((0, 3)))
        mask = first.mask(self._volume.grid)
        corners = self._volume.grid.to_world(index_corners(mask.start, mask.stop))
        return _State(mask.full(), self._lattice.index(corners))

    def _step(self, state: _State, points: Sequence[Point], progress: Progress) -> None:
        """One prediction from new points and the mask so far."""
        positions = {True: np.zeros((0, 3)), False: np.zeros((0, 3))}
        for positive in positions:
            sign_points = [p.position_mm for p in points if p.positive == positive]
            positions[positive] = self._lattice.index(np.reshape(sign_points, (-1, 3)))
        state.seen = np.concatenate([state.seen, positions[True]])
        if not points or not len(state.seen):
            return
        newest = positions[True] if len(positions[True]) else positions[False]
        start = self._lattice.placed(state.seen, newest, state.start)
        cube = self._lattice.cube(start)
        prompt = self._prompt(points, cube)
        if prompt is None:
            return
        before = self._fed_back(state, start, cube)
        state.low = self._decoded(self._embedding(start, cube, progress), before, prompt)
        state.start = start
        self._put(state, cube)

    def _prompt(self, points: Sequence[Point], cube: Grid) -> tuple[Any, Any] | None:
        """Points in the cube ``(1, n, 3)`` as voxels (x, y, z), and 1 or 0 for each ``(1, n)``."""
        import torch

        index = round_index(cube.to_index([p.position_mm for p in points]))
        inside = cube.contains(index)
        if not inside.any():
            return None
        labels = np.array([int(p.positive) for p in points])[inside]
        xyz = torch.from_numpy(np.ascontiguousarray(index[inside][:, ::-1])).float()
        return xyz[None].to(self._device), torch.from_numpy(labels)[None].to(self._device)

    def _fed_back(self, state: _State, start: Index, cube: Grid) -> NDArray[np.float32]:
        """The mask so far on the cube's coarse voxels ``(z, y, x)``.

        Logits of the last answer, led over if the cube has moved; else the mask as 0 and 1.
        """
        if state.low is not None and state.start is not None:
            if state.start == start:
                return state.low
            old = _coarse(self._lattice.cube(state.start))
            return np.asarray(Reslice(state.low, old, _coarse(cube), order=1))
        mask = state.full.view(np.uint8)
        coarse = Reslice(mask, self._volume.grid, _coarse(cube), order=0)
        return np.asarray(coarse).astype(np.float32)

    def _embedding(self, start: Index, cube: Grid, progress: Progress) -> Any:
        """The encoder's embedding of a cube, computed once."""
        import torch

        if start not in self._embeddings:
            progress(0.1, "encoding the image")
            data = self._volume.intensity().astype(np.float32)
            image = normalised(np.asarray(Reslice(data, self._volume.grid, cube, 1, outside=0)))
            seen = torch.from_numpy(np.ascontiguousarray(image.T))[None, None]
            half = torch.autocast(self._device.type, torch.float16, enabled=self._half)
            with torch.no_grad(), half:
                embedding = self._network.image_encoder(seen.to(self._device))
            self._embeddings[start] = embedding.float()
            while len(self._embeddings) > MAX_CACHED:
                self._embeddings.popitem(last=False)
        self._embeddings.move_to_end(start)
        return self._embeddings[start]

    def _decoded(
        self, embedding: Any, before: NDArray[np.float32], points: tuple[Any, Any]
    ) -> NDArray[np.float32]:
        """Logits ``(z, y, x)`` of the cube at a quarter of its resolution."""
        import torch

        fed = torch.from_numpy(np.ascontiguousarray(before.T))[None, None].to(self._device)
        encoder = self._network.prompt_encoder
        with torch.no_grad():
            sparse, dense = encoder(points=list(points), boxes=None, masks=fed)
            low, _ = self._network.mask_decoder(
                image_embeddings=embedding,
                image_pe=encoder.get_dense_pe(),
                sparse_prompt_embeddings=sparse,
                dense_prompt_embeddings=dense,
                multimask_output=False,
            )
        logits: NDArray[np.float32] = low[0, 0].float().cpu().numpy().T
        return logits

    def _put(self, state: _State, cube: Grid) -> None:
        """Take the last answer for the mask wherever the cube is."""
        import torch
        from torch.nn.functional import interpolate

        low = torch.from_numpy(np.ascontiguousarray(state.low))[None, None]
        high = interpolate(low, size=(SIDE,) * 3, mode="trilinear", align_corners=False)
        inside = (torch.sigmoid(high) > 0.5)[0, 0].numpy().view(np.uint8)
        box = covered(cube, self._volume.grid)
        state.full[box] = Reslice(inside, cube, self._volume.grid, order=0)[box] > 0


def _coarse(cube: Grid) -> Grid:
    """The cube in voxels four times as large."""
    affine = np.array(cube.affine)
    affine[:3, 3] += affine[:3, :3] @ np.full(3, 1.5)
    affine[:3, :3] *= 4
    return Grid((LOW, LOW, LOW), affine)


def _sizes(state: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """Width and depth of the network of a checkpoint."""
    try:
        width, _, patch, _, _ = state["image_encoder.patch_embed.proj.weight"].shape
        side = state["image_encoder.pos_embed"].shape[1]
        tables = [v for k, v in sorted(state.items(), key=_block) if k.endswith("rel_pos_d")]
        heads = width // tables[0].shape[1]
        embed = state["image_encoder.neck.0.weight"].shape[0]
    except (KeyError, IndexError, ValueError) as error:
        raise BackendUnavailable(
            f"The weights in {path} are not those of SAM-Med3D.",
            "Choose sam_med3d_turbo.pth, or a checkpoint of the authors' training.",
        ) from error
    return {
        "encoder_embed_dim": width,
        "encoder_depth": len(tables),
        "encoder_num_heads": heads,
        "encoder_global_attn_indexes": [
            k for k, table in enumerate(tables) if len(table) == 2 * side - 1
        ],
        "prompt_embed_dim": embed,
        "image_size": side * patch,
        "vit_patch_size": patch,
    }


def _block(item: tuple[str, Any]) -> int:
    number = item[0].removeprefix("image_encoder.blocks.").partition(".")[0]
    return int(number) if number.isdigit() else -1


def _network(sizes: Mapping[str, Any]) -> Any:
    from medim.models.sam_med3d import build_sam3D_vit_b_ori

    return build_sam3D_vit_b_ori(pretrained=False, **sizes)
