"""A real server, ``transformers serve``, with small models of random weights; no network."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
import transformers as hf

from tests.backends import tiny_models as tiny

NAME, LONG, CALLER = "tiny/qwen", "tiny/endless", "tiny/caller"
REVISION = "0" * 40
READY_S = 180.0
LARGE = 8.0
SPECIAL = [0, 2, 3, 4, 5, 6, 7]
ENDS = {"min_new_tokens": 40, "exponential_decay_length_penalty": [40, 1.3]}
GOES_ON = {"min_new_tokens": 1000}
"""What generation_config.json says, by which both end where a test wants it."""
CALL = '<tool_call>\n{"name": "measure", "arguments": {"object": "left kidney"}}\n</tool_call>'
CERTAIN = 1e4


def make_models(folder: Path) -> Path:
    """A cache of the hub: a model that ends after some 50 tokens, one that goes on, a caller.

    The caller's random weights are biased so that behind a question mark it writes `CALL`.
    """
    first = made(folder, NAME, ENDS)
    made(folder, LONG, GOES_ON, like=first)
    made(folder, CALLER, {"sequence_bias": _bias(first)}, like=first)
    return folder


def _bias(folder: Path) -> list[list[object]]:
    """What leads from a question's end to a call, token by token, whatever the weights are."""
    tokenizer = hf.AutoTokenizer.from_pretrained(folder)
    asked, called = "?<|im_end|>\n<|im_start|>assistant\n", f"{CALL}<|im_end|>"
    start, tokens = (tokenizer(t, add_special_tokens=False)["input_ids"] for t in (asked, called))
    return [[[*start, *tokens[: k + 1]], CERTAIN] for k in range(len(tokens))]


def made(cache: Path, name: str, settings: dict[str, object], like: Path | None = None) -> Path:
    """The folder of a model in a cache, with more in its generation_config.json."""
    repository = cache / f"models--{name.replace('/', '--')}"
    folder = repository / "snapshots" / REVISION
    folder.mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(REVISION)
    if like is None:
        _made_to_look(tiny.qwen25(folder))
    else:
        for file in like.iterdir():
            (folder / file.name).write_bytes(file.read_bytes())
    path = folder / "generation_config.json"
    more = {"do_sample": False, "suppress_tokens": SPECIAL, **settings}
    path.write_text(json.dumps({**json.loads(path.read_text()), **more}))
    return folder


def _made_to_look(folder: Path) -> None:
    """Make the weights large, so that what is written depends on words and pixels."""
    model = hf.AutoModelForImageTextToText.from_pretrained(folder)
    with torch.no_grad():
        for name, weights in model.named_parameters():
            if weights.dim() > 1 and "embed_tokens" not in name and "lm_head" not in name:
                weights.mul_(LARGE)
    model.save_pretrained(folder)


@contextmanager
def serving(cache: Path) -> Iterator[str]:
    """The base address of a server that offers the models of a cache."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [Path(sys.executable).with_name("transformers"), "serve", "--host", "127.0.0.1"]
    alone = {"HF_HUB_OFFLINE": "1", "HF_HUB_CACHE": str(cache), "OMP_NUM_THREADS": "1"}
    with (cache / "server.log").open("w") as log:
        server = subprocess.Popen(
            [*command, "--port", str(port), "--device", "cpu"],
            stdout=log, stderr=log, env={**os.environ, **alone},
        )  # fmt: skip
    try:
        _await(f"http://127.0.0.1:{port}/health", server)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        server.terminate()
        server.wait()


def _await(url: str, server: subprocess.Popen[bytes]) -> None:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    until = time.monotonic() + READY_S
    while time.monotonic() < until and server.poll() is None:
        try:
            direct.open(url, timeout=1.0).close()
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)  # nothing tells when a port opens
        else:
            return
    raise AssertionError(f"The server did not start: {server.poll()}")
