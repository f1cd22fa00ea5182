"""What findings look like, in plain words, for models that locate better what is described.

AG-KD and K2Sight ask for "{phrase} means {definition}": the definition says shape, density and
place of the finding. Packaged descriptions can be replaced and added to by a file of the user's
own. It knows no model.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import AliasChoices, Field

from napari_medvlm.data.errors import SettingsError
from napari_medvlm.language.normalize import words_of
from napari_medvlm.language.yaml_tables import HERE, YamlTable, read


@dataclass(frozen=True, slots=True)
class Description:
    """What a finding looks like.

    Attributes
    ----------
    finding
        Its name.
    shape
        What it is and its outline, without an article: "round spot up to 3 cm wide".
    density
        How bright it is compared with its surroundings; may be empty.
    location
        Where it lies; may be empty.
    source
        Where the description is from.
    """

    finding: str
    shape: str
    density: str
    location: str
    source: str

    @property
    def text(self) -> str:
        """All in one phrase: "a round spot up to 3 cm wide, brighter than lung, in the lung"."""
        article = "an" if self.shape[0].lower() in "aeiou" else "a"
        return f"{article} {', '.join(filter(None, (self.shape, self.density, self.location)))}"


class _Entry(YamlTable):
    also: list[str] = []
    shape: str = Field(min_length=1)
    density: str = ""
    location: str = Field("", validation_alias=AliasChoices("location", "place"))
    """``place`` in files of 0.1."""
    source: str = "general radiology knowledge"


class _Sheet(YamlTable):
    findings: dict[str, _Entry] = {}


class Knowledge:
    """Descriptions of findings, found by the phrases that speak of them.

    Parameters
    ----------
    forms
        Each description under the words that a phrase must have for it.
    """

    def __init__(self, forms: Mapping[frozenset[str], Description]) -> None:
        self._forms = sorted(forms.items(), key=lambda item: (-len(item[0]), sorted(item[0])))

    @classmethod
    def load(cls, path: Path | None = None, user_file: Path | None = None) -> Knowledge:
        """The descriptions of `path`, or those that come with the package, under the user's own.

        Parameters
        ----------
        path
            A file in place of the packaged one.
        user_file
            A file whose descriptions go before the others. It need not exist. A finding that it
            describes again is still found by the other words that it had.

        Raises
        ------
        SettingsError
            A file cannot be read; the line is named.
        """
        packaged = read(path or HERE / "knowledge.yaml", _Sheet).findings
        own = read(user_file, _Sheet).findings if user_file and user_file.exists() else {}
        own_forms = _forms(own)
        forms = {
            words: own_forms.get(_word_set(known.finding), known)
            for words, known in _forms(packaged).items()
        }
        return cls({**forms, **own_forms})

    def describe(self, phrase: str) -> Description | None:
        """The description of what the phrase speaks of: that with the most of the phrase's words.

        Case, number, order, sides and other words of the phrase do not matter. None if no finding
        that is described has all its words in the phrase.
        """
        words = _word_set(phrase)
        return next((known for form, known in self._forms if form <= words), None)

    def expand(self, phrase: str, template: str) -> str:
        """The template with the phrase and its definition; the phrase alone if it has none.

        Parameters
        ----------
        template
            A text with ``{phrase}`` and ``{definition}``, such as
            "Locate the phrases in the caption: {phrase} means {definition}."

        Raises
        ------
        SettingsError
            The template has another name in braces.
        """
        unknown = set(re.findall(r"\{(.*?)\}", template)) - {"phrase", "definition"}
        if unknown:
            raise SettingsError(
                f"The template asks for {{{min(unknown)}}}, which is not known.",
                "Write {phrase} and {definition} where they are to stand.",
            )
        description = self.describe(phrase)
        if description is None:
            return phrase
        parts = {"{phrase}": phrase, "{definition}": description.text}
        return re.sub(r"\{(?:phrase|definition)\}", lambda match: parts[match.group()], template)


def _forms(findings: Mapping[str, _Entry]) -> dict[frozenset[str], Description]:
    forms = {
        _word_set(text): _described(name, entry)
        for name, entry in findings.items()
        for text in (*entry.also, name)
    }
    forms.pop(frozenset(), None)
    return forms


def _described(name: str, entry: _Entry) -> Description:
    return Description(name, entry.shape, entry.density, entry.location, entry.source)


def _word_set(text: str) -> frozenset[str]:
    words = words_of(text)
    return words.words | words.numbers
