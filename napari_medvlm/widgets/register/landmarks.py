"""Landmark pairs in the Register dock: their error in mm, and a registration that fits them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from qtpy.QtWidgets import QGridLayout, QWidget

from napari_medvlm.data.geometry.pairing import Pairing
from napari_medvlm.sessions.landmarks import LandmarkPair, errors_mm, fitted
from napari_medvlm.widgets.parts.buttons import button, on_click
from napari_medvlm.widgets.parts.wrapped_label import WrappedLabel

Position = tuple[float, float, float]
NO_PAIR = "Go to a point of the prior and mark it; then go to the same point of the current image."
HALF = "Go to the same point of the current image and mark it."


class LandmarkForm(QWidget):
    """Marks pairs of points, shows the error of the pairing at them, and fits it.

    Parameters
    ----------
    pairing
        Returns the pairing that is shown; raises `MedVLMError` if there is none.
    position
        Returns the position of the planes, ``(S, P, L)`` in the current image's mm.
    replace
        Called with a fitted pairing.

    Attributes
    ----------
    pairs
        The complete pairs.
    """

    def __init__(
        self,
        pairing: Callable[[], Pairing],
        position: Callable[[], Sequence[float]],
        replace: Callable[[Pairing], object],
    ) -> None:
        super().__init__()
        self.pairs: list[LandmarkPair] = []
        self._prior_mm: Position | None = None
        self._pairing, self._position, self._replace = pairing, position, replace
        self.prior_button = button("Mark in prior", "The position of the planes is the landmark.")
        self.current_button = button("Mark in current", "The same point in the current image.")
        self.fit_button = button("Fit", "Register by the pairs: 3 or more rotate, fewer shift.")
        self.drop_button = button("Remove last", "Remove the last landmark or pair.")
        self.errors = WrappedLabel(NO_PAIR)
        layout = QGridLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.prior_button, 0, 0)
        layout.addWidget(self.current_button, 0, 1)
        layout.addWidget(self.fit_button, 1, 0)
        layout.addWidget(self.drop_button, 1, 1)
        layout.addWidget(self.errors, 2, 0, 1, 2)
        for pressed, action in (
            (self.prior_button, self.mark_prior), (self.current_button, self.mark_current),
            (self.fit_button, self.fit), (self.drop_button, self.remove_last),
        ):  # fmt: skip
            on_click(pressed, action)
        self.show_errors(None)

    def mark_prior(self) -> None:
        """Mark the point of the registered prior that the planes show."""
        s, p, left = self._pairing().to_prior(tuple(self._position())).tolist()
        self._prior_mm = s, p, left
        self.show_errors(self._pairing())

    def mark_current(self) -> None:
        """Mark the point of the current image that the planes show; completes a pair."""
        if self._prior_mm is None:
            return
        s, p, left = self._position()
        self.pairs.append(LandmarkPair(self._prior_mm, (float(s), float(p), float(left))))
        self._prior_mm = None
        self.show_errors(self._pairing())

    def fit(self) -> None:
        """Replace the pairing by the one that fits the pairs."""
        self._replace(fitted(self._pairing(), self.pairs))

    def remove_last(self) -> None:
        """Remove the point of the prior that waits for its pair, or else the last pair."""
        if self._prior_mm is not None:
            self._prior_mm = None
        elif self.pairs:
            self.pairs.pop()
        self.show_errors(self._pairing())

    def clear(self) -> None:
        """Remove all landmarks."""
        self.pairs.clear()
        self._prior_mm = None
        self.show_errors(None)

    def show_errors(self, pairing: Pairing | None) -> None:
        """Show the error of a pairing at each pair, and what to do next."""
        lines = []
        if pairing is not None and self.pairs:
            errors = errors_mm(pairing, self.pairs).tolist()
            listed = ", ".join(f"{number}: {mm:.1f}" for number, mm in enumerate(errors, 1))
            lines.append(f"Error in mm {listed}; mean {sum(errors) / len(errors):.1f} mm.")
        if self._prior_mm is not None:
            lines.append(HALF)
        self.errors.show_text("\n".join(lines) or NO_PAIR)
        self.current_button.setEnabled(self._prior_mm is not None)
        self.fit_button.setEnabled(bool(self.pairs))
        self.drop_button.setEnabled(bool(self.pairs) or self._prior_mm is not None)
