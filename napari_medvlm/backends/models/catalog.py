"""The catalogue of model families: how to prompt them and parse their answers, one row each."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from napari_medvlm.backends.vlm.reasoning import THINKING
from napari_medvlm.data.errors import BackendUnavailable

Text = Annotated[str, Field(min_length=1)]
Revision = Annotated[str, Field(pattern=r"^([0-9a-f]{40})?$")]
_PLACEHOLDER = re.compile(r"\{(?:phrase|definition)\}")
REPORT_PLACEHOLDERS = ("{image}", "{context}")
PIXEL_PLACEHOLDERS = ("{width}", "{height}")
NOT_KNOWN = "N/A"
"""What stands in a report's prompt where nothing is known of the patient."""
ANY = "*"
"""As the only kind of a row: it is for any model."""

HUB_PARTS = 2
"""Parts of a hub id: owner and name."""


class Row(BaseModel):
    """Prompting and parsing of a model family.

    Parameters
    ----------
    title
        For people.
    backend
        The backend that runs it.
    kinds
        The ``model_type`` that their config.json may name.
    names
        Patterns of the hub id or of the end of the folder's path, in lower case, with ``*`` for
        anything; none: all models of those kinds.
    served
        Likewise of what servers call them, where that differs from `names`.
    grammar
        For models that write: a name in `box_formats.GRAMMARS`; empty: they write no boxes. For
        detectors: ``"sentence"``, all phrases in one text in lower case, or ``"list"``.
    prompt
        The whole text that is sent to locate a phrase, as the authors' code has it, with
        ``{phrase}`` for the phrase, or what is sent in its place, and ``{image}`` for the image,
        which otherwise comes first; empty: they are not asked to.
    described
        Likewise for a phrase with a description of the finding, ``{definition}``; empty: the
        authors give no such sentence, and descriptions are not sent.
    only_report
        The whole text that is sent for a report, with ``{image}``, and ``{context}`` for what is
        known of the patient; models with one answer no other question.
    region
        The text before the coordinates of regions in a question.
    pixel_size
        The text after a question of the pixels of an image as the model sees it, with
        ``{width}`` and ``{height}`` in millimetres; empty: nothing.
    longest
        Tokens that an answer to `prompt` may have; 0: as the backend has it.
    example
        The id on the hub of the published checkpoint that the row was written for.
    revision
        Commit of that checkpoint that its files were listed at, or that other public code loads;
        empty: not pinned.
    format_source
        Where the prompt and the form of the boxes were read.
    run_with_weights
        When the row was run with published weights by the project; empty: never, see `Verify`.
    code_licence, weights_licence
        As their authors state them.
    square
        The side in pixels of a black square that the image is fitted into, and centred in, before
        the model's own processor sees it; 0: it is shown as it is.
    center_crop
        Whether their processor shows them the middle square of an image only.
    full_range
        Whether their processor makes an image grey and stretches its values to 0 to 255.
    notes
        What the user must know.
    answers
        Whether they answer questions.
    system
        What their authors begin a conversation with.
    thinking
        What opens and what closes their thoughts, beyond what is usual.
    max_images
        How many images they were made for at most; 0: as many as their context holds.
    asked_by
        Of models with their own code, the method by which they are asked: ``generate`` and
        ``chat`` return text, ``predict_forward`` text and masks; empty: the first of
        `model_code.methods.METHODS` that they have.
    numbering
        How several images are named, with ``{number}`` from 1, as their authors do it; empty: they
        do not.
    windows
        The intensities, lowest and highest in HU, that CT is shown to them with as red, green and
        blue; none: as to the user.
    memory_mib
        What the example needs in half precision, without the images; 0: not known.
    tools
        How they call tools: as functions of a server's interface, in plain text, or not at all.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: Text
    backend: Literal["detector", "florence", "sam3", "vlm"]
    kinds: Annotated[tuple[Text, ...], Field(min_length=1)]
    names: tuple[Text, ...] = ()
    served: tuple[Text, ...] = ()
    grammar: str = ""
    prompt: str = ""
    described: str = ""
    only_report: str = ""
    region: str = "Places in the pictures:"
    pixel_size: str = ""
    longest: Annotated[int, Field(ge=0)] = 0
    example: Text
    revision: Revision = ""
    format_source: Text
    run_with_weights: str = ""
    code_licence: Text
    weights_licence: Text
    square: Annotated[int, Field(ge=0)] = 0
    center_crop: bool = False
    full_range: bool = False
    notes: str = ""
    answers: bool = False
    system: str = ""
    thinking: tuple[tuple[Text, Text], ...] = ()
    max_images: Annotated[int, Field(ge=0)] = 0
    asked_by: Literal["generate", "chat", "predict_forward", ""] = ""
    numbering: str = "Image {number}"
    windows: tuple[tuple[float, float], ...] = ()
    memory_mib: Annotated[int, Field(ge=0)] = 0
    tools: Literal["functions", "text", ""] = ""

    @model_validator(mode="after")
    def _has_placeholders(self) -> Row:
        if self.prompt and "{phrase}" not in self.prompt:
            raise ValueError("the prompt must have {phrase} in it")
        if self.described and not all(n in self.described for n in ("{phrase}", "{definition}")):
            raise ValueError("the described prompt must have {phrase} and {definition} in it")
        if self.numbering and self.numbering.count("{number}") != 1:
            raise ValueError("the numbering must have {number} in it once")
        if max(self.prompt.count("{image}"), self.described.count("{image}")) > 1:
            raise ValueError("a prompt may have {image} in it once")
        if self.pixel_size and any(self.pixel_size.count(n) != 1 for n in PIXEL_PLACEHOLDERS):
            raise ValueError("a sentence of pixels must have {width} and {height} in it once")
        if self.only_report and any(self.only_report.count(n) != 1 for n in REPORT_PLACEHOLDERS):
            raise ValueError("the prompt of a report must have {image} and {context} in it once")
        return self

    def numbered(self, number: int) -> str:
        """The name of an image by its number from 1."""
        return (self.numbering or "Image {number}").replace("{number}", str(number))

    def parts(self, phrase: str, definition: str = "") -> tuple[str, str]:
        """The texts before and after the image for a phrase, or for one with its definition.

        Other braces, as of JSON, stay as they are. A definition is left out where the row has no
        sentence for it.
        """
        template = self.described if definition and self.described else self.prompt
        values = {"{phrase}": phrase, "{definition}": definition}
        before, image, after = template.partition("{image}")
        texts = (before, after) if image else ("", before)
        filled = [_PLACEHOLDER.sub(lambda match: values[match.group()], text) for text in texts]
        return filled[0], filled[1]

    def filled(self, phrase: str, definition: str = "") -> str:
        """The texts of `parts` in one, with ``<image>`` between them."""
        return "<image>".join(filter(None, self.parts(phrase, definition)))

    def report_parts(self, context: str) -> tuple[str, str]:
        """The texts of `only_report` before and after the image."""
        before, _, after = self.only_report.partition("{image}")
        known = context.strip() or NOT_KNOWN
        return before.replace("{context}", known), after.replace("{context}", known)

    def fits(self, model: str, kind: str) -> bool:
        """Return whether the row applies to a hub id or folder and a model type.

        Three parts of a folder's path count, because the library stores downloads in
        ``models--owner--name/snapshots/version``.
        """
        name = "/".join(model.replace("\\", "/").rstrip("/").lower().split("/")[-3:])
        named = not self.names or any(fnmatchcase(name, pattern) for pattern in self.names)
        return named and (kind in self.kinds or self.kinds == (ANY,))

    @property
    def tools_unsupported_reason(self) -> str:
        """Reason why these models cannot call tools; empty if they can."""
        return "" if self.tools else f"{self.title}: these models do not support tool calls."

    @property
    def markers(self) -> tuple[tuple[str, str], ...]:
        """The markers around the reasoning."""
        return (*THINKING, *self.thinking)


@cache
def rows() -> tuple[Row, ...]:
    """All rows; the first that fits a model holds."""
    text = files("napari_medvlm.backends.models").joinpath("catalog.toml").read_text("utf-8")
    return tuple(Row.model_validate(row) for row in tomllib.loads(text)["model"])


def row_for(backend: str, model: str, kind: str, base: Sequence[str] = ()) -> Row:
    """The row of a model, by its hub id or folder and the ``model_type`` in its config.json.

    Parameters
    ----------
    base
        Further names that a row may fit: of an adapter, those of its base model.

    Raises
    ------
    BackendUnavailable
        If nothing is.
    """
    own = [row for row in rows() if row.backend == backend and row.prompt]
    for row in own:
        if any(row.fits(name, kind) for name in (model, *base)):
            return row
    others = sorted({row.backend for row in rows() if kind in row.kinds} - {backend})
    remedy = f"Choose one of: {', '.join(row.title for row in own)}."
    if others:
        remedy = f"Run it with the backend {' or '.join(others)}: --backend {others[0]}."
    raise BackendUnavailable(
        f"It is not known how the {kind} model {model} is asked, and how it writes boxes.", remedy
    )


def answering_row(model: str, kind: str, base: Sequence[str] = ()) -> Row:
    """The row for questions to a model, by its names and its type, as `row_for`; always defined."""
    names = (model, *base)
    return next(
        row for row in rows() if row.answers and any(row.fits(name, kind) for name in names)
    )


def served_row(model: str) -> Row:
    """The row for questions to a model, by its name on a server; always defined."""
    name = model.lower()
    return next(
        row
        for row in rows()
        if row.answers
        and (row.kinds == (ANY,) or any(fnmatchcase(name, p) for p in (*row.names, *row.served)))
    )


def name_of(model: str) -> str:
    """The name of a model for people, by its hub id or folder: the hub id or the folder's name."""
    parts = model.replace("\\", "/").rstrip("/").split("/")
    cached = [part for part in parts if part.startswith("models--")]
    if cached:
        return cached[-1].removeprefix("models--").replace("--", "/")
    return model if len(parts) <= HUB_PARTS and not model.startswith("/") else parts[-1]
