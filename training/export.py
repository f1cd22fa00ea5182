"""Export: ``python -m training.export CHECKPOINT --to FILE.onnx [--half] [--small FILE]``."""

from __future__ import annotations

import argparse
import hashlib
import json
import warnings
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from training.checkpoint import State, save_small
from training.network import PromptUNet, parameter_count
from training.prompts import CHANNELS

INPUT, OUTPUTS = "channels", ("logits", "score")
OPSET = 17


def export(network: PromptUNet, path: Path, *, half: bool = False, crop: int = 32) -> None:
    """Write an ONNX file for any batch and crop size.

    Parameters
    ----------
    half
        Whether the weights are stored in half precision; they are cast to single precision when the
        file is loaded, and the computation stays in single precision.
    """
    example = torch.zeros(1, len(CHANNELS), crop, crop, crop)
    batch, size = {0: "batch"}, {2: "z", 3: "y", 4: "x"}
    axes = {INPUT: batch | size, "logits": {0: "batch", 1: "z", 2: "y", 3: "x"}, "score": batch}
    with warnings.catch_warnings():
        # The newer exporter needs onnxscript; the TorchScript one is deprecated but complete here.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network.cpu().eval(),
            (example,),
            str(path),
            input_names=[INPUT],
            output_names=list(OUTPUTS),
            dynamic_axes=axes,
            opset_version=OPSET,
            dynamo=False,
        )
    if half:
        _store_in_half_precision(path)


def largest_difference(network: PromptUNet, path: Path, *, crop: int = 32, seed: int = 0) -> float:
    """The largest difference of a probability or score between torch and onnxruntime."""
    generator = torch.Generator().manual_seed(seed)
    channels = torch.randn(2, len(CHANNELS), crop, crop, crop, generator=generator)
    with torch.no_grad():
        expected = [torch.sigmoid(t).numpy() for t in network.cpu().eval()(channels)]
    results = [1 / (1 + np.exp(-r)) for r in Onnx(path)(channels.numpy())]
    pairs = zip(expected, results, strict=True)
    return max(float(np.abs(a - b).max()) for a, b in pairs)


class Onnx:
    """A network in onnxruntime, on the CPU.

    Parameters
    ----------
    threads
        Of one run.
    """

    def __init__(self, path: Path, threads: int = 1) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        providers = ["CPUExecutionProvider"]
        self._session = onnxruntime.InferenceSession(str(path), options, providers=providers)

    def __call__(
        self, channels: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Logits and score logits, one crop at a time to bound the memory."""
        parts = [
            self._session.run(None, {INPUT: channels[i : i + 1]}) for i in range(len(channels))
        ]
        return np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])


def _store_in_half_precision(path: Path) -> None:
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    model = onnx.load(str(path))
    casts = []
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype == np.float32 and values.size > 64:
            name = tensor.name
            tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}.half"))
            casts.append(helper.make_node("Cast", [f"{name}.half"], [name], to=TensorProto.FLOAT))
    for node in reversed(casts):
        model.graph.node.insert(0, node)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))


def main(arguments: list[str] | None = None) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--to", type=Path, required=True)
    parser.add_argument("--half", action="store_true", help="store the weights in half precision")
    parser.add_argument("--small", type=Path, help="write a half-precision checkpoint, too")
    chosen = parser.parse_args(arguments)
    state = State.load(chosen.checkpoint)
    network = state.average
    if chosen.small:
        save_small(state, chosen.small)
    export(network, chosen.to, half=chosen.half)
    data = chosen.to.read_bytes()
    facts = {
        "parameters": parameter_count(network),
        "bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        "largest_difference": largest_difference(network, chosen.to),
    }
    print(json.dumps(facts, indent=1))


if __name__ == "__main__":
    main()
