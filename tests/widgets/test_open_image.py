"""What is found of an image before a person works on it."""

from napari.layers import Image

import napari_medvlm as nmv
from napari_medvlm.io.journal import Journal, new_journal
from napari_medvlm.ledger.ledger import Ledger
from napari_medvlm.widgets.open_image import prepare
from tests.conftest import make_phantom


def test_a_damaged_journal_does_not_hide_an_older_one(home):
    layer = Image(make_phantom()[0].data)
    volume = prepare(layer).volume
    point = nmv.Point.at_index(volume, (12, 20, 13))
    old, damaged = (new_journal(Ledger.of(volume).image) for _ in range(2))
    with nmv.SegmentationSession(volume, runner="inline", journal=old) as session:
        session.add(point)
        session.wait()
    damaged.write_text("not a journal\n")
    earlier = prepare(layer).earlier
    assert earlier is not None
    assert earlier.path == old
    (live,) = earlier.ledger.now.objects.values()
    assert list(live.prompts.values()) == [point]


def test_only_looking_leaves_nothing_to_go_on_with(home):
    layer = Image(make_phantom()[0].data)
    volume = prepare(layer).volume
    assert prepare(layer).earlier is None
    ledger = Ledger.of(volume)
    Journal(new_journal(ledger.image), ledger, print).close()
    assert prepare(layer).earlier is None
