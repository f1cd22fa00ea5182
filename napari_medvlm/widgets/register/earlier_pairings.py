"""The offer to continue an earlier registration of two images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from napari_medvlm.layers import volume_of
from napari_medvlm.ledger.region_records import ImageReference
from napari_medvlm.sessions.earlier import EarlierSession, earlier_sessions
from napari_medvlm.widgets.parts.layer_combo import LayerChoice
from napari_medvlm.widgets.parts.resume_bar import ResumeBar
from napari_medvlm.widgets.runtime.threads import in_background

if TYPE_CHECKING:
    from napari.layers import Image

LISTED = 20
"""Most earlier registrations that are offered."""


class EarlierPairings(ResumeBar):
    """Offers the earlier registrations of the two images that are chosen, while none is shown.

    Parameters
    ----------
    current, prior
        Where the images are chosen.
    is_wanted
        Returns whether nothing is registered and nothing is being registered.
    """

    def __init__(
        self, current: LayerChoice, prior: LayerChoice, is_wanted: Callable[[], bool]
    ) -> None:
        super().__init__("Show the prior as it was registered then.")
        self._current, self._prior, self._is_wanted = current, prior, is_wanted
        for choice in (current, prior):
            choice.chosen.connect(self.look)

    def look(self, _: object = None) -> None:
        """Look for earlier registrations, off the window's thread."""
        self.offer()
        images = self._images
        if not self._is_wanted() or images is None:
            return

        def offer(sessions: Sequence[EarlierSession]) -> None:
            if self._images == images and self._is_wanted():
                self.offer(*sessions)

        in_background(lambda: earlier_pairings(*images), offer, _ignore)

    @property
    def _images(self) -> tuple[Image, Image] | None:
        """The two images, if they are two."""
        current, prior = self._current.layer, self._prior.layer
        is_pair = current is not None and prior is not None and current is not prior
        return (current, prior) if is_pair else None


def earlier_pairings(current: Image, prior: Image) -> Sequence[EarlierSession]:
    """The earlier registrations of a prior to an image, the last used first; may take seconds."""
    digest = volume_of(prior).digest
    sessions = earlier_sessions(ImageReference.of(volume_of(current)), "register")
    return list(islice((session for session in sessions if _prior(session) == digest), LISTED))


def _prior(session: EarlierSession) -> str:
    """Digest of the prior of the pairing that counts."""
    chosen = session.ledger.now.pairing
    return "" if chosen is None else chosen.prior_digest


def _ignore(_: Exception) -> None:
    """An image that cannot be registered is reported when it is to be."""
