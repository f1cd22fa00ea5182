"""Loading a model by the code of its folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

from napari_medvlm.backends.model_code.code_folder import ModelCode
from napari_medvlm.backends.models.transformers_loader import Loaded, dtype_for, torch_device
from napari_medvlm.data.errors import BackendUnavailable

CLASSES = (
    "AutoModelForImageTextToText", "AutoModelForVision2Seq", "AutoModelForCausalLM",
    "AutoModelForSeq2SeqLM", "AutoModel",
)  # fmt: skip
"""Which class of ``auto_map`` loads the model, the first that is named."""
TIED = "all_tied_weights_keys"
"""What ``post_init`` sets and ``from_pretrained`` of transformers 5 reads."""

DTYPE_SINCE = (4, 56)
"""The version of transformers from which on the argument is called ``dtype``."""


def load_code(code: ModelCode, device: str) -> Loaded:
    """The model of a folder with its processor or tokenizer, by the folder's own code.

    Nothing is fetched. The folder must have been checked by `code_folder.code_to_run`.

    Raises
    ------
    BackendUnavailable
        If the code needs a library that is not installed, or does not load the model.
    """
    import transformers
    from transformers.dynamic_module_utils import get_class_from_dynamic_module

    target = torch_device(device)
    settings: dict[str, Any] = {"local_files_only": True, "trust_remote_code": True}
    auto = next((name for name in CLASSES if name in code.classes), CLASSES[-1])
    try:
        # A class that is not named is looked for by transformers, which reports what it lacks.
        if auto in code.classes:
            model_class = get_class_from_dynamic_module(code.classes[auto], code.folder)
        else:
            model_class = getattr(transformers, auto)
        with _computed(model_class) as buffers:
            precision = {dtype_name(transformers.__version__): dtype_for(target)}
            model = model_class.from_pretrained(code.folder, **precision, **settings)
        for name, values in buffers.items():
            parent, _, own = name.rpartition(".")
            setattr(model.get_submodule(parent), own, values)
        processor = transformers.AutoProcessor.from_pretrained(code.folder, **settings)
    except ImportError as error:
        raise BackendUnavailable(
            f"The code of the model in {code.folder} needs a library: {_line(error)}",
            "Install it in the environment that is named for this model in environments.yaml.",
        ) from error
    except Exception as error:  # of any kind: the code is not ours
        raise BackendUnavailable(
            f"The code in {code.folder} cannot load the model: {type(error).__name__}: "
            f"{_line(error)}",
            "Use an environment with the versions that its authors name.",
        ) from error
    return Loaded(model.to(target).eval(), processor, model.device, code.kind, own_code=True)


def dtype_name(version: str) -> str:
    """What ``from_pretrained`` of a version of transformers calls the precision.

    Environments of models may have the version that their authors name, such as 4.44.
    """
    major, minor = (int(part) for part in version.split(".")[:2])
    return "dtype" if (major, minor) >= DTYPE_SINCE else "torch_dtype"


@contextmanager
def _computed(model_class: Any) -> Iterator[dict[str, Any]]:
    """Within, models of a class begin with computed values, and call ``post_init`` at last.

    Code written for transformers 4 may compute values that are in no file, such as tables of
    positions: transformers 5 builds models without values and leaves these undefined. It also needs
    what ``post_init`` sets, which such code may leave out.

    Yields
    ------
    dict
        The buffers that are in no file, by their names in the model, once there is one.
    """
    import torch

    begin, buffers = model_class.__init__, {}

    @wraps(begin)
    def begin_computed(model: Any, *args: Any, **settings: Any) -> None:
        with torch.device("cpu"):
            begin(model, *args, **settings)
            if type(model) is model_class and not hasattr(model, TIED):
                model.post_init()
        stored = model.state_dict().keys()
        buffers.update({n: b.clone() for n, b in model.named_buffers() if n not in stored})

    model_class.__init__ = begin_computed
    try:
        yield buffers
    finally:
        model_class.__init__ = begin


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:300]
