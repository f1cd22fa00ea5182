"""Asking the backend of servers, and what is asked."""

from __future__ import annotations

from napari_medvlm.backends.dispatch import answer
from napari_medvlm.backends.openai_server.backend import ServerBackend
from napari_medvlm.data.answer import Question
from napari_medvlm.data.grounding import Scope
from napari_medvlm.data.slice_image import picture_of
from napari_medvlm.data.tool_call import ToolSpec
from tests.conftest import make_phantom

VOLUME = make_phantom((6, 24, 24))[0]
ASKED = "Which kidney is larger?"
MEASURE = ToolSpec(
    "measure",
    "How large an object is.",
    {"type": "object", "properties": {"object": {"type": "string"}}, "required": ["object"]},
)


class Patient(ServerBackend):
    """Waits less long than a person would."""

    first_s = 0.5
    silent_s = 0.5


def pictures(number=1, volume=VOLUME):
    slices = Scope().slices(volume.grid)[:number]
    return tuple(picture_of(volume, ref) for ref in slices)


def question(text=ASKED, shown=1, **more):
    captions = tuple(f"slice {k}" for k in range(shown))
    return Question(text, pictures=pictures(shown), captions=captions, **more)


def asked(url, what=None, name="seer", backend=None, come=None, progress=lambda *_: None):
    """The answer; ``come`` takes the pieces of its text."""
    made = backend or ServerBackend()
    made.load(f"{url}#{name}" if name else url, "cpu")
    made.set_volume(VOLUME)
    deliver = ([] if come is None else come).append
    return answer(made, VOLUME, what or question(), progress, deliver)
