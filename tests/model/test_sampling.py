"""Sampling: seeds, temperatures and the likeliest tokens only; log-probabilities as a teacher-forced pass gives them."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from model.families import FAMILIES, toy
from model.graphs import graph_toy
from model.samples import segment

from emoreason.model.engines import Sampling
from emoreason.model.engines.sampling import Sampler, log_softmax
from emoreason.model.engines.transformers import TransformersEngine


@pytest.fixture(scope="module", params=["torch", "graph"])
def parts(request):
    processor, model, on_onnx = graph_toy("llama", words=True)
    return processor, model, on_onnx if request.param == "graph" else TransformersEngine(model, processor.tokenizer)


def some(processor):
    return processor([segment(0, 2), replace(segment(1, 0), question="Why?")])


def test_the_same_seed_draws_the_same_answers_whatever_the_batch(parts):
    processor, _, engine = parts
    prompt, sampling = engine.read(some(processor)), Sampling(1.0, seed=5, answers=3)
    first = engine.sample(prompt, sampling, 10, until_answer=False)
    assert [[one.tokens for one in row] for row in first] == [
        [one.tokens for one in row] for row in engine.sample(prompt, sampling, 10, until_answer=False)
    ]
    assert len({one.tokens for one in first[0]}) == 3, "the answers to one prompt are drawn apart"
    assert first[0][0].tokens != engine.sample(prompt, Sampling(1.0, seed=6), 10, until_answer=False)[0][0].tokens
    alone = engine.read(processor([replace(segment(1, 0), question="Why?")]))
    fewer = engine.sample(alone, Sampling(1.0, seed=5, answers=2), 10, until_answer=False)[0]
    assert [one.tokens for one in fewer] == [one.tokens for one in first[1][:2]]


def test_temperature_zero_is_greedy_and_answers_end_where_texts_do(parts):
    processor, _, engine = parts
    prompt = engine.read(some(processor))
    for until_answer in (True, False):
        greedy = engine.sample(prompt, Sampling(temperature=0), 12, until_answer)
        assert [row[0].text for row in greedy] == engine.write(prompt, 12, until_answer)


def test_log_probabilities_are_those_of_a_whole_pass(parts):
    processor, model, engine = parts
    batch = some(processor)
    for sampling in (Sampling(1.3, seed=1, answers=2), Sampling(0.7, 0.8, seed=2), Sampling(0)):
        for b, answers in enumerate(engine.sample(engine.read(batch), sampling, 6, until_answer=False)):
            for answer in answers:
                piece = torch.tensor([answer.tokens])
                whole = dict(processor([[segment(0, 2), replace(segment(1, 0), question="Why?")][b]]))
                whole["input_ids"] = torch.cat([whole["input_ids"], piece], dim=1)
                whole["attention_mask"] = torch.cat([whole["attention_mask"], torch.ones_like(piece)], dim=1)
                with torch.no_grad():
                    log_p = model(**whole).logits[:, -piece.shape[1] - 1 : -1].log_softmax(-1)
                forced = log_p.gather(-1, piece[..., None])[0, :, 0]
                torch.testing.assert_close(torch.tensor(answer.log_probs), forced, atol=1e-4, rtol=1e-4)


def test_both_engines_draw_alike():
    processor, model, on_onnx = graph_toy("llama", words=True)
    in_torch, sampling = TransformersEngine(model, processor.tokenizer), Sampling(0.9, 0.95, seed=4, answers=2)
    drawn = [engine.sample(engine.read(some(processor)), sampling, 8, False) for engine in (in_torch, on_onnx)]
    assert [[one.text for one in row] for row in drawn[0]] == [[one.text for one in row] for row in drawn[1]]


@pytest.mark.parametrize("name", ["qwen2_5_vl", "smolvlm", "gemma3"])
def test_every_family_can_be_asked_for_several_answers(name):
    processor, model = toy(FAMILIES[name])
    engine = TransformersEngine(model, processor.tokenizer)
    prompt = engine.read(processor([segment(0, 2, scenes=1), segment(1, 0, scenes=1)]))
    texts = engine.write(prompt, 6, until_answer=False)
    assert [[one.text for one in row] for row in engine.sample(prompt, Sampling(0, answers=2), 6, False)] == [
        [t] * 2 for t in texts
    ]


def test_tokens_are_drawn_as_often_as_they_are_likely():
    logits = np.log(np.array([0.5, 0.3, 0.15, 0.05], np.float32))
    many = 4000

    def shares(**options):
        sampler = Sampler(Sampling(answers=many, **options), 1, banned=[])
        return np.bincount(sampler.choose(np.tile(logits, (many, 1)), range(many))[0], minlength=4) / many

    np.testing.assert_allclose(shares(), [0.5, 0.3, 0.15, 0.05], atol=0.03)
    cold = np.exp(logits / 0.5) / np.exp(logits / 0.5).sum()
    np.testing.assert_allclose(shares(temperature=0.5), cold, atol=0.03)
    np.testing.assert_allclose(shares(top_p=0.7), [0.625, 0.375, 0, 0], atol=0.03)
    np.testing.assert_array_equal(shares(top_p=0.4), [1, 0, 0, 0])


def test_banned_tokens_are_never_drawn_and_count_in_the_log_probabilities():
    logits = np.array([[5.0, 1.0, 0.0]], np.float32)
    sampler = Sampler(Sampling(seed=1), 1, banned=[0])
    drawn = [sampler.choose(logits, [0]) for _ in range(50)]
    assert {int(tokens[0]) for tokens, _ in drawn} == {1, 2}
    for tokens, log_p in drawn:
        assert log_p[0] == log_softmax(logits)[0, tokens[0]]


@pytest.mark.parametrize(
    ("options", "said"),
    [({"temperature": -1}, "temperature"), ({"top_p": 0}, "top_p"), ({"top_p": 1.5}, "top_p"), ({"answers": 0}, "answers")],
)
def test_settings_out_of_range_are_refused(options, said):
    with pytest.raises(ValueError, match=said):
        Sampling(**options)
