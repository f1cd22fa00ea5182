"""Why a file of a volume is refused, and the choice of one of its volumes."""

from __future__ import annotations

from pathlib import Path

from napari_medvlm.data.errors import InvalidImage, SeveralVolumes


def choose_frame(path: Path, volumes: int, frame: int | None) -> int:
    """The index of the volume to read, from 0; `InvalidImage` if it is open or too large."""
    if volumes == 1 and frame is None:
        return 0
    if frame is None:
        raise SeveralVolumes(
            f"{path.name} holds {volumes} volumes.",
            f"Choose one of them: frame=0 to frame={volumes - 1} (--frame on the command line).",
            tuple(f"frame {i}" for i in range(volumes)),
        )
    if not 0 <= frame < volumes:
        raise InvalidImage(
            f"{path.name} has no volume {frame}: it holds {volumes}.",
            f"Choose from frame=0 to frame={volumes - 1} (--frame on the command line).",
        )
    return frame


def not_scalar(path: Path) -> InvalidImage:
    """Of colours, vectors and complex numbers."""
    return InvalidImage(
        f"{path.name} holds several values a voxel (colours, vectors or complex numbers).",
        "Save one component, or the magnitude, as an image of its own.",
    )


def unsupported(path: Path, reason: str, remedy: str) -> InvalidImage:
    """Of a file that is complete, in a form that is not read."""
    return InvalidImage(f"{path.name} cannot be read: {reason}.", remedy)


def unreadable(path: Path, error: Exception) -> InvalidImage:
    """Of a file that a library refuses."""
    if not path.exists():
        return InvalidImage(
            f"There is no {path.name} in {path.parent.resolve()}.", "Check the path."
        )
    reason = str(error).strip().splitlines()[-1][:160] if str(error).strip() else "no reason given"
    return InvalidImage(
        f"{path.name} cannot be read as an image; it may be damaged or incomplete ({reason}).",
        "Copy or download the file again, or choose another one.",
    )
