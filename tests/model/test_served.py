import json
import math
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import torch
from model.families import FAMILIES, toy
from model.samples import segment
from transformers import AutoModelForCausalLM, AutoTokenizer

from emoreason.errors import ConfigError, EnvironmentProblem
from emoreason.labels.emotions import EMOTIONS
from emoreason.model.export import export
from emoreason.model.prompt import answer_text
from emoreason.model.served import ServedModel, Token, label_probabilities
from emoreason.model.stages import Stage, apply_stage, parameter_groups

ANSWER = answer_text("f1 AU12 strong.", "p1 shows happiness.", "happiness", aus=["AU12"])


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A toy model that learned one answer by heart in the text-evidence mode, exported."""
    folder = tmp_path_factory.mktemp("served")
    processor, model = toy(FAMILIES["llama"], lora={"r": 2})
    with torch.no_grad():
        embeddings = model.backbone.get_base_model().model.embed_tokens.token_adapter.base_layer
        embeddings.weight.mul_(50)  # tied to the output: room for certain answers
    stage = Stage("by heart", {"language": "full"}, {"language": 1e-2})
    apply_stage(model, stage)
    optimiser = torch.optim.AdamW(parameter_groups(model, stage))
    batch = processor([segment()], [ANSWER], soft=False)
    for _ in range(120):
        loss = model(**batch).loss
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert loss < 0.05
    model.save_pretrained(folder / "checkpoint")
    processor.save_pretrained(folder / "checkpoint")
    return processor, export(folder / "checkpoint", folder / "out") / "backbone"


class Server:
    """Answers from an exported backbone with stock classes alone, as a serving engine would."""

    def __init__(self, backbone, lists=True):
        self.tokenizer = AutoTokenizer.from_pretrained(backbone)
        self.model = AutoModelForCausalLM.from_pretrained(backbone).eval()
        self.lists, self.requests, self.prompts, self.reply = lists, [], [], None

    def answer(self, request):
        self.requests.append(request)
        if self.reply is not None:
            return self.reply
        prompt = self.tokenizer.apply_chat_template(request["messages"], tokenize=False, add_generation_prompt=True)
        self.prompts.append(prompt)
        ids = self.tokenizer(prompt, return_tensors="pt", add_special_tokens=False)
        end = self.tokenizer.eos_token_id
        out = self.model.generate(
            **ids, max_new_tokens=request["max_tokens"], do_sample=False, eos_token_id=end, return_dict_in_generate=True,
            output_logits=True,
        )  # fmt: skip
        tokens = out.sequences[0, ids.input_ids.shape[1] :].tolist()
        tokens = tokens[: tokens.index(end)] if end in tokens else tokens
        choice = {"message": {"role": "assistant", "content": self.tokenizer.decode(tokens)}}
        if self.lists:
            steps = zip(tokens, out.logits, strict=False)  # the step that ended the answer has no token
            listed = [self.listed(token, step[0].log_softmax(-1), request["top_logprobs"]) for token, step in steps]
            choice["logprobs"] = {"content": listed}
        return 200, {"choices": [choice]}

    def listed(self, token, log_p, most):
        top = [{"token": self.tokenizer.decode([n]), "logprob": float(log_p[n])} for n in log_p.topk(most).indices.tolist()]
        return {"token": self.tokenizer.decode([token]), "logprob": float(log_p[token]), "top_logprobs": top}


@pytest.fixture
def serve(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    running = []

    def start(server):
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                assert self.path == "/v1/chat/completions"
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                server.key = self.headers.get("Authorization")
                status, reply = server.answer(body)
                data = reply if isinstance(reply, bytes) else json.dumps(reply).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_):
                """Tests are quiet."""

        http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=http.serve_forever, daemon=True).start()
        running.append(http)
        return f"http://127.0.0.1:{http.server_port}/v1"

    yield start
    for http in running:
        http.shutdown()
        http.server_close()


def test_a_served_backbone_answers_what_it_learned_from_the_local_prompt(exported, serve):
    processor, backbone = exported
    server, inputs = Server(backbone), segment()
    client = ServedModel(serve(server), "toy", key="secret")
    told = client.ask(processor.messages(inputs, soft=False), EMOTIONS)
    assert server.prompts == [processor.text(inputs, soft=False)]
    assert told.text == ANSWER and told.path == "text" and server.key == "Bearer secret"
    assert told.answer.emotion == "happiness" and told.answer.aus == ("AU12",) and told.answer.problem is None
    assert sum(told.probabilities.values()) == pytest.approx(1) and told.probabilities["happiness"] > 0.8


def test_without_log_probabilities_the_answer_is_read(exported, serve):
    processor, backbone = exported
    told = ServedModel(serve(Server(backbone, lists=False)), "toy").ask(processor.messages(segment(), soft=False), EMOTIONS)
    assert told.answer.emotion == "happiness" and told.probabilities is None


def test_a_cut_answer_is_unreadable_not_neutral(exported, serve):
    processor, backbone = exported
    told = ServedModel(serve(Server(backbone)), "toy").ask(processor.messages(segment(), soft=False), EMOTIONS, most_tokens=4)
    assert told.answer.emotion is None and told.answer.problem and told.probabilities is None


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        ((404, b"no such model"), r"refused \(404 Not Found\): no such model"),
        ((200, b"<html>"), "does not speak JSON"),
        ((200, {"error": "busy"}), 'did not answer as a chat completion server: {"error": "busy"}'),
        ((200, []), "did not answer as a chat completion server"),
    ],
)
def test_trouble_with_the_server_is_one_line(exported, serve, reply, message):
    server = Server(exported[1])
    server.reply = reply
    with pytest.raises(EnvironmentProblem, match=message):
        ServedModel(serve(server), "toy").ask([{"role": "user", "content": "?"}], EMOTIONS)


def test_a_server_that_is_not_there():
    with pytest.raises(EnvironmentProblem, match="is the server up"):
        ServedModel("http://127.0.0.1:9/v1", "toy", timeout_s=5).ask([], EMOTIONS)
    with pytest.raises(ConfigError, match="starts with http"):
        ServedModel("file:///etc", "toy")


def tokens(*steps):
    """From (text, probability, probabilities of the others)."""
    logs = [{name: math.log(share) for name, share in (others | {text: p}).items()} for text, p, others in steps]
    return [Token(text, listed[text], listed) for (text, _, _), listed in zip(steps, logs, strict=True)]


def test_labels_of_one_token():
    found = label_probabilities(tokens(("emotion=", 1, {}), ("fear", 0.6, {"anger": 0.3, "tea": 0.1}), (";", 1, {})), EMOTIONS)
    assert found["fear"] == pytest.approx(2 / 3) and found["anger"] == pytest.approx(1 / 3) and found["sadness"] == 0


def test_labels_of_several_tokens_are_followed_until_one_is_left():
    steps = tokens(("emotion=", 1, {}), ("s", 0.8, {"f": 0.2}), ("ur", 0.5, {"ad": 0.4, "ix": 0.1}), ("prise", 1, {}))
    found = label_probabilities(steps, EMOTIONS)
    expected = {"surprise": 0.4 / 0.92, "sadness": 0.32 / 0.92, "fear": 0.2 / 0.92}  # 0.08 went to no label
    assert found == pytest.approx(dict.fromkeys(EMOTIONS, 0.0) | expected)


def test_an_alternative_that_begins_two_labels_is_shared():
    found = label_probabilities(tokens(("emotion=", 1, {}), ("fear", 0.5, {"s": 0.5})), EMOTIONS)
    assert found["sadness"] == found["surprise"] == pytest.approx(0.25)


def test_a_token_may_reach_over_the_border():
    found = label_probabilities(tokens(("emotion", 1, {}), ("=f", 0.5, {"=a": 0.25, "s": 0.25}), ("ear;", 1, {})), EMOTIONS)
    assert found["fear"] == pytest.approx(2 / 3) and found["anger"] == pytest.approx(1 / 3)


@pytest.mark.parametrize("steps", [(), (("no field", 1, {}),), (("emotion=", 1, {}), ("joyful", 1, {})), (("emotion=", 1, {}),)])
def test_no_label_no_probabilities(steps):
    assert label_probabilities(tokens(*steps), EMOTIONS) is None


def test_a_longer_word_is_not_the_label():
    found = label_probabilities(tokens(("emotion=", 1, {}), ("fearful", 0.5, {"anger": 0.5})), EMOTIONS)
    assert found["anger"] == 1 and found["fear"] == 0
