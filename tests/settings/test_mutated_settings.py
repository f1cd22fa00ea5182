"""Mutated settings, catalogues and lists are read as far as they go, or refused with a sentence."""

import json
import random

import pytest

from napari_medvlm.backends.automatic import bundle_folder
from napari_medvlm.backends.models import adapters, network_plans, registry, transformers_loader
from napari_medvlm.backends.models.resolve import resolve
from napari_medvlm.io.archive.servers import servers
from napari_medvlm.io.label_images import read_names
from napari_medvlm.sessions.cases.case_sources import cases_in_table
from napari_medvlm.sessions.cases.case_store import CaseBook
from napari_medvlm.settings import allowed_hosts, chosen_models, verified_models
from tests.mutations import ends_with_a_sentence, mutated, mutated_json

CASE = {"name": "a", "path": "/nowhere/a.nii", "status": "new", "seconds": 1.5, "results": ["x"]}
CASES = {"version": 1, "title": "t", "cases": [CASE, {**CASE, "name": "b"}], "current": "a"}
PLANS = {
    "architecture": {
        "network_class_name": "torch.nn.Conv3d",
        "arch_kwargs": {"nonlin": "torch.nn.ReLU", "stages": 3},
        "_kw_requires_import": ["nonlin"],
    }
}
OUTPUT = {"type": "image", "num_channels": 2, "channel_def": {"0": "background", "1": "liver"}}
METADATA = {
    "network_data_format": {
        "inputs": {"image": {"num_channels": 1}},
        "outputs": {"pred": OUTPUT},
    }
}
MODEL = {"name": "m", "backend": "sam", "path": "/nowhere/m.pth", "sha256": {"m.pth": "0" * 64}}


def worked_through(path):
    """Open each case of a list."""
    with CaseBook(path) as book:
        for case in book.list.cases:
            book.open_case(case.name)
            assert isinstance(case.is_missing, bool)


FILES = {
    "models.json": ([MODEL], lambda path: registry.models()),
    "servers.json": (["http://8.8.8.8:80"], lambda path: sorted(allowed_hosts.allowed())),
    "pacs.json": (
        [{"name": "p", "url": "http://127.0.0.1:1/x"}],
        lambda path: [f"{server.name} {server.url.strip()}" for server in servers()],
    ),
    "chosen_models.json": ([["sam", "m"]], lambda path: chosen_models.is_chosen("sam", "m")),
    "verified_models.json": (
        {"m": {"model": "m", "date": "2026-11-28", "passed": True, "result": "x", "bytes": 5}},
        lambda path: verified_models.verification_status("m", 5),
    ),
    "plans.json": (PLANS, lambda path: network_plans.require_known_classes(path.parent)),
    "config.json": (
        {"model_type": "llava", "vision_config": {"_attn_implementation": "eager"}},
        lambda path: (
            transformers_loader.kind_of(path.parent),
            transformers_loader.refuse_kernels(path.parent),
        ),
    ),
    "adapter_config.json": (
        {"peft_type": "LORA", "base_model_name_or_path": "a/b", "target_modules": ["q"]},
        lambda path: adapters.adapter_of(path.parent).description,
    ),
    "metadata.json": (
        METADATA,
        lambda path: bundle_folder.labels_in(json.loads(path.read_text("utf-8"))),
    ),
    "a.cases.json": (CASES, worked_through),
    "names.json": ({"labels": {"background": 0, "liver": 1}}, read_names),
}
TABLES = {
    "cases.csv": (b"path,name,series\na.nii,one,1.2\nb.nii,two,\n", cases_in_table),
    "names.csv": (b'index,name\n1,liver\n2,"left, kidney"\n', read_names),
}


@pytest.mark.parametrize("name", FILES)
def test_mutated_files_are_read_or_refused_with_a_sentence(home, name):
    content, read = FILES[name]
    source, seed = json.dumps(content).encode(), random.Random(name)
    path = home / name
    for _ in range(50):
        changed = (mutated_json if seed.random() < 0.7 else mutated)(source, seed)
        try:
            json.loads(changed)
        except (ValueError, RecursionError):
            if name == "metadata.json":  # read by another function before
                continue
        path.write_bytes(changed)
        ends_with_a_sentence(lambda: read(path))


@pytest.mark.parametrize("name", TABLES)
def test_mutated_tables_are_read_or_refused_with_a_sentence(home, name):
    source, read = TABLES[name]
    seed = random.Random(name)
    for _ in range(100):
        (home / name).write_bytes(mutated(source, seed))
        ends_with_a_sentence(lambda: read(home / name))


@pytest.mark.parametrize("name", ["a" * 5000, "a\0b", "\x1b[31m"])
def test_what_no_path_can_be_is_refused_as_a_model(name):
    assert not ends_with_a_sentence(lambda: resolve(name))
