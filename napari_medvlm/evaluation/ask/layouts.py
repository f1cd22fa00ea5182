"""Finding the questions of a data set, by its layout."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from napari_medvlm.data.errors import InvalidReference
from napari_medvlm.evaluation.ask import choice_sets, open_sets, twin_sets
from napari_medvlm.evaluation.ask.items import Items, Layout
from napari_medvlm.evaluation.ask.reading import Source
from napari_medvlm.evaluation.finding import Below, damage_told

READERS: dict[Layout, Callable[[Source], None]] = {
    Layout.PLAIN: open_sets.plain,
    Layout.VQARAD: open_sets.vqa_rad,
    Layout.SLAKE: open_sets.slake,
    Layout.PATHVQA: open_sets.path_vqa,
    Layout.KVASIR: open_sets.kvasir,
    Layout.GMAI: choice_sets.gmai_mmbench,
    Layout.MEDFRAMEQA: choice_sets.medframeqa,
    Layout.REXVQA: choice_sets.rexvqa,
    Layout.GEMEX: twin_sets.gemex,
    Layout.PROBMED: twin_sets.probmed,
    Layout.MEDICONFUSION: twin_sets.mediconfusion,
    Layout.MMXU: choice_sets.mmxu,
    Layout.TEMMED: twin_sets.temmed,
    Layout.DEEPTUMOR: choice_sets.deeptumorvqa,
}


def find_items(layout: Layout, images: Path, references: Path, store: Path) -> Items:
    """The questions of a data set, in its order.

    Parameters
    ----------
    layout
        How it lies on disk.
    images
        The folder of the images; a path or file name in the questions is looked for in it.
    references
        The file of the questions.
    store
        Folder for images that stand in the file of questions itself.

    Raises
    ------
    InvalidReference
        If the file is not of that layout, or there is no question at all.
    """
    if not references.exists():
        raise InvalidReference(f"There is no {references}.", "Check the path.")
    source = Source(references, Below(images), store)
    with damage_told(references, layout):
        READERS[layout](source)
    names = [item.name for item in source.items]
    if len(set(names)) < len(names):
        source.items = [
            item.model_copy(update={"name": f"{number:06d} {item.name}"})
            for number, item in enumerate(source.items, 1)
        ]
    if not source.items:
        reasons = " ".join(dict.fromkeys(one.reason for one in source.unused[:3]))
        raise InvalidReference(
            f"There is no question in {references.name} ({layout}). {reasons}".strip(),
            "Say where the images are with --images, or choose the layout with --dataset.",
        )
    return Items(tuple(source.items), tuple(source.unused))
