"""Unusual properties of an image, shown before a model is asked about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_medvlm.checks.image_quality import Thresholds, indicators, quality_note
from napari_medvlm.data.check_result import Outcome
from napari_medvlm.widgets.checks.rows import COLORS, SIGNS
from napari_medvlm.widgets.parts.wrapped_label import WrappedLabel
from napari_medvlm.widgets.runtime.notify import guarded
from napari_medvlm.widgets.runtime.threads import in_background

if TYPE_CHECKING:
    from napari_medvlm.data.volume import Volume


class QualityNote(WrappedLabel):
    """A note under the choice of the image; hidden where nothing stands out. It blocks nothing."""

    def __init__(self) -> None:
        super().__init__(color=COLORS[Outcome.FLAGGED])
        self._volume: Volume | None = None
        self.setToolTip(
            "For information only. Thresholds are set in quality.yaml (see the manual)."
        )
        self.show_text("")

    def look_at(self, volume: Volume | None) -> None:
        """Look at an image, in the background; `None`: there is none any more."""
        self._volume = volume
        if volume is None:
            self.show_text("")
            return
        in_background(
            lambda: (volume, quality_note(indicators(volume, Thresholds.load()))),
            guarded(lambda result: self._on_note(*result)),
        )

    def _on_note(self, volume: Volume, note: str) -> None:
        if volume is self._volume:
            self.show_text(f"{SIGNS[Outcome.FLAGGED]} {note}" if note else "")
