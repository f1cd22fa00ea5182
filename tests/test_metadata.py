"""The metadata of the package: extras, links, the manifest, the citation."""

import re
import tomllib
from importlib.resources import files
from pathlib import Path

import yaml
from npe2 import PluginManifest

import napari_medvlm as nmv

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def names_of(requirements):
    return [re.match(r"[\w.-]+", text)[0].lower() for text in requirements]


def test_an_extra_repeats_no_requirement_of_the_package():
    base = set(names_of(PROJECT["dependencies"])) - {"napari"}
    for name, extra in PROJECT["optional-dependencies"].items():
        assert not base & set(names_of(extra)), name
        assert len(set(extra)) == len(extra), name


def test_the_extra_all_holds_every_extra_but_those_of_qt():
    extras = PROJECT["optional-dependencies"]
    named = {n for text in extras["all"] for n in re.search(r"\[(.*)\]", text)[1].split(",")}
    assert named == set(extras) - {"all", "pyqt6", "pyside6"}


def test_links_of_the_project_are_there():
    assert {"Documentation", "Issues", "Source", "Changelog"} <= set(PROJECT["urls"])
    assert all(url.startswith("https://") for url in PROJECT["urls"].values())


def test_the_manifest_has_categories_and_an_icon():
    manifest = PluginManifest.from_distribution("napari-medvlm")
    assert "Segmentation" in manifest.categories
    package, _, resource = str(manifest.icon).partition(":")
    assert files(package).joinpath(resource).read_text("utf-8").startswith("<svg")


def test_the_citation_is_of_this_version_and_licence():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    assert citation["cff-version"] == "1.2.0"
    assert citation["version"] == nmv.__version__
    assert citation["license"] == PROJECT["license"]
    assert {"message", "title", "authors"} <= set(citation)
