"""MAIRA-2 as a class for transformers 5; the code in its folder is for 4.46 to 4.51 and is not run.

Architecture: Bannur et al., "MAIRA-2: Grounded Radiology Report Generation", arXiv 2406.04449, as
in ``modeling_maira2.py`` and ``configuration_maira2.py`` of microsoft/maira-2: LLaVA with a DINOv2
backbone, whose feature map after the last layer norm is projected by several linear layers.
"""

from __future__ import annotations

from functools import cache
from typing import Any

KIND = "maira2"
"""The ``model_type`` of its config.json."""
PROCESSOR = "LlavaProcessor"
"""The class of transformers that its processor extends by prompts only."""
KEYS = {
    r"^language_model\.model\.": "model.language_model.",
    r"^language_model\.lm_head\.": "lm_head.",
    r"^vision_tower\.": "model.vision_tower.",
    r"^multi_modal_projector\.": "model.multi_modal_projector.",
}
"""Names of the published weights, and the names of transformers 5 in their place."""


@cache
def register() -> None:
    """Make the configuration and the model known to the ``Auto`` classes of transformers."""
    from transformers import AutoConfig, AutoModelForImageTextToText

    config, model = _classes()
    AutoConfig.register(KIND, config)
    AutoModelForImageTextToText.register(config, model)


def loading(kind: str, processor: str) -> tuple[str, dict[str, Any]]:
    """The class of the processor and the options that a model type is loaded with.

    Parameters
    ----------
    processor
        The class for all other model types, which need no options.
    """
    if kind != KIND:
        return processor, {}
    register()
    return PROCESSOR, {"key_mapping": KEYS}


def fit(kind: str, processor: Any, config: Any) -> None:
    """Have a processor write a token for each patch of an image: its settings are not published.

    The processors of other model types stay as they are.
    """
    if kind == KIND:
        processor.patch_size = config.vision_config.patch_size
        processor.num_additional_image_tokens = 1
        processor.vision_feature_select_strategy = config.vision_feature_select_strategy


@cache
def _projector() -> Any:
    """The class of the projector."""
    from torch import nn
    from transformers.activations import ACT2FN

    class Maira2Projector(nn.Module):  # type: ignore[misc]
        """Linear layers with an activation between them."""

        def __init__(self, config: Any) -> None:
            super().__init__()
            wide, deep = config.text_config.hidden_size, config.vision_config.hidden_size
            layers: list[nn.Module] = [nn.Linear(deep, wide)]
            for _ in range(config.projector_n_layers - 1):
                layers += [ACT2FN[config.projector_hidden_act], nn.Linear(wide, wide)]
            self.layers = nn.Sequential(*layers)

        def forward(self, features: Any) -> Any:
            return self.layers(features)

    return Maira2Projector


@cache
def _classes() -> tuple[Any, Any]:
    """The classes of the configuration and of the model."""
    from torch import nn
    from transformers import (
        AutoBackbone,
        AutoModel,
        LlavaConfig,
        LlavaForConditionalGeneration,
        LlavaModel,
        LlavaPreTrainedModel,
    )
    from transformers.modeling_outputs import BaseModelOutputWithPooling

    class Maira2Config(LlavaConfig):  # type: ignore[misc]
        """LLaVA's configuration with the number of linear layers of the projector."""

        model_type = KIND
        projector_n_layers: int = 4

    class Maira2Model(LlavaModel):  # type: ignore[misc]
        """The tower, the projector and the language model."""

        def __init__(self, config: Any) -> None:
            LlavaPreTrainedModel.__init__(self, config)
            self.vision_tower = AutoBackbone.from_config(config.vision_config)
            self.multi_modal_projector = _projector()(config)
            self.language_model = AutoModel.from_config(config.text_config)
            self.post_init()

        def get_image_features(self, pixel_values: Any, **_: Any) -> Any:
            """The projected patches of each image, from a feature map of the backbone."""
            maps = self.vision_tower(pixel_values).feature_maps
            selected = maps[self.config.vision_feature_layer]
            if self.config.vision_feature_select_strategy == "default":
                selected = selected[:, 1:]
            projected = list(self.multi_modal_projector(selected))
            return BaseModelOutputWithPooling(last_hidden_state=selected, pooler_output=projected)

    class Maira2ForConditionalGeneration(LlavaForConditionalGeneration):  # type: ignore[misc]
        """The model with its language head."""

        config_class = Maira2Config

        def __init__(self, config: Any) -> None:
            LlavaPreTrainedModel.__init__(self, config)
            self.model = Maira2Model(config)
            text = config.text_config
            self.lm_head = nn.Linear(text.hidden_size, text.vocab_size, bias=False)
            self.post_init()

    return Maira2Config, Maira2ForConditionalGeneration
