"""Loading a model by the code of its folder."""

from __future__ import annotations

from typing import Any

from napari_medvlm.backends.model_code.code_folder import ModelCode
from napari_medvlm.backends.models.transformers_loader import Loaded, dtype_for, torch_device
from napari_medvlm.data.errors import BackendUnavailable

CLASSES = (
    "AutoModelForImageTextToText", "AutoModelForVision2Seq", "AutoModelForCausalLM",
    "AutoModelForSeq2SeqLM", "AutoModel",
)  # fmt: skip
"""Which class of ``auto_map`` loads the model, the first that is named."""


def load_code(code: ModelCode, device: str) -> Loaded:
    """The model of a folder with its processor or tokenizer, by the folder's own code.

    Nothing is fetched. The folder must have been checked by `code_folder.code_to_run`.

    Raises
    ------
    BackendUnavailable
        If the code needs a library that is not installed, or does not load the model.
    """
    import transformers

    target = torch_device(device)
    settings: dict[str, Any] = {"local_files_only": True, "trust_remote_code": True}
    auto = next((name for name in CLASSES if name in code.classes), CLASSES[-1])
    # A class that this version of transformers no longer has is loaded by its own name.
    try:
        if hasattr(transformers, auto):
            model_class = getattr(transformers, auto)
        else:
            from transformers.dynamic_module_utils import get_class_from_dynamic_module

            model_class = get_class_from_dynamic_module(code.classes[auto], str(code.folder))
        model = model_class.from_pretrained(code.folder, dtype=dtype_for(target), **settings)
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


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:300]
