"""A small language model with a projector of pictures, as GGUF, and llama.cpp's server with it.

The next token of the model depends on the last one alone, so that it writes a text that is known.
Run as a program it serves ``MODEL [MMPROJ]``, prints its address and ends with its input.
"""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

SPECIAL = ("<unk>", "<s>", "</s>", "<start>")
UNKNOWN, CONTROL, USER, UNUSED, BYTE = 2, 3, 4, 5, 6
"""Types of tokens in GGUF."""
TEMPLATE = (
    "{% for m in messages %}{% if m.content is string %}{{ m.content }}{% else %}"
    "{% for c in m.content %}{{ c.text }}{% endfor %}{% endif %}\n{% endfor %}"
    "{% if add_generation_prompt %}<start>{% endif %}"
)
IMAGE, PATCH, VISION = 56, 14, 32
"""Pixels of a picture's side and of a patch's, and the width of the vision model."""


def write_model(path: Path, script: Sequence[str | int], context: int = 4096) -> int:
    """Write a model that answers with a script of texts and bytes; the width of its layers.

    Each piece has one that follows it. The text is without end if its last two are equal.
    """
    import gguf

    texts = list(dict.fromkeys(piece for piece in script if isinstance(piece, str)))
    tokens = [*SPECIAL, *(f"<0x{byte:02X}>" for byte in range(256)), *texts]
    width = -(-len(tokens) // 32) * 32
    unused = width - len(tokens)
    types = [UNKNOWN, *[CONTROL] * 3, *[BYTE] * 256, *[USER] * len(texts), *[UNUSED] * unused]
    tokens += [f"<unused {number}>" for number in range(unused)]
    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_context_length(context)
    writer.add_embedding_length(width)
    writer.add_block_count(1)
    writer.add_feed_forward_length(32)
    writer.add_head_count(1)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_tokenizer_model("llama")
    writer.add_token_list(tokens)
    writer.add_token_scores([0.0] * width)
    writer.add_token_types(types)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_add_space_prefix(False)
    writer.add_chat_template(TEMPLATE)
    endless = list(script[-2:-1]) == list(script[-1:])
    chain = [3, *(p + 4 if isinstance(p, int) else tokens.index(p) for p in script)]
    chain += [] if endless else [2]
    weights = {"token_embd": np.eye(width), "output": np.zeros((width, width))}
    for last, following in itertools.pairwise(chain):
        weights["output"][following, last] = 5
    squares = dict.fromkeys(("attn_q", "attn_k", "attn_v", "attn_output"), (width, width))
    shapes = {**squares, "ffn_gate": (32, width), "ffn_up": (32, width), "ffn_down": (width, 32)}
    weights |= {f"blk.0.{name}": np.zeros(shape) for name, shape in shapes.items()}
    norms = ("output_norm", "blk.0.attn_norm", "blk.0.ffn_norm")
    weights |= {name: np.ones(width) for name in norms}
    _write(writer, {f"{name}.weight": values for name, values in weights.items()})
    return width


def write_projector(path: Path, width: int) -> None:
    """Write a projector of LLaVA's kind, of random weights, for a model of a width."""
    import gguf

    writer = gguf.GGUFWriter(str(path), "clip")
    writer.add_bool("clip.has_vision_encoder", True)
    writer.add_string("clip.projector_type", "mlp")
    writer.add_bool("clip.use_gelu", True)
    numbers = {"image_size": IMAGE, "patch_size": PATCH, "embedding_length": VISION}
    numbers |= {"feed_forward_length": VISION, "projection_dim": width, "block_count": 2}
    for name, number in {**numbers, "attention.head_count": 2}.items():
        writer.add_uint32(f"clip.vision.{name}", number)
    writer.add_float32("clip.vision.attention.layer_norm_epsilon", 1e-5)
    for name in ("image_mean", "image_std"):
        writer.add_array(f"clip.vision.{name}", [0.5, 0.5, 0.5])
    shapes = {"v.patch_embd.weight": (VISION, 3, PATCH, PATCH), "v.class_embd": (VISION,)}
    shapes["v.position_embd.weight"] = ((IMAGE // PATCH) ** 2 + 1, VISION)
    layers = [f"v.blk.{n}" for n in range(2)]
    for layer in layers:
        for name in ("attn_q", "attn_k", "attn_v", "attn_out", "ffn_down", "ffn_up"):
            shapes |= {
                f"{layer}.{name}.weight": (VISION, VISION),
                f"{layer}.{name}.bias": (VISION,),
            }
    for norm in ("v.pre_ln", *(f"{layer}.ln{n}" for layer in layers for n in (1, 2))):
        shapes |= {f"{norm}.weight": (VISION,), f"{norm}.bias": (VISION,)}
    shapes |= {"mm.0.weight": (width, VISION), "mm.0.bias": (width,)}
    shapes |= {"mm.2.weight": (width, width), "mm.2.bias": (width,)}
    rng = np.random.default_rng(0)
    _write(writer, {name: 0.02 * rng.standard_normal(shape) for name, shape in shapes.items()})


def _write(writer, tensors: dict[str, np.ndarray]) -> None:
    for name, values in tensors.items():
        writer.add_tensor(name, values.astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


@contextmanager
def serving(model: Path, projector: Path | None = None) -> Iterator[str]:
    """The address of llama.cpp's server with a model, which ends with the context."""
    files = [str(path) for path in (model, projector) if path is not None]
    command = [sys.executable, "-m", "tests.backends.openai_server.tiny_gguf", *files]
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=Path(__file__).parents[3],
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        lines = iter(process.stdout.readline, "")
        yield next(line.split()[1] for line in lines if line.startswith("address ")) + "/v1"
    finally:
        process.stdin.close()
        process.stdout.close()
        process.terminate()
        process.wait()


def main() -> None:
    """Serve the files that are named until the input ends."""
    import xllamacpp

    parameters = xllamacpp.CommonParams()
    parameters.model.path = sys.argv[1]
    if len(sys.argv) > 2:
        parameters.mmproj.path = sys.argv[2]
    parameters.port, parameters.use_jinja, parameters.warmup = 0, True, False
    parameters.n_parallel, parameters.cpuparams.n_threads = 1, 1
    server = xllamacpp.Server(parameters)
    print(f"address {server.listening_address}", flush=True)
    sys.stdin.read()
    del server


if __name__ == "__main__":
    main()
