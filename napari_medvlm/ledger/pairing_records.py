"""The record of a pairing: the transform between a prior and the image of the ledger."""

from __future__ import annotations

from typing import Literal

import numpy as np

from napari_medvlm.data.geometry.pairing import Pairing, PairingKind
from napari_medvlm.data.volume import Volume
from napari_medvlm.ledger.serialization import Number, Value

Row = tuple[Number, Number, Number, Number]
NOT_STORED = "Sessions store the affine part only. Register again for the deformation."


class PairingChosen(Value):
    """The pairing of the image with a prior: registered, fitted or corrected by hand.

    Attributes
    ----------
    prior_digest, prior_name
        The prior; the digest decides.
    affine_mm
        Rows of the 4 x 4 matrix from the prior's to the image's ``(S, P, L)`` mm.
    is_deformable
        Whether a displacement follows it, which is not stored.
    """

    event: Literal["pairing_chosen"] = "pairing_chosen"
    prior_digest: str
    prior_name: str
    kind: PairingKind
    affine_mm: tuple[Row, Row, Row, Row]
    metric_before: Number | None = None
    metric_after: Number | None = None
    overlap: Number | None = None
    seconds: Number = 0.0
    notes: tuple[str, ...] = ()
    is_deformable: bool = False

    @classmethod
    def of(cls, prior: Volume, pairing: Pairing) -> PairingChosen:
        """The record of a pairing."""
        rows = [(float(a), float(b), float(c), float(d)) for a, b, c, d in pairing.affine_mm]
        return cls(
            prior_digest=prior.digest,
            prior_name=prior.name,
            kind=pairing.kind,
            affine_mm=(rows[0], rows[1], rows[2], rows[3]),
            metric_before=pairing.metric_before,
            metric_after=pairing.metric_after,
            overlap=pairing.overlap,
            seconds=pairing.seconds,
            notes=pairing.notes,
            is_deformable=pairing.displacement_mm is not None,
        )

    def pairing(self) -> Pairing:
        """The pairing, without a displacement."""
        return Pairing(
            self.kind,
            np.array(self.affine_mm, np.float64),
            self.metric_before,
            self.metric_after,
            self.overlap,
            self.seconds,
            notes=(*self.notes, NOT_STORED) if self.is_deformable else self.notes,
        )
