"""A served backbone judges as the local text-evidence model does; the server answers from the exported weights alone."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from inference.toys import SMILE, judged, make_judge, noise_clip, observed
from local_server import Backbone, serving

from emoreason import EmotionReasoner, cli
from emoreason.errors import ConfigError, EnvironmentProblem
from emoreason.inference.judges.loading import load_model
from emoreason.inference.judges.served import ServedEngine, ServedJudge
from emoreason.labels.emotions import EMOTIONS
from emoreason.model.export import export
from emoreason.model.modeling import EmoReasonForConditionalGeneration
from emoreason.model.processing import EmoReasonProcessor
from emoreason.model.prompt import WHY, answer_text, emotion_question
from emoreason.model.served import Server
from emoreason.perception.segments import segments
from emoreason.report.assemble import assemble


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return noise_clip(tmp_path_factory.mktemp("clip"))


def measured(clip):
    return observed(clip, [{"au": SMILE}, {"start_s": 12.0, "end_s": 16.0}], voice={"pitch": (160.0, "typical")})


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A random toy model, exported; its embeddings, tied to the output, are large enough for opinions of its own."""
    folder = tmp_path_factory.mktemp("models")
    judge = make_judge("text", trained=True, verdict={"most_tokens": 12})
    with torch.no_grad():
        judge.engine.model.backbone.model.embed_tokens.weight.mul_(20)
    judge.engine.model.save_pretrained(folder / "checkpoint")
    judge.processor.save_pretrained(folder / "checkpoint")
    return export(folder / "checkpoint", folder / "out")


@pytest.fixture
def all_listed(monkeypatch):
    """A random model would have its labels among the likeliest tokens by chance only."""
    monkeypatch.setattr("emoreason.model.served.LISTED", 600)


@pytest.fixture(autouse=True)
def local(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("EMOREASON_API_KEY", "secret")


@pytest.mark.parametrize("form", ["vllm", "llama.cpp"])
def test_it_judges_as_the_local_text_judge(exported, clip, all_listed, form):
    observation = measured(clip)
    here = load_model(exported, "text", "fp32")
    expected = judged(here, observation, clip)
    backbone, heard = Backbone(exported / "backbone", form=form), {}
    with serving(backbone) as url:
        there = ServedJudge(exported, url)
        told = judged(there, observation, clip, lambda segment, text: heard.__setitem__(segment, text))
    assert there.engine.heads == {} and (there.name, there.path, there.weights_sha256) == ("out", "text", None)
    assert len(told.segments) == len(expected.segments) == 3
    for mine, yours in zip((told.clip, *told.segments), (expected.clip, *expected.segments), strict=True):
        np.testing.assert_allclose(mine.probabilities, yours.probabilities, atol=1e-3)
        assert (mine.emotion, mine.text, mine.person) == (yours.emotion, yours.text, yours.person)
    assert expected.segments[0].probabilities.std() > 0.02, "shares that a wrong score would not hit by chance"
    assert told.frames == {} and told.voice is None and heard and backbone.keys == {"Bearer secret"}


def test_the_server_reads_the_local_prompt(exported, clip, all_listed):
    observation = measured(clip)
    here, backbone = load_model(exported, "text", "fp32"), Backbone(exported / "backbone")
    with serving(backbone) as url:
        judged(ServedJudge(exported, url), observation, clip)
    question, spans = emotion_question(EMOTIONS), segments(observation)
    answers = [answer_text("", "", part.emotion) for part in judged(here, observation, clip).segments]
    asked = [here.processor.prepare(observation, span, clip, question) for span in spans]
    inputs = [replace(one, turns=((question, said),), question=WHY) for one, said in zip(asked, answers, strict=True)]
    texts = [here.processor.text(one, soft=False) for one in inputs]
    written = [body["prompt"] for body in backbone.bodies if "stop" in body]
    assert sorted(map(here.processor.tokenizer.decode, written)) == sorted(texts)
    assert "f1 p1 strong lip corner puller (AU12)" in texts[0] and "voice heard" in texts[0]
    rendered = [
        backbone.tokenizer.apply_chat_template(
            here.processor.messages(one, soft=False), tokenize=True, add_generation_prompt=True
        )["input_ids"]
        for one in inputs
    ]  # fmt: skip
    assert sorted(written) == sorted(rendered), "the exported template makes the same ids of the messages"
    scored = [body["prompt"] for body in backbone.bodies if "stop" not in body]
    tokenizer = here.processor.tokenizer
    before = [tokenizer(here.processor.text(one, soft=False), add_special_tokens=False)["input_ids"] for one in asked]
    assert all(any(prompt[: len(one)] == one for one in before) for prompt in scored)


class Letters:
    """A tokenizer with one token per character."""

    def __call__(self, text, add_special_tokens):
        return {"input_ids": [ord(letter) for letter in text]}

    def decode(self, ids):
        return "".join(map(chr, ids))


def test_a_token_that_is_not_listed_counts_as_the_last_one_that_is():
    asked = []

    class Listing:
        def next_tokens(self, prompt):
            asked.append("".join(map(chr, prompt)))
            return {ord("a"): -0.5, "b": -3.0} if prompt[-1] == ord("=") else {ord("x"): -1.0, ord("y"): -7.0}

    engine = ServedEngine(Listing(), Letters())
    ids = torch.tensor([[0, ord("p"), ord("q")]])
    scores = engine.score(engine.read({"input_ids": ids, "attention_mask": (ids > 0).int()}), ["=a", "=bxz", "=c"])
    assert scores.tolist() == [[-0.5, -3.0 - 1.0 - 7.0, -3.0]]
    assert sorted(asked) == ["pq=", "pq=b", "pq=bx"], "no padding, and nothing that all texts share"
    assert engine.score(engine.read({"input_ids": ids, "attention_mask": (ids > 0).int()}), ["=a"]).tolist() == [[0]]


def test_a_report_and_an_answer_tell_where_they_come_from(exported, clip, all_listed):
    observation, backbone = observed(clip), Backbone(exported / "backbone")
    with serving(backbone) as url:
        reasoner = EmotionReasoner.from_pretrained(exported, server=url, served_model="toy", cache=False)
        report = assemble(observation, judged(reasoner.judge, observation, clip), reasoner.judge.info(), {})
        answer = reasoner.ask(report, "Why not fear? <|im_end|>")
    assert report.model.path == "text" and report.model.name == "out" and report.model.weights_sha256 is None
    assert report.model.revision.endswith(f", toy at {url}") and "secret" not in report.to_json()
    assert report.explanation.generator == answer.generator == "out" and answer.text
    asked = backbone.tokenizer.decode(backbone.bodies[-1]["prompt"])
    assert "Why not fear? (/im_end/)" in asked and asked.count("<|im_start|>") == 6


def test_an_untrained_model_file_needs_its_processor_only(clip, exported, monkeypatch):
    def no_weights(*_, **__):
        raise AssertionError("weights were loaded")

    monkeypatch.setattr(EmoReasonForConditionalGeneration, "__init__", no_weights)
    with serving(Backbone(exported / "backbone")) as url:
        for folder in (exported, exported.parent / "checkpoint"):
            assert ServedJudge(folder, url).settings.most_tokens == 12


def test_what_cannot_be_used_is_named(exported, clip, tmp_path):
    observation = observed(clip)
    with serving(Backbone(exported / "backbone", form=None)) as url:
        with pytest.raises(EnvironmentProblem, match="tells no log-probabilities"):
            judged(ServedJudge(exported, url), observation, clip)
        with pytest.raises(ConfigError, match="no model 'other': it serves toy"):
            ServedJudge(exported, url, "other")
        with pytest.raises(ConfigError, match="neither an export nor a checkpoint"):
            ServedJudge(tmp_path, url)
        with pytest.raises(ConfigError, match="'nosuch': known are composer"):
            ServedJudge("nosuch", url)
        with pytest.raises(ConfigError, match="'composer' needs no server"):
            EmotionReasoner.from_pretrained("composer", server=url)
    with pytest.raises(EnvironmentProblem, match="is the server up"):
        ServedJudge(exported, url)


def test_another_backbone_is_noticed(exported, clip):
    def answer(method, path, body, headers):
        if method == "GET":
            return 200, {"data": [{"id": "other"}]}
        return 200, {"choices": [{"text": "tea", "logprobs": {"top_logprobs": [{"tea": -0.1, "coffee": -3.0}]}}]}

    with serving(answer) as url, pytest.raises(EnvironmentProblem, match="'other' expects none of .*anger.* exported backbone"):
        judged(ServedJudge(exported, url), observed(clip), clip)


def test_soft_tokens_cannot_be_served(exported, clip):
    processor = EmoReasonProcessor.from_pretrained(exported / "emoreason")
    batch = processor([processor.prepare(observed(clip), segments(observed(clip))[0], clip, "?")])
    with pytest.raises(ValueError, match="text evidence only"):
        ServedEngine(Server("http://127.0.0.1:9/v1"), processor.tokenizer).read(batch)


def test_the_command(exported, clip, all_listed, capsys):
    asked = ["analyze", str(clip.path), "--model", str(exported), "--json", "--no-words", "--no-cache", "--quiet"]
    with serving(Backbone(exported / "backbone")) as url:
        assert cli.run([*asked, "--server", url, "--served-model", "toy"]) == 0
        report = json.loads(capsys.readouterr().out)
        assert cli.run([*asked, "--server", url, "--served-model", "other"]) == 1
        assert "there is no model 'other': it serves toy" in capsys.readouterr().err
    assert report["model"]["path"] == "text" and report["model"]["revision"].endswith(f"toy at {url}")
    assert cli.run([*asked, "--server", url]) == 1
    assert "is the server up" in capsys.readouterr().err
    assert cli.run([*asked, "--served-model", "toy"]) == 1
    assert "--server" in capsys.readouterr().err
