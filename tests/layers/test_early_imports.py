"""The first regions are shown without imports on the window's thread."""

import sys

from napari_medvlm.layers.early_imports import MODULES, import_early


def test_modules_of_region_layers_are_imported_on_another_thread_once():
    thread = import_early()
    thread.join()
    assert thread is import_early()
    assert set(MODULES) <= set(sys.modules)
