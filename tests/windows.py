"""What makes opening a window cheaper: files and glyphs that are the same in all windows.

napari reads the manifests of all plugins and vispy computes the signed distance fields of all
letters again for each window; together they are a quarter of the time of a test.
"""

import pytest


@pytest.fixture(scope="session", autouse=True)
def manifests_read_once():
    """Read the manifest of a plugin from its file the first time only."""
    from npe2 import PluginManifest

    read = PluginManifest.from_file.__func__
    manifests = {}

    def from_file(cls, path):
        if (cls, path) not in manifests:
            manifests[cls, path] = read(cls, path)
        return manifests[cls, path].model_copy(deep=True)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PluginManifest, "from_file", classmethod(from_file))
        yield


class _Bitmap:
    """A texture that keeps what is assigned to it."""

    def __setitem__(self, at, value):
        self.value = value


@pytest.fixture(scope="session", autouse=True)
def glyphs_computed_once():
    """Compute the signed distance field of a letter the first time only."""
    from vispy.visuals.text.text import SDFRendererCPU

    render = SDFRendererCPU.render_to_texture
    bitmaps = {}

    def render_to_texture(self, data, texture, offset, size):
        key = data.shape, data.tobytes(), size
        if key not in bitmaps:
            bitmap = _Bitmap()
            render(self, data, bitmap, (0, 0), size)
            bitmaps[key] = bitmap.value
        (x, y), (width, height) = offset, size
        texture[y : y + height, x : x + width, :] = bitmaps[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SDFRendererCPU, "render_to_texture", render_to_texture)
        yield
