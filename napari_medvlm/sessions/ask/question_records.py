"""Convert the inputs of a question to records and back."""

from __future__ import annotations

from napari_medvlm.data.conversation import Turn
from napari_medvlm.data.errors import InvalidPrompt
from napari_medvlm.data.grounding import Scope
from napari_medvlm.data.volume import Volume, Window
from napari_medvlm.ledger.conversation_records import QuestionRecord
from napari_medvlm.ledger.ledger import Ledger
from napari_medvlm.ledger.serialization import StoredRegion
from napari_medvlm.ledger.stored_answers import StoredImageSelection
from napari_medvlm.sessions.ask.image_selection import ImageSelection
from napari_medvlm.sessions.ask.tool_loop import QuestionInputs
from napari_medvlm.sessions.ask.visual_prompts import VisualPrompting
from napari_medvlm.sessions.request_sender import ModelChoice
from napari_medvlm.settings.privacy import names_somebody


def question_record(
    id_: int,
    conversation: int,
    turn: Turn,
    answerer: ModelChoice,
    inputs: QuestionInputs,
    patient: frozenset[str] = frozenset(),
) -> QuestionRecord:
    """The record of a question.

    Parameters
    ----------
    turn
        Provides question, kind, options and context.
    patient
        Words that identify the patient: titles of label images with one of them are left out.
    """
    titles = (labels.title for labels in inputs.labels)
    return QuestionRecord(
        turn=id_,
        conversation=conversation,
        question=turn.question,
        kind=turn.kind,
        options=turn.options,
        context=turn.context,
        backend=answerer.backend,
        model=answerer.model,
        selection=None if inputs.selection is None else _stored(inputs.selection),
        objects={name: mask.digest for name, mask in inputs.masks.items()},
        labels=tuple("labels" if names_somebody(title, patient) else title for title in titles),
        tools=inputs.tools,
    )


def recorded_inputs(ledger: Ledger, turn_id: int, volume: Volume) -> QuestionInputs:
    """The inputs of a recorded question, without masks, labels and other images.

    Raises
    ------
    InvalidPrompt
        If there is no such question.
    """
    for record in ledger.records:
        if isinstance(record, QuestionRecord) and record.turn == turn_id:
            selection = None if record.selection is None else _selection(record.selection, volume)
            return QuestionInputs(selection, tools=record.tools)
    raise InvalidPrompt(f"There is no question {turn_id}.", "Ask it again.")


def _stored(selection: ImageSelection) -> StoredImageSelection:
    scope = selection.scope
    return StoredImageSelection(
        axis=scope.axis,
        start=scope.start,
        stop=scope.stop,
        slice_step_mm=scope.slice_step_mm,
        region=selection.region,
        montage=selection.montage,
        windows=tuple((w.center, w.width) for w in selection.windows),
        other_images=tuple(other.name for other in selection.others),
        regions=tuple(StoredRegion.model_validate(region) for region in selection.draw),
        visual_prompting=selection.pointing,
    )


def _selection(stored: StoredImageSelection, volume: Volume) -> ImageSelection:
    return ImageSelection(
        Scope(stored.axis, stored.start, stored.stop, stored.slice_step_mm),
        stored.region,
        stored.montage,
        tuple(Window(*pair) for pair in stored.windows),
        draw=tuple(region.region(volume.grid) for region in stored.regions),
        pointing=VisualPrompting(stored.visual_prompting),
    )
