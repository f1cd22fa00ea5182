"""Models are downloaded from a small hub as from the real one."""

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import pytest

from napari_medvlm.backends.models.download import WANTED, fetch, is_hub_id, megabytes, offer
from napari_medvlm.data.errors import Cancelled, CannotDownload
from tests.backends.models.tiny_hub import BAD, GOOD, WEIGHTS, Hub, point_to, serving, used


@pytest.fixture
def hub(monkeypatch, tmp_path):
    with used(Hub(), monkeypatch, tmp_path / "cache" / "hub") as hub:
        yield hub


def ignored(fraction, message=""):
    """A progress that nobody looks at."""


def names(folder):
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}


def test_an_offer_counts_what_would_be_fetched_and_states_the_licence(hub):
    output = offer("lab/tiny")
    assert (output.model, output.licence, output.gated) == ("lab/tiny", "apache-2.0", False)
    assert (output.files, output.bytes) == (len(GOOD), sum(map(len, GOOD.values())))
    assert output.size == "6.3 MB"
    assert output.url.endswith("/lab/tiny")
    assert len(hub.asked) == 1, "one question is enough"


@pytest.mark.parametrize(
    ("card", "licence"),
    [
        ({}, "not stated"),
        ({"license": "mit"}, "mit"),
        ({"license": "other"}, "other"),
        (
            {"license": "other", "license_name": "own", "license_link": "https://l.org"},
            "own, https://l.org",
        ),
        ({"license": ["mit", "cc-by-4.0"]}, "mit, cc-by-4.0"),
        ({"license": "mit\x1b[2J"}, "mit[2J"),
    ],
)
def test_the_licence_is_that_of_the_card(hub, card, licence):
    hub.add("lab/other", GOOD, **card)
    assert offer("lab/other").licence == licence


def test_what_is_fetched_is_equal_and_holds_no_code(hub):
    seen = []
    folder = fetch("lab/tiny", lambda fraction, message="": seen.append((fraction, message)))
    assert names(folder) == set(GOOD)
    assert {name: (folder / name).read_bytes() for name in GOOD} == GOOD
    assert not [line for line in hub.asked if any(name in line for name in BAD)]
    assert not [line for line in hub.asked if "xet" in line], "that way could not be cancelled"
    fractions = [fraction for fraction, _ in seen]
    assert fractions == sorted(fractions)
    assert (fractions[0], fractions[-1]) == (0, 1)
    assert len({f for f in fractions if 0 < f < 1}) >= 5
    assert any(message.endswith(" of 6.3 MB") for _, message in seen)


def test_the_library_takes_it_for_whole_without_asking_again(hub):
    from huggingface_hub import snapshot_download

    folder = fetch("lab/tiny", ignored)
    count = len(hub.asked)
    assert Path(snapshot_download("lab/tiny", local_files_only=True, **WANTED)) == folder
    assert len(hub.asked) == count
    assert (offer("lab/tiny").files, offer("lab/tiny").bytes) == (0, 0)
    assert fetch("lab/tiny", ignored) == folder
    assert not [line for line in hub.asked[count:] if line.startswith("GET /lab")]


def test_cancel_stops_in_the_middle_and_a_second_try_completes(hub, tmp_path):
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    hub.release.clear()
    calls = []

    def impatient(fraction, message=""):
        calls.append(fraction)
        if fraction > 0.3:
            raise Cancelled

    with pytest.raises(Cancelled):
        fetch("lab/tiny", impatient)
    assert 0.3 < calls[-1] < 0.6
    assert sum(fraction > 0.3 for fraction in calls) == 1, "it is asked no more once it said no"
    left = [p for p in tmp_path.rglob("*") if p.is_file()]
    assert not [p for p in left if p.name.endswith(".incomplete") or p.stat().st_size > 1 << 20]
    with pytest.raises(LocalEntryNotFoundError):
        snapshot_download("lab/tiny", local_files_only=True, **WANTED)
    hub.release.set()
    folder = fetch("lab/tiny", ignored)
    assert (folder / "model.safetensors").read_bytes() == WEIGHTS


def test_terms_are_accepted_first(hub):
    hub.add("lab/gated", GOOD, gated=True, license="gemma")
    assert offer("lab/gated").gated
    with pytest.raises(CannotDownload, match=r"terms of lab/gated.*/lab/gated.*hf auth login"):
        fetch("lab/gated", ignored)


@pytest.mark.parametrize("ask", [offer, lambda model: fetch(model, ignored)])
def test_a_failed_download_is_reported_with_the_remedy(hub, ask, monkeypatch):
    hub.add("lab/pickles", {"config.json": b"{}", **BAD})
    with pytest.raises(CannotDownload, match=r"no weights in safetensors among its 4 files"):
        ask("lab/pickles")
    with pytest.raises(CannotDownload, match=r"has no model lab/nothing.*hf auth login"):
        ask("lab/nothing")
    with pytest.raises(CannotDownload, match=r"'a/b/c' is not the id.*owner/name"):
        ask("a/b/c")
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{closed.getsockname()[1]}"
    point_to(address, monkeypatch)
    with pytest.raises(CannotDownload, match=rf"cannot be reached at {address}.*Check the network"):
        ask("lab/tiny")


def test_a_hub_that_is_ill_is_reported_with_its_answer(hub, monkeypatch):
    monkeypatch.setattr(hub, "answer", lambda path: (500, {}, b""))
    with pytest.raises(CannotDownload, match="returned status 500"):
        offer("lab/tiny")


def test_a_full_disk_is_reported_before_anything_is_fetched(hub, monkeypatch, tmp_path):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage(10**9, 10**9 - 10**6, 10**6))
    with pytest.raises(CannotDownload, match=r"needs 6\.3 MB, .* has 1\.0 MB.*HF_HOME"):
        fetch("lab/tiny", ignored)
    assert not list(tmp_path.rglob("*"))


def test_a_folder_that_cannot_be_written_is_reported(hub, tmp_path):
    (tmp_path / "cache").write_text("in the way")
    with pytest.raises(CannotDownload, match="could not be written"):
        fetch("lab/tiny", ignored)


def test_an_id_is_reported_from_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert is_hub_id("google/owlv2-base")
    assert not any(map(is_hub_id, ["", "owlv2", "/tmp/model", "~/x", "a/b/c", "a/", "../x"]))
    (tmp_path / "google" / "owlv2-base").mkdir(parents=True)
    assert not is_hub_id("google/owlv2-base")


def test_sizes_are_reported_in_words():
    assert megabytes(6_291_500) == "6.3 MB"
    assert megabytes(1_444_000_000) == "1.44 GB"


COMMAND = "from napari_medvlm.cli import app; app()"


@pytest.fixture
def shell(tmp_path):
    """A hub, and how to start the command in a fresh interpreter whose environment names it."""
    hub = Hub()

    def start(*arguments):
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        command = [sys.executable, "-c", COMMAND, "models", "download", *arguments]
        return subprocess.Popen(command, env=environment, text=True, **pipes)

    with serving(hub) as address:
        environment = {**os.environ, "HF_ENDPOINT": address, "HF_HOME": str(tmp_path)}
        yield hub, start


def test_the_command_asks_first(shell, tmp_path):
    hub, start = shell
    with start("lab/tiny") as refused:
        output, _ = refused.communicate("n\n")
    assert refused.returncode == 1
    assert "licence: apache-2.0" in output
    assert len(hub.asked) == 1
    assert not list(tmp_path.rglob("*.safetensors"))
    with start("lab/tiny", "--yes") as done:
        output, _ = done.communicate()
    assert done.returncode == 0
    folder = Path(output.splitlines()[-1])
    assert folder.is_relative_to(tmp_path)
    assert names(folder) == set(GOOD)


def test_the_command_is_stopped_by_ctrl_c(shell, tmp_path):
    hub, start = shell
    hub.release.clear()
    with start("lab/tiny", "--yes") as stopped:
        assert hub.half_sent.wait(120)
        stopped.send_signal(signal.SIGINT)
        hub.release.set()
        _, errors = stopped.communicate()
    assert stopped.returncode == 1
    assert "Cancelled." in errors
    assert "Traceback" not in errors
    assert not list(tmp_path.rglob("*.safetensors"))
    assert not list(tmp_path.rglob("*.incomplete"))


def test_the_command_states_errors_in_a_sentence(shell):
    _, start = shell
    with start("lab/nothing", "--yes") as done:
        _, errors = done.communicate()
    assert done.returncode == 1
    assert "has no model lab/nothing" in errors
    assert "Traceback" not in errors
