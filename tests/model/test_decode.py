"""Decoding on toy backbones of every family: cached = uncached, batch = single, texts that always parse, streams that add up."""

from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch
from model.families import FAMILIES, GRAPH_FAMILIES, toy
from model.graphs import graph_toy
from model.samples import segment

from emoreason.labels.emotions import EMOTIONS
from emoreason.model.engines.cache import with_room
from emoreason.model.engines.transformers import TransformersEngine
from emoreason.model.explanation import concluded, explain, finished
from emoreason.model.fusion import fuse
from emoreason.model.prompt import WHY, answer_text
from emoreason.model.verdict import LANGUAGE, VerdictSettings, head_sources, label_scores, language_source
from emoreason.scoring.answer import parse_answer

ON_GRAPHS = [f"{name} on a graph" for name in GRAPH_FAMILIES] + ["llama with adapters on a graph"]


@pytest.fixture(scope="module", params=[*FAMILIES, "llama with adapters", "qwen3_vl with adapters", *ON_GRAPHS])
def parts(request):
    """Processor, model and the engine that is tested: transformers', or onnxruntime's on a graph of that model."""
    name, _, rest = request.param.partition(" ")
    if "graph" in rest:
        return graph_toy(name, adapted="adapters" in rest)
    processor, model = toy(FAMILIES[name], **({"lora": {"r": 2, "init_lora_weights": False}} if rest else {}))
    return processor, model, TransformersEngine(model, processor.tokenizer)


@pytest.fixture(scope="module")
def llama():
    processor, model = toy(FAMILIES["llama"])
    return processor, model, TransformersEngine(model, processor.tokenizer)


def mixed(processor):
    """Segments of different length and modality, with pictures where the family sees."""
    scenes = int(processor.pictures is not None)
    two, voice, silent = segment(0, 2, scenes=scenes), segment(1, 0, scenes=scenes), segment(2, mel_frames=None, scenes=scenes)
    return [two, replace(voice, question="Why?"), silent]


def test_scores_on_the_shared_cache_are_those_of_whole_passes(parts):
    processor, model, engine = parts
    texts = ["<answer>emotion=fear", "<answer>emotion=happiness", "f1", "a much longer answer than the others are."]
    for one in mixed(processor):
        batch = processor([one])
        scores = engine.score(engine.read(batch), texts)
        for n, text in enumerate(texts):
            piece = torch.tensor([processor.tokenizer(text, add_special_tokens=False)["input_ids"]])
            whole = dict(batch)
            whole["input_ids"] = torch.cat([batch["input_ids"], piece], dim=1)
            for name in ("attention_mask", "mm_token_type_ids", "token_type_ids"):
                if name in batch:
                    fill = torch.full_like(piece, int(name == "attention_mask"))
                    whole[name] = torch.cat([batch[name], fill], dim=1)
            with torch.no_grad():
                logits = model(**whole).logits[:, -piece.shape[1] - 1 : -1].log_softmax(-1)
            assert scores[0, n] == pytest.approx(float(logits.gather(-1, piece[..., None]).sum()), abs=1e-4, rel=1e-4)


def test_a_batch_is_its_segments(parts):
    processor, _, engine = parts
    inputs = mixed(processor)
    together = engine.read(processor(inputs))
    scores, texts = label_scores(engine, together, EMOTIONS), engine.write(together, 8)
    for b, one in enumerate(inputs):
        alone = engine.read(processor([one]))
        torch.testing.assert_close(label_scores(engine, alone, EMOTIONS)[0], scores[b], atol=1e-4, rtol=1e-4)
        assert engine.write(alone, 8) == [texts[b]]


def test_writing_on_the_cache_is_generating_from_scratch(parts):
    processor, model, engine = parts
    batch = processor(mixed(processor))
    special = engine.texts.banned
    whole = model.generate(**batch, max_new_tokens=6, do_sample=False, eos_token_id=sorted(engine.texts.ends), pad_token_id=0)
    expected = [engine.texts.text(row, until_answer=False) for row in whole[:, batch["input_ids"].shape[1] :].tolist()]
    prompt = engine.read(batch)
    label_scores(engine, prompt, EMOTIONS)  # scoring leaves the prompt as it was
    written = engine.write(prompt, 6, until_answer=False)
    assert special and written == engine.write(prompt, 6, until_answer=False)
    assert written == expected


def test_a_cache_with_room_is_written_in_place(llama):
    processor, _, engine = llama
    prompt = engine.read(processor(mixed(processor)))
    roomy, plain = with_room(prompt.cache, 3), deepcopy(prompt.cache)
    kept, store = prompt.cache.layers[0].keys.clone(), roomy.layers[0].keys.data_ptr()
    for step in range(5):
        new = torch.randn(2, *kept.shape[:2], 1, kept.shape[-1])
        got, expected = roomy.update(*new, 0), plain.update(*new, 0)
        assert all(torch.equal(one, other) for one, other in zip(got, expected, strict=True))
        assert (got[0].data_ptr() == store) == (step < 3)  # beyond, it grows as any cache
    assert roomy.get_seq_length() == plain.get_seq_length() and torch.equal(prompt.cache.layers[0].keys, kept)


def why(processor, one, emotion):
    return processor.next_turn(one, answer_text("", "", emotion), WHY)


def test_what_follows_a_prompt_is_read_as_if_it_had_stood_there(parts):
    """A batch whose prompts and whose answers differ in length, after scoring: each row writes what it writes alone, unaided."""
    processor, _, engine = parts
    inputs, emotions = mixed(processor), ["fear", None, "happiness"]
    prompt = engine.read(processor(inputs))
    label_scores(engine, prompt, EMOTIONS)
    pieces = [why(processor, one, emotion) for one, emotion in zip(inputs, emotions, strict=True)]
    written = engine.write(engine.follow(prompt, pieces), 6, until_answer=False)
    for one, emotion, text in zip(inputs, emotions, written, strict=True):
        told = replace(one, turns=((one.question, answer_text("", "", emotion)),), question=WHY)
        assert engine.write(engine.read(processor([told])), 6, until_answer=False) == [text]


def steer(model, tokenizer, text):
    """From now on the toy writes `text`, one token after the other, whatever it is asked; the number of steps is counted."""
    ids = [*tokenizer(text, add_special_tokens=False)["input_ids"], tokenizer.eos_token_id]
    width = model.get_input_embeddings().weight.shape[0]

    def hook(module, inputs, output):
        steps["n"] += 1
        wanted = ids[min(steps["n"] - 2, len(ids) - 1)]  # the first call reads the prompt
        return torch.zeros_like(output) + torch.nn.functional.one_hot(torch.tensor(wanted), width) * 50.0

    steps = {"n": 0}
    return model.backbone.get_output_embeddings().register_forward_hook(hook), steps


CONCLUDED = "Taken together this appears as happiness."


@pytest.mark.parametrize(
    ("written", "explanation"),
    [
        ("f1 shows a smile. It is <answer>emotion=fear</answer>", f"f1 shows a smile. {CONCLUDED}"),
        ("A smile from 2.1 s on. And then", f"A smile from 2.1 s on. {CONCLUDED}"),
        ("smile<answer>emotion=fear; open=</answer> more <b>", f"smile. {CONCLUDED}"),
        ("<answer>emotion=fear</answer>", ""),
        ("", ""),
        ("x" * 900, "x"),
    ],
)
def test_the_answer_is_always_readable_and_the_fused_one(written, explanation):
    processor, model = toy(FAMILIES["llama"])
    engine = TransformersEngine(model, processor.tokenizer)
    handle, steps = steer(model, processor.tokenizer, written)
    prompt = engine.read(processor([segment()]))
    steps["n"] = 0  # the next call reads what follows
    answer = explain(engine, prompt, [why(processor, segment(), "happiness")], ["happiness"], EMOTIONS)[0]
    handle.remove()
    assert (answer.emotion, answer.problem) == ("happiness", None)
    told = answer.explanation
    assert set(told.removesuffix(f". {CONCLUDED}")) == {"x"} if "xx" in written else told == explanation


def test_an_abstaining_answer_is_readable(llama):
    processor, _, engine = llama
    prompt = engine.read(processor([segment()]))
    answer = explain(engine, prompt, [why(processor, segment(), None)], [None], EMOTIONS, most_tokens=4)[0]
    assert answer.unclear and answer.emotion is None and answer.problem is None


def test_a_free_answer_is_what_the_model_wrote():
    for text, emotion in (("A smile. <answer>emotion=fear</answer>", "fear"), ("no fields", None)):
        processor, model = toy(FAMILIES["llama"])
        engine = TransformersEngine(model, processor.tokenizer)
        steer(model, processor.tokenizer, text)
        [text] = engine.write(engine.read(processor([segment()])), until_answer=False)
        answer = parse_answer(text.strip(), EMOTIONS)
        assert answer.emotion == emotion and (answer.problem is None) == (emotion is not None)


def test_our_special_tokens_are_never_written():
    processor, model = toy(FAMILIES["llama"])
    engine = TransformersEngine(model, processor.tokenizer)
    wanted = model.config.special_token_ids["<|er_face|>"]
    model.backbone.get_output_embeddings().register_forward_hook(
        lambda m, i, o: o + torch.nn.functional.one_hot(torch.tensor(wanted), o.shape[-1]) * 1e4
    )
    prompt = engine.read(processor([segment()]))
    assert "er_face" not in engine.write(prompt, 4, until_answer=False)[0]


def test_streams_add_up_to_the_texts(llama):
    processor, _, engine = llama
    prompt = engine.read(processor(mixed(processor)))
    heard = ["", "", ""]

    def on_text(row, text):
        heard[row] += text

    assert engine.write(prompt, 12, on_text=on_text) == heard and any(heard)


def test_right_padding_is_refused(llama):
    processor, _, engine = llama
    batch = processor(mixed(processor))
    batch["attention_mask"] = batch["attention_mask"].flip(1)
    with pytest.raises(ValueError, match="padded on the left"):
        engine.read(batch)


def test_the_language_prior_is_divided_out():
    scores = np.log([[0.7, 0.1, 0.1, 0.1]])
    labels = ("fear", "anger", "happiness", "neutral")
    settings = VerdictSettings(log_prior=scores[0].tolist())
    np.testing.assert_allclose(np.exp(fuse([language_source(scores, labels, settings)], labels)), np.full((1, 4), 0.25))
    with pytest.raises(ValueError, match="3 entries"):
        language_source(scores, labels, VerdictSettings(log_prior=[0.0] * 3))
    with pytest.raises(ValueError, match="temperature"):
        VerdictSettings(temperature=0.0)


def test_only_frames_that_count_vote(llama):
    _, model, _ = llama
    heads = {name: head.calibration() for name, head in model.heads.items()}
    rng = np.random.default_rng(0)
    logits = {"emotion": rng.normal(size=(2, 2, 3, 8)), "voice_emotion": rng.normal(size=(2, 7))}
    quality = np.zeros((2, 2, 3))
    quality[0, 1] = [1.0, 1.0, 0.0]
    heard = np.array([False, True])
    weights = VerdictSettings().weights
    face, voice = head_sources(heads, logits, quality, {"voice": heard}, weights).values()
    np.testing.assert_allclose(face.log_evidence[0], heads["emotion"].log_evidence(logits["emotion"][0, 1, :2].mean(0)))
    assert face.present.tolist() == [True, False] and voice.present.tolist() == [False, True]
    other = {**logits, "emotion": logits["emotion"].copy()}
    other["emotion"][0, 0] = np.nan  # the other person, and masked frames, may hold anything
    again = [*head_sources(heads, other, quality, {"voice": heard}, weights).values()]
    np.testing.assert_allclose(fuse(again, EMOTIONS), fuse([face, voice], EMOTIONS))
    assert head_sources(heads, logits, quality, {"voice": heard}, {LANGUAGE: 1.0}) == {}


def test_unfinished_sentences_are_dropped():
    assert finished("One. Two at 2.1 and") == "One."
    assert finished('He says "no." Then') == 'He says "no."'
    assert finished(" only this\n one") == "only this one"


@pytest.mark.parametrize(
    ("text", "emotion", "told"),
    [
        ("The lips part. All in all this looks like fear.", "fear", "The lips part. All in all this looks like fear."),
        ("A smile. Fear fits f1. This looks like fear.", "anger", "A smile. Taken together this appears as anger."),
        ('She said "I feel fear." [w1].', "anger", 'She said "I feel fear." [w1]. Taken together this appears as anger.'),
        ("The lips part from 0.1 to 2.1 s. This looks like fear.", None, "The lips part from 0.1 to 2.1 s."),
        ("A smile of fear (AU12).", "anger", "A smile of fear (AU12). Taken together this appears as anger."),
        ("No end", "fear", "No end. Taken together this appears as fear."),
        ("", "fear", ""),
    ],
)
def test_a_text_concludes_in_the_verdict(text, emotion, told):
    """What the heads and the model settled on, not what the model alone would have said; cues stay, quotes name nothing."""
    assert concluded(text, emotion, ("fear", "anger")) == told
