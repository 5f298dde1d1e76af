"""An OpenAI-compatible server (vLLM, llama.cpp, SGLang, any with /v1/completions): what is asked of it, what may go wrong.

Prompts of the exported backbone are sent as token ids, so that the server reads exactly the prompt that the text-evidence mode
reads here, whatever it would add to a text.
"""

import http.client
import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from emoreason.errors import ConfigError, EnvironmentProblem

KEY = "EMOREASON_API_KEY"  # environment variable; not one that holds the key of a public service by custom
LISTED = 20  # alternatives per token, the most that vLLM tells without being started for more
TRIES = 3
_PASSING = (408, 425, 429, 500, 502, 503, 504)  # statuses that may be gone in a moment
_TOKEN_ID = "token_id:"  # what vLLM writes before an id where the protocol has the token's text


class Server:
    """`url` up to and with `/v1`; `model` as the server knows it. The key comes from the environment variable EMOREASON_API_KEY.

    Every method raises EnvironmentProblem when the server cannot be reached, takes longer than `timeout_s`, refuses or answers
    something else. What may pass (busy, connection lost) is tried again, after `pause_s` and then twice that.
    """

    def __init__(self, url: str, model: str = "", timeout_s: float = 300.0, pause_s: float = 0.5):
        address = urlsplit(url)
        if address.scheme not in ("http", "https") or not address.hostname:
            raise ConfigError(f"a server's address starts with http:// or https:// and a host, got '{url}'")
        if address.username or address.password:
            raise ConfigError(f"an address with a password would end up in reports: put the key in {KEY} instead")
        self.url, self.model, self.timeout_s, self.pause_s = url.rstrip("/"), model, timeout_s, pause_s
        self._opener = urllib.request.build_opener(_NoRedirect)

    @classmethod
    def connect(cls, url: str, model: str | None = None, timeout_s: float = 300.0) -> "Server":
        """With the model of that name, or the only one that the server has. Raises ConfigError naming those that it has."""
        server = cls(url, timeout_s=timeout_s)
        known = server.models()
        if model not in known and not (model is None and len(known) == 1):
            asked = "which model?" if model is None else f"there is no model '{model}':"
            raise ConfigError(f"{server.url}: {asked} it serves {', '.join(known) or 'none'}")
        server.model = model or known[0]
        return server

    def models(self) -> list[str]:
        reply = self._ask("/models", None)
        try:
            return [one["id"] for one in reply["data"]]
        except (KeyError, TypeError) as error:
            raise self._strange(reply, "a list of models") from error

    def next_tokens(self, prompt: Sequence[int]) -> dict[int | str, float]:
        """Log-probabilities of the LISTED likeliest next tokens: by id, by text where the server tells no ids."""
        choice = self._completion(prompt, 1, {"logprobs": LISTED, "n_probs": LISTED, "return_tokens_as_token_ids": True})
        try:
            listed = _first_alternatives(choice.get("logprobs") or {})
        except (KeyError, IndexError, TypeError, AttributeError, ValueError) as error:
            raise self._strange(choice, "log-probabilities") from error
        if not listed:
            raise EnvironmentProblem(f"{self.url} tells no log-probabilities, which verdicts are made of: start it with them")
        return listed

    def write(self, prompt: Sequence[int], most_tokens: int, stop: Sequence[str] = ()) -> str:
        """Greedy continuation, without the text that stopped it."""
        text = self._completion(prompt, most_tokens, {"stop": list(stop)} if stop else {}).get("text")
        if not isinstance(text, str):
            raise self._strange(text, "a text")
        return text

    def chat(self, messages: Sequence[Mapping[str, str]], most_tokens: int) -> str:
        """Greedy reply to chat messages, rendered by the server's own template."""
        reply = self._ask("/chat/completions", {"messages": list(messages), "max_tokens": most_tokens})
        try:
            return reply["choices"][0]["message"]["content"] or ""
        except (KeyError, IndexError, TypeError) as error:
            raise self._strange(reply, "a chat completion") from error

    def _completion(self, prompt: Sequence[int], most_tokens: int, options: Mapping[str, Any]) -> dict[str, Any]:
        # vLLM would take a repetition penalty from the model's generation settings, which the local engine does not use
        body = {"prompt": list(prompt), "max_tokens": most_tokens, "repetition_penalty": 1.0, **options}
        reply = self._ask("/completions", body)
        try:
            return dict(reply["choices"][0])
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise self._strange(reply, "a completion") from error

    def _ask(self, path: str, body: Mapping[str, Any] | None) -> Any:
        """GET without a body. Tries again what may pass."""
        for attempt in range(TRIES):
            try:
                return self._once(path, body)
            except _Passing as trouble:
                if attempt == TRIES - 1:
                    raise EnvironmentProblem(f"{trouble} (tried {TRIES} times)") from trouble
                time.sleep(self.pause_s * 2**attempt)

    def _once(self, path: str, body: Mapping[str, Any] | None) -> Any:
        data = None if body is None else json.dumps({"model": self.model, "temperature": 0, **body}).encode()
        key = os.environ.get(KEY)
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
        try:
            with self._opener.open(urllib.request.Request(self.url + path, data, headers), timeout=self.timeout_s) as reply:
                return json.load(reply)
        except urllib.error.HTTPError as error:
            said = " ".join(error.read(500).decode(errors="replace").split()) or "no reason given"
            hint = f"; put the key in {KEY}" if error.code == 401 else ""
            problem = f"{self.url}{path} refused ({error.code} {error.reason}): {said}{hint}"
            raise (_Passing(problem) if error.code in _PASSING else EnvironmentProblem(problem)) from error
        except ValueError as error:  # of json and of its decoding
            raise EnvironmentProblem(f"{self.url}{path} does not speak JSON: is it an OpenAI-compatible server?") from error
        except (OSError, http.client.HTTPException) as error:
            if isinstance(getattr(error, "reason", error), TimeoutError):
                raise EnvironmentProblem(f"{self.url} did not answer within {self.timeout_s:g} s") from error
            raise _Passing(f"{self.url} cannot be reached ({error}): is the server up?") from error

    def _strange(self, reply: Any, wanted: str) -> EnvironmentProblem:
        return EnvironmentProblem(f"{self.url} did not answer with {wanted}: {json.dumps(reply)[:200]}")


class _Passing(Exception):
    """Trouble that may be gone in a moment."""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """The key goes to the address that was given and nowhere else."""

    def redirect_request(self, *_: Any) -> None:
        return None


def _first_alternatives(logprobs: Mapping[str, Any]) -> dict[int | str, float]:
    """Of the first token, from the protocol's form (`top_logprobs`: text -> value, vLLM) or that of chats (llama.cpp)."""
    if content := logprobs.get("content"):
        return {one.get("id", one["token"]): float(one["logprob"]) for one in content[0]["top_logprobs"]}
    first = (logprobs.get("top_logprobs") or [{}])[0]
    return {_identified(name): float(value) for name, value in first.items()}


def _identified(name: str) -> int | str:
    return int(name.removeprefix(_TOKEN_ID)) if name.startswith(_TOKEN_ID) else name
