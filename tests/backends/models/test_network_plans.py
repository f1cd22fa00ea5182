"""Plans of a network name layers of torch and networks of nnU-Net; anything else needs trust."""

from __future__ import annotations

import json

import pytest

from napari_medvlm.backends.models.network_plans import PLANS, require_known_classes
from napari_medvlm.backends.models.trust import trust
from napari_medvlm.data.errors import BackendUnavailable
from tests.backends.nninteractive.tiny_nninteractive import plans


def folder_with(tmp_path, **changes):
    """A folder with the plans of a small network, with changed arguments."""
    content = plans(32)
    (configuration,) = content["configurations"].values()
    configuration["architecture"]["arch_kwargs"].update(changes)
    (tmp_path / PLANS).write_text(json.dumps(content))
    return tmp_path


@pytest.mark.parametrize(
    "name",
    [
        "torch.nn.ReLU",
        "torch.nn.modules.instancenorm.InstanceNorm3d",
        "dynamic_network_architectures.building_blocks.residual.BasicBlockD",
    ],
)
def test_layers_and_blocks_are_taken(tmp_path, name):
    require_known_classes(folder_with(tmp_path, nonlin=name))


@pytest.mark.parametrize(
    "name",
    [
        "subprocess.run",
        "torch.load",
        "torch.hub.load",
        "torch.nn.modules.module.torch.load",
        "torch.nn.functional.relu",
        "dynamic_network_architectures.building_blocks.helper.torch.hub.load",
        "torch.nn.NoSuchLayer",
        "builtins.exec",
    ],
)
def test_other_names_need_trust(tmp_path, name):
    folder = folder_with(tmp_path, nonlin=name)
    with pytest.raises(BackendUnavailable, match=r"not trusted.*models trust"):
        require_known_classes(folder)
    trust(folder)
    require_known_classes(folder)


def test_the_class_of_the_network_is_checked_too(tmp_path):
    content = plans(32)
    (configuration,) = content["configurations"].values()
    configuration["architecture"]["network_class_name"] = "os.system"
    (tmp_path / PLANS).write_text(json.dumps(content))
    with pytest.raises(BackendUnavailable, match="not trusted"):
        require_known_classes(tmp_path)


@pytest.mark.parametrize("content", ["", "[" * 100_000, "{"], ids=["empty", "nested", "cut"])
def test_plans_that_cannot_be_read_are_refused(tmp_path, content):
    (tmp_path / PLANS).write_text(content)
    with pytest.raises(BackendUnavailable, match=r"plans\.json cannot be read"):
        require_known_classes(tmp_path)
