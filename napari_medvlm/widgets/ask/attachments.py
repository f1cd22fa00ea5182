"""What goes along with a question: pictures, objects, what is known of the patient, tools."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from qtpy.QtWidgets import QCheckBox, QHBoxLayout, QVBoxLayout, QWidget

from napari_medvlm.backends import registry
from napari_medvlm.data.answer import AnswerKind
from napari_medvlm.data.volume import Volume
from napari_medvlm.language import question_templates
from napari_medvlm.layers.orientation import position_in_view
from napari_medvlm.layers.question_objects import ObjectOption
from napari_medvlm.widgets.ask.image_input import ViewChoice
from napari_medvlm.widgets.ask.object_picker import ObjectChoice
from napari_medvlm.widgets.ask.question_box import QuestionBox
from napari_medvlm.widgets.parts.collapsible import Collapsible
from napari_medvlm.widgets.parts.text_field import TextField

if TYPE_CHECKING:
    from napari import Viewer
    from napari.layers import Image


TOOLS = {
    "segment": "Segment an object from a phrase, box or point.",
    "ground": "Locate a phrase in the image.",
    "measure": "Measure an object's volume, diameters and intensity.",
    "zoom": "View a region again at full resolution.",
    "compare": "View the same region in the second image.",
}


class ToolChoice(QWidget):
    """A box for each tool. Tools never write to layers of yours."""

    def __init__(self) -> None:
        super().__init__()
        layout = QHBoxLayout(self)
        layout.setContentsMargins(12, 0, 0, 4)
        self.boxes: dict[str, QCheckBox] = {}
        for name, tooltip in TOOLS.items():
            box = self.boxes[name] = QCheckBox(name)
            box.setToolTip(tooltip)
            layout.addWidget(box)
        layout.addStretch(1)

    def refuse(self, reason: str) -> None:
        """Offer none, and say why; empty: offer them."""
        self.setEnabled(not reason)
        for name, box in self.boxes.items():
            box.setToolTip(reason or TOOLS[name])

    @property
    def chosen(self) -> tuple[str, ...]:
        """The names of the tools that may be called; none if this is switched off."""
        if not self.isEnabled():
            return ()
        return tuple(name for name, box in self.boxes.items() if box.isChecked())

    @property
    def title(self) -> str:
        """What is chosen, in a few words."""
        return "Tools: " + (", ".join(self.chosen) or "none")


CONTEXT_HEIGHT = 72


@dataclass(frozen=True)
class QuestionDraft:
    """The user's question, before the objects that go along were gathered.

    Parameters
    ----------
    changes
        The exchange whose question it takes the place of.
    measures
        Whether it goes to a backend that looks at no pictures.
    """

    text: str
    kind: AnswerKind
    options: tuple[str, ...]
    context: str
    tools: tuple[str, ...]
    chosen: list[ObjectOption]
    changes: int | None
    measures: bool


class Attachments(QWidget):
    """Everything that goes along, folded away under titles that say what is chosen."""

    def __init__(self, viewer: Viewer) -> None:
        super().__init__()
        self._viewer = viewer
        self.measures = True
        self.view = ViewChoice(viewer)
        self.objects = ObjectChoice(viewer)
        self.tools = ToolChoice()
        self.context = TextField()
        self.context.setFixedHeight(CONTEXT_HEIGHT)
        self.context.setPlaceholderText("Indication, history, prior report")
        self.context.setToolTip("Clinical context: sent with the question and included in exports.")
        self.view_fold = Collapsible("", "Slices, crop, window and second image.", self.view)
        self.objects_fold = Collapsible(
            "", "Objects you can refer to in the question.", self.objects
        )
        self.context_fold = Collapsible("", "Clinical context.", self.context)
        self.tools_fold = Collapsible("", "Tools the model may call before it answers.", self.tools)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        for fold in (self.view_fold, self.objects_fold, self.context_fold, self.tools_fold):
            layout.addWidget(fold)
        self.view.changed.connect(self._title)
        self.objects.changed.connect(self._title)
        self.objects_fold.toggled.connect(lambda _: self.objects.refresh())
        self.context.textChanged.connect(self._title)
        for box in self.tools.boxes.values():
            box.toggled.connect(self._title)
        self._title()

    def bind(self, layer: Image | None, volume: Volume | None) -> None:
        """Offer what there is of another image."""
        self.view.bind(layer, volume)
        self.objects.bind(volume)

    def use(self, backend: str) -> None:
        """Offer what a backend takes: one that measures takes no pictures and calls no tools."""
        self.measures = registry.info(backend).uses_no_images
        self.tools.refuse("")
        for fold in (self.view_fold, self.tools_fold):
            fold.setVisible(not self.measures)
        self._title()

    def refuse_tools(self, reason: str) -> None:
        """Offer no tools, and say why; empty: offer them."""
        self.tools.refuse(reason)
        self.tools_fold.setToolTip(reason)
        self._title()

    def asked(self, box: QuestionBox) -> QuestionDraft:
        """The user's question now."""
        self.objects.refresh()
        context = str(self.context.toPlainText()).strip()
        return QuestionDraft(
            box.full_text,
            box.kind,
            box.options,
            context,
            () if self.measures else self.tools.chosen,
            self.objects.chosen,
            box.editing,
            self.measures,
        )

    def templates(self, volume: Volume) -> dict[str, list[str]]:
        """Questions to begin with; names of objects and the voxel in view are filled in."""
        offered = question_templates.questions(volume.modality)
        if self.measures:
            offered = {"What can be measured": question_templates.measured()}
        at = volume.grid.to_index(position_in_view(self._viewer)).round().astype(int)
        known = {"{VOXEL}": ", ".join(map(str, at.tolist()))}
        names = [option.name for option in self.objects.chosen if option.value is not None]
        known |= dict(zip(("{THING}", "{OTHER THING}"), names, strict=False))
        return {title: [_filled(text, known) for text in texts] for title, texts in offered.items()}

    def _title(self) -> None:
        self.view_fold.setText(self.view.title)
        self.objects_fold.setText(self.objects.title)
        self.tools_fold.setText(self.tools.title)
        words = len(str(self.context.toPlainText()).split())
        counted = {0: "none", 1: "1 word"}.get(words, f"{words} words")
        self.context_fold.setText(f"Context: {counted}")


def _filled(text: str, known: dict[str, str]) -> str:
    for gap, value in known.items():
        text = text.replace(gap, value)
    return text
