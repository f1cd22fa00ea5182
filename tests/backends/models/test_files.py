"""The digest of a model's weights is one number, wherever it is written."""

import hashlib

from napari_medvlm.backends.models.files import weights_digest
from napari_medvlm.evaluation.runs import provenance
from napari_medvlm.sessions.export.masks import weights_of


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def test_a_session_export_and_an_evaluation_name_the_same_weights(home, tmp_path):
    folder = tmp_path / "model"
    (folder / "fold_0").mkdir(parents=True)
    (folder / ".cache").mkdir()
    (folder / "plans.json").write_bytes(b"{}")
    (folder / "fold_0" / "weights.pth").write_bytes(b"numbers")
    (folder / ".cache" / "download.lock").write_bytes(b"")
    expected = weights_digest(folder)
    assert weights_of(str(folder)) == provenance.weights_digest(str(folder)) == expected
    lines = f"fold_0/weights.pth {sha256(b'numbers')}\nplans.json {sha256(b'{}')}\n"
    assert expected == sha256(lines.encode())


def test_the_digest_of_a_file_is_its_sha256(home, tmp_path):
    (tmp_path / "weights.pth").write_bytes(b"numbers")
    path = str(tmp_path / "weights.pth")
    assert weights_of(path) == provenance.weights_digest(path) == sha256(b"numbers")
