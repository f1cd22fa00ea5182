"""All checks in the order in which they are shown and run."""

from __future__ import annotations

from napari_medvlm.data.volume import Volume
from napari_medvlm.trusting.asking import (
    BlankedEvidence,
    BlankImage,
    ImageSwap,
    NegationTwin,
    Resampling,
)
from napari_medvlm.trusting.check import Check
from napari_medvlm.trusting.quiet import Confidence, Form, Quality
from napari_medvlm.trusting.witness import IndependentWitness, Witness


def all_checks(
    witness: Witness | None = None, count: int = 4, other: Volume | None = None
) -> tuple[Check, ...]:
    """Every check, those that cost nothing first.

    Parameters
    ----------
    witness
        See `witness.IndependentWitness`.
    count
        How often resampling asks.
    other
        See `asking.ImageSwap`.
    """
    return (
        Quality(),
        Form(),
        Confidence(),
        NegationTwin(),
        Resampling(count),
        BlankedEvidence(),
        BlankImage(),
        ImageSwap(other),
        IndependentWitness(witness),
    )
