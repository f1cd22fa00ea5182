"""An environment is made with venv and pip, from a folder of packages, and named in the file."""

import zipfile

import pytest

from napari_medvlm import __version__
from napari_medvlm.backends import registry
from napari_medvlm.data.errors import BackendUnavailable, Cancelled, SettingsError
from napari_medvlm.worker.environments import Environments
from napari_medvlm.worker.install import folder_for, install, name


def wheel(folder, version=__version__, host=""):
    """A small package of our name, as pip takes it."""
    info = f"napari_medvlm-{version}.dist-info"
    texts = {
        "napari_medvlm/__init__.py": f"__version__ = {__version__!r}\n",
        "napari_medvlm/worker/__init__.py": "",
        "napari_medvlm/worker/host.py": host,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: napari-medvlm\nVersion: {version}\n"
        "Provides-Extra: vlm\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    texts[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in texts)
    folder.mkdir(exist_ok=True)
    with zipfile.ZipFile(folder / f"napari_medvlm-{version}-py3-none-any.whl", "w") as archive:
        for path, text in texts.items():
            archive.writestr(path, text)


@pytest.fixture
def packages(tmp_path, monkeypatch):
    """Where pip looks instead of the network."""
    folder = tmp_path / "packages"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.delenv("PYTHONPATH", raising=False)
    monkeypatch.chdir(tmp_path)  # where no other package of our name lies
    return folder


def test_a_backend_runs_in_its_own_environment_afterwards(packages, home):
    wheel(packages)
    (home / "environments.yaml").write_text("# mine\nsimilarity: /opt/clip\nvlm: /old\n")
    lines = []
    folder = install("vlm", lines.append, lambda: False)
    assert folder == home / "environments" / "vlm"
    assert any("Successfully installed napari-medvlm" in line for line in lines)
    text = (home / "environments.yaml").read_text()
    assert text.startswith("# mine\nsimilarity: /opt/clip\n")
    assert "/old" not in text
    environments = Environments.load()
    assert environments.python_of("vlm").startswith(str(folder))
    environments.check("vlm")


def test_what_does_not_work_is_not_named_and_nothing_stays(packages, home):
    wheel(packages, host="import no_such_library")
    with pytest.raises(SettingsError, match="No module named 'no_such_library'"):
        install("vlm", lambda line: None, lambda: False)
    assert not folder_for("vlm").exists()
    assert not (home / "environments.yaml").exists()


def test_a_package_that_is_not_found_is_reported_with_pips_last_line(packages, home):
    lines = []
    with pytest.raises(BackendUnavailable, match="failed: ERROR: No matching distribution"):
        install("vlm", lines.append, lambda: False)
    assert len(lines) > 1
    assert not folder_for("vlm").exists()


def test_a_cancel_ends_it_at_once_and_leaves_nothing(packages, home):
    asked = []

    def soon():
        asked.append(1)
        return len(asked) > 3

    with pytest.raises(Cancelled):
        install("vlm", lambda line: None, soon)
    assert len(asked) == 4
    assert not folder_for("vlm").exists()


def test_a_file_that_cannot_be_read_stops_it_before_anything_is_made(home):
    (home / "environments.yaml").write_text("vlm: [")
    with pytest.raises(SettingsError, match="not YAML"):
        install("vlm", lambda line: None, lambda: False)
    assert not folder_for("vlm").exists()


def test_backends_of_one_extra_share_an_environment_if_they_cannot_run_here(
    packages, home, monkeypatch
):
    wheel(packages)
    lacking = {"vlm", "florence", "similarity"}
    monkeypatch.setattr(registry, "missing", lambda n: ("torch",) if n in lacking else ())
    install("vlm", lambda line: None, lambda: False)
    assert set(Environments.load().entries) == {"vlm", "florence"}


def test_another_packages_backend_is_not_installed_by_a_guess():
    with pytest.raises(BackendUnavailable, match="requirements of where are unknown"):
        folder_for("where")


def test_names_are_written_so_that_they_are_read_back(home, tmp_path):
    folder = tmp_path / 'a "b" # c: d'
    name(["vlm", "florence"], folder)
    name(["vlm"], tmp_path / "other")
    entries = {n: e.text for n, e in Environments.load().entries.items()}
    assert entries == {"florence": str(folder), "vlm": str(tmp_path / "other")}
