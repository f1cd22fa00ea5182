"""TextBraTS: the parts of a brain tumour from four MR sequences and the text of the report.

Shi et al., MICCAI 2025. Network and steps: https://github.com/Jupitern52/TextBraTS,
``utils/textswin_unetr.py``, ``utils/data_utils.py``, ``test.py``. The Swin UNETR of MONAI, whose
deepest features attend to the features that BioBERT gives the report.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from napari_medvlm.backends.automatic.monai_io import array_of, tensor_of
from napari_medvlm.backends.base import Progress
from napari_medvlm.backends.layouts.bases import base_folder
from napari_medvlm.backends.layouts.weight_files import SUFFIXES, mentioned, read_file, state_of
from napari_medvlm.data.errors import DAMAGED, BackendUnavailable
from napari_medvlm.data.mask import Mask
from napari_medvlm.data.volume import Volume

CHANNELS = ("FLAIR", "T1", "T1c", "T2")
PARTS = ("tumor core", "whole tumor", "enhancing tumor")
TEXT_MODEL = "dmis-lab/biobert-base-cased-v1.1"
"""The hub id of the text encoder, whose files are needed."""
LONGEST = 128
"""Tokens of a report; a shorter one is padded."""
CUT = f"The report is too long: the model reads its first {LONGEST} tokens only."
AXCODES = "LPS"
"""Towards where the axes of the images of BraTS grow."""
DEPTH = 32
"""By how much the deepest features are smaller than the image."""
CORNERS = ((0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 0, 1), (0, 1, 0), (0, 0, 1), (1, 1, 1))
"""The voxels of 2 x 2 x 2 that are merged: two twice, as in MONAI before it was corrected."""
FUSION = ("mlp_text", "mlp_text_q", "mlp_image_k", "mlp_image_v", "mlp_image_q", "mlpk", "mlpv")
NAMES = ("swinViT.mlp_text_q.weight", "swinViT.ly_norm.weight")


def textbrats_file(model: str | None) -> Path | None:
    """The checkpoint of TextBraTS at a path: a file, or one in a folder; `None`: there is none."""
    path = Path(model or "").expanduser()
    files = sorted(path.iterdir()) if path.is_dir() else [path] if model else []
    weights = (file for file in files if file.suffix in SUFFIXES and file.is_file())
    return next((file for file in weights if mentioned(file, NAMES)), None)


class TextBraTS:
    """The network with its text encoder.

    Parameters
    ----------
    file
        The checkpoint. ``vocab.txt`` and ``config.json`` of BioBERT with its weights may be in a
        folder ``biobert`` beside it.
    device
        Of torch.

    Raises
    ------
    BackendUnavailable
        If weights do not fit, or the text encoder is not on this computer.
    """

    def __init__(self, file: Path, device: Any) -> None:
        import transformers

        local: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
        own = file.parent / "biobert"
        folder = own if (own / "vocab.txt").is_file() else base_folder(TEXT_MODEL)
        self._device = device
        self._tokenizer = transformers.BertTokenizer.from_pretrained(folder, **local)
        encoder = transformers.BertModel.from_pretrained(folder, add_pooling_layer=False, **local)
        self._encoder = encoder.eval().to(device)
        self._network, self._side = _network(state_of(read_file(file)), file)
        self._network.to(device)

    def masks(
        self, images: Sequence[Volume], report: str, progress: Progress
    ) -> Mapping[str, Mask]:
        """The masks of all parts, on the grid of the images.

        Parameters
        ----------
        images
            On one grid, in the order of `CHANNELS`.
        report
            The text of the report; what is longer than `LONGEST` tokens is cut.
        """
        import torch
        from monai import transforms as t
        from monai.data import MetaTensor

        progress(0.0, "preparing the images")
        steps: list[Any] = [t.Resized("image", (self._side,) * 3)]
        if images[0].has_planes:
            steps.insert(0, t.Orientationd("image", axcodes=AXCODES, labels=None))
        before = t.Compose(steps)
        item = before({"image": tensor_of(*images)})
        seen = t.NormalizeIntensity(nonzero=True, channel_wise=True)(item["image"].as_tensor())
        progress(0.1, "segmenting")
        with torch.inference_mode():
            self._network.swinViT.report = self._features(report)
            logits = self._network(seen[None].float().to(self._device))[0]
        progress(0.9, "resampling the labels")
        item["pred"] = MetaTensor((torch.sigmoid(logits) > 0.5).float().cpu().clone())
        output = array_of(t.Invertd("pred", before, "image", nearest_interp=True)(item)["pred"])
        return {name: Mask.of(output[k] > 0.5) for k, name in enumerate(PARTS)}

    def is_cut(self, report: str) -> bool:
        """Whether a report has more tokens than the model reads."""
        return len(self._tokenizer(report, verbose=False)["input_ids"]) > LONGEST

    def _features(self, report: str) -> Any:
        """Features ``(1, 128, 768)`` of a report."""
        tokens = self._tokenizer(
            [report], padding="max_length", max_length=LONGEST, truncation=True, return_tensors="pt"
        )
        return self._encoder(**tokens.to(self._device)).last_hidden_state


def _network(state: Mapping[str, Any], file: Path) -> tuple[Any, int]:
    """The network with its weights, and the side of the cube that it sees, in voxels."""
    from monai.networks.nets.swin_unetr import SwinUNETR

    try:
        width, channels = state["swinViT.patch_embed.proj.weight"].shape[:2]
        classes = len(state["out.conv.conv.bias"])
        network = SwinUNETR(channels, classes, feature_size=width, downsample=_merging())
        _add_fusion(network.swinViT, state)
        network.load_state_dict(dict(state), strict=True)
        side = DEPTH * state["swinViT.ly_norm.weight"].shape[0]
    except (RuntimeError, *DAMAGED) as error:
        raise BackendUnavailable(
            f"{file.name} does not fit TextBraTS: {str(error).strip()[:200]}.",
            "Choose the checkpoint that the authors publish, downloaded in full.",
        ) from error
    return network.eval(), side


def _merging() -> Any:
    """The class of the layers between the stages of the image encoder."""
    import torch
    from monai.networks.nets.swin_unetr import PatchMergingV2

    class Merging(PatchMergingV2):  # type: ignore[misc]  # MONAI has no types
        """Halve features ``(B, d, h, w, C)`` of even sizes."""

        def forward(self, x: Any) -> Any:
            corners = [x[:, d::2, h::2, w::2] for d, h, w in CORNERS]
            return self.reduction(self.norm(torch.cat(corners, dim=-1)))

    return Merging


def _add_fusion(encoder: Any, state: Mapping[str, Any]) -> None:
    """Add the attention between the report and the deepest features of the image encoder."""
    from torch import nn

    def projection(name: str) -> Any:
        out, width = state[f"swinViT.{name}.weight"].shape[:2]
        return (nn.Conv3d if name.startswith("fw_mlp") else nn.Conv1d)(width, out, 1)

    for name in FUSION[1:]:
        setattr(encoder, name, projection(name))
    first, last = projection("mlp_text.0"), projection("mlp_text.2")
    encoder.mlp_text = nn.Sequential(first, nn.ReLU(), last)
    encoder.fw_mlp = nn.Sequential(projection("fw_mlp.0"), nn.ReLU())
    encoder.ly_norm = nn.LayerNorm(tuple(state["swinViT.ly_norm.weight"].shape))
    encoder.layers4[0].register_forward_hook(lambda _, __, x: _fused(encoder, x, encoder.report))


def _fused(encoder: Any, image: Any, report: Any) -> Any:
    """Image features ``(B, C, d, h, w)`` that attended to a report ``(B, tokens, D)``."""
    from torch.nn.functional import scaled_dot_product_attention as attention

    def turned(features: Any) -> Any:
        return features.transpose(1, 2)

    text, flat = encoder.mlp_text(turned(report)), image.flatten(2)
    keys, values = encoder.mlp_image_k(flat), encoder.mlp_image_v(flat)
    of_report = turned(attention(turned(encoder.mlp_text_q(text)), turned(keys), turned(values)))
    keys, values = encoder.mlpk(of_report), encoder.mlpv(of_report)
    mixed = attention(turned(encoder.mlp_image_q(flat)), turned(keys), turned(values))
    shaped = turned(mixed).reshape(image.shape)
    return encoder.ly_norm(encoder.fw_mlp(encoder.ly_norm(shaped).float()))
