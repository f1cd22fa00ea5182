"""Answers of image-text models of transformers: written as one watches, read, and explained."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from inspect import signature
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.backends.base import Progress
from napari_medvlm.backends.models.catalog import Row
from napari_medvlm.backends.models.transformers_loader import Loaded
from napari_medvlm.backends.vlm.chat_messages import LETTERS, earlier_pictures
from napari_medvlm.backends.vlm.occlusion import evidence_map
from napari_medvlm.backends.vlm.parse_answer import ModelOutput, Stream, answer_of, stream_for
from napari_medvlm.backends.vlm.prompt_inputs import ModelInputs, build_inputs, with_tokens
from napari_medvlm.backends.vlm.reasoning import split_reasoning
from napari_medvlm.backends.vlm.streamer import Spelling, Streamer
from napari_medvlm.data.answer import AnswerDelta, AnswerKind, Question, plain_settings
from napari_medvlm.data.errors import InvalidPrompt
from napari_medvlm.data.region import Heatmap


class AnswerGenerator:
    """Has one model answer questions.

    Parameters
    ----------
    loaded, row
        The model, and what is known of its kind.
    writer
        Has it compute.
    settings
        How it writes; ``max_new_tokens`` is how long an answer may be.
    source
        Name of the model, which its claims state.
    """

    def __init__(
        self,
        loaded: Loaded,
        row: Row,
        writer: Streamer,
        settings: Mapping[str, Any],
        source: str = "",
    ) -> None:
        self._loaded = loaded
        self._row = row
        self._writer = writer
        self._settings = settings
        self._source = source

    def answer(self, question: Question, progress: Progress) -> Iterator[AnswerDelta]:
        """The answer: text as it comes, without thoughts, and at the end the whole."""
        progress(0.0, "reading the question")
        asked = build_inputs(self._loaded, self._row, question, self._longest)
        stream = stream_for(asked.question, self._row, inside=asked.inside)
        spelling, tokens = Spelling(self._loaded), []
        status = (0.0, "reading the images")
        settings = {**self._settings, "max_new_tokens": asked.room}
        writing = self._writer.tokens(
            self._loaded.model, asked.tensors, settings, lambda: progress(*status)
        )
        with closing(writing) as written:
            for token in written:
                tokens.append(token)
                status = _status(len(tokens) / asked.room, len(tokens), stream)
                if text := stream.feed(spelling.add(token)):
                    yield AnswerDelta(text)
                if asked.question.tools and "<result" in stream.text:
                    break  # it makes up what a tool would say
        if text := stream.end():
            yield AnswerDelta(text)
        yield AnswerDelta(answer=self._read(tokens, asked))

    def explain(
        self, question: Question, written: str, picture: int, progress: Progress
    ) -> Heatmap:
        """Compute the evidence map of an image for the model's text.

        Raises
        ------
        InvalidPrompt
            If nothing was written, or the image was not sent.
        """
        progress(0.0, "reading the question")
        asked = build_inputs(self._loaded, self._row, question, self._longest)
        own = picture + earlier_pictures(question) - asked.dropped
        position, tokens = own - earlier_pictures(asked.question), self._tokens_of(written)
        pictures = asked.question.pictures
        if not tokens or not 0 <= position < len(pictures):
            raise InvalidPrompt(
                f"There is no answer to explain for image {picture + 1} of "
                f"{len(question.pictures)}.",
                "Choose an image that was sent, and an answer with text.",
            )

        def likelihood(pixels: NDArray[np.uint8]) -> float:
            shown = replace(pictures[position], pixels=pixels)
            others = (*pictures[:position], shown, *pictures[position + 1 :])
            inputs = build_inputs(
                self._loaded, self._row, replace(asked.question, pictures=others), 0
            )
            return self._writer.call(lambda: self._log_probability(inputs.tensors, tokens))

        return evidence_map(pictures[position], likelihood, progress)

    @property
    def _longest(self) -> int:
        return int(self._settings["max_new_tokens"])

    def _read(self, tokens: list[int], asked: ModelInputs) -> Any:
        text = self._loaded.text(tokens)
        text = text.partition("<result")[0] if asked.question.tools else text
        if asked.inside and not any(closing in text for _, closing in self._row.markers):
            text = f"{self._row.markers[0][0]}{text}"  # a thought that was never closed
        cut_off = len(tokens) >= asked.room and tokens[-1] not in self._loaded.ends
        written = ModelOutput(
            text,
            tokens=len(tokens),
            probabilities=self._probabilities(text, asked),
            cut_off=cut_off,
            notes=asked.notes,
        )
        answer = answer_of(written, asked.question, self._row, asked.shown, self._source)
        settings = plain_settings({**self._settings, "max_new_tokens": asked.room})
        return replace(answer, prompt=asked.text, settings=settings)

    def _probabilities(self, text: str, asked: ModelInputs) -> tuple[float, ...]:
        """Probability of each option's letter as the first token of the answer.

        Behind the thoughts, if the model had any. The letters share all that there is: what else
        the model might have written there is left out of account.
        """
        options = asked.question.options
        if asked.question.kind is not AnswerKind.CHOICE or not options:
            return ()
        thinking, answer = split_reasoning(text, self._row.markers)
        before = text[: text.rfind(answer)] if thinking and answer else ""
        letters = [self._spellings(letter) for letter in LETTERS[: len(options)]]
        if not all(letters):
            return ()
        return self._writer.call(
            lambda: self._shares(asked.tensors, self._tokens_of(before), letters)
        )

    def _spellings(self, letter: str) -> list[int]:
        """The single tokens that write a letter, at the beginning of a text and behind a space."""
        encoded = (self._tokens_of(form) for form in (letter, f" {letter}"))
        return sorted({tokens[0] for tokens in encoded if len(tokens) == 1})

    def _shares(
        self, inputs: Any, before: list[int], letters: Sequence[list[int]]
    ) -> tuple[float, ...]:
        import torch

        logits = self._logits(with_tokens(self._loaded, inputs, before), 1)[0]
        weights = torch.stack([torch.logsumexp(logits[own], 0) for own in letters])
        return tuple(torch.softmax(weights, 0).tolist())

    def _tokens_of(self, text: str) -> list[int]:
        tokens: list[int] = self._loaded.processor.tokenizer(text, add_special_tokens=False)[
            "input_ids"
        ]
        return tokens

    def _log_probability(self, inputs: Any, tokens: list[int]) -> float:
        """Log probability of a token sequence."""
        import torch

        logits = self._logits(with_tokens(self._loaded, inputs, tokens), len(tokens) + 1)[:-1]
        chosen = torch.tensor(tokens, device=logits.device)[:, None]
        return float(torch.log_softmax(logits, 1).gather(1, chosen).sum())

    def _logits(self, inputs: Any, last: int) -> Any:
        """Logits after the last positions, ``(last, vocabulary)``."""
        import torch

        model = self._loaded.model
        few = "logits_to_keep" in signature(model.forward).parameters
        with torch.inference_mode():
            out = model(**inputs, **({"logits_to_keep": last} if few else {}))
        return out.logits[0, -last:].float()


def _status(fraction: float, count: int, stream: Stream) -> tuple[float, str]:
    what = "thinking" if stream.is_thinking else "writing"
    return min(fraction, 1.0), f"{what}, {count} tokens"
