"""What is known of models by their kind: how to ask them, and how they answer; a row each."""

from __future__ import annotations

import tomllib
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from napari_medvlm.errors import BackendUnavailable

Text = Annotated[str, Field(min_length=1)]


class Row(BaseModel):
    """How a kind of model is asked, and how its answer is read.

    Parameters
    ----------
    title
        For people.
    backend
        The backend that runs it.
    match
        Which models: patterns of the hub id or of the end of the folder's path, in lower case, with
        ``*`` for anything; or the ``model_type`` in config.json.
    grammar
        For models that write: a name in `box_formats.GRAMMARS`. For detectors: ``"sentence"``,
        all phrases in one text in lower case, or ``"list"``.
    prompt
        What is sent, with ``{phrase}`` where the phrase, or what is sent in its place, belongs.
    example
        The id on the hub of one of them.
    code_licence, weights_licence
        As their authors state them.
    square
        The side in pixels of a black square that the picture is fitted into, and centred in, before
        the model's own processor sees it; 0: it is shown as it is.
    notes
        What a person must know.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: Text
    backend: Literal["detector", "florence", "vlm"]
    match: Annotated[tuple[Text, ...], Field(min_length=1)]
    grammar: Text
    prompt: Text
    example: Text
    code_licence: Text
    weights_licence: Text
    square: Annotated[int, Field(ge=0)] = 0
    notes: str = ""

    @field_validator("prompt")
    @classmethod
    def _has_one_place(cls, prompt: str) -> str:
        if prompt.count("{phrase}") != 1:
            raise ValueError("the prompt must have {phrase} in it, once")
        return prompt

    def filled(self, phrase: str) -> str:
        """The prompt for a phrase. Other braces, as of JSON, stay as they are."""
        return self.prompt.replace("{phrase}", phrase)

    def fits(self, model: str) -> bool:
        """Whether one of the patterns is that of a hub id, or of the end of a folder's path.

        Three parts of the path count, because the library keeps what it downloaded in
        ``models--owner--name/snapshots/version``.
        """
        name = "/".join(model.replace("\\", "/").rstrip("/").lower().split("/")[-3:])
        return any(fnmatchcase(name, pattern) for pattern in self.match)


@cache
def rows() -> tuple[Row, ...]:
    """All rows; the first that fits a model is the one that holds."""
    text = files("napari_medvlm.backends").joinpath("catalog.toml").read_text("utf-8")
    return tuple(Row.model_validate(row) for row in tomllib.loads(text)["model"])


def row_for(backend: str, model: str, kind: str) -> Row:
    """What is known of a model, by its name, or else by the ``model_type`` in its configuration.

    Raises
    ------
    BackendUnavailable
        If nothing is.
    """
    own = [row for row in rows() if row.backend == backend]
    for row in own:
        if row.fits(model):
            return row
    for row in own:
        if kind in row.match:
            return row
    raise BackendUnavailable(
        f"It is not known how a {kind} model writes its boxes: {model} fits no row of the catalog.",
        f"Choose one of: {', '.join(row.title for row in own)}.",
    )
