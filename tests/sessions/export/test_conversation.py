"""A conversation leaves the program as text, as a page with pictures, and as values."""

from __future__ import annotations

import base64
import io
import json
import re

import numpy as np
import pytest
from PIL import Image

from napari_medvlm.data.answer import Answer, AnswerKind, Claim
from napari_medvlm.data.conversation import Conversation, Mark, SentImage, State, Turn, Verdict
from napari_medvlm.data.errors import CannotSave
from napari_medvlm.data.prompts import Box
from napari_medvlm.data.region import Region, SliceRef
from napari_medvlm.data.tool_call import ToolCall, ToolResult, ToolRound
from napari_medvlm.sessions.export.conversation import as_json, export
from tests.conftest import make_phantom


@pytest.fixture
def volume():
    return make_phantom()[0]


@pytest.fixture
def conversation(volume):
    region = Region("mass", Box.at_index(volume.grid, (10, 16, 8), (14, 24, 18)), 0.9, "mass")
    report = Answer(
        "A mass. Probably benign.",
        (
            Claim("A mass <10 mm> lies on the left.", (region,), "model", section="findings"),
            Claim("The lungs are clear.", (), "model", ("A box lies outside.",), "findings"),
            Claim("Probably benign.", section="impression"),
        ),
        notes=("The text says three, and one region is drawn.",),
    )
    call = ToolResult(ToolCall("measure", {"object": "mass"}), "3 mL", (region,))
    sent = SentImage(np.full((20, 30, 3), 90, np.uint8), SliceRef(0, 12), "slice 12")
    asked = Turn(
        1, "Describe the chest.", "vlm", "lab/tiny", AnswerKind.REPORT, (), "Cough.",
        State.ANSWERED, (sent,), 0.25, (ToolRound("", (call,)),), "", report, "", 2.0, 0.4,
        {0: Mark(Verdict.RIGHT, "seen on CT")},
    )  # fmt: skip
    stopped = Turn(2, "Why?", "vlm", state=State.STOPPED, partial="Because the")
    return Conversation(1, "Chest", (asked, stopped))


def test_markdown_has_the_sections_the_marks_and_what_is_not_linked(volume, conversation, tmp_path):
    export(tmp_path / "c.md", volume, conversation)
    text = (tmp_path / "c.md").read_text("utf-8")
    order = ["### Findings", "A mass <10 mm>", "The lungs are clear", "### Impression", "benign"]
    assert [text.index(part) for part in order] == sorted(text.index(part) for part in order)
    assert "**Reader: right, seen on CT.**" in text
    assert "*Not linked to a place.*" in text
    assert "Not drawn: A box lies outside." in text
    assert "Tool `measure`: 3 mL" in text
    assert "25 % of the slices" in text
    assert "Because the" in text
    assert "not a medical device" in text


def test_the_page_needs_no_other_file_and_shows_the_region(volume, conversation, tmp_path):
    export(tmp_path / "c.html", volume, conversation)
    page = (tmp_path / "c.html").read_text("utf-8")
    assert "A mass &lt;10 mm&gt;" in page
    assert not re.search(r'(src|href)="(?!data:)', page)
    sent, claim = (
        np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))
        for data in re.findall(r'src="data:image/png;base64,([^"]+)"', page)
    )
    assert (sent == 90).all()
    colored = claim[(claim[..., 0] != claim[..., 1])]
    assert len(colored), "the region is outlined in colour"


def test_values_are_whole(volume, conversation, tmp_path):
    export(tmp_path / "c.json", volume, conversation)
    reported = json.loads((tmp_path / "c.json").read_text("utf-8"))
    assert reported == json.loads(json.dumps(as_json(volume, conversation)))
    first, second = reported["turns"]
    assert [c["section"] for c in first["claims"]] == ["findings", "findings", "impression"]
    low, high = np.array(first["claims"][0]["regions"][0]["box_mm"])
    assert np.allclose(high - low, np.abs(volume.affine[:3, :3] @ (4, 8, 10)))
    assert first["claims"][0]["verdict"] == "right"
    assert first["sent"][0]["plane"] == "axial"
    assert second["state"] == "stopped"
    assert second["answer"] == "Because the"


def test_what_cannot_be_written_is_reported(volume, conversation, tmp_path):
    with pytest.raises(CannotSave, match="no known ending"):
        export(tmp_path / "c.pdf", volume, conversation)
    with pytest.raises(CannotSave, match=r"c\.md could not be written"):
        export(tmp_path / "nowhere" / "c.md", volume, conversation)
    assert not list(tmp_path.iterdir())
