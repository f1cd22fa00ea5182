"""Conversation formats of authors as Jinja templates for transformers."""

_PARTS = (
    "{% if m.content is string %}{{ m.content }}{% else %}{% for c in m.content %}"
    "{% if c.type == 'image' %}IMAGE{% elif c.type == 'text' %}{{ c.text }}{% endif %}"
    "{% endfor %}{% endif %}"
)
_IMAGE_LINE = _PARTS.replace("IMAGE", "{{ '<image>\\n' }}")

MISTRAL = (
    "{{ bos_token }}{% set s = namespace(text='') %}{% for m in messages %}"
    "{% if m.role == 'system' %}{% set s.text %}" + _PARTS.replace("IMAGE", "") + "{% endset %}"
    "{% elif m.role == 'assistant' %} " + _PARTS.replace("IMAGE", "") + " {{ eos_token }}"
    "{% else %}{{ '[INST] ' }}{% if s.text %}{{ '<<SYS>>\\n' + s.text + '\\n<</SYS>>\\n\\n' }}"
    "{% set s.text = '' %}{% endif %}" + _IMAGE_LINE + "{{ ' [/INST]' }}{% endif %}{% endfor %}"
)
"""``mistral_instruct`` of LLaVA and LLaVA-Med: the system text stands in the first question."""

VICUNA = (
    "{{ bos_token }}{% if messages[0].role != 'system' %}"
    "A chat between a curious user and an artificial intelligence assistant. "
    "The assistant gives helpful, detailed, and polite answers to the user's questions. "
    "{% endif %}{% for m in messages %}"
    "{% if m.role == 'system' %}" + _PARTS.replace("IMAGE", "") + "{{ ' ' }}"
    "{% elif m.role == 'assistant' %}{{ 'ASSISTANT: ' }}"
    + _PARTS.replace("IMAGE", "")
    + "{{ eos_token }}"
    "{% else %}{{ 'USER: ' }}" + _IMAGE_LINE + "{{ ' ' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}ASSISTANT:{% endif %}"
)
"""``v1`` of LLaVA, as of Vicuna."""

_HEADER = "{{ '<|start_header_id|>' + ROLE + '<|end_header_id|>\\n\\n' }}"

LLAMA3 = (
    "{{ bos_token }}{% if messages[0].role != 'system' %}"
    + _HEADER.replace("ROLE", "'system'")
    + "You are a helpful language and vision assistant. "
    "You are able to understand the visual content that the user provides, "
    "and assist the user with a variety of tasks using natural language."
    "{{ '<|eot_id|>' }}{% endif %}{% for m in messages %}"
    + _HEADER.replace("ROLE", "m.role")
    + _IMAGE_LINE
    + "{{ '<|eot_id|>' }}{% endfor %}"
    "{% if add_generation_prompt %}" + _HEADER.replace("ROLE", "'assistant'") + "{% endif %}"
)
"""``llava_llama_3`` of LLaVA, as of BiMediX2: the format of Llama 3."""

CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' }}"
    + _PARTS.replace("IMAGE", "{{ '<IMG_CONTEXT>\\n' }}")
    + "{{ '<|im_end|>\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
"""The format of InternVL."""

HERMES = CHATML.replace("{{ '<|im_end|>\\n' }}", "{{ '<|im_end|>' }}")
"""``Hermes-2`` of InternVL 1.2 and 2: no line break between turns."""
