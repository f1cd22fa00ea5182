"""The label map after any edits is what drawing all masks in the order of their rank gives."""

import numpy as np
import pytest

from napari_medvlm.data.geometry.grid import Grid
from napari_medvlm.data.mask import Mask
from napari_medvlm.data.prompts import Point
from napari_medvlm.ledger.ledger import Ledger
from napari_medvlm.ledger.records import (
    ObjectAdded,
    ObjectChanged,
    ObjectInfo,
    ObjectRemoved,
    Overlap,
    OverlapChosen,
    PromptAdded,
)
from napari_medvlm.ledger.region_records import ImageReference
from napari_medvlm.sessions.segment import label_map as module
from napari_medvlm.sessions.segment.drawing_order import DrawingOrder, MaskBoxes
from napari_medvlm.sessions.segment.label_map import LabelMap

SHAPE = (6, 9, 10)
GRID = Grid(SHAPE, np.eye(4))
IMAGE = ImageReference(digest="0", shape=SHAPE, name="", source=None)


def drawn(ledger, masks):
    """All masks painted one over the other: locked last, then by the overlap rule."""
    labels = np.zeros(SHAPE, int)
    now = ledger.now

    def rank(live):
        first = now.overlap is Overlap.FIRST
        return live.info.locked, -live.info.id if first else live.changed

    for live in sorted(now.objects.values(), key=rank):
        mask = masks.get((live.info.id, live.prompted))
        if mask is not None:
            labels[mask.full()] = live.info.id
    return labels


def random_mask(rng):
    start = rng.integers(0, SHAPE)
    stop = [int(rng.integers(a, n + 1)) for a, n in zip(start, SHAPE, strict=True)]
    full = np.zeros(SHAPE, bool)
    box = tuple(slice(a, b) for a, b in zip(start, stop, strict=True))
    full[box] = rng.random(full[box].shape) < 0.7
    return Mask.of(full)


def edit(ledger, rng):
    """A random edit: an object, a prompt, a lock, a deletion, a rule, undo or redo."""
    ids = list(ledger.now.objects)
    kind = rng.integers(8)
    chosen = int(rng.choice(ids)) if ids else 0
    if kind < 2 or not ids:
        info = ObjectInfo(id=max(ids, default=0) + 1, name="", color="#ffffff")
        ledger.append(ObjectAdded(object=info))
    elif kind < 4:
        point = Point(position_mm=(0.0, 0.0, 0.0))
        ledger.append(
            PromptAdded(object_id=chosen, prompt_id=ledger.next_prompt_id(), prompt=point)
        )
    elif kind == 4:
        info = ledger.now.objects[chosen].info
        changed = info.model_copy(update={"locked": not info.locked})
        ledger.append(ObjectChanged(object=changed))
    elif kind == 5 and len(ids) > 3:
        ledger.append(ObjectRemoved(object_id=chosen))
    elif kind == 6:
        ledger.append(OverlapChosen(overlap=rng.choice(list(Overlap))))
    elif ledger.can_redo and rng.integers(2):
        ledger.redo()
    elif ledger.can_undo:
        ledger.undo()


@pytest.mark.parametrize("seed", range(20))
def test_any_edits_give_the_labels_of_drawing_all_masks(seed):
    rng = np.random.default_rng(seed)
    ledger, masks, label_map = Ledger(IMAGE), {}, LabelMap(GRID)

    def known(live):
        return masks.get((live.info.id, live.prompted))

    for _ in range(120):
        edit(ledger, rng)
        late = {}
        for live in ledger.now.objects.values():
            key = live.info.id, live.prompted
            if key not in masks and key not in late:
                late[key] = random_mask(rng)
        before = label_map.labels.astype(int)
        label_map.take_touched()
        if rng.integers(2):  # some masks are computed later than the edit
            label_map.update(ledger.now, known)
        masks.update(late)
        answered = frozenset(key[0] for key in late)
        label_map.update(ledger.now, known, answered)
        assert np.array_equal(label_map.labels, drawn(ledger, masks))
        changed = before != label_map.labels
        seen = {*before[changed].tolist(), *label_map.labels[changed].tolist()} - {0}
        assert seen <= label_map.take_touched()


def counts_of_a_prompt(number, monkeypatch):
    """How many masks are cut and looked up for a prompt, where all masks overlap."""
    ledger, label_map = Ledger(IMAGE), LabelMap(GRID)
    full, cut, looked_up, common = Mask.of(np.ones(SHAPE, bool)), [], [], module._common
    for i in range(1, number + 1):
        ledger.append(ObjectAdded(object=ObjectInfo(id=i, name="", color="#ffffff")))
    label_map.update(ledger.now, lambda live: full)
    point = Point(position_mm=(0.0, 0.0, 0.0))
    ledger.append(PromptAdded(object_id=number // 2, prompt_id=1, prompt=point))
    monkeypatch.setattr(module, "_common", lambda *of: cut.append(of) or common(*of))
    label_map.update(ledger.now, lambda live: looked_up.append(live) or full)
    monkeypatch.undo()
    assert set(np.unique(label_map.labels)) == {number // 2}
    return len(cut), len(looked_up)


def test_a_prompt_draws_as_many_masks_whatever_the_number_of_objects(monkeypatch):
    assert counts_of_a_prompt(10, monkeypatch) == counts_of_a_prompt(3000, monkeypatch)


def test_the_drawing_order_moves_changed_objects_last():
    order = DrawingOrder()
    assert not any(order.put(i, (False, i)) for i in (1, 2, 3))
    assert order.topmost({1, 2, 3, 9}) == [3, 2, 1]
    assert not order.put(3, (False, 7))
    assert order.put(1, (False, 8))
    assert order.topmost([2, 3, 1]) == [1, 3, 2]
    order.discard(3)
    order.discard(3)
    assert order.topmost({1, 2, 3}) == [1, 2]
    assert order.largest_id == 3


def test_boxes_of_masks_are_found_by_what_they_share():
    boxes = MaskBoxes()
    for i in range(200):
        boxes.put(i, (slice(i, i + 2), slice(0, 5), slice(0, 5)))
    assert boxes.overlapping((slice(10, 12), slice(4, 9), slice(0, 1))) == {9, 10, 11}
    assert boxes.overlapping((slice(10, 12), slice(5, 9), slice(0, 1))) == set()
    boxes.discard(10)
    boxes.put(9, (slice(0, 0), slice(0, 0), slice(0, 0)))
    boxes.put(500, (slice(11, 12), slice(0, 9), slice(0, 9)))
    assert boxes.overlapping((slice(10, 12), slice(4, 9), slice(0, 1))) == {11, 500}
