"""The Python of each backend, from `environments.yaml` in the settings folder.

    vlm: /home/me/envs/vlm
    similarity: /home/me/envs/clip/bin/python
    unibiomed: /home/me/envs/unibiomed

The name is that of a backend, or of an added model, which goes before its backend.

A backend that the file does not name runs in the Python that runs this program. Nothing is
installed or built here: environments are made by whoever wants them, or by `installing`.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Annotated, BinaryIO

from pydantic import ConfigDict, Field

from napari_medvlm.backends import registry
from napari_medvlm.backends.models import local
from napari_medvlm.backends.models.files import Stamp, stamp
from napari_medvlm.backends.registry import EXTRAS
from napari_medvlm.data.errors import Cancelled, SettingsError
from napari_medvlm.language.yaml_tables import YamlTable, read
from napari_medvlm.settings.paths import home
from napari_medvlm.settings.shell import quoted
from napari_medvlm.worker.process import WINDOWS, variables

VERSION: str = sys.modules["napari_medvlm"].__version__
"""Of this package, whose top an inner module does not import: it names all the others."""
ANSWER_S = 60.0
"""How long an interpreter may take to print its version; network drives are slow at first."""
POLL_S = 0.02
PYTHON_PATHS = ("bin/python", "Scripts/python.exe", "python.exe")
"""Where the interpreter is in the folder of an environment."""
MARK = "medvlm: "
QUESTION = f"""
import sys
if sys.version_info < (3, 11):
    sys.exit("It is of version %d.%d; 3.11 or newer is needed." % sys.version_info[:2])
print("{MARK}python", flush=True)
import napari_medvlm
print("{MARK}" + napari_medvlm.__version__, flush=True)
import napari_medvlm.worker.host
print("{MARK}ready", flush=True)
"""
"""Its progress shows what is wrong."""


class _File(YamlTable):
    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Annotated[str, Field(min_length=1)]] = Field(init=False)


@dataclass(frozen=True)
class _Entry:
    line: int
    text: str


@dataclass(frozen=True)
class Environments:
    """The content of the file. Interpreters are checked only when used, so one error hides no
    other.

    Parameters
    ----------
    path
        The file; it need not be there.
    entries
        By the backend's name.
    """

    path: Path
    entries: Mapping[str, _Entry] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path | None = None) -> Environments:
        """Read the file; by default the one in the settings folder. An unchanged file is read once.

        Raises
        ------
        SettingsError
            If it is there and cannot be read, or does not give a text for each name.
        """
        path = home() / "environments.yaml" if path is None else path
        return _unchanged(path, stamp(path))

    @classmethod
    def _read(cls, path: Path) -> Environments:
        if not os.path.exists(path):
            return cls(path)
        try:
            pythons = read(path, _File).__pydantic_extra__
        except SettingsError as error:
            raise SettingsError(
                error.message,
                f"Correct {path}: each line is a backend's name, a colon, and the folder of an "
                "environment or its Python. Or remove the file.",
            ) from error
        lines = _lines(path)
        return cls(path, {name: _Entry(lines.get(name, 1), text) for name, text in pythons.items()})

    @classmethod
    def of(cls, backends: Iterable[str], folder: Path) -> Environments:
        """The content of a file with one folder for some backends."""
        entries = {name: _Entry(line, str(folder)) for line, name in enumerate(backends, 1)}
        return cls(home() / "environments.yaml", entries)

    def name_of(self, backend: str, model: str | None) -> str:
        """The entry for a request: that of its added model if there is one, else its backend."""
        return model if model in self.entries and model in local.added() else backend

    def python_of(self, backend: str) -> str:
        """The interpreter that a backend runs in; the one that runs this program if none is named.

        An added model of that name has an entry in the same way.

        Raises
        ------
        SettingsError
            If there is no such interpreter, or it is not executable.
        """
        if backend not in self.entries:
            return sys.executable
        # Links stay as they are: that of an environment is what makes it one.
        named = self.path.parent.absolute() / os.path.expanduser(self.entries[backend].text)
        folder = os.path.isdir(named)
        candidates = [named / path for path in PYTHON_PATHS] if folder else [named]
        python = next((path for path in candidates if os.path.isfile(path)), None)
        if python is None:
            lacks = f"{named} has neither {PYTHON_PATHS[0]} nor {PYTHON_PATHS[1]}"
            raise self._error(backend, lacks if folder else f"{named} does not exist")
        if not os.access(python, os.X_OK):
            raise self._error(backend, f"{python} is not executable")
        return str(python)

    def check(self, backend: str, unwanted: Callable[[], bool] = lambda: False) -> None:
        """Ask the interpreter of a backend whether this package works in it.

        It takes as long as that Python needs to start, so a window must not call it. A backend
        that the file does not name needs no asking.

        Parameters
        ----------
        unwanted
            Returns whether to stop.

        Raises
        ------
        SettingsError
            If it is no Python, or this package or what it requires is not there or is of another
            version.
        Cancelled
            If it was cancelled.
        """
        python = self.python_of(backend)
        if python == sys.executable:
            return
        try:
            answers, complaint = _ask(python, unwanted)
        except (OSError, TimeoutError) as error:
            raise self._error(backend, f"{python} cannot be used: {error}") from error
        install = f"Install it with: {install_command(python, backend)}"
        match answers:
            case []:
                raise self._error(backend, f"{python} is not a working Python. {complaint}")
            case [_]:
                problem = f"napari-medvlm cannot be imported by {python}: {complaint}"
                raise self._error(backend, problem, install)
            case [_, version, *_] if version != VERSION:
                problem = f"{python} has napari-medvlm {version}, but this is {VERSION}"
                raise self._error(backend, problem, install)
            case [_, _]:
                problem = f"napari-medvlm does not work in {python}: {complaint}"
                raise self._error(backend, problem, install)

    def _error(self, backend: str, problem: str, hint: str = "") -> SettingsError:
        line = f"Line {self.entries[backend].line} of {self.path.name}, {backend}"
        remedy = f"Correct {self.path}, or remove the line to run it in the viewer's Python."
        return SettingsError(f"{line}: {problem.strip(' .')}.", hint or remedy)


@lru_cache(maxsize=4)
def _unchanged(path: Path, stamp: Stamp) -> Environments:
    """The content of a file in one state of it."""
    return Environments._read(path)


def obstacle(backend: str) -> str | None:
    """Reason why a backend cannot be used, as far as known without starting a process.

    A module that is missing here is no obstacle to a backend that runs elsewhere.

    Raises
    ------
    BackendUnavailable
        If there is no backend of that name, or it cannot be imported.
    """
    missing = registry.missing(backend)
    try:
        environments = Environments.load()
    except SettingsError as error:
        return str(error) if missing else None  # else it can be used once the file is mended
    try:
        environments.python_of(backend)
    except SettingsError as error:
        return str(error)
    if missing and backend not in environments.entries:
        return (
            f"It {registry.needs_words(missing)} "
            f"Install it with: {install_command(sys.executable, backend)}"
            if backend in EXTRAS
            else f"It {registry.needs_words(missing)}"
        )
    return None


def _lines(path: Path) -> dict[str, int]:
    """The line, from 1, of each name."""
    import yaml

    node = yaml.compose(path.read_text("utf-8"), Loader=yaml.SafeLoader)
    return {key.value: key.start_mark.line + 1 for key, _ in node.value} if node else {}


def install_command(python: str, backend: str) -> str:
    """The pip command that installs this package with a backend's requirements into a Python."""
    return f'{quoted(python)} -m pip install "{requirement(backend)}"'


def requirement(backend: str) -> str:
    """The pip requirement of this package with a backend's extra."""
    extra = f"[{EXTRAS[backend]}]" if backend in EXTRAS else ""
    return f"napari-medvlm{extra}=={VERSION}"


def _ask(python: str, unwanted: Callable[[], bool]) -> tuple[list[str], str]:
    """The lines that the check script printed, and the last line of its error output.

    Files take the output: pipes could be held open by what the interpreter has started.
    """
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as complaint:
        process = subprocess.Popen(
            [python, "-c", QUESTION],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=complaint,
            env=variables(python),
            creationflags=WINDOWS,
        )
        try:
            _await(process, unwanted)
        finally:
            process.kill()
            process.wait()
        output_lines, complaints = _lines_of_file(output), _lines_of_file(complaint)
    answers = [line.removeprefix(MARK) for line in output_lines if line.startswith(MARK)]
    return answers, complaints[-1] if complaints else ""


def _await(process: subprocess.Popen[bytes], unwanted: Callable[[], bool]) -> None:
    deadline = time.monotonic() + ANSWER_S
    while process.poll() is None:
        if unwanted():
            raise Cancelled
        if time.monotonic() > deadline:
            raise TimeoutError(f"no answer within {ANSWER_S:g} s")
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(POLL_S)


def _lines_of_file(file: BinaryIO) -> list[str]:
    file.seek(0)
    return file.read().decode(errors="replace").strip().splitlines()
