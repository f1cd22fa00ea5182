"""Checkpoints of Segment Anything's shape, whose sizes are read from those of their weights."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_medvlm.backends.layouts.weight_files import read_file
from napari_medvlm.data.errors import BackendUnavailable

if TYPE_CHECKING:
    import torch

    State = Mapping[str, torch.Tensor]

SUFFIXES = (".pth", ".pt", ".safetensors")
_PARTS = ("image_encoder.", "prompt_encoder.", "mask_decoder.")
_WRAPPINGS = ("model", "state_dict", "model_state_dict")
"""Keys under which training scripts put the weights."""
BROKEN = (KeyError, RuntimeError, ValueError, IndexError, ZeroDivisionError, AssertionError)
"""What is raised where weights do not fit a network."""


@dataclass(frozen=True)
class Layout:
    """The sizes of a network of Segment Anything's shape.

    Parameters
    ----------
    width, depth, heads
        Of the image encoder: channels, blocks, attention heads.
    side, patch
        Pixels along the edge of the image that it takes, and of a patch.
    window, everywhere
        Patches along the edge of an attention window, and the blocks that attend everywhere.
    channels, mask_channels, masks
        Of the embedding; of a mask that is given; how many masks are offered for one prompt.
    decoder_depth, decoder_width, score_depth, score_width
        Of the decoder's transformer and of the head that predicts scores.
    """

    width: int
    depth: int
    heads: int
    side: int
    patch: int
    window: int
    everywhere: tuple[int, ...]
    channels: int
    mask_channels: int
    masks: int
    decoder_depth: int
    decoder_width: int
    score_depth: int
    score_width: int

    @classmethod
    def of(cls, state: State) -> Layout:
        """The layout of weights by name.

        Raises
        ------
        KeyError
            If a weight is missing that determines a size.
        """
        shape = {name: tuple(weight.shape) for name, weight in state.items()}
        grid, width = shape["image_encoder.pos_embed"][2:]
        patch = shape["image_encoder.patch_embed.proj.weight"][2]
        depth = _count(shape, "image_encoder.blocks.")
        spans = [shape[f"image_encoder.blocks.{i}.attn.rel_pos_h"] for i in range(depth)]
        reach = [(span + 1) // 2 for span, _ in spans]
        window = min(reach)
        score = "mask_decoder.iou_prediction_head.layers."
        layers = "mask_decoder.transformer.layers."
        return cls(
            width=width,
            depth=depth,
            heads=width // spans[0][1],
            side=grid * patch,
            patch=patch,
            window=window,
            everywhere=tuple(i for i, r in enumerate(reach) if r == grid and r != window),
            channels=shape["prompt_encoder.no_mask_embed.weight"][1],
            mask_channels=shape["prompt_encoder.mask_downscaling.3.weight"][0],
            masks=shape["mask_decoder.mask_tokens.weight"][0] - 1,
            decoder_depth=_count(shape, layers),
            decoder_width=shape[f"{layers}0.mlp.lin1.weight"][0],
            score_depth=_count(shape, score),
            score_width=shape[f"{score}0.weight"][0],
        )

    def build(self, epsilon: float = 1e-6) -> Any:
        """Create a `segment_anything.modeling.Sam` of this layout without weights.

        Parameters
        ----------
        epsilon
            Of the normalizations of the image encoder's blocks.
        """
        import torch
        from segment_anything import modeling

        patches = (self.side // self.patch,) * 2
        return modeling.Sam(
            image_encoder=modeling.ImageEncoderViT(
                depth=self.depth, embed_dim=self.width, img_size=self.side, mlp_ratio=4,
                norm_layer=partial(torch.nn.LayerNorm, eps=epsilon), num_heads=self.heads,
                patch_size=self.patch, qkv_bias=True, use_rel_pos=True,
                global_attn_indexes=self.everywhere, window_size=self.window,
                out_chans=self.channels,
            ),
            prompt_encoder=modeling.PromptEncoder(
                embed_dim=self.channels, image_embedding_size=patches,
                input_image_size=(self.side, self.side), mask_in_chans=self.mask_channels,
            ),
            mask_decoder=modeling.MaskDecoder(
                num_multimask_outputs=self.masks,
                transformer=modeling.TwoWayTransformer(
                    depth=self.decoder_depth, embedding_dim=self.channels,
                    mlp_dim=self.decoder_width, num_heads=8,
                ),
                transformer_dim=self.channels, iou_head_depth=self.score_depth,
                iou_head_hidden_dim=self.score_width,
            ),
        ).eval()  # fmt: skip


def checkpoint_file(model: str | None, title: str) -> Path:
    """The file of a checkpoint: itself, or the only one in a folder.

    Raises
    ------
    BackendUnavailable
        If there is none, or more than one.
    """
    if not model:
        raise BackendUnavailable(
            f"{title} needs a checkpoint, but none was given.",
            "Choose a checkpoint file, such as sam_vit_b_01ec64.pth or medsam_vit_b.pth.",
        )
    path = Path(model).expanduser()
    if path.is_file():
        return path
    files = sorted(p for p in path.glob("*") if p.suffix in SUFFIXES) if path.is_dir() else []
    if len(files) == 1:
        return files[0]
    what = f"The folder {path} holds {len(files)} checkpoints; one is needed."
    raise BackendUnavailable(
        what if path.is_dir() else f"There is no file {path}.",
        "Name one file that ends in .pth, .pt or .safetensors.",
    )


def read_state(path: Path) -> State:
    """The weights in a file by name, read without running code that the file may hold.

    Raises
    ------
    BackendUnavailable
        If the file cannot be read, or holds more than weights.
    """
    return _unwrapped(read_file(path))


def load_sam(path: Path) -> Any:
    """The network of a checkpoint with its weights, a `segment_anything.modeling.Sam`.

    Raises
    ------
    BackendUnavailable
        If its weights are not those of a Segment Anything network.
    """
    state = read_state(path)
    try:
        sam = Layout.of(state).build()
        sam.load_state_dict(state, strict=True)
    except BROKEN as error:
        raise foreign(path, error) from error
    return sam


def foreign(path: Path, error: Exception) -> BackendUnavailable:
    """The error for a file whose weights are not those of a Segment Anything network."""
    if isinstance(error, KeyError):
        why = f"it has no weight {error.args[0]}"
    else:
        lines = str(error).strip().splitlines()
        why = lines[min(1, len(lines) - 1)].strip() if lines else ""
    return BackendUnavailable(
        f"{path.name} is not a Segment Anything checkpoint: {why}.",
        "Choose a checkpoint of the segment-anything package. Models of transformers, SAM 2 and "
        "its relatives among them, are for the backend sam2.",
    )


def digest_of(path: Path) -> str:
    """Hexadecimal BLAKE2 hash of a file: the identity of its weights."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def _unwrapped(held: Any) -> State:
    """The weights of the three parts, without what training scripts put around them.

    What is stored besides the three parts, such as a text encoder, is left out.
    """
    while isinstance(held, Mapping) and (key := next((k for k in _WRAPPINGS if k in held), "")):
        held = held[key]
    if not isinstance(held, Mapping):
        return {}
    plain = {str(name).removeprefix("module."): weight for name, weight in held.items()}
    return {
        name: weight
        for name, weight in plain.items()
        if name.startswith(_PARTS) and hasattr(weight, "shape")
    }


def _count(shapes: Mapping[str, tuple[int, ...]], prefix: str) -> int:
    """Number of numbered layers with a name prefix."""
    numbers = {n[len(prefix) :].split(".")[0] for n in shapes if n.startswith(prefix)}
    if not numbers:
        raise KeyError(prefix)
    return len(numbers)
