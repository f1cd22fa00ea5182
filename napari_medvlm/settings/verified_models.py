"""Runs of models on a known input, with the files that they have on this computer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from napari_medvlm.settings.files import read_setting, write_setting
from napari_medvlm.settings.paths import home

UNTESTED = "untested with published weights"


class VerifiedRun(BaseModel):
    """A run of a model on a known input.

    Attributes
    ----------
    model
        Name of the model.
    date
        Day of the run, ISO 8601.
    passed
        Whether every task of the backend that the model can do gave a valid result.
    result
        The result in a sentence, or why there is none.
    versions
        Of the package and the libraries that ran it.
    device
        As torch names it.
    bytes
        Size of the model's files when it ran; another size now means another model.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    model: str
    date: str
    passed: bool
    result: str
    versions: dict[str, str] = {}
    device: str = "cpu"
    bytes: int = 0

    @property
    def summary(self) -> str:
        """Outcome, date, versions and result in one sentence."""
        versions = ", ".join(f"{name} {version}" for name, version in self.versions.items())
        outcome = "ran" if self.passed else "failed"
        return f"{outcome} on {self.date} ({versions}; {self.device}): {self.result}"


def verified_run(model: str, size: int) -> VerifiedRun | None:
    """The last run of a model; `None` if there is none with files of that size in bytes."""
    run = _read(_entries().get(model))
    return run if run is not None and run.bytes == size else None


def verification_status(model: str, size: int) -> str:
    """What is known of a model with its files here, for people: `UNTESTED`, or its last run."""
    run = verified_run(model, size)
    return UNTESTED if run is None else run.summary


def record(run: VerifiedRun) -> None:
    """Write a run in place of the earlier one of that model.

    Raises
    ------
    SettingsError
        If the settings cannot be written.
    """
    write_setting(_file(), _entries() | {run.model: run.model_dump(mode="json")})


def _read(entry: Any) -> VerifiedRun | None:
    try:
        return VerifiedRun.model_validate(entry)
    except ValidationError:
        return None


def _entries() -> dict[str, Any]:
    entries = read_setting(_file())
    return entries if isinstance(entries, dict) else {}


def _file() -> Path:
    return home() / "verified_models.json"
