"""Words that identify a patient, and whether they may be written into files of this program."""

from __future__ import annotations

import os
import re
import traceback

VARIABLE = "NAPARI_MEDVLM_PATIENT_NAMES"
"""Set to 1, sessions and logs may name patients: by the names of folders and of series."""

SHORTEST = 3
"""Words with fewer letters identify nobody: titles, initials."""


def may_name_patients() -> bool:
    """Whether the user turned that on."""
    return os.environ.get(VARIABLE) == "1"


def words_of(*values: str) -> frozenset[str]:
    """The words of a patient's names and IDs, in small letters, and the values as a whole."""
    words = {word for value in values for word in (value, *re.split(r"[\W_]+", value))}
    return frozenset(word.casefold() for word in words if len(word) >= SHORTEST)


def names_somebody(text: str, words: frozenset[str]) -> bool:
    """Whether a text has one of the words in it: short ones as a word, longer ones anywhere."""
    if may_name_patients():
        return False
    folded = text.casefold()
    parts = set(re.split(r"[\W_]+", folded))
    return any(word in parts or (len(word) > SHORTEST and word in folded) for word in words)


def for_log(error: BaseException) -> str:
    """An error for the log: its kind and where it arose; what it says may name files and folders.

    That stands there too if the user allowed it.
    """
    if may_name_patients():
        return "".join(traceback.format_exception(error))
    return type(error).__name__ + "\n" + "".join(traceback.format_tb(error.__traceback__))
