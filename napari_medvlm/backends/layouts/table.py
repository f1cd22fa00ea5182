"""The table of layouts: which one a checkpoint has."""

from __future__ import annotations

from pathlib import Path

from napari_medvlm.backends.layouts.edgetam import EdgeTamLayout
from napari_medvlm.backends.layouts.florence2 import Florence2Layout
from napari_medvlm.backends.layouts.internvl import InternVLLayout
from napari_medvlm.backends.layouts.layout import Checkpoint, Layout
from napari_medvlm.backends.layouts.llava import LlavaLayout
from napari_medvlm.backends.layouts.open_clip_file import OpenClipLayout
from napari_medvlm.backends.layouts.sam2 import Sam2Layout
from napari_medvlm.backends.layouts.unimed_clip import UniMedClipLayout
from napari_medvlm.data.errors import BackendUnavailable
from napari_medvlm.settings.shell import quoted

LAYOUTS: tuple[Layout, ...] = (
    LlavaLayout(),
    InternVLLayout(),
    Sam2Layout(),
    EdgeTamLayout(),
    Florence2Layout(),
    OpenClipLayout(),
    UniMedClipLayout(),
)


def layout_of(path: Path | str) -> Layout | None:
    """The layout of authors that a folder or file has; `None`: it needs no conversion."""
    checkpoint = Checkpoint(Path(path).expanduser())
    return next((layout for layout in LAYOUTS if layout.recognizes(checkpoint)), None)


def require_layout(checkpoint: Checkpoint) -> Layout:
    """The layout of a checkpoint.

    Raises
    ------
    BackendUnavailable
        If there is no such file or folder, or none of the layouts.
    """
    if not checkpoint.path.exists():
        raise BackendUnavailable(
            f"There is no {checkpoint.path}.", "Choose the folder or weights file of a model."
        )
    layout = next((layout for layout in LAYOUTS if layout.recognizes(checkpoint)), None)
    if layout is None:
        kind = checkpoint.config.get("model_type", "no config.json")
        raise BackendUnavailable(
            f"{checkpoint.path} has none of the layouts that can be converted ({kind}).",
            f"These can be: {'; '.join(layout.title for layout in LAYOUTS)}.",
        )
    return layout


def refuse_unconverted(path: Path | str) -> None:
    """Refuse a model in the layout of its authors, with the command that converts it.

    Raises
    ------
    BackendUnavailable
        If it has one of `LAYOUTS`.
    """
    layout = layout_of(path)
    if layout is not None:
        raise BackendUnavailable(
            f"{Path(path).name} has the layout of its authors ({layout.title}) and must be "
            "converted before it can be loaded.",
            f"Run: napari-medvlm models convert {quoted(str(path))}",
        )


def conversion_hint(model: str, layout: Layout) -> str:
    """What to do with a model, by its name or path, whose layout must be converted."""
    return (
        f"It has the layout of its authors ({layout.title}). Run: napari-medvlm models convert "
        f"{quoted(model)}"
    )
