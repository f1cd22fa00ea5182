"""Which regions are shown: minimum score, overlap, and the threshold of heatmaps."""

from __future__ import annotations

from qtpy.QtCore import Qt, QTimer, Signal
from qtpy.QtWidgets import QFormLayout, QVBoxLayout, QWidget
from superqt import QLabeledDoubleSlider

from napari_medvlm.data.colors import color_of
from napari_medvlm.data.grounding import NotFound
from napari_medvlm.data.region import Region
from napari_medvlm.layers.region_boxes import DisplayedRegion
from napari_medvlm.sessions.ground.located import Located
from napari_medvlm.sessions.ground.session import GroundingSession
from napari_medvlm.widgets.ground.heatmap_threshold import HeatmapThreshold
from napari_medvlm.widgets.ground.overlap_limit import OverlapLimit
from napari_medvlm.widgets.parts.plain_text import PlainLabel

FILTER_MS = 80
"""How long the sliders must rest before regions are filtered."""
MOST = 100
"""Most regions that are shown, of all phrases."""
COMPARED = 2000
"""Most regions of a phrase whose overlaps are computed."""


class RegionFilters(QWidget):
    """The filters, and the regions that pass them.

    Attributes
    ----------
    changed
        A filter changed.
    """

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._keys: dict[int, tuple[int, Region]] = {}
        self.threshold = QLabeledDoubleSlider(Qt.Orientation.Horizontal)
        self.threshold.setRange(0, 1)
        self.threshold.setToolTip("Show only regions with at least this score.")
        self.overlap = OverlapLimit()
        self.heatmap_threshold = HeatmapThreshold()
        self.left_out = PlainLabel(f"Only the {MOST} regions with the highest scores are shown.")
        self.left_out.setWordWrap(True)
        self.left_out.hide()
        least = QFormLayout()
        least.addRow("Minimum score", self.threshold)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(least)
        layout.addWidget(self.overlap)
        layout.addWidget(self.heatmap_threshold)
        layout.addWidget(self.left_out)
        self._due = QTimer(self)
        self._due.setSingleShot(True)
        self._due.setInterval(FILTER_MS)
        self._due.timeout.connect(self.changed)
        self.threshold.valueChanged.connect(lambda _: self._due.start())
        self.overlap.changed.connect(lambda: self._due.start())
        self.heatmap_threshold.changed.connect(lambda: self._due.start())

    @property
    def is_due(self) -> bool:
        """Whether a filter changed and `changed` is not emitted yet."""
        return self._due.isActive()

    def passed(self, session: GroundingSession) -> tuple[list[DisplayedRegion], list[NotFound]]:
        """The regions that pass with their numbers, and the phrases without any.

        Filters that have no effect on the regions are hidden. Of more than `MOST` regions those
        with the highest scores are shown.
        """
        passed: list[tuple[int, Region]] = []
        missing: list[NotFound] = []
        grid, has_heatmap, several, cut = session.volume.grid, False, False, False
        answers = list(session.located.values())
        for index, (phrase, located) in enumerate(session.located.items()):
            regions = located.grounding.of(phrase)
            above = [r for r in regions if _score(r) >= self.threshold.value()]
            several = several or len(above) > 1
            first = above if len(above) <= MOST else sorted(above, key=_score)[: -COMPARED - 1 : -1]
            distinct = self.overlap.distinct(first, grid, MOST)
            cut = cut or len(first) < len(above) or len(distinct) == MOST < len(first)
            passed += [(index, region) for region in distinct]
            has_heatmap = has_heatmap or any(r.heatmap is not None for r in regions)
            missing += located.grounding.not_found
            if regions and not above:
                best = max(_score(r) for r in regions)
                missing.append(NotFound(phrase, "Score below the minimum.", best))
        self.heatmap_threshold.setVisible(has_heatmap)
        self.overlap.setVisible(several)
        shown = _best(passed)
        self.left_out.setVisible(cut or len(shown) < len(passed))
        return [self._displayed(index, region, answers[index]) for index, region in shown], missing

    def _displayed(self, index: int, region: Region, located: Located) -> DisplayedRegion:
        masked = self.heatmap_threshold.masked(region, located.request.volume.grid)
        return DisplayedRegion(self._key(region), masked, color_of(index + 1), located.backend)

    def _key(self, region: Region) -> int:
        """The region's number: the same as long as it is there."""
        return self._keys.setdefault(id(region), (len(self._keys), region))[0]


def _best(passed: list[tuple[int, Region]]) -> list[tuple[int, Region]]:
    """The `MOST` pairs of a phrase's number and a region with the highest scores, in order."""
    if len(passed) <= MOST:
        return passed
    rows = sorted(range(len(passed)), key=lambda row: -_score(passed[row][1]))[:MOST]
    return [passed[row] for row in sorted(rows)]


def _score(region: Region) -> float:
    return 1.0 if region.score is None else region.score
