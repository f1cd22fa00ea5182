"""The public names exist, and a type checker knows no others."""

import ast
import importlib
import pkgutil
from pathlib import Path

import pytest

import napari_medvlm as nmv

PACKAGES = ("napari_medvlm", "napari_medvlm.backends", "napari_medvlm.checks",
            "napari_medvlm.evaluation")  # fmt: skip


@pytest.mark.parametrize("package", PACKAGES)
def test_all_public_names_exist(package):
    module = importlib.import_module(package)
    for name in module.__all__:
        assert getattr(module, name) is not None
    assert set(module.__all__) <= set(dir(module))
    with pytest.raises(AttributeError, match="nonsense"):
        module.nonsense  # noqa: B018


@pytest.mark.parametrize("package", PACKAGES)
def test_no_public_name_is_also_a_module_which_would_replace_it_once_imported(package):
    module = importlib.import_module(package)
    assert not {m.name for m in pkgutil.iter_modules(module.__path__)} & set(module.__all__)


def test_backends_are_listed_with_what_they_do():
    listed = nmv.list_backends()
    assert next(iter(listed)) == "embedded"
    assert listed["vlm"].title == "Vision-language model"


@pytest.mark.parametrize("package", PACKAGES)
def test_a_type_checker_does_not_see_that_names_are_loaded_on_first_use(package):
    tree = ast.parse(Path(importlib.import_module(package).__file__).read_text("utf-8"))
    functions = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    assert "__getattr__" not in functions
    hidden = [ast.unparse(node.test) for node in tree.body if isinstance(node, ast.If)]
    assert "not TYPE_CHECKING" in hidden
