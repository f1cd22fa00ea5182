"""Backends whose models have a row in the catalogue."""

from __future__ import annotations

from abc import ABC
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

from napari_medvlm.backends.base import Progress
from napari_medvlm.backends.detection.base import SlicewiseBackend
from napari_medvlm.backends.models import transformers_loader
from napari_medvlm.backends.models.adapters import names_of
from napari_medvlm.backends.models.catalog import Row, row_for
from napari_medvlm.data.grounding import Grounding, GroundQuery


class CataloguedBackend(SlicewiseBackend, ABC):
    """A slicewise backend that runs models of the transformers library.

    Parameters
    ----------
    auto
        The library's class to load a model by.
    example
        The hub id of one, for users.
    processor
        The library's class to load its processor by.
    half
        Whether half precision will do on graphics cards.
    shared
        Whether its layers may lie on several graphics cards, and its weights be kept in few bits.
    """

    auto: ClassVar[str]
    example: ClassVar[str]
    processor: ClassVar[str] = "AutoProcessor"
    half: ClassVar[bool] = True
    shared: ClassVar[bool] = False

    _loaded: transformers_loader.Loaded
    _row: Row
    _progress: Progress | None = None
    _last_progress: tuple[float, str] = (0.0, "")

    def load(self, model: str | None, device: str) -> None:
        """Take the model of a folder, or of a hub id that was downloaded before."""
        folder = transformers_loader.model_folder(model, self.info.title, self.example)
        kind, (name, *base) = transformers_loader.kind_of(folder), names_of(str(model), folder)
        self._row = self.row_of(name, kind, base)
        self._loaded = transformers_loader.loaded(
            self.class_for(kind),
            folder,
            device,
            title=self.info.title,
            half=self.half,
            shared=self.shared,
            processor=self.processor,
        )

    def class_for(self, kind: str) -> str:
        """The library's class for models of a ``model_type``."""
        return self.auto

    def row_of(self, model: str, kind: str, base: Sequence[str] = ()) -> Row:
        """The catalogue row of a model; arguments and errors are those of `catalog.row_for`."""
        return row_for(self.info.name, model, kind, base)

    def ground(self, query: GroundQuery, progress: Progress) -> Grounding:
        """Search the slices of the scope, and merge regions of neighbouring slices."""
        self._progress = progress
        try:
            grounding = super().ground(query, self._report_progress)
        finally:
            self._progress = None
        note = (f"{self._row.title}: {self._row.notes}",) if self._row.notes else ()
        sent = {phrase: self.text_for(phrase, query) for phrase in query.phrases}
        precision = str(self._loaded.model.dtype).removeprefix("torch.")
        ran_on = f"{self._loaded.device}, {precision}"
        return replace(grounding, prompts=sent, notes=(*grounding.notes, *note), ran_on=ran_on)

    def text_for(self, phrase: str, query: GroundQuery) -> str:
        """The very text that is sent for a phrase; ``<image>`` marks an image within it."""
        return "<image>".join(filter(None, self.parts_for(phrase, query)))

    def parts_for(self, phrase: str, query: GroundQuery) -> tuple[str, str]:
        """The texts that are sent before and after the image for a phrase.

        Raises
        ------
        InvalidPrompt
            If the phrase or its description has control tokens of the model.
        """
        prompt, definition = query.prompt_of(phrase), query.descriptions.get(phrase, "")
        self._loaded.refuse_control(prompt)
        self._loaded.refuse_control(definition)
        return self._row.parts(prompt, definition)

    def tick(self, *_: Any) -> bool:
        """Repeat the last progress, which may raise `Cancelled`. Always returns False.

        The library takes it as a stopping criterion, which it asks at each token.
        """
        if self._progress is not None:
            self._progress(*self._last_progress)
        return False

    def _report_progress(self, fraction: float, message: str = "") -> None:
        self._last_progress = fraction, message
        if self._progress is not None:
            self._progress(fraction, message)
