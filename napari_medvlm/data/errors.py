"""The one family of errors that a user can meet: what happened, and what to do about it."""

from __future__ import annotations

from typing import Final

from napari_medvlm.data.text import shown_text

DAMAGED: Final = (
    OSError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError,
)  # fmt: skip
"""What reading a damaged or foreign file raises, by its syntax, members, types and sizes."""

LONGEST = 1000
"""Characters of the longest message."""


class MedVLMError(Exception):
    """What happened, in one sentence with the numbers, and a hint that says what to do.

    Both may quote files and servers, see `shown_text`.

    Attributes
    ----------
    message
        One sentence: what happened.
    hint
        One sentence: the remedy. Never empty in errors that this package raises.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        self.message = shown_text(message, LONGEST)
        self.hint = shown_text(hint, LONGEST)
        super().__init__(self.message, self.hint)

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class InvalidImage(MedVLMError):
    """The image cannot be read, or cannot be worked on."""


class IrregularSlices(InvalidImage):
    """Slices are missing or unevenly spaced: `Gaps` says what can be done about it."""


class SeveralVolumes(InvalidImage):
    """A file or series has several volumes and none is chosen.

    Attributes
    ----------
    choices
        Their descriptions, in their order: the volume at an index is read with ``frame=index``.
    """

    def __init__(self, message: str, hint: str, choices: tuple[str, ...]) -> None:
        super().__init__(message, hint)
        self.choices = choices

    def __reduce__(self) -> tuple[type[SeveralVolumes], tuple[str, str, tuple[str, ...]]]:
        return type(self), (self.message, self.hint, self.choices)


class InvalidPrompt(MedVLMError):
    """A prompt lies outside the image, is empty or has no size."""


class InvalidReference(MedVLMError):
    """The reference boxes cannot be read, or do not fit the image."""


class PromptNotSupported(MedVLMError):
    """The backend does not take this kind of prompt."""


class GeometryMismatch(MedVLMError):
    """Two things that must share a voxel grid do not."""


class ObjectLocked(MedVLMError):
    """The object is locked, so it cannot be changed."""


class SessionFileError(MedVLMError):
    """A session file is damaged, of another version or of another image."""


class CaseListError(MedVLMError):
    """A list of cases cannot be read, is in use, or has no such case."""


class CannotSave(MedVLMError):
    """A file could not be written; nothing that was there before is lost."""


class SettingsError(MedVLMError):
    """A file of settings cannot be read, or says something that it may not say."""


class BackendUnavailable(MedVLMError):
    """The backend is unknown, or what it needs is not installed."""


class ArchiveError(MedVLMError):
    """A PACS or a folder tree did not give, or did not take, what was asked of it."""


class CannotDownload(MedVLMError):
    """A model could not be downloaded; files of it that are whole are kept."""


class OutOfMemory(MedVLMError):
    """The memory did not suffice; the worker lives and the prompts are kept."""


class BackendFailed(MedVLMError):
    """The backend raised an error of its own; the worker lives and the prompts are kept."""


class Cancelled(MedVLMError):
    """The user, or a newer request, stopped this one."""

    def __init__(self, message: str = "Cancelled.", hint: str = "") -> None:
        super().__init__(message, hint)


class WorkerCrashed(MedVLMError):
    """The worker process ended in the middle of a request.

    Attributes
    ----------
    exit_code
        The exit status of the process; negative: ended by that signal.
    """

    def __init__(self, message: str, hint: str = "", exit_code: int | None = None) -> None:
        super().__init__(message, hint)
        self.exit_code = exit_code

    def __reduce__(self) -> tuple[type[WorkerCrashed], tuple[str, str, int | None]]:
        return type(self), (self.message, self.hint, self.exit_code)


class WorkerHung(WorkerCrashed):
    """The worker did not answer to a cancel in time and was ended."""
