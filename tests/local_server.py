"""A local HTTP server for tests: what it answers is a function of (method, path, body)."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

Answer = Callable[[str, str, dict | None], tuple[int, object]]  # -> status, JSON or bytes; None closes the connection


@contextmanager
def serving(answer: Answer) -> Iterator[str]:
    """Its address, up to /v1."""

    class Handler(BaseHTTPRequestHandler):
        def reply(self):
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            status, reply = answer(self.command, self.path, body, self.headers)
            if reply is None:
                return
            data = reply if isinstance(reply, bytes) else json.dumps(reply).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = reply

        def log_message(self, *_):
            """Tests are quiet."""

    class Quiet(ThreadingHTTPServer):
        daemon_threads = False  # closing waits for late answers, so that none disturbs another test

        def handle_error(self, *_):
            """A client that did not wait is what some tests are about."""

    http = Quiet(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{http.server_port}/v1"
    finally:
        http.shutdown()
        http.server_close()


class Backbone:
    """Answers as vLLM does, from an exported backbone with stock classes alone; `form="llama.cpp"` lists log-probabilities as
    that does, `form=None` lists none."""

    def __init__(self, folder: Path, name: str = "toy", form: str | None = "vllm"):
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.model = AutoModelForCausalLM.from_pretrained(folder).eval()
        self.name, self.form = name, form
        self.bodies, self.keys, self.chatted = [], set(), []
        self.lock = threading.Lock()  # toy models on one thread: requests take turns

    def __call__(self, method, path, body, headers):
        with self.lock:
            self.keys.add(headers.get("Authorization"))
            if (method, path) == ("GET", "/v1/models"):
                return 200, {"object": "list", "data": [{"id": self.name}]}
            if body["model"] != self.name:
                return 404, {"error": {"message": f"The model `{body['model']}` does not exist."}}
            self.bodies.append(body)
            return 200, {"choices": [self.completion(body)]}

    def completion(self, body):
        ids = torch.tensor([body["prompt"]])
        out = self.model.generate(
            ids, max_new_tokens=body["max_tokens"], do_sample=False, return_dict_in_generate=True, output_logits=True,
            eos_token_id=self.tokenizer.eos_token_id, pad_token_id=0, attention_mask=torch.ones_like(ids),
        )  # fmt: skip
        text = self.tokenizer.decode(out.sequences[0, ids.shape[1] :], skip_special_tokens=True)
        for stop in body.get("stop", ()):
            text = text.split(stop)[0]
        most = body.get("logprobs")
        return {"index": 0, "text": text, "logprobs": most and self.listed(out.logits[0][0].log_softmax(-1), most, body)}

    def listed(self, log_p, most, body):
        likeliest = log_p.topk(most).indices.tolist()
        if self.form == "vllm":
            named = body["return_tokens_as_token_ids"]
            name = (lambda token: f"token_id:{token}") if named else (lambda token: self.tokenizer.decode([token]))
            return {"tokens": [name(likeliest[0])], "top_logprobs": [{name(token): float(log_p[token]) for token in likeliest}]}
        if self.form == "llama.cpp":
            top = [{"id": t, "token": self.tokenizer.decode([t]), "logprob": float(log_p[t])} for t in likeliest]
            return {"content": [{**top[0], "top_logprobs": top}]}
        return None
