"""What a part of a mixture chooses: how many, of which classes, with what context, and nothing that is tested on."""

from collections import Counter

import numpy as np
import pytest

from emoreason.instructions.record import ClosedLabel, Media, Record, Turn
from emoreason.training.mixtures import class_of, focused, held_texts, limited, told


def labelled(n: int, word: str) -> Record:
    label = ClosedLabel(scheme="s", value=word)
    return Record(id=f"{word}{n}", dataset="d", split="train", group="g", licence="l", transcript="x", labels=[label])


RECORDS = [
    *(labelled(n, "joy") for n in range(50)),
    *(labelled(n, "fear") for n in range(5)),
    *(labelled(n, "rage") for n in range(20)),
]


def test_a_balanced_limit_takes_turns_until_a_class_runs_out():
    chosen = limited(RECORDS, 30, True, np.random.default_rng(1))
    counts = Counter(map(class_of, chosen))
    assert counts["fear"] == 5 and sorted((counts["joy"], counts["rage"])) == [12, 13]
    assert len({record.id for record in chosen}) == 30


def test_a_limit_is_the_same_for_the_same_seed():
    one, other = (limited(RECORDS, 30, True, np.random.default_rng(1)) for _ in range(2))
    assert one == other != limited(RECORDS, 30, True, np.random.default_rng(2))


def test_no_limit_keeps_all_in_random_order():
    chosen = limited(RECORDS, None, False, np.random.default_rng(0))
    assert chosen != RECORDS and sorted(r.id for r in chosen) == sorted(r.id for r in RECORDS)


def scene(*texts: str, target: int | None = None, split: str = "train") -> Record:
    turns = [Turn(text=text) for text in texts]
    return Record(id="s", dataset="d", split=split, group="g", licence="l", turns=turns, target_turn=target)


def test_a_dialogue_is_cut_to_what_was_said_before():
    record = focused(scene("a", "b", "c", "d", "e", target=3), 2)
    assert [turn.text for turn in record.turns] == ["b", "c", "d"] and record.target_turn == 2
    assert focused(scene("a", "b", target=0), 2).turns[0].text == "a" and len(focused(scene("a", "b", target=0), 2).turns) == 1
    whole = scene("a", "b")
    assert focused(whole, 1) is whole  # nobody is asked about in particular


@pytest.mark.parametrize(
    ("text", "known"),
    [
        ("Where have you been all night?", True),
        ("where HAVE you been, all night", True),
        ("Oh my God!", False),  # too short to tell anything
        ("Where have you been all day?", False),
    ],
)
def test_words_that_are_tested_on_are_noticed(text, known):
    held = held_texts([scene("Where have you been all night?", "Oh my God!", split="test")])
    assert told(scene("Something else entirely is said here.", text), held) == known


def test_acted_sentences_are_the_same_for_everyone():
    media = Media(audio="x.wav")
    acted = labelled(0, "joy").model_copy(update={"media": media, "transcript": "Kids are talking by the door."})
    assert not told(acted, held_texts([acted]))
