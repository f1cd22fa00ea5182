"""The models that are known by name: those of ``models.toml`` and the examples of the catalogue."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files

from pydantic import BaseModel, ConfigDict

from napari_medvlm.backends.models import catalog
from napari_medvlm.backends.models.catalog import Revision
from napari_medvlm.backends.models.download import ID, is_hub_id

FREE = ("apache-2.0", "mit", "bsd-3-clause", "cc-by-4.0", "cc0-1.0")
NOT_COMMERCIAL = ("-nc", "research only", "noncommercial", "non-commercial")
FREE_WORDS = "free for any use"
NOT_COMMERCIAL_WORDS = "not for commercial use"
OWN_WORDS = "terms of its own"
PAGE_WORDS = "see its page"


class Known(BaseModel):
    """A model, wherever it is.

    Parameters
    ----------
    title
        For people.
    backend
        The backend that loads it.
    source
        Its id on the hub, or the page where its weights are.
    code_licence, weights_licence
        As their authors state them.
    memory_mib
        What it needs besides the image; 0: not known.
    notes
        What the user must know.
    revision
        Commit of the checkpoint that its files were listed at, or that other public code loads;
        empty: not pinned.
    format_source
        Where the format of its files, inputs and outputs was read.
    run_with_weights
        When it was run with published weights by the project; empty: never, see `Verify`.
    bundled
        Its file in this package; empty: it is not part of it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str
    backend: str
    source: str
    code_licence: str
    weights_licence: str
    memory_mib: int = 0
    notes: str = ""
    revision: Revision = ""
    format_source: str = ""
    run_with_weights: str = ""
    bundled: str = ""

    @property
    def on_hub(self) -> bool:
        """Whether it can be downloaded by its id."""
        return ID.fullmatch(self.source) is not None

    @property
    def name(self) -> str:
        """Name of the model: its hub id, or else its title."""
        return self.source if self.on_hub else self.title


@cache
def known() -> tuple[Known, ...]:
    """All models that are known; a model that two backends run is there twice."""
    text = files("napari_medvlm.backends.models").joinpath("published.toml").read_text("utf-8")
    own = [Known.model_validate(row) for row in tomllib.loads(text)["model"]]
    asked = [
        Known(
            title=row.title,
            backend=row.backend,
            source=row.example,
            code_licence=row.code_licence,
            weights_licence=row.weights_licence,
            memory_mib=row.memory_mib,
            notes=row.notes,
            revision=row.revision,
            format_source=row.format_source,
            run_with_weights=row.run_with_weights,
        )
        for row in catalog.rows()
        if is_hub_id(row.example)
    ]
    return (*own, *asked)


def in_words(licence: str) -> str:
    """Describe in plain words what a licence allows."""
    text = licence.lower()
    if any(part in text for part in NOT_COMMERCIAL):
        return NOT_COMMERCIAL_WORDS
    if not text or "see " in text or text.startswith(("not ", "that of", "as of")):
        return PAGE_WORDS
    return FREE_WORDS if text.split(" ")[0].strip(",;") in FREE else OWN_WORDS
