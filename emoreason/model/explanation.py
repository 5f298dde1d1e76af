"""Explanation: what the language model writes once the verdict stands, so that text and verdict agree."""

import re
from collections.abc import Sequence

from emoreason.model.engines import MOST_TOKENS, Engine, OnText, Prompt
from emoreason.model.prompt import answer_text
from emoreason.scoring.answer import Answer, parse_answer
from emoreason.scoring.grammar import parse

CONCLUSION = "Taken together this appears as {}."
_QUOTED = re.compile(r'"[^"]*"')
_SENTENCE_END = re.compile(r"[.!?]['\")]*(?=\s|$)")  # not the point of 2.1 s


def explain(
    engine: Engine,
    prompt: Prompt,
    asked_why: Sequence[Sequence[int]],
    emotions: Sequence[str | None],
    labels: Sequence[str],
    most_tokens: int = MOST_TOKENS,
    on_text: OnText | None = None,
) -> list[Answer]:
    """A greedy text per prompt on why the given emotion (None = unclear) was answered, which concludes in it, then the answer
    field: always readable. asked_why: tokens of that answer and of the question after it (`EmoReasonProcessor.next_turn`).
    most_tokens = 0: nothing is read or written for it, and every text is empty."""
    texts = [""] * len(emotions)
    if most_tokens:
        texts = engine.write(engine.follow(prompt, asked_why), most_tokens, on_text=on_text)
    told = [concluded(finished(text), emotion, labels) for text, emotion in zip(texts, emotions, strict=True)]
    whole = [answer_text(text, "", emotion) for text, emotion in zip(told, emotions, strict=True)]
    return [parse_answer(text, tuple(labels)) for text in whole]


def concluded(text: str, emotion: str | None, labels: Sequence[str]) -> str:
    """The text without a conclusion other than `emotion`, should the model not keep to its answer. Last sentences
    that state no cue and name another label are dropped, and the verdict is said where the text no longer says it. Quoted words
    name nothing. Of no text nothing is made."""
    if not text.strip():
        return ""
    sentences, start = [], 0
    for end in [found.end() for found in _SENTENCE_END.finditer(text)] or [len(text)]:
        sentences.append(text[start:end].strip())
        start = end
    while sentences and _named(sentences[-1], labels) - {emotion} and not parse(sentences[-1]):
        sentences.pop()
    if emotion is not None and not (sentences and emotion in _named(sentences[-1], labels)):
        if sentences and not _SENTENCE_END.search(sentences[-1]):
            sentences[-1] += "."
        sentences.append(CONCLUSION.format(emotion))
    return " ".join(sentences)


def _named(sentence: str, labels: Sequence[str]) -> set[str]:
    words = _QUOTED.sub("", sentence)
    return {label for label in labels if re.search(rf"\b{re.escape(label)}\b", words, re.IGNORECASE)}


def finished(text: str) -> str:
    """Plain text on one line, without a last sentence that was left unfinished (unless it is the only one)."""
    text = " ".join(text.replace(">", "").split())
    ends = [found.end() for found in _SENTENCE_END.finditer(text)]
    return text[: ends[-1]] if ends else text
