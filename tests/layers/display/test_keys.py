"""The page of keys lists those of the manifest."""

import re
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[3]


def test_the_page_lists_all_keys_of_the_manifest_and_no_others():
    page = (ROOT / "docs" / "display.md").read_text("utf-8").partition("## Keys")[2]
    rows = "\n".join(line.split("|")[1] for line in page.splitlines() if line.startswith("| `"))
    listed = set(re.findall(r"`([^`]+)`", rows))
    manifest = yaml.safe_load((ROOT / "napari_medvlm" / "napari.yaml").read_text("utf-8"))
    keys = {binding["key"] for binding in manifest["contributions"]["keybindings"]}
    keys |= {"Alt", "Shift"}  # with a click or the wheel
    assert listed == keys - {f"Ctrl+{number}" for number in range(2, 9)}


def test_no_two_commands_have_the_same_key():
    manifest = yaml.safe_load((ROOT / "napari_medvlm" / "napari.yaml").read_text("utf-8"))
    keys = [binding["key"] for binding in manifest["contributions"]["keybindings"]]
    assert len(keys) == len(set(keys))
