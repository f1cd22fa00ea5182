"""A list of cases to work through: what each has come to, and which comes next.

Values only: `case_files` finds cases and stores the list on disk.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from enum import StrEnum
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from napari_medvlm.data.errors import CaseListError
from napari_medvlm.settings.paths import exists

VERSION = 1


class Status(StrEnum):
    """What a case has come to."""

    NEW = "new"
    IN_WORK = "in work"
    DONE = "done"
    REJECTED = "rejected"


class MaskFormat(StrEnum):
    """How masks of cases that are done are written."""

    NIFTI = "NIfTI"
    SEG = "DICOM SEG"

    @property
    def suffix(self) -> str:
        """The ending of the file."""
        return ".nii.gz" if self is MaskFormat.NIFTI else ".dcm"


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Case(_Value):
    """A series to work on, and what it has come to.

    Attributes
    ----------
    name
        For people; also what its files are called. Unique in its list, large and small letters
        alike; never the patient's name.
    path
        The file or folder that it is read from; empty if a PACS has it.
    series
        Which series of the folder or the PACS: its SeriesInstanceUID, or another word for it that
        `read_volume` takes. Empty: the only one.
    study, server
        StudyInstanceUID and address, if a PACS has it.
    reason
        Why it was rejected.
    seconds
        How long it was worked on.
    results
        The files that were written of it.
    """

    name: str = Field(min_length=1)
    path: str = ""
    series: str = ""
    study: str = ""
    server: str = ""
    status: Status = Status.NEW
    reason: str = ""
    seconds: float = Field(default=0.0, ge=0.0, allow_inf_nan=False)
    results: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[str, ...]:
        """Where it is: two cases of the same place are the same case."""
        return self.server, self.study, self.path, self.series

    @property
    def is_missing(self) -> bool:
        """Whether its file or folder is not where it was."""
        return not self.server and not exists(self.path)


class CaseList(_Value):
    """Cases in the order in which they are worked on. Every change is a new list.

    Attributes
    ----------
    title
        For people: where the cases come from.
    current
        The name of the case that was opened last; empty: none.
    folder, format
        Where results are written, and how masks are; empty: nowhere yet.
    """

    version: int = VERSION
    title: str
    cases: tuple[Case, ...] = ()
    current: str = ""
    folder: str = ""
    format: MaskFormat = MaskFormat.NIFTI

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.version != VERSION:
            raise ValueError(f"the version is {self.version}, not {VERSION}")
        if len({case.name.casefold() for case in self.cases}) != len(self.cases):
            raise ValueError("two cases have the same name")
        return self

    def __getitem__(self, name: str) -> Case:
        for case in self.cases:
            if case.name == name:
                return case
        raise CaseListError(f"There is no case {name!r} in the list.", "Open the list again.")

    @property
    def counts(self) -> Mapping[Status, int]:
        """How many cases have each status."""
        counts = Counter(case.status for case in self.cases)
        return {status: counts[status] for status in Status}

    @property
    def progress(self) -> str:
        """How far the work is, in words."""
        done, rejected = self.counts[Status.DONE], self.counts[Status.REJECTED]
        aside = f", {rejected} rejected" if rejected else ""
        return f"{done} of {len(self.cases)} done{aside}"

    @property
    def in_work(self) -> Case | None:
        """The case to go on with: the one opened last if it is still in work, else any such."""
        working = [case for case in self.cases if case.status is Status.IN_WORK]
        return next((c for c in working if c.name == self.current), next(iter(working), None))

    def neighbour(self, step: int, wanted: Collection[Status] = tuple(Status)) -> Case | None:
        """The next case (``step`` 1) or the previous one (-1) of those wanted; `None` at the end.

        Before any case was opened, the first or the last one.
        """
        names = [case.name for case in self.cases]
        at = names.index(self.current) if self.current in names else -1
        if at < 0:
            order = self.cases if step > 0 else self.cases[::-1]
        else:
            order = self.cases[at + 1 :] if step > 0 else self.cases[:at][::-1]
        return next((case for case in order if case.status in wanted), None)

    def opened(self, name: str) -> CaseList:
        """The list after a case was opened: a new one is in work from now on."""
        new = self[name].status is Status.NEW
        changed = self._with(name, status=Status.IN_WORK) if new else self
        return changed.model_copy(update={"current": name})

    def done(self, name: str, results: Iterable[str]) -> CaseList:
        """The list after the results of a case were written."""
        return self._with(name, status=Status.DONE, reason="", results=tuple(results))

    def rejected(self, name: str, reason: str) -> CaseList:
        """The list after a case was rejected; what was written of it stays.

        Raises
        ------
        CaseListError
            If there is no reason.
        """
        if not reason.strip():
            raise CaseListError("A case is rejected for a reason.", "Write one, in a few words.")
        return self._with(name, status=Status.REJECTED, reason=reason.strip())

    def spent(self, name: str, seconds: float) -> CaseList:
        """The list after a case was worked on for some more time."""
        return self._with(name, seconds=self[name].seconds + max(seconds, 0.0))

    def writing_to(self, folder: str, masks: MaskFormat) -> CaseList:
        """The list with another place or format for results."""
        return self.model_copy(update={"folder": folder, "format": masks})

    def joined(self, others: Iterable[Case]) -> CaseList:
        """The list with the cases that it did not have, at its end, under names of their own."""
        cases = list(self.cases)
        places = {case.key for case in cases}
        taken = {case.name.casefold() for case in cases}
        for case in others:
            if case.key not in places:
                name = free_name(case.name, taken)
                places.add(case.key)
                taken.add(name.casefold())
                cases.append(case.model_copy(update={"name": name}))
        return self.model_copy(update={"cases": tuple(cases)})

    def _with(self, name: str, **values: Any) -> CaseList:
        changed = self[name].model_copy(update=values)
        cases = tuple(changed if case.name == name else case for case in self.cases)
        return self.model_copy(update={"cases": cases})


def free_name(name: str, taken: Collection[str]) -> str:
    """A name as files may have it, with a number behind it if another case has it already.

    Parameters
    ----------
    taken
        Other names, in small letters.
    """
    clean = "".join(c if c.isalnum() or c in "-_." else "_" for c in name).strip("._")[:80]
    stem, number = clean or "case", 1
    name = stem
    while name.casefold() in taken:
        number += 1
        name = f"{stem}_{number}"
    return name


class Stopwatch:
    """Counts time only while it runs.

    Attributes
    ----------
    seconds
        What was counted up to the last call of `run`.
    """

    def __init__(self) -> None:
        self._since: float | None = None
        self.seconds = 0.0

    def run(self, running: bool, now_s: float) -> None:
        """Run or stop from a moment on."""
        if self._since is not None:
            self.seconds += max(now_s - self._since, 0.0)
        self._since = now_s if running else None

    def take(self) -> float:
        """The seconds counted, which are counted from 0 again."""
        seconds, self.seconds = self.seconds, 0.0
        return seconds
