"""The quality of a pairing in plain words."""

from __future__ import annotations

from napari_medvlm.data.geometry.pairing import Pairing, PairingKind

KINDS = {
    PairingKind.IDENTITY: "Same positions",
    PairingKind.SPATIAL_REGISTRATION: "DICOM registration",
    PairingKind.RIGID: "Rigid",
    PairingKind.AFFINE: "Affine",
    PairingKind.DEFORMABLE: "Deformable",
    PairingKind.MANUAL: "Corrected by hand",
}


def quality_text(pairing: Pairing) -> str:
    """Kind, agreement before and after, overlap of the bodies and time; then the notes."""
    parts = [KINDS[pairing.kind]]
    if pairing.seconds:
        parts.append(f"{pairing.seconds:.0f} s")
    lines = [", ".join(parts) + "."]
    if pairing.metric_after is not None and pairing.metric_before is not None:
        before, after = pairing.metric_before, pairing.metric_after
        same = abs(after - before) < 0.005
        words = f"is {after:.2f}" if same else f"changed from {before:.2f} to {after:.2f}"
        lines.append(f"Agreement (mutual information) {words}.")
    if pairing.overlap is not None:
        lines.append(f"Bodies overlap by {pairing.overlap:.0%}.")
    return "\n".join([" ".join(lines), *pairing.notes])
