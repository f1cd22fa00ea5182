"""The same prompts to another model: both masks, and how they differ."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QFormLayout, QHBoxLayout, QVBoxLayout, QWidget

from napari_medvlm.backends import registry
from napari_medvlm.backends.base import Task
from napari_medvlm.data.errors import InvalidPrompt, MedVLMError
from napari_medvlm.data.prompts import InitialMask
from napari_medvlm.layers.second_mask_layer import OtherMaskLayer
from napari_medvlm.sessions.segment.replay import Compared, compared, only, replay
from napari_medvlm.sessions.segment.session import SegmentationSession
from napari_medvlm.widgets.models.backend_combo import BackendChoice
from napari_medvlm.widgets.models.model_picker import ModelRow
from napari_medvlm.widgets.parts.buttons import button, on_click
from napari_medvlm.widgets.parts.plain_text import PlainLabel
from napari_medvlm.widgets.runtime.notify import guarded, show
from napari_medvlm.widgets.runtime.threads import in_background
from napari_medvlm.worker.runner import Runner

if TYPE_CHECKING:
    from napari import Viewer


class OtherModel(QWidget):
    """Who else is asked, what came of it, and a button to keep that.

    It is about the active object of the session that `bind` sets.

    Parameters
    ----------
    viewer
        Where the second mask is shown.
    runner
        Who does the work.
    """

    def __init__(self, viewer: Viewer, runner: Runner) -> None:
        super().__init__()
        self._runner = runner
        self._session: SegmentationSession | None = None
        self._layer = OtherMaskLayer(viewer)
        self.result: Compared | None = None
        self.backend = BackendChoice(Task.SEGMENT)
        self.model = ModelRow()
        self.compare_button = button(
            "Compare", "Segment the active object with this model and the same prompts."
        )
        self.keep_button = button("Use this mask", "Replace the object's mask with it.")
        self.text = PlainLabel()
        self.text.setWordWrap(True)
        row = QHBoxLayout()
        row.addWidget(self.compare_button)
        row.addWidget(self.keep_button)
        form = QFormLayout()
        form.addRow("Backend", self.backend)
        form.addRow("Model", self.model)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(form)
        layout.addLayout(row)
        layout.addWidget(self.text)
        on_click(self.compare_button, self.compare)
        on_click(self.keep_button, self.keep)
        self.backend.chosen.connect(guarded(lambda _: self._use_backend()))
        self._use_backend()
        self.bind(None)

    def bind(self, session: SegmentationSession | None) -> None:
        """Compare objects of a session from now on."""
        self._session = session
        self._show(None)
        self._set_busy(False)

    def compare(self) -> None:
        """Ask the other model, in the background, for the active object's mask."""
        session = self._session
        object_id = None if session is None else session.active
        if session is None or object_id is None:
            raise InvalidPrompt("No object is active.", "Select an object in the list first.")
        ledger, then = only(session.ledger, object_id), session.own_mask(object_id)
        live = session.now.objects[object_id]
        prediction = session.ledger.prediction_of(live)
        chosen = self.backend.name, self.model.model, self.model.device
        self._show(None)
        self._set_busy(True)

        def work() -> tuple[SegmentationSession, Compared | MedVLMError]:
            name, model, device = chosen
            try:
                (now,) = replay(
                    ledger, session.volume, name, model=model, device=device, runner=self._runner
                )
            except MedVLMError as error:
                return session, error
            backend = None if prediction is None else prediction.backend
            return session, compared(then, now, backend, session.volume)

        in_background(work, guarded(self._on_compared))

    def keep(self) -> None:
        """Make the second mask the object's."""
        session, result = self._session, self.result
        if session is None or result is None:
            raise InvalidPrompt("There is no second mask.", "Press Compare first.")
        prompt = InitialMask.of(session.volume, result.now)
        session.add(prompt, result.object_id, f"the same prompts, by {result.backend_replayed}")
        self._show(None)

    def close_layer(self) -> None:
        """Take the second mask away."""
        self._layer.close()

    def _on_compared(self, done: tuple[SegmentationSession, Compared | MedVLMError]) -> None:
        session, result = done
        if session is not self._session:
            return
        self._set_busy(False)
        if isinstance(result, Compared):
            self._show(result)
        else:
            self.text.clear()
            show(result)

    def _show(self, result: Compared | None) -> None:
        self.result = result
        self.keep_button.setEnabled(result is not None)
        self.text.setText("" if result is None else str(result))
        if result is None or self._session is None:
            self._layer.close()
        else:
            name = f"{result.name} by {result.backend_replayed}"
            self._layer.show(result.now, self._session.volume, name)

    def _set_busy(self, busy: bool) -> None:
        self.compare_button.setEnabled(self._session is not None and not busy)
        if busy:
            self.text.setText("Running the other model…")

    def _use_backend(self) -> None:
        self.model.setEnabled(registry.info(self.backend.name).weights_licence != "none")
