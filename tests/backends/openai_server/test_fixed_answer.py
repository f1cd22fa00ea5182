"""The model for servers that are tried by hand gives its answer and ends."""

import transformers as hf

from tests.backends.openai_server.fixed_answer import ANSWER, fixed_answer


def test_fixed_answer_model_writes_its_answer_and_stops(tmp_path):
    folder = fixed_answer(tmp_path)
    tokenizer = hf.AutoTokenizer.from_pretrained(folder)
    model = hf.AutoModelForImageTextToText.from_pretrained(folder)
    text = "<|im_start|>user\nWhich?<|im_end|>\n<|im_start|>assistant\n"
    asked = tokenizer(text, return_tensors="pt", return_token_type_ids=False)
    written = model.generate(**asked, max_new_tokens=50, do_sample=False)
    assert tokenizer.decode(written[0]) == f"{text}{ANSWER}<|im_end|>"
