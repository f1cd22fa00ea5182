import builtins

import pytest

from tests.corpus.picture_rows import PICTURES
from tests.corpus.raster_rows import RASTERS


@PICTURES.parametrized
def test_a_tiff_is_read_as_its_library_shows_it(build, tmp_path):
    build(tmp_path).check()


@RASTERS.parametrized
def test_a_png_or_jpeg_is_read_as_pillow_shows_it(build, tmp_path):
    build(tmp_path).check()


@pytest.mark.parametrize("name", ["tiff_lzw", "packbits", "tiff_adobe_deflate", "jpeg"])
def test_a_compressed_tiff_is_read_without_imagecodecs(monkeypatch, tmp_path, name):
    row = PICTURES.builders[f"io38-compression-{name}"](tmp_path)
    imported = builtins.__import__

    def without(module, *arguments, **keywords):
        if module.split(".")[0] in ("imagecodecs", "_imagecodecs"):
            raise ImportError(module)
        return imported(module, *arguments, **keywords)

    monkeypatch.setattr(builtins, "__import__", without)
    row.check()
