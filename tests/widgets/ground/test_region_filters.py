"""However many regions a model returns, few are shown, and those are the best."""

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Layer

from napari_medvlm.data.grounding import Grounding
from napari_medvlm.data.prompts import Box
from napari_medvlm.data.region import Region
from napari_medvlm.data.volume import Volume
from napari_medvlm.layers import layer_data
from napari_medvlm.layers.orientation import Plane, show_plane
from napari_medvlm.layers.region_boxes import MANY, DisplayedRegion
from napari_medvlm.layers.region_layers import RegionLayers
from napari_medvlm.sessions.ground.session import GroundingSession
from napari_medvlm.widgets.ground.region_filters import MOST, RegionFilters
from napari_medvlm.widgets.ground.scope import ScopeRow

VOLUME = Volume(np.zeros((30, 40, 50), np.int16))


def regions(count, phrase="nodule", size=2):
    """Boxes with distinct scores; that with the number `n` lies on the slices from ``n % 28``."""
    scores = np.random.default_rng(3).permutation(count) / count
    lows = [(n % 28, n % 37, n % 47) for n in range(count)]
    return tuple(
        Region(phrase, Box.at_index(VOLUME.grid, low, np.add(low, size)), float(score))
        for low, score in zip(lows, scores, strict=True)
    )


@pytest.fixture
def session():
    with GroundingSession(VOLUME, "embedded", "inline") as session:
        yield session


@pytest.mark.parametrize("count", [MOST, 20_000])
def test_of_very_many_regions_those_with_the_highest_scores_are_shown(qtbot, session, count):
    filters = RegionFilters()
    qtbot.addWidget(filters)
    found = regions(count)
    session.import_report("server", Grounding(found))
    shown, missing = filters.passed(session)
    best = sorted(found, key=lambda region: region.score)[-MOST:]
    assert {displayed.region for displayed in shown} == set(best)
    assert missing == []
    assert filters.left_out.isHidden() is (count == MOST)
    filters.overlap.slider.setValue(0)
    apart = filters.passed(session)[0]
    assert 1 < len(apart) < MOST or count > MOST
    assert apart[0].region is max(found, key=lambda region: region.score)


def test_the_most_are_those_of_all_phrases_together(qtbot, session):
    filters = RegionFilters()
    qtbot.addWidget(filters)
    both = (*regions(MOST, "cyst"), *regions(MOST, "mass"))
    session.import_report("server", Grounding(both))
    shown, _ = filters.passed(session)
    assert len(shown) == MOST
    least = sorted(region.score for region in both)[-MOST]
    assert min(displayed.region.score for displayed in shown) == least
    assert [s.region.phrase for s in shown] == sorted(s.region.phrase for s in shown)
    assert not filters.left_out.isHidden()


def test_of_many_boxes_those_in_the_plane_and_the_chosen_ones_are_drawn():
    viewer = ViewerModel()
    viewer.add_layer(Layer.create(*layer_data(VOLUME)))
    show_plane(viewer, Plane.AXIAL)
    layers = RegionLayers(viewer, VOLUME, "Found", lambda _: None)
    shown = [DisplayedRegion(n, r, "#00ff00", "test") for n, r in enumerate(regions(3 * MANY))]
    layers.show(shown)

    def drawn():
        return set(layers.layer("boxes").features["key"])

    for s_mm in (7.0, 12.0):
        viewer.dims.set_point(0, s_mm)
        assert drawn() == {n for n in range(3 * MANY) if n % 28 in (s_mm - 1, s_mm)}
    layers.choose(5)
    assert drawn() == {n for n in range(3 * MANY) if n % 28 in (11, 12)} | {5}
    viewer.dims.ndisplay = 3
    assert drawn() == set(range(3 * MANY))
    layers.close()


def test_distances_have_their_unit(qtbot):
    row = ScopeRow()
    qtbot.addWidget(row)
    assert (row.reach.text(), row.every.text()) == ("20 mm", "5 mm")
