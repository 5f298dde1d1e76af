"""Both engines on one toy: the same tokens, scores and heads; prompts that branch, grow and are cancelled; stops and limits."""

from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch
from model.families import GRAPH_FAMILIES
from model.graphs import graph_toy, on_graph
from model.samples import segment

from emoreason.errors import ContextError
from emoreason.labels.emotions import EMOTIONS
from emoreason.labels.label_set import LabelSet
from emoreason.model.engines import Sampling
from emoreason.model.engines.graph_session import Graph
from emoreason.model.engines.onnx import SPARE
from emoreason.model.engines.phrases import Phrases
from emoreason.model.engines.transformers import TransformersEngine
from emoreason.model.prompt import WHY, answer_text
from emoreason.model.verdict import label_scores
from emoreason.model.voice import VoiceAdapter
from emoreason.training.own_labels import give_labels

LABELS = ("ten", "tense", "calm", "calmer", "t")  # some begin others


@pytest.fixture(scope="module", params=["torch", "graph"])
def engine(request):
    processor, model, on_onnx = graph_toy("llama", words=True)
    return on_onnx if request.param == "graph" else TransformersEngine(model, processor.tokenizer)


@pytest.fixture(scope="module")
def processor():
    return graph_toy("llama", words=True)[0]


def some(processor):
    """Segments of different length and modality, one with words."""
    spoken = replace(segment(0, 2), words=("no cue stands out", "which emotion is shown"))
    return processor([spoken, replace(segment(1, 0), question="Why?"), segment(2, mel_frames=None)])


def ids(processor, text):
    return processor.tokenizer(text, add_special_tokens=False)["input_ids"]


@pytest.mark.parametrize("name", GRAPH_FAMILIES)
def test_a_graph_writes_and_scores_what_torch_does(name):
    processor, model, on_onnx = graph_toy(name, words=name == "llama")
    in_torch = TransformersEngine(model, processor.tokenizer)
    one, other = in_torch.read(some(processor)), on_onnx.read(some(processor))
    torch.testing.assert_close(label_scores(on_onnx, other, EMOTIONS), label_scores(in_torch, one, EMOTIONS), atol=1e-4, rtol=0)
    assert on_onnx.write(other, 40, until_answer=False) == in_torch.write(one, 40, until_answer=False)
    pieces = [ids(processor, text) for text in ("f1 AU12", "a longer piece than the others", "?")]
    one, other = in_torch.follow(one, pieces), on_onnx.follow(other, pieces)
    assert on_onnx.write(other, 40, until_answer=False) == in_torch.write(one, 40, until_answer=False)


def test_heads_say_the_same_without_the_backbone(processor):
    """Those of the encoders, and the one on utterances, which reads the first layers with an adapter of its own."""
    _, model, on_onnx = graph_toy("llama", words=True)
    expected = TransformersEngine(model, processor.tokenizer).read(some(processor)).heads
    found = on_onnx.read(some(processor)).heads
    assert {"emotion", "voice_emotion", "words_emotion"} <= set(expected) == set(found)
    for name, logits in expected.items():
        torch.testing.assert_close(found[name], logits, atol=1e-5, rtol=1e-5)


def test_a_voice_encoder_with_an_adapter_says_the_same(processor, tmp_path):
    _, model, _ = graph_toy("llama", words=True)
    model = deepcopy(model)
    model.config.voice_config.adapter = {"rank": 2, "layers": [0]}
    model.voice.adapter = VoiceAdapter(model.voice.encoder, rank=2, layers=[0])
    for parameter in model.voice.adapter.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    expected = TransformersEngine(model, processor.tokenizer).read(some(processor)).heads["voice_emotion"]
    found = on_graph(processor, model).read(some(processor)).heads["voice_emotion"]
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
    assert not np.allclose(found, graph_toy("llama", words=True)[2].read(some(processor)).heads["voice_emotion"], atol=1e-3)


def test_a_head_on_the_end_of_the_prompt_says_the_same():
    processor, model, _ = graph_toy("qwen3")
    processor, model = give_own_labels(processor, model)
    expected = TransformersEngine(model, processor.tokenizer).read(some(processor)).heads["label_moods"]
    found = on_graph(processor, model).read(some(processor)).heads["label_moods"]
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


def give_own_labels(processor, model):
    give_labels(model, LabelSet("moods", ("tense", "calm"), {"tense": "anger"}))
    return processor, model


def test_labels_that_begin_others_are_scored_as_they_are_alone(engine, processor):
    prompt = engine.read(some(processor))
    together = engine.score(prompt, LABELS)
    for n, label in enumerate(LABELS):
        torch.testing.assert_close(engine.score(prompt, [label])[:, 0], together[:, n], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(engine.score(prompt, [LABELS[0]] * 2)[:, 1], together[:, 0], atol=1e-4, rtol=1e-4)


def test_a_prompt_may_branch(engine, processor):
    """Each branch is what it would be alone, and so is the prompt, in whatever order they are used."""
    texts = ("f1 is a smile", "no")

    def alone(text):
        return engine.follow(engine.read(some(processor)), [ids(processor, text)] * 3)

    expected = [engine.write(alone(text), 8, until_answer=False) for text in texts]
    scores = [engine.score(alone(text), EMOTIONS) for text in texts]
    prompt = engine.read(some(processor))
    before, wrote = engine.score(prompt, EMOTIONS), engine.write(prompt, 8, until_answer=False)
    one = engine.follow(prompt, [ids(processor, texts[0])] * 3)
    torch.testing.assert_close(engine.score(prompt, EMOTIONS), before)
    other = engine.follow(prompt, [ids(processor, texts[1])] * 3)
    for branch, score, text in ((one, scores[0], expected[0]), (other, scores[1], expected[1])):
        assert engine.write(branch, 8, until_answer=False) == text
        torch.testing.assert_close(engine.score(branch, EMOTIONS), score, atol=1e-4, rtol=1e-4)
    twice = engine.follow(one, [ids(processor, texts[1])] * 3)
    assert engine.write(one, 8, until_answer=False) == expected[0]
    assert engine.write(twice, 8, until_answer=False) == engine.write(
        engine.follow(alone(texts[0]), [ids(processor, texts[1])] * 3), 8, until_answer=False
    )
    assert engine.write(prompt, 8, until_answer=False) == wrote
    torch.testing.assert_close(engine.score(prompt, EMOTIONS), before)


def test_more_tokens_than_were_expected_find_room(processor):
    _, model, on_onnx = graph_toy("llama", words=True)
    long, found = "which emotion is shown " * SPARE, []
    for engine in (TransformersEngine(model, processor.tokenizer), on_onnx):
        prompt = engine.read(some(processor))
        scores = engine.score(prompt, [long, "f1", long + "."])
        followed = engine.follow(prompt, [ids(processor, long)] * 3)
        found.append((scores, engine.score(followed, [long]), engine.write(followed, 8, until_answer=False)))
    torch.testing.assert_close(found[1][:2], found[0][:2], atol=1e-2, rtol=1e-5)  # sums of hundreds of tokens
    assert found[1][2] == found[0][2]


def test_a_text_that_outgrows_the_model_is_refused(processor):
    _, _, on_onnx = graph_toy("llama", words=True)
    prompt = on_onnx.read(some(processor))
    with pytest.raises(ContextError, match="2048 positions"):
        on_onnx.write(prompt, 2048)
    with pytest.raises(ContextError, match="2048 positions"):
        on_onnx.follow(prompt, [[5] * 2048] * 3)


class Stopped(Exception):
    pass


def test_a_callback_that_raises_ends_the_writing_and_nothing_else(engine, processor):
    prompt = engine.read(some(processor))
    expected, told = engine.write(prompt, 12, until_answer=False), []

    def on_text(row, text):
        told.append(text)
        if len(told) == 4:
            raise Stopped

    with pytest.raises(Stopped):
        engine.write(prompt, 12, until_answer=False, on_text=on_text)
    assert len(told) == 4 and engine.write(prompt, 12, until_answer=False) == expected


class Ending(Graph):
    """Rows end after so many tokens: `ends` has that number for the length of a row's prompt."""

    def run(self, embedded, cache, lengths, wanted=None):
        out = super().run(embedded, cache, lengths, wanted)
        for row, length in enumerate(lengths):
            if length - self.step in self.ends and self.step == self.ends[length - self.step]:
                out[row, :, self.end] = 1e4
        self.step += 1
        return out


@pytest.mark.parametrize("ends", [(1, None, 3, None, 3), (None, None, None, None, 1), (4, 1, 2, 5, 3), (2, 2, None, 2, 2)])
def test_rows_that_end_early_make_room_and_the_others_write_on(ends):
    """Whichever rows end, and when: the others write what they write alone, and streams are of the right rows."""
    processor, _, on_onnx = graph_toy("llama", words=True)
    batch = processor([replace(segment(n), question=f"{'Why? ' * n}?") for n in range(5)])
    prompt = on_onnx.read(batch)
    alone = [on_onnx.sample(replace(prompt, rows=(row,)), Sampling(temperature=0), 8, False)[0][0] for row in prompt.rows]
    plain, graph, on_onnx.phrases = Graph, on_onnx.graph, Phrases()  # a step is a pass: nothing is guessed
    graph.step, graph.end = 1, processor.tokenizer.eos_token_id
    graph.ends = {row.length: end for row, end in zip(prompt.rows, ends, strict=True) if end}
    heard = [""] * 5

    def on_text(row, text):
        heard[row] += text

    try:
        graph.__class__ = Ending
        texts = on_onnx.write(prompt, 8, until_answer=False, on_text=on_text)
    finally:
        graph.__class__ = plain
    expected = [on_onnx.texts.text([*one.tokens][: end and end - 1], False) for one, end in zip(alone, ends, strict=True)]
    assert len({row.length for row in prompt.rows}) == 5 and texts == expected == heard


def runs_of(graph, monkeypatch):
    """Counts the passes of a graph."""
    count, run = [], Graph.run
    monkeypatch.setattr(graph, "run", lambda *arguments: (count.append(1), run(graph, *arguments))[1], raising=False)
    return count


def test_guesses_save_passes_and_change_nothing(processor, monkeypatch):
    """With phrases of the very text, of another one, and of none: the same tokens, streams and log-probabilities."""
    _, _, on_onnx = graph_toy("llama", words=True)
    prompt = on_onnx.read(processor([segment(0, 2)]))
    last = prompt.rows[0].last
    drawn = Sampling(0.8, seed=3)
    monkeypatch.setattr(on_onnx, "phrases", Phrases())
    plain, random = on_onnx.sample(prompt, Sampling(0), 30, False)[0][0], on_onnx.sample(prompt, drawn, 30, False)[0][0]
    passes = runs_of(on_onnx.graph, monkeypatch)
    known = [last, *plain.tokens]
    misleading = [token for one in known for token in (one, 7)]
    for texts, most in (([], 30), ([known], 15), ([misleading], 31), ([misleading, known, known], 29)):
        on_onnx.phrases = Phrases(texts)
        heard, before = [], len(passes)
        told = on_onnx.write(prompt, 30, until_answer=False, on_text=lambda row, text, heard=heard: heard.append(text))
        assert told == [plain.text] and heard and plain.text.startswith("".join(heard))
        assert len(passes) - before <= most, texts
        again = on_onnx.sample(prompt, Sampling(0), 30, False)[0][0]
        assert again.tokens == plain.tokens
        assert again.log_probs == pytest.approx(plain.log_probs, abs=1e-4)
        assert on_onnx.sample(prompt, drawn, 30, False)[0][0].tokens == random.tokens
    for most in (1, 2, 3, 4, 5):  # a guess never goes beyond what may be written
        assert on_onnx.sample(prompt, Sampling(0), most, False)[0][0].tokens == plain.tokens[:most]


def test_phrases_are_what_mostly_came_next():
    phrases = Phrases([[1, 2, 3, 4, 5, 6], [9, 2, 3, 7], [8, 2, 3, 7]])
    assert phrases.guess([0, 1, 2]) == [3, 4, 5] and phrases.guess([5, 2]) == [3, 7]
    assert phrases.guess([1, 2, 3]) == [4, 5, 6] and phrases.guess([3]) == [7]
    assert phrases.guess([6]) == phrases.guess([]) == Phrases().guess([1]) == []


def test_what_was_settled_on_and_the_next_question_follow(engine, processor):
    one = segment(3)
    piece = processor.next_turn(one, answer_text("", "", "fear"), WHY)
    asked = replace(one, turns=((one.question, answer_text("", "", "fear")),), question=WHY)
    expected = engine.write(engine.read(processor([asked])), 10, until_answer=False)
    assert engine.write(engine.follow(engine.read(processor([one])), [piece]), 10, until_answer=False) == expected
