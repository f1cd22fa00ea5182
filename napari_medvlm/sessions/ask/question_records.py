"""What a question rests on, as records keep it, and back."""

from __future__ import annotations

from napari_medvlm.data.conversation import Turn
from napari_medvlm.data.errors import InvalidPrompt
from napari_medvlm.data.grounding import Scope
from napari_medvlm.data.volume import Volume, Window
from napari_medvlm.ledger.conversation_records import QuestionRecord, StoredImageSelection
from napari_medvlm.ledger.ledger import Ledger
from napari_medvlm.ledger.serialization import StoredRegion
from napari_medvlm.sessions.ask.model_input import ImageSelection
from napari_medvlm.sessions.ask.tool_loop import QuestionInputs
from napari_medvlm.sessions.ask.visual_prompts import VisualPrompting
from napari_medvlm.sessions.request_sender import ModelChoice


def asked_record(
    id_: int, conversation: int, exchange: Turn, answerer: ModelChoice, given: QuestionInputs
) -> QuestionRecord:
    """The record of a question.

    Parameters
    ----------
    exchange
        Its question, kind, options and context.
    """
    return QuestionRecord(
        turn=id_,
        conversation=conversation,
        question=exchange.question,
        kind=exchange.kind,
        options=exchange.options,
        context=exchange.context,
        backend=answerer.backend,
        model=answerer.model,
        selection=None if given.view is None else _kept(given.view),
        objects={name: mask.digest for name, mask in given.masks.items()},
        labels=tuple(labels.title for labels in given.labels),
        tools=given.tools,
    )


def given_of(ledger: Ledger, exchange: int, volume: Volume) -> QuestionInputs:
    """What a recorded question rests on, as far as the ledger knows: no masks, labels and images.

    Raises
    ------
    InvalidPrompt
        If there is no such question.
    """
    for record in ledger.records:
        if isinstance(record, QuestionRecord) and record.turn == exchange:
            view = None if record.selection is None else _view(record.selection, volume)
            return QuestionInputs(view, tools=record.tools)
    raise InvalidPrompt(f"There is no question {exchange}.", "Ask it anew.")


def _kept(view: ImageSelection) -> StoredImageSelection:
    scope = view.scope
    return StoredImageSelection(
        axis=scope.axis,
        start=scope.start,
        stop=scope.stop,
        slice_step_mm=scope.slice_step_mm,
        region=view.region,
        montage=view.montage,
        windows=tuple((w.center, w.width) for w in view.windows),
        other_images=tuple(other.name for other in view.others),
        regions=tuple(StoredRegion.whole(region) for region in view.draw),
        visual_prompting=view.pointing,
        box_format=view.grammar,
    )


def _view(kept: StoredImageSelection, volume: Volume) -> ImageSelection:
    return ImageSelection(
        Scope(kept.axis, kept.start, kept.stop, kept.slice_step_mm),
        kept.region,
        kept.montage,
        tuple(Window(*pair) for pair in kept.windows),
        draw=tuple(region.region(volume.grid) for region in kept.regions),
        pointing=VisualPrompting(kept.visual_prompting),
        grammar=kept.box_format,
    )
