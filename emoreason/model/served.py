"""An exported backbone behind any OpenAI-compatible server (vLLM, llama.cpp, transformers serve): text evidence in, answer out.

It is sent the messages of `EmoReasonProcessor.messages(inputs, soft=False)`; the server renders them with the exported chat
template, which gives the prompt that the text-evidence mode reads locally.
"""

import json
import math
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from emoreason.errors import ConfigError, EnvironmentProblem
from emoreason.scoring.answer import Answer, parse_answer

MOST_TOKENS = 160  # explanation and answer field
LISTED = 20  # alternatives per token, the most that the protocol allows
_STEM = "emotion="


@dataclass(frozen=True)
class Token:
    """One generated token; `alternatives` are the likeliest texts in its place with their log-probabilities."""

    text: str
    log_p: float
    alternatives: Mapping[str, float]


@dataclass(frozen=True)
class ServedAnswer:
    """`answer` is read strictly and may be unreadable. `probabilities` over the labels (sum 1), None where the server lists no
    log-probabilities or the answer names no emotion; 0 = not among the alternatives that it listed."""

    text: str
    answer: Answer
    probabilities: dict[str, float] | None
    path: Literal["text"] = "text"


class ServedModel:
    """`url` up to and with `/v1`; `name` as the server knows the model."""

    def __init__(self, url: str, name: str, key: str | None = None, timeout_s: float = 120.0):
        if not url.startswith(("http://", "https://")):
            raise ConfigError(f"a server's address starts with http:// or https://, got '{url}'")
        self.url, self.name, self.key, self.timeout_s = url.rstrip("/"), name, key, timeout_s

    def ask(self, messages: Sequence[Mapping[str, Any]], labels: Sequence[str], most_tokens: int = MOST_TOKENS) -> ServedAnswer:
        """One greedy answer. Raises EnvironmentProblem when the server cannot be reached, refuses or answers something else."""
        request = {
            "model": self.name,
            "messages": list(messages),
            "max_tokens": most_tokens,
            "temperature": 0,
            "logprobs": True,
            "top_logprobs": LISTED,
        }
        reply = self._post(request)
        try:
            choice = reply["choices"][0]
            text, tokens = choice["message"]["content"] or "", _tokens(choice)
        except (KeyError, IndexError, TypeError, AttributeError) as error:
            shown = json.dumps(reply)[:200]
            raise EnvironmentProblem(f"{self.url} did not answer as a chat completion server: {shown}") from error
        return ServedAnswer(text, parse_answer(text.strip(), tuple(labels)), label_probabilities(tokens, labels))

    def _post(self, body: dict[str, Any]) -> Any:
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {self.key}"} if self.key else {})
        request = urllib.request.Request(f"{self.url}/chat/completions", json.dumps(body).encode(), headers)
        try:
            with urllib.request.urlopen(request, timeout=self.timeout_s) as reply:
                return json.load(reply)
        except urllib.error.HTTPError as error:
            said = " ".join(error.read(500).decode(errors="replace").split())
            raise EnvironmentProblem(f"{self.url} refused ({error.code} {error.reason}): {said or 'no reason given'}") from error
        except (OSError, json.JSONDecodeError) as error:
            problem = f"{self.url} cannot be reached or does not speak JSON ({error}): is the server up?"
            raise EnvironmentProblem(problem) from error


def label_probabilities(tokens: Sequence[Token], labels: Sequence[str]) -> dict[str, float] | None:
    """Shares of the labels in the place where the answer names its emotion, from the listed alternatives.

    A label of several tokens is followed along the answer until only one label is left; an alternative with which several
    labels begin is shared between them equally.
    """
    start = "".join(token.text for token in tokens).rfind(_STEM) + len(_STEM)
    if start < len(_STEM):
        return None
    found = dict.fromkeys(labels, 0.0)

    def credit(text: str, p: float) -> None:
        fitting = _fitting(text, labels)
        for label in fitting:
            found[label] += p / len(fitting)

    said, p, end = "", 1.0, 0
    for token in tokens:
        end += len(token.text)
        if end <= start:
            continue
        stem = token.text[: max(0, len(token.text) - (end - start))]  # of a token that begins before the label
        for text, log_p in token.alternatives.items():
            if text != token.text and text.startswith(stem):
                credit(said + text[len(stem) :], p * math.exp(log_p))
        said, p = said + token.text[len(stem) :], p * math.exp(token.log_p)
        if len(_fitting(said, labels)) < 2:
            break
    credit(said, p)
    total = sum(found.values())
    return {label: share / total for label, share in found.items()} if total else None


def _fitting(text: str, labels: Sequence[str]) -> list[str]:
    """Labels that begin with `text`, or with which it begins as a whole word (`fear;`, not `fearful`)."""
    text = text.lstrip()
    if not text:
        return []
    return [one for one in labels if one.startswith(text) or (text.startswith(one) and not text[len(one)].isalnum())]


def _tokens(choice: Mapping[str, Any]) -> list[Token]:
    listed = (choice.get("logprobs") or {}).get("content") or []
    return [
        Token(one["token"], one["logprob"], {other["token"]: other["logprob"] for other in one.get("top_logprobs") or []})
        for one in listed
    ]
