"""The page about a session: parsed as a browser would, its figures compared with the table's."""

import base64
import hashlib
from html.parser import HTMLParser
from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import napari_medvlm as nmv
from napari_medvlm.cli import app
from napari_medvlm.data.errors import CannotSave
from napari_medvlm.data.geometry.display import patient_axes
from napari_medvlm.data.measurements.ruler import Ruler
from napari_medvlm.data.region import SliceRef
from napari_medvlm.data.slice_image import picture_of
from napari_medvlm.sessions.export.conversation import NOTICE
from napari_medvlm.sessions.export.measurements import Measurements
from napari_medvlm.sessions.export.session_report import letters, page, write_page
from napari_medvlm.worker.runner import InlineRunner
from tests.conftest import make_phantom
from tests.io.archive.test_dicomweb import make

TURNED = [(0, 0, 0), (0, 0, 180), (0, 180, 0), (90, 0, 0), (20, 15, 170)]


class Page(HTMLParser):
    """The tables, pictures and links of a page."""

    def __init__(self, text):
        super().__init__()
        self.tables, self.images, self.outside, self.words = {}, [], [], ""
        self._cell = self._rows = None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.outside += [v for k, v in attrs if k in ("src", "href") and not v.startswith("data:")]
        if tag == "table":
            self._rows = self.tables.setdefault(given["id"], [])
        elif tag == "tr":
            self._rows.append([])
        elif tag in ("td", "th"):
            self._cell = ""
        elif tag == "img":
            self.images.append((given["alt"], given["src"]))

    def handle_data(self, data):
        self.words += data
        if self._cell is not None:
            self._cell += data

    def handle_endtag(self, tag):
        if tag in ("td", "th"):
            self._rows[-1].append(self._cell.strip())
            self._cell = None


def pixels_of(url):
    return np.asarray(Image.open(BytesIO(base64.b64decode(url.partition(",")[2]))).convert("RGB"))


@pytest.fixture
def session():
    volume, left, right = make_phantom(degrees=(0, 0, 0))
    with nmv.SegmentationSession(volume, runner=InlineRunner()) as session:
        for name, mask in (("<left> & 1", left), ("right", right)):
            session.add(nmv.InitialMask.of(volume, mask), session.add_object(name))
        session.wait()
        session.add_object("nothing")
        yield session


def test_the_figures_are_those_of_the_table_of_measurements(session):
    seen = Page(page(session))
    rows = Measurements(session).rows().values()
    head, *body = seen.tables["measurements"]
    assert head[1:] == ["<left> & 1", "right", "nothing"]
    for column, *values in body:
        assert values == [str(row.values[column]) for row in rows]
    for reported, row in zip(seen.tables["summary"][1:], rows, strict=True):
        assert reported[0] == row.name
        assert float(reported[1]) == pytest.approx(row.volume_ml, abs=0.005)
        assert float(reported[2]) == pytest.approx(row.longest_axial_mm, abs=0.05)


def test_distances_and_angles_have_a_table_of_their_own(session):
    line = np.array([[1.0, 2, 2], [0, 0, 0]])
    corner = np.array([[3.0, 0, 0], [0, 0, 0], [0, 0, 4.0]])
    rulers = [Ruler("<a>", line), Ruler("Angle 1", corner), Ruler("b", line, in_mm=False)]
    assert Page(page(session, rulers)).tables["rulers"][1:] == [
        ["<a>", "3.0", "\N{EN DASH}"],
        ["Angle 1", "7.0", "90.0"],
        ["b", "\N{EN DASH}", "\N{EN DASH}"],
    ]
    assert "rulers" not in Page(page(session)).tables


def test_pictures_are_in_the_page_and_show_outlines_in_the_colours_of_the_objects(session):
    seen = Page(page(session))
    assert seen.outside == []
    assert [alt for alt, _ in seen.images] == [
        f"{name}, {plane}"
        for name in ("<left> & 1", "right")
        for plane in ("axial", "coronal", "sagittal")
    ]
    colors = [live.info.color for live in session.now.objects.values()]
    for (alt, url), color in zip(seen.images, np.repeat(colors[:2], 3), strict=True):
        pixels = pixels_of(url)
        assert max(pixels.shape) >= 360
        rgb = [int(color[i : i + 2], 16) for i in (1, 3, 5)]
        drawn = (pixels == rgb).all(axis=-1)
        assert 100 < drawn.sum() < 0.1 * drawn.size, alt


@pytest.mark.parametrize("degrees", TURNED)
def test_letters_say_where_the_sides_lie_in_the_patient(degrees):
    volume, *_ = make_phantom(degrees=degrees)
    ends = {"S": (0, 1), "I": (0, -1), "P": (1, 1), "A": (1, -1), "L": (2, 1), "R": (2, -1)}
    for axis in patient_axes(volume.affine):
        picture = picture_of(volume, SliceRef(axis, volume.shape[axis] // 2))
        height, width = picture.size
        middle = np.array(picture.point(width / 2, height / 2).position_mm)
        places = {
            "left": (0, height / 2), "right": (width, height / 2),
            "top": (width / 2, 0), "bottom": (width / 2, height),
        }  # fmt: skip
        for side, letter in letters(picture, volume).items():
            patient, way = ends[letter]
            off = np.array(picture.point(*places[side]).position_mm) - middle
            assert off[patient] * way == pytest.approx(np.abs(off).max())


def test_what_made_it_is_reported_and_no_patient(tmp_path):
    make(tmp_path / "ct")
    volume = nmv.read_volume(tmp_path / "ct")
    with nmv.SegmentationSession(volume, runner=InlineRunner()) as session:
        session.add(nmv.Point.at_index(volume, (6, 12, 8)))
        session.wait()
        written = write_page(tmp_path / "out.html", session)
    text = written.read_text("utf-8")
    seen = Page(text)
    assert "Secret" not in text
    assert str(tmp_path) not in text
    assert "not a medical device" in NOTICE
    assert seen.words.count(NOTICE) == 2
    for reported in ("Backend: Embedded", "1 prompt.", f"napari-medvlm {nmv.__version__}"):
        assert reported in seen.words.replace("\n", " "), reported
    assert volume.digest in seen.words
    assert seen.tables["summary"][1][-1] == "HU"


def test_weights_are_reported_by_their_hash(session, tmp_path, monkeypatch):
    weights = tmp_path / "secret-folder" / "net.pth"
    weights.parent.mkdir()
    weights.write_bytes(b"weights")
    session.add(nmv.Point.at_index(session.volume, (12, 20, 13)), session.add_object("clicked"))
    session.wait()
    live = session.now.objects[session.active]
    made = session.ledger.predicted(live.info.id, live.changed)
    with_model = made.model_copy(update={"model": str(weights)})
    monkeypatch.setattr(session.ledger, "predicted", lambda *_: with_model)
    text = page(session)
    assert "net.pth" in text
    assert "secret-folder" not in text
    assert hashlib.sha256(b"weights").hexdigest() in text


def test_another_ending_or_a_full_disk_is_reported(session, tmp_path):
    with pytest.raises(CannotSave, match="no known ending"):
        write_page(tmp_path / "out.pdf", session)
    with pytest.raises(CannotSave, match="there is no folder"):
        write_page(tmp_path / "gone" / "out.html", session)


def test_the_command_line_writes_it(tmp_path):
    volume, *_ = make_phantom()
    nmv.write_mask(tmp_path / "scan.nrrd", volume.data - volume.data.min(), volume)
    out = tmp_path / "out.html"
    done = CliRunner().invoke(
        app,
        ["segment", str(tmp_path / "scan.nrrd"), "--point", "12,20,13", "--report", str(out)],
    )
    assert done.exit_code == 0, done.output
    assert len(Page(out.read_text("utf-8")).images) == 3
