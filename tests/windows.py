"""What makes opening a window cheaper: work whose result is the same in all windows.

For each window napari reads the manifests of all plugins, and vispy computes the signed distance
fields of all letters and parses the code of all shaders. For each layer that is removed napari
collects garbage. Together they are two fifths of the time of a test.
"""

import gc
from types import SimpleNamespace

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


@pytest.fixture(scope="session", autouse=True)
def shaders_parsed_once():
    """Clean and parse the code of a shader the first time only."""
    from vispy.gloo.program import Program
    from vispy.visuals.shaders.function import Function

    parse, clean = Program._parse_variables_from_code, Function._clean_code
    variables, cleaned = {}, {}

    def parse_variables_from_code(self, update_variables=True):
        code = "\n\n".join(shader.code for shader in self._shaders)
        if code not in variables:
            parse(self, update_variables=False)
            variables[code] = self._code_variables
        self._code_variables = dict(variables[code])
        if update_variables:
            self._process_pending_variables()

    def clean_code(self, code):
        if code not in cleaned:
            cleaned[code] = clean(self, code)
        return cleaned[code]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Program, "_parse_variables_from_code", parse_variables_from_code)
        patch.setattr(Function, "_clean_code", clean_code)
        yield


@pytest.fixture(scope="session", autouse=True)
def garbage_left_to_fixtures():
    """Collect no garbage when a layer is removed or a dock begins with an image.

    `make_napari_viewer` collects it before and after each test.
    """
    collector = SimpleNamespace(
        collect=lambda *generation: 0, freeze=gc.freeze, unfreeze=gc.unfreeze
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("napari._vispy.canvas.gc", collector)
        patch.setattr("napari_medvlm.widgets.runtime.resources.gc", collector)
        yield
