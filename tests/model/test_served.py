"""What a server is asked and what may go wrong with it, on scripted answers."""

import http.client
import time

import pytest
from local_server import serving

from emoreason.errors import ConfigError, EnvironmentProblem
from emoreason.model.served import Server

MODELS = {"data": [{"id": "one"}]}


def scripted(*replies):
    """Answers in turn, the last one for ever; remembers what it was asked."""
    left, asked = list(replies), []

    def answer(method, path, body, headers):
        asked.append((method, path, body, headers.get("Authorization")))
        return left.pop(0) if len(left) > 1 else left[0]

    return answer, asked


@pytest.fixture(autouse=True)
def local(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("EMOREASON_API_KEY", raising=False)


def completion(**choice):
    return 200, {"choices": [choice]}


def test_the_only_model_needs_no_name():
    answer, asked = scripted((200, MODELS))
    with serving(answer) as url:
        assert Server.connect(url + "/").model == "one" and Server.connect(url, "one").model == "one"
    assert asked[0][:2] == ("GET", "/v1/models")


@pytest.mark.parametrize(
    ("name", "models", "message"),
    [
        ("two", MODELS, "no model 'two': it serves one"),
        (None, {"data": [{"id": "one"}, {"id": "two"}]}, "which model. it serves one, two"),
        (None, {"data": []}, "it serves none"),
    ],
)
def test_another_model_is_named(name, models, message):
    with serving(scripted((200, models))[0]) as url, pytest.raises(ConfigError, match=message):
        Server.connect(url, name)


def test_greedy_texts_and_the_key(monkeypatch):
    monkeypatch.setenv("EMOREASON_API_KEY", "secret")
    answer, asked = scripted(completion(text="a b"))
    with serving(answer) as url:
        assert Server(url, "one").write([1, 2], 7, ["<"]) == "a b"
    ((method, path, body, key),) = asked
    assert (method, path, key) == ("POST", "/v1/completions", "Bearer secret")
    assert body["prompt"] == [1, 2] and (body["model"], body["max_tokens"], body["stop"]) == ("one", 7, ["<"])
    assert body["temperature"] == 0 and body["repetition_penalty"] == 1


def test_chats():
    messages = [{"role": "user", "content": "?"}]
    answer, asked = scripted((200, {"choices": [{"message": {"content": "yes"}}]}))
    with serving(answer) as url:
        assert Server(url, "one").chat(messages, 5) == "yes"
    assert asked[0][1] == "/v1/chat/completions" and asked[0][2]["messages"] == messages and asked[0][3] is None


@pytest.mark.parametrize(
    ("logprobs", "found"),
    [
        ({"top_logprobs": [{"token_id:5": -0.5, "token_id:7": -1.5}]}, {5: -0.5, 7: -1.5}),
        ({"top_logprobs": [{"fear": -0.5, "s": -1}]}, {"fear": -0.5, "s": -1.0}),
        ({"content": [{"top_logprobs": [{"id": 5, "token": "f", "logprob": -0.5}]}]}, {5: -0.5}),
    ],
)
def test_log_probabilities_of_each_kind_of_server(logprobs, found):
    with serving(scripted(completion(text="x", logprobs=logprobs))[0]) as url:
        assert Server(url, "one").next_tokens([1]) == found


@pytest.mark.parametrize("logprobs", [None, {}, {"content": []}, {"top_logprobs": []}])
def test_a_server_without_log_probabilities_says_so(logprobs):
    with serving(scripted(completion(text="x", logprobs=logprobs))[0]) as url:
        with pytest.raises(EnvironmentProblem, match="tells no log-probabilities"):
            Server(url, "one").next_tokens([1])


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        ((404, b"no such model"), r"refused \(404 Not Found\): no such model$"),
        ((401, b""), r"refused \(401 Unauthorized\): no reason given; put the key in EMOREASON_API_KEY$"),
        ((400, {"error": "context\nlength"}), "refused .*context.*length"),
        ((307, b"elsewhere"), "refused .307"),
        ((200, b"<html>"), "does not speak JSON"),
        ((200, b"\xff\xfe"), "does not speak JSON"),
        ((200, {"error": "busy"}), 'did not answer with a completion: {"error": "busy"}'),
        ((200, []), "did not answer with a completion"),
        ((200, {"choices": [{"text": None}]}), "did not answer with a text"),
    ],
)
def test_trouble_is_one_line_and_not_tried_again(reply, message):
    answer, asked = scripted(reply)
    with serving(answer) as url, pytest.raises(EnvironmentProblem, match=message) as caught:
        Server(url, "one").write([1], 1)
    assert len(asked) == 1 and "\n" not in str(caught.value)


@pytest.mark.parametrize("reply", [(503, b"loading"), (429, b"slow down"), (0, None)])
def test_what_may_pass_is_tried_again(reply):
    answer, asked = scripted(reply, reply, completion(text="there"))
    with serving(answer) as url:
        assert Server(url, "one", pause_s=0).write([1], 1) == "there"
    assert len(asked) == 3


def test_what_does_not_pass_is_told_after_three_times():
    answer, asked = scripted((503, b"loading"))
    with serving(answer) as url, pytest.raises(EnvironmentProblem, match="503.*loading.*tried 3 times"):
        Server(url, "one", pause_s=0).write([1], 1)
    assert len(asked) == 3
    with pytest.raises(EnvironmentProblem, match="cannot be reached.*is the server up"):
        Server("http://127.0.0.1:9/v1", "one", pause_s=0).models()


def test_a_slow_server_is_not_asked_twice():
    def answer(*_):
        asked.append(1)
        time.sleep(0.5)
        return completion(text="late")

    asked = []
    with serving(answer) as url, pytest.raises(EnvironmentProblem, match="within 0.1 s"):
        Server(url, "one", timeout_s=0.1).write([1], 1)
    assert len(asked) == 1


def test_a_cut_answer_is_tried_again(monkeypatch):
    def cut(*_):
        raise http.client.IncompleteRead(b"{")

    with serving(scripted((200, MODELS))[0]) as url:
        monkeypatch.setattr("emoreason.model.served.json.load", cut)
        with pytest.raises(EnvironmentProblem, match="tried 3 times"):
            Server(url, pause_s=0).models()


@pytest.mark.parametrize("url", ["file:///etc", "localhost:8000", "http://", "http://me:word@host/v1"])
def test_addresses_that_are_none(url):
    with pytest.raises(ConfigError):
        Server(url)
