"""Comparators in a region of interest: a box of 35 mm around the clicks, its border background.

- `RegionWalker`: the random walker (scikit-image).
- `Geodesic`: the nearest seed by a path whose cost rises with the edges (SimpleITK FastMarching).
- `GrowCut`: the cellular automaton of Vezhnevets and Konouchine (2005).
- `GraphCut`: a minimum cut with a Gaussian model of the object's and the border's intensities
  (Boykov and Jolly 2001), solved by SciPy on at most 20,000 voxels.
- `Before`: the regions of one tissue alone, which this package used for all clicks before.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import numpy as np

from benchmarks.methods import Method
from benchmarks.user import Click
from napari_medvlm.backends.embedded.proposals.windows import to_image, window
from napari_medvlm.backends.embedded.segmentation import refine
from napari_medvlm.backends.embedded.segmentation.pyramid import Level, Levels
from napari_medvlm.backends.embedded.segmentation.seeds import EmbeddedPrompts, Seed
from napari_medvlm.data.volume import Volume

SIDE_MM = 35.0


class Before(Method):
    name = "ours before"

    def __init__(self, volume: Volume) -> None:
        self._levels = Levels(volume)

    def segment(self, clicks: Sequence[Click]) -> np.ndarray:
        seeds = [Seed(np.array([c.zyx]), c.positive) for c in clicks]
        return refine.segment(self._levels, EmbeddedPrompts(seeds=seeds), None, lambda *_: None)


class _InRegion(Method):
    voxels = 40_000

    def __init__(self, volume: Volume) -> None:
        self._levels = Levels(volume)

    def segment(self, clicks: Sequence[Click]) -> np.ndarray:
        inside = np.array([c.zyx for c in clicks if c.positive])
        low, high = inside.min(0), inside.max(0) + 1
        level = window(self._levels, low, high, SIDE_MM / 2, self.voxels)
        labels = np.zeros(level.values.shape, np.int8)
        for axis in range(3):
            if labels.shape[axis] > 2:
                np.moveaxis(labels, axis, 0)[[0, -1]] = 2
        starts = np.array([s.start for s in level.box])
        stops = np.array([s.stop for s in level.box])
        for click in clicks:
            if (np.array(click.zyx) >= starts).all() and (np.array(click.zyx) < stops).all():
                at = level.index_of(np.array([click.zyx]))
                labels[tuple(at.T)] = 1 if click.positive else 2
        full = np.zeros(self._levels.shape, bool)
        full[level.box] = to_image(self._solved(level, labels), level)
        return full

    @abstractmethod
    def _solved(self, level: Level, labels: np.ndarray) -> np.ndarray: ...


class RegionWalker(_InRegion):
    name = "random walker"

    def _solved(self, level: Level, labels: np.ndarray) -> np.ndarray:
        from skimage.segmentation import random_walker

        spacing = np.array(level.spacing) / min(level.spacing)
        found = random_walker(level.values, labels.astype(int), mode="cg_j", tol=1e-3,
                              prob_tol=0.1, spacing=spacing)  # fmt: skip
        return found == 1


class Geodesic(_InRegion):
    name = "geodesic competition"

    def _solved(self, level: Level, labels: np.ndarray) -> np.ndarray:
        near, far = (self._times(level, np.argwhere(labels == k)) for k in (1, 2))
        return near < far

    def _times(self, level: Level, seeds: np.ndarray) -> np.ndarray:
        import SimpleITK as sitk

        slope = level.gradient / max(float(np.percentile(level.gradient, 90)), 1e-6)
        speed = sitk.GetImageFromArray((1 / (0.05 + slope)).astype(np.float64))
        speed.SetSpacing(level.spacing[::-1])
        march = sitk.FastMarchingImageFilter()
        march.SetTrialPoints([tuple(int(c) for c in p[::-1]) for p in seeds])
        return sitk.GetArrayFromImage(march.Execute(speed))


class GrowCut(_InRegion):
    name = "GrowCut"
    rounds = 60

    def _solved(self, level: Level, labels: np.ndarray) -> np.ndarray:
        strength = (labels > 0).astype(np.float32)
        values = level.values
        reach = max(float(np.ptp(values)), 1e-6)
        for _ in range(self.rounds):
            before = labels.copy()
            for axis in range(3):
                for step in (1, -1):
                    n = values.shape[axis]
                    to = tuple(slice(max(step, 0), n + min(step, 0)) if a == axis else slice(None)
                               for a in range(3))  # fmt: skip
                    of = tuple(slice(max(-step, 0), n + min(-step, 0)) if a == axis else slice(None)
                               for a in range(3))  # fmt: skip
                    attack = (1 - np.abs(values[to] - values[of]) / reach) * strength[of]
                    wins = attack > strength[to]
                    labels[to][wins] = labels[of][wins]
                    strength[to][wins] = attack[wins]
            if (labels == before).all():
                break
        return labels == 1


class GraphCut(_InRegion):
    name = "graph cut"
    voxels = 8_000

    def _solved(self, level: Level, labels: np.ndarray) -> np.ndarray:
        from scipy.sparse import coo_matrix
        from scipy.sparse.csgraph import breadth_first_order, maximum_flow

        values = level.values.ravel().astype(float)
        flat, n = labels.ravel(), values.size
        inside, outside = values[flat == 1], values[flat == 2]
        spread = max(float(outside.std()), 1e-3)
        costs = [(values - np.median(v)) ** 2 / (2 * spread**2) for v in (inside, outside)]
        index = np.arange(n).reshape(labels.shape)
        rows, columns, weights = [], [], []
        for axis in range(3):
            a = np.take(index, range(labels.shape[axis] - 1), axis).ravel()
            b = np.take(index, range(1, labels.shape[axis]), axis).ravel()
            w = 2 * np.exp(-((values[a] - values[b]) ** 2) / (2 * (0.3 * spread) ** 2))
            w = w * min(level.spacing) / level.spacing[axis]
            rows += [a, b]
            columns += [b, a]
            weights += [w, w]
        hard = 1000.0
        source = np.where(flat == 1, hard, np.where(flat == 2, 0, np.clip(costs[1], 0, 10)))
        sink = np.where(flat == 2, hard, np.where(flat == 1, 0, np.clip(costs[0], 0, 10)))
        every = np.arange(n)
        rows += [np.full(n, n), every]
        columns += [every, np.full(n, n + 1)]
        weights += [source, sink]
        weight = np.round(np.concatenate(weights) * 100).astype(np.int32)
        at = (np.concatenate(rows), np.concatenate(columns))
        graph = coo_matrix((weight, at), shape=(n + 2, n + 2)).tocsr()
        left = graph - maximum_flow(graph, n, n + 1).flow
        left.data = np.maximum(left.data, 0)
        left.eliminate_zeros()
        reached = breadth_first_order(left, n, return_predecessors=False)
        cut = np.zeros(n + 2, bool)
        cut[reached] = True
        return cut[:n].reshape(labels.shape)
