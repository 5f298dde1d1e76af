"""Chains say only what was measured, cite it, and differ where the evidence differs."""

import collections
import os
import random
import re
from dataclasses import replace
from pathlib import Path

import pytest
from instructions.synthetic import draw, lines_of
from observations import make_observation

from emoreason.instructions.chains import MOST_CITED, chain, compose, leaning
from emoreason.report.claims import check
from emoreason.scoring.grammar import parse

LABELS = "anger contempt disgust fear happiness neutral sadness surprise calm joy frustration excited worried".split()
SEEDS = range(320)
MOST_TOKENS = 120
DATA = Path(os.environ.get("EMOREASON_DATA", Path(__file__).parents[3] / "shared" / "data"))


@pytest.fixture(scope="module")
def chains():
    made = []
    for seed in SEEDS:
        observation = draw(seed)
        lines = lines_of(observation)
        made.append((observation, lines, compose(observation, lines, LABELS[seed % len(LABELS)], random.Random(seed))))
    return made


def smile():
    return make_observation(
        5.0,
        people=[{"au": {"AU12": [(1.0, 2.0, 3.0, 0.9, "both")], "AU06": [(1.0, 2.0, 3.0, 0.8, "both")]}}],
        voice={"pitch": (90.0, "low")},
        words=[(0.5, 3.0, "come over here")],
    )


def test_the_checker_supports_the_claims(chains):
    verdicts, wrong = collections.Counter(), []
    for observation, _, made in chains:
        for claim in check(made.text, observation):
            verdicts[claim.verdict] += 1
            wrong += [(claim.text, claim.measured, made.text)] if claim.verdict != "supported" else []
    assert verdicts.total() > 2 * len(chains)
    assert verdicts["supported"] / verdicts.total() >= 0.99, wrong[:3]


def test_every_told_cue_is_cited_and_every_citation_exists(chains):
    for _, lines, made in chains:
        known = {line.id for line in lines}
        cited = re.findall(r"\[([fvw]\d+)\]", " ".join(made.observations))
        assert set(cited) == {line.id for line in made.cited} and len(cited) == len(made.cited) <= MOST_CITED
        assert set(re.findall(r"\b[fvw]\d+\b", made.interpretation)) <= set(cited) <= known


def test_different_evidence_gives_different_texts(chains):
    texts = collections.defaultdict(set)
    for observation, lines, _ in chains:
        text = chain(observation, lines, "fear", random.Random(0))  # same label, same seed: only the evidence differs
        texts[text].add(tuple(line.text for line in lines))
    assert not [text for text, evidence in texts.items() if len(evidence) > 1]


def test_equal_seeds_repeat_and_others_vary():
    observation = smile()
    lines = lines_of(observation)
    assert chain(observation, lines, "joy", random.Random(3)) == chain(observation, lines, "joy", random.Random(3))
    assert len({chain(observation, lines, "joy", random.Random(seed)) for seed in range(40)}) >= 20


def test_the_interpretation_weighs_for_against_words_and_conflict():
    observation = smile()
    lines = lines_of(observation)
    units = {line.cue.cue: line.id for line in lines}
    fits = compose(observation, lines, "happiness", random.Random(1))
    assert units["AU12"] in fits.interpretation.split(";")[0] and "happiness" in fits.interpretation
    assert any(units["said"] in part for part in fits.interpretation.split(";")[1:])
    other = compose(observation, lines, "sadness", random.Random(1))
    assert "face" in other.interpretation and "happiness" in other.interpretation
    assert other.conclusion.endswith(".") and "sadness" in other.conclusion


def test_an_unknown_emotion_word_is_concluded_but_not_weighed():
    observation = smile()
    made = compose(observation, lines_of(observation), "nostalgia", random.Random(0))
    assert made.interpretation == "" and "nostalgia" in made.conclusion and len(made.observations) == 3


def test_sentences_carry_their_source_and_make_the_text(chains):
    for _, _, made in chains:
        assert made.text == " ".join(sentence.text for sentence in made.sentences)
        assert [s.text for s in made.sentences if s.source == "measured"] == list(made.observations)
        assert made.sentences[-1].source == "composed" and "<" not in made.text and "  " not in made.text


def test_what_is_set_aside_is_named_but_not_claimed(chains):
    hedged = [text for _, _, made in chains for text in made.observations if "might" in text]
    assert len(hedged) > 20 and not any(parse(text) for text in hedged)


def test_a_long_quotation_is_cut(chains):
    for said in ("za udzieloną pożyczkę " * 9, "今天天气真好我们一起去公园散步" * 5):
        observation = make_observation(5.0, voice={"pitch": (90.0, "low")}, words=[(0.5, 3.0, said)])
        quote = re.search('"(.*)"', chain(observation, lines_of(observation), "joy", random.Random(0))).group(1)
        assert said.startswith(quote) and 12 < len(quote.encode()) <= 48
        claims = check(chain(observation, lines_of(observation), "joy", random.Random(0)), observation)
        assert {claim.verdict for claim in claims} == {"supported"}


def test_seconds_that_all_voice_cues_share_are_told_once():
    observation = make_observation(5.0, voice={"pitch": (90.0, "low"), "rate": (7.0, "high")})
    text = chain(observation, lines_of(observation), "joy", random.Random(0))
    assert text.count(" s.") == 1 and [claim.verdict for claim in check(text, observation)] == ["supported"] * 2


def test_length_stays_bounded(chains):
    """Every word, number and mark one token, every digit one: no tokenizer of today needs many more."""
    lengths = [len(re.findall(r"[A-Za-z']+|\d|[^\w\s]", made.text)) for _, _, made in chains]
    assert sum(length <= MOST_TOKENS for length in lengths) >= 0.95 * len(lengths) and max(lengths) <= 1.2 * MOST_TOKENS


def test_a_face_at_rest_is_told_by_what_is_absent():
    observation = make_observation(4.0, people=[{}])
    text = chain(observation, [], "neutral", random.Random(0))
    assert "no lip corner puller (AU12)" in text
    assert {claim.verdict for claim in check(text, observation)} == {"supported"}


def test_stills_differ_by_what_is_left_aside():
    texts = set()
    for untold in ("AU14", "AU17"):
        au = {"AU12": [(0.0, 0.0, 0.0, 0.9, "both")], untold: [(0.0, 0.0, 0.0, 0.3 if untold == "AU14" else 0.6, "both")]}
        video = make_observation(4.0, people=[{"au": au}], reliability={untold: "low"})
        still = replace(video, source=replace(video.source, kind="picture"))
        lines = lines_of(video)
        made = compose(still, lines, "happiness", random.Random(0))
        assert [line.cue.cue for line in made.cited] == ["AU12"] and [s.cue for s in parse(made.text)] == ["AU12"]
        texts.add(made.text)
    assert len(texts) == 2


def test_without_any_cue_nothing_is_claimed():
    observation = make_observation(4.0)
    made = compose(observation, [], "anger", random.Random(0))
    assert not check(made.text, observation) and made.cited == ()


def test_leaning_is_of_one_modality():
    lines = lines_of(smile())
    assert leaning(lines, "face").argmax() == 4 and leaning(lines, "words") is None  # 4: happiness


def test_real_clips_are_told_truly():
    clips = sorted((DATA / "clips").glob("**/*.mp4"))[:4]
    if not clips:
        pytest.skip(f"no real clips under {DATA}")
    from emoreason.media.clip import Clip
    from emoreason.perception.observe import observe
    from emoreason.perception.settings import PerceptionSettings

    claims = []
    for path in clips:
        observation = observe(Clip(path), PerceptionSettings(words=False))
        for seed, label in enumerate(LABELS[:8]):
            claims += check(chain(observation, lines_of(observation), label, random.Random(seed)), observation)
    assert claims and sum(claim.verdict == "supported" for claim in claims) / len(claims) >= 0.99
