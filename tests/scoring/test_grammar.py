"""The reader of statements: a corpus of hand-written sentences, exact spans, and any text whatever."""

import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from emoreason.labels.action_units import ACTION_UNITS, LEVELS
from emoreason.labels.emotions import ALIASES
from emoreason.labels.voice_cues import VOICE_CUES
from emoreason.scoring.grammar import parse
from emoreason.scoring.statement import Statement

CORPUS = yaml.safe_load((Path(__file__).parent / "corpus.yaml").read_text(encoding="utf-8"))
ENTRIES = [(group, entry["say"], entry["means"]) for group, entries in CORPUS.items() for entry in entries]
PERSON = re.compile(r"p\d+|all|speaker")


def notation(s: Statement) -> str:
    """A statement in the notation of the corpus."""
    parts = ["!" * s.negated + s.cue, s.person, s.side, s.level, _time(s), s.quote and f"'{s.quote}'"]
    return " ".join(part for part in parts if part)


def _time(s: Statement) -> str | None:
    if s.phase:
        return f"@{s.phase}"
    if s.start_s is not None and s.start_s < 0:
        return f"last:{-s.start_s:g}"
    if s.start_s == s.end_s:
        return None if s.start_s is None else f"{s.start_s:g}"
    return "-".join("" if t is None else f"{t:g}" for t in (s.start_s, s.end_s))


def expected(means: str) -> list[str]:
    """Normal order of the words of each statement: cue, person, side, level, time, quote."""
    order = (PERSON.fullmatch, {"left", "right", "both", "one"}.__contains__, {*LEVELS, "low", "typical", "high"}.__contains__)
    result = []
    for item in filter(str.strip, means.split(";")):
        head, _, quote = item.strip().partition(" '")
        cue, *words = head.split()
        words.sort(key=lambda word: next((n for n, test in enumerate(order) if test(word)), len(order)))
        result.append(" ".join([cue, *words, *([f"'{quote}"] if quote else [])]))
    return result


@pytest.mark.parametrize(
    ("say", "means"),
    [
        pytest.param(say, means, id=say, marks=[pytest.mark.xfail(strict=True)] if group == "known failures" else [])
        for group, say, means in ENTRIES
    ],
)
def test_corpus(say, means):
    found = parse(say)
    assert sorted(map(notation, found)) == sorted(expected(means))
    assert all(say[s.start : s.end] == s.text for s in found)


def test_corpus_is_large_and_without_repeats():
    sentences = [say for _, say, _ in ENTRIES]
    assert len(sentences) == len(set(sentences)) >= 200
    assert len(CORPUS.get("known failures", [])) <= 0.03 * len(sentences)


@pytest.mark.parametrize("unit", ACTION_UNITS.values(), ids=lambda unit: unit.au)
def test_every_facs_name_and_code_is_known(unit):
    assert [s.cue for s in parse(f"p1 shows {unit.au}.")] == [unit.au]
    assert [s.cue for s in parse(f"There is a marked {unit.name} on p1.")] == [unit.au]
    assert [s.cue for s in parse(f"There is a marked {unit.name} ({unit.au}) on p1.")] == [unit.au]


@pytest.mark.parametrize("kind", VOICE_CUES.values(), ids=lambda kind: kind.cue)
def test_every_wording_of_the_voice_table_is_known(kind):
    for level, words in zip(("low", "typical", "high"), kind.words, strict=True):
        assert [(s.cue, s.level) for s in parse(f"There is {words}.")] == [(kind.cue, level)], words


@pytest.mark.parametrize("word", sorted({word for words in ALIASES.values() for word in words}))
def test_emotion_words_are_no_cues(word):
    assert parse(f"p1 appears {word}; the face shows {word} and the voice sounds {word}.") == []


def test_a_composed_paragraph():
    text = (
        "Person p1 shows a strong lip corner puller (AU12) from 2.1 to 4.8 s and a slight cheek raiser (AU06) from 2.2 to 4.6 s. "
        "In the voice there is loud voice and wide pitch range. Person p1 says \"what a day\" (3.0-4.2 s). "
        "Taken together this appears as happiness (score 0.71)."
    )
    assert [notation(s) for s in parse(text)] == [
        "AU12 p1 strong 2.1-4.8", "AU06 p1 slight 2.2-4.6", "loudness high", "pitch_range high", "said p1 3-4.2 'what a day'"
    ]  # fmt: skip


def test_offsets_hold_in_a_long_text():
    text = " ".join(say for _, say, _ in ENTRIES)
    found = parse(text)
    assert len(found) > 250
    assert all(text[s.start : s.end] == s.text for s in found)
    assert [s.start for s in found] == sorted(s.start for s in found)


WORDS = st.sampled_from(
    sorted({word for _, say, _ in ENTRIES for word in say.split()})
    + [*"()[]+-,.;:'\"“”%\n", "\n\n", "not", "AU", "p", "0:0", "1e9", "¹", "٣", "ß"]
)


@settings(max_examples=150, deadline=None)
@given(st.one_of(st.text(max_size=200), st.lists(WORDS, max_size=40).map(" ".join), st.lists(WORDS, max_size=40).map("".join)))
def test_any_text_is_read(text):
    for s in parse(text):
        assert text[s.start : s.end] == s.text != ""
        assert s.start_s is None or s.end_s is None or s.start_s <= s.end_s
        assert re.fullmatch(r"AU\d\d|[a-z_]+", s.cue)


@pytest.mark.parametrize(
    "piece",
    [
        "not ", "not not smile ", "AU1+", "AU 12, ", "brow brow ", "raised ", "left brow ", "\"", "' '", "'a ", "(", "((brow)",
        "from 1 to ", "p1 and ", "no smile, ", "at 2 s ", "the corner of the ", "1 min ", "1.", "- ", "smile which ", "very ",
    ],
)  # fmt: skip
def test_hostile_repetition_is_read_to_its_end(piece):
    text = piece * (100_000 // len(piece))
    assert all(text[s.start : s.end] == s.text for s in parse(text))


@pytest.mark.parametrize(
    ("text", "misnamed"),
    [
        ("a strong jaw drop (AU12)", "AU26"),
        ("strong parting of the lips (AU12)", "AU25"),
        ("the left brow raiser (AU14)", "AU01"),
        ("a smile (AU12, AU06)", None),
        ("the eyes narrow (AU06)", None),
        ("raised brows (AU02)", None),
    ],
)
def test_words_and_code_that_disagree(text, misnamed):
    assert {statement.misnamed for statement in parse(text)} == {misnamed}


@pytest.mark.parametrize("au", ACTION_UNITS)
def test_every_unit_by_its_own_name_and_code(au):
    told = parse(f"The face shows the {ACTION_UNITS[au].name} ({au}).")
    assert told and all(statement.misnamed is None for statement in told)
