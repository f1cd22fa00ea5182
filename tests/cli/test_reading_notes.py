"""What was assumed in reading an image is in the JSON of every command, once."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

import napari_medvlm as nmv
from napari_medvlm.cli import app
from napari_medvlm.data.geometry.pairing import Pairing, PairingKind
from tests.corpus.dicom_frame_rows import FRAMES
from tests.corpus.dicom_place_rows import PLACES
from tests.corpus.dicom_series_rows import SERIES
from tests.corpus.dicom_value_rows import VALUES
from tests.corpus.enhanced_rows import ENHANCED
from tests.corpus.itk_rows import OTHERS
from tests.corpus.metaimage_rows import METAIMAGE
from tests.corpus.nifti_kind_rows import KINDS as NIFTI_KINDS
from tests.corpus.nifti_rows import NIFTI
from tests.corpus.picture_rows import PICTURES
from tests.corpus.raster_rows import RASTERS
from tests.corpus.rows import Image

KINDS = {
    "spacing": (OTHERS, "io19-nrrd-no-size"),
    "sides": (NIFTI, "io11-no-codes"),
    "unit": (VALUES, "io07-suv-bsa"),
    "position": (PICTURES, "io16-thumbnail-first"),
    "time": (FRAMES, "io33-us-cine"),
}
READERS = (
    *(FRAMES, PLACES, SERIES, VALUES, ENHANCED, OTHERS, METAIMAGE),
    *(NIFTI, NIFTI_KINDS, PICTURES, RASTERS),
)
IDENTITY = Pairing(PairingKind.IDENTITY, np.eye(4), notes=("The bodies do not overlap.",))


def builder(rows, prefix):
    return next(build for name, build in rows.builders.items() if name.startswith(prefix))


def printed(*arguments):
    done = CliRunner().invoke(app, [*map(str, arguments), "--json"])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


@pytest.mark.parametrize(("rows", "prefix"), KINDS.values(), ids=list(KINDS))
def test_each_kind_of_assumption_is_in_every_json(tmp_path, monkeypatch, rows, prefix):
    monkeypatch.setattr(nmv, "register", lambda *_, **__: IDENTITY, raising=False)
    image = builder(rows, prefix)(tmp_path)
    assert isinstance(image, Image)
    notes = nmv.read_volume(image.path).notes
    assert notes
    path = image.path
    found = {
        "ask": printed("ask", path, "How many slices are there?")["notes"],
        "register": printed("register", path, path)["notes"],
    }
    for command, texts in found.items():
        assert [text for text in texts if text in notes] == list(notes), command
    assert found["register"][0] == IDENTITY.notes[0]


def test_no_reader_gives_a_note_twice_or_without_a_full_stop(tmp_path):
    """Rows of every reader that state their notes: each is a sentence, once."""
    for number, (name, build) in enumerate(
        (name, build) for rows in READERS for name, build in list(rows.builders.items())[::6]
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        image = build(folder)
        if not isinstance(image, Image) or not image.notes:
            continue
        notes = nmv.read_volume(image.path, **image.options).notes
        assert len(set(notes)) == len(notes), name
        assert all(note[0].isupper() and note.rstrip().endswith(".") for note in notes), name
