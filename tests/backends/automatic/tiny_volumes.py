"""Small checkpoints of models for volumes, with random weights, laid out as their authors do."""

from __future__ import annotations

import argparse
import copy
import json
import pydoc
import warnings
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import onnx
import onnx.helper
import onnx.numpy_helper
import torch
import transformers
from medim.models.sam_med3d import build_sam3D_vit_b_ori
from monai.bundle import ConfigParser
from monai.networks.nets import UNet, vista3d132
from voxtell.inference import predictor
from voxtell.model.voxtell_model import VoxTellModel

from napari_medvlm.backends.conformance.phantom import phantom
from napari_medvlm.backends.models.trust import trust
from napari_medvlm.data.geometry.frames import affine_from_ras, ras_matrix
from napari_medvlm.data.volume import Volume
from tests.backends.tiny_models import word_tokenizer

torch.set_num_threads(1)

NAMES = ("background", "left kidney", "right kidney", "bright lesion")


def oblique(degrees: float = 35.0, axes: tuple[int, ...] = (1, 0, 2)) -> Volume:
    """The phantom turned about an axis, its array's axes in another order, the first one reversed.

    Anisotropic: 2.5 x 1 x 1.25 mm.
    """
    model = phantom(degrees)
    affine = model.affine.copy()
    affine[:3, :3] = affine[:3, list(axes)]
    data = model.data.transpose(axes)[::-1]
    affine[:3, 3] = affine[:3, 3] + affine[:3, 0] * (data.shape[0] - 1)
    affine[:3, 0] = -affine[:3, 0]
    return Volume(np.ascontiguousarray(data), affine, model.modality)


def nifti(volume: Volume, path: Path) -> Volume:
    """A volume written as a NIfTI file by nibabel alone; it, with the affine that the file keeps.

    Files keep affines in single precision.
    """
    image = nib.Nifti1Image(volume.data.transpose(2, 1, 0), ras_matrix(volume.affine))
    image.header.set_sform(image.affine, 1)
    image.header.set_qform(image.affine, 1, strip_shears=False)
    nib.save(image, path)
    return replace(volume, affine=affine_from_ras(nib.load(path).affine))


def unet(out: int = len(NAMES), seed: int = 0, channels: int = 1) -> UNet:
    """A network that says something else of bright voxels than of dark ones."""
    torch.manual_seed(seed)
    network = UNet(3, channels, out, channels=(4, 8), strides=(2,), norm="batch")
    for part in network.modules():
        if isinstance(part, torch.nn.Conv3d | torch.nn.ConvTranspose3d):
            torch.nn.init.normal_(part.weight, std=0.5)
    return network.eval()


CONFIG = {
    "imports": ["$import glob"],
    "bundle_root": ".",
    "output_dir": "$@bundle_root + '/eval'",
    "device": "$torch.device('cuda:0')",
    "network_def": {
        "_target_": "UNet", "spatial_dims": 3, "in_channels": 1, "out_channels": len(NAMES),
        "channels": [4, 8], "strides": [2], "norm": "batch",
    },
    "network": "$@network_def.to(@device)",
    "preprocessing": {
        "_target_": "Compose",
        "transforms": [
            {"_target_": "LoadImaged", "keys": "image"},
            {"_target_": "EnsureChannelFirstd", "keys": "image"},
            {"_target_": "Orientationd", "keys": "image", "axcodes": "RAS"},
            {"_target_": "Spacingd", "keys": "image", "pixdim": [1.5, 1.5, 2.0],
             "mode": "bilinear"},
            {"_target_": "ScaleIntensityRanged", "keys": "image", "a_min": 80, "a_max": 220,
             "b_min": 0, "b_max": 1, "clip": True},
            {"_target_": "EnsureTyped", "keys": "image"},
        ],
    },
    "dataset": {"_target_": "Dataset", "data": "$[{'image': i} for i in glob.glob('*.nii')]",
                "transform": "@preprocessing"},
    "inferer": {"_target_": "SlidingWindowInferer", "roi_size": [16, 16, 16],
                "sw_batch_size": 2, "overlap": 0.5},
    "postprocessing": {
        "_target_": "Compose",
        "transforms": [
            {"_target_": "Activationsd", "keys": "pred", "softmax": True},
            {"_target_": "Invertd", "keys": "pred", "transform": "@preprocessing",
             "orig_keys": "image", "nearest_interp": False, "to_tensor": True},
            {"_target_": "AsDiscreted", "keys": "pred", "argmax": True},
            {"_target_": "SaveImaged", "keys": "pred", "output_dir": "@output_dir"},
        ],
    },
    "evaluator": {"_target_": "SupervisedEvaluator", "device": "@device", "amp": True},
    "checkpointloader": {
        "_target_": "CheckpointLoader", "load_path": "$@bundle_root + '/models/model.pt'",
        "load_dict": {"model": "@network"},
    },
}  # fmt: skip
"""As the spleen bundle of MONAI's model zoo has it, the network and the windows made small."""


def metadata(names: tuple[str, ...] = NAMES, channels: int = 1) -> dict[str, object]:
    """What a bundle tells of its labels."""
    output = {"type": "image", "format": "segmentation", "num_channels": len(names)}
    output["channel_def"] = {str(k): name for k, name in enumerate(names)}
    inputs = {"image": {"type": "image", "num_channels": channels}}
    return {"name": "Tiny", "network_data_format": {"inputs": inputs, "outputs": {"pred": output}}}


def bundle(folder: Path, config: dict[str, object] | None = None, **settings: object) -> Path:
    """A trusted bundle."""
    for part in ("configs", "models"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    (folder / "configs" / "inference.json").write_text(json.dumps(config or CONFIG))
    (folder / "configs" / "metadata.json").write_text(json.dumps(metadata(**settings)))
    torch.save({"model": unet().state_dict()}, folder / "models" / "model.pt")
    trust(folder)
    return folder


BRATS_CHANNELS = ("T1c", "T1", "T2", "FLAIR")
BRATS_NAMES = ("Tumor core", "Whole tumor", "Enhancing tumor")


def brats_bundle(folder: Path) -> Path:
    """A trusted bundle of four MR sequences and three overlapping labels, as BraTS has them.

    Source of the layout: ``brats_mri_segmentation`` of MONAI's model zoo, made small.
    """
    config = copy.deepcopy(CONFIG)
    config["network_def"] |= {"in_channels": 4, "out_channels": 3}
    steps = config["preprocessing"]["transforms"]
    steps[4] = {
        "_target_": "NormalizeIntensityd", "keys": "image", "nonzero": True, "channel_wise": True,
    }  # fmt: skip
    config["postprocessing"]["transforms"][0] = {
        "_target_": "Activationsd", "keys": "pred", "sigmoid": True,
    }  # fmt: skip
    config["postprocessing"]["transforms"][2] = {
        "_target_": "AsDiscreted", "keys": "pred", "threshold": 0.5,
    }  # fmt: skip
    bundle(folder, config)
    outputs = {"pred": {"type": "image", "num_channels": 3,
                        "channel_def": dict(enumerate(BRATS_NAMES))}}  # fmt: skip
    inputs = {"image": {"type": "image", "modality": "MR", "num_channels": 4,
                        "channel_def": dict(enumerate(BRATS_CHANNELS))}}  # fmt: skip
    format_ = {"network_data_format": {"inputs": inputs, "outputs": outputs}}
    (folder / "configs" / "metadata.json").write_text(json.dumps({"name": "BraTS"} | format_))
    weights = unet(3, channels=4).state_dict()
    torch.save({"model": weights}, folder / "models" / "model.pt")
    trust(folder)
    return folder


def sequences(base: Volume, seed: int = 4) -> dict[str, Volume]:
    """An image for each channel of `brats_bundle`, all different, on the grid of a volume."""
    generator = np.random.default_rng(seed)
    return {
        name: replace(
            base, data=(base.data * (k + 1) + generator.normal(0, 9, base.shape)).astype("f4"),
            name=name,
        )
        for k, name in enumerate(BRATS_CHANNELS)
    }  # fmt: skip


CARD = """
title: Tiny network
spacing_mm: [1.5, 1.25, 2]
orientation: LPS
intensity: {percentile: [1, 99], mean: 120, sd: 40}
patch: [12, 16, 10]
overlap: 0.25
labels: {0: background, 1: left kidney, 2: right kidney, 3: bright lesion}
licence: Apache-2.0
"""


def layers() -> torch.nn.Sequential:
    """Two convolutions that say something else of bright voxels than of dark ones."""
    torch.manual_seed(3)
    first, last = torch.nn.Conv3d(1, 4, 3, padding=1), torch.nn.Conv3d(4, len(NAMES), 1)
    return torch.nn.Sequential(first, torch.nn.ReLU(), last).eval()


def torchscript(folder: Path) -> Path:
    """A trusted TorchScript network in a folder, with its card next to it."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "net.pt"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.trace(layers(), torch.zeros(1, 1, 8, 8, 8)).save(file)
    (folder / "card.yaml").write_text(CARD)
    trust(file)
    return file


def onnx_network(folder: Path) -> Path:
    """The same network in ONNX, and its card."""
    folder.mkdir(parents=True, exist_ok=True)
    first, _, last = layers()
    values = {"w0": first.weight, "b0": first.bias, "w1": last.weight, "b1": last.bias}
    initializers = [onnx.numpy_helper.from_array(v.detach().numpy(), k) for k, v in values.items()]
    make, kind = onnx.helper.make_node, onnx.TensorProto.FLOAT
    nodes = [
        make("Conv", ["x", "w0", "b0"], ["a"], pads=[1] * 6),
        make("Relu", ["a"], ["b"]),
        make("Conv", ["b", "w1", "b1"], ["y"]),
    ]
    ends = [
        onnx.helper.make_tensor_value_info(name, kind, [None, channels, None, None, None])
        for name, channels in (("x", 1), ("y", len(NAMES)))
    ]
    graph = onnx.helper.make_graph(nodes, "tiny", ends[:1], ends[1:], initializers)
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)])
    model.ir_version = 8
    onnx.save(model, folder / "net.onnx")
    (folder / "net.yaml").write_text(CARD)
    return folder / "net.onnx"


def vista3d(folder: Path, seed: int = 2) -> Path:
    """A bundle of a narrow VISTA3D, whose windows are as small as its depth allows."""
    for part in ("configs", "models"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    config = {"patch_size": [32, 32, 32], "resample_spacing": [1.5, 1.0, 2.0]}
    (folder / "configs" / "inference.json").write_text(json.dumps(config))
    torch.manual_seed(seed)
    torch.save(vista3d132(encoder_embed_dim=8).state_dict(), folder / "models" / "model.pt")
    return folder


PHRASES = ("left kidney", "a bright thing", "the liver with a cyst", "spleen")


class NarrowVoxTell(VoxTellModel):
    """VoxTell with few channels; the predictor asks for the sizes of the published one."""

    DECODER_CONFIGS = {k: {"channels": 4, "shape": (32 >> k,) * 3} for k in range(6)}

    def __init__(self, **settings):
        small = {"query_dim": 16, "text_embedding_dim": 8, "project_to_decoder_hidden_dim": 16}
        super().__init__(**settings | small | {"num_heads": 4})


ARCHITECTURE = {
    "n_stages": 6, "features_per_stage": [4] * 6, "conv_op": "torch.nn.modules.conv.Conv3d",
    "kernel_sizes": [[3] * 3] * 6, "strides": [[1] * 3, *[[2] * 3] * 4, [1] * 3],
    "n_blocks_per_stage": 1, "n_conv_per_stage_decoder": 1, "conv_bias": True,
    "norm_op": "torch.nn.modules.instancenorm.InstanceNorm3d",
    "norm_op_kwargs": {"eps": 1e-5, "affine": True}, "dropout_op": None,
    "dropout_op_kwargs": None, "nonlin": "torch.nn.LeakyReLU", "nonlin_kwargs": {"inplace": True},
}  # fmt: skip


def voxtell(folder: Path, bank: bool = True) -> Path:
    """A model folder as the authors lay it out; until the process ends, all VoxTells are narrow."""
    predictor.VoxTellModel = NarrowVoxTell
    (folder / "fold_0").mkdir(parents=True, exist_ok=True)
    imports = ["conv_op", "norm_op", "dropout_op", "nonlin"]
    settings = {"arch_kwargs": ARCHITECTURE, "_kw_requires_import": imports}
    plans = {
        "configurations": {"3d_fullres": {"architecture": settings, "patch_size": [32, 32, 32]}}
    }
    (folder / "plans.json").write_text(json.dumps(plans))
    torch.manual_seed(5)
    model = {k: pydoc.locate(v) if k in imports and v else v for k, v in ARCHITECTURE.items()}
    network = NarrowVoxTell(input_channels=1, **model, decoder_layer=4)
    weights = {"network_weights": network.state_dict(), "score": np.float64(0.5)}
    torch.save(weights, folder / "fold_0" / "checkpoint_final.pth")
    if bank:
        vectors = np.random.default_rng(0).normal(size=(len(PHRASES), 8)).astype(np.float16)
        np.savez(folder / "text_embeddings.npz", labels=np.array(PHRASES), embeddings=vectors)
    return folder


SAM_SIZES = {
    "encoder_embed_dim": 24, "encoder_depth": 2, "encoder_num_heads": 2,
    "encoder_global_attn_indexes": [1], "prompt_embed_dim": 48,
}  # fmt: skip


def sammed3d(path: Path, seed: int = 0) -> Path:
    """A checkpoint of a narrow SAM-Med3D, as its authors' training saves one."""
    torch.manual_seed(seed)
    network = build_sam3D_vit_b_ori(**SAM_SIZES)
    settings = {"epoch": 1, "best_dice": np.float64(0.5), "args": argparse.Namespace(lr=1e-3)}
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({**settings, "model_state_dict": network.state_dict()}, path)
    return path


def text_model(folder: Path) -> Path:
    """A small relative of the text model of VoxTell."""
    torch.manual_seed(7)
    tokenizer = word_tokenizer(["<unk>", "<pad>", "<end>"], pad_token="<pad>", eos_token="<end>")
    config = transformers.Qwen3Config(
        vocab_size=len(tokenizer), hidden_size=8, intermediate_size=16, num_hidden_layers=1,
        num_attention_heads=2, num_key_value_heads=1, head_dim=4,
    )  # fmt: skip
    transformers.Qwen3Model(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def run_by_monai(folder, image):
    """``(c, x, y, z)``: what MONAI makes of a path or a list of paths with a bundle's files."""
    parser = ConfigParser()
    parser.read_config(folder / "configs" / "inference.json")
    parser["bundle_root"], parser["device"] = str(folder), torch.device("cpu")
    parser["postprocessing#transforms"] = parser["postprocessing#transforms"][:-1]
    network = parser.get_parsed_content("network")
    network.load_state_dict(torch.load(folder / "models" / "model.pt")["model"])
    before, after = (parser.get_parsed_content(f"{p}processing") for p in ("pre", "post"))
    with torch.no_grad():
        item = before({"image": image})
        item["pred"] = parser.get_parsed_content("inferer")(item["image"][None], network.eval())[0]
        return after(item)["pred"].numpy()
