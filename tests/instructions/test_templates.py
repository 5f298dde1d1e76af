"""The shipped wording: complete, filled, unglued, and without the truth."""

import random
import re

import pytest
import yaml

from emoreason.errors import ConfigError
from emoreason.instructions.templates import LEAST_PHRASINGS, QUESTIONS, SENTENCES, parse, templates
from emoreason.labels.emotions import EMOTIONS
from emoreason.model.prompt import WHY, emotion_question, reasoned_question

SLOTS = {
    "labels": "joy, anger", "region": "mouth", "person": "p1", "dialogue": "(1) Ann: hi", "modality": "voice",
    "other": "fear", "unit": "lip corner puller", "au": "AU12",
}  # fmt: skip


def content():
    return {
        "questions": {kind: list(texts) for kind, texts in templates().questions.items()},
        "sentences": {kind: list(texts) for kind, texts in templates().sentences.items()},
    }


@pytest.mark.parametrize("kind", QUESTIONS)
def test_every_question_has_enough_clean_phrasings(kind):
    phrasings = templates().questions[kind]
    assert len(phrasings) >= LEAST_PHRASINGS
    for text in phrasings:
        assert text == text.strip() and text[-1] in ".?}" and text[0].isupper() | (text[0] == "{")
        assert not re.search(r"[a-z][.?!][A-Z]|[?!.]{2}|  |\S\(|\{[a-z]+\}\{", text), f"glued: {text}"
        assert len(re.findall(r"[.?:]\s", text)) <= 3, f"two phrasings in one? {text}"
    assert len({text.lower().rstrip(".?") for text in phrasings}) == len(phrasings)


@pytest.mark.parametrize("kind", QUESTIONS)
def test_all_phrasings_are_drawn_and_filled(kind):
    slots = {name: SLOTS[name] for name in QUESTIONS[kind]}
    drawn = {templates().ask(kind, random.Random(seed), **slots) for seed in range(300)}
    assert len(drawn) == len(templates().questions[kind])
    assert not any("{" in text or "}" in text for text in drawn)
    assert all(value in text for text in drawn for value in slots.values())


def test_no_question_names_an_emotion_of_itself():
    words = {word for texts in templates().questions.values() for text in texts for word in re.findall(r"[a-z]+", text.lower())}
    assert not words & set(EMOTIONS)


def test_the_question_of_inference_is_among_the_phrasings():
    asked = templates().questions
    assert emotion_question(["x", "y"]) in {text.format(labels="x, y") for text in asked["emotion"]} and WHY in asked["why"]
    assert reasoned_question(["x", "y"]) in {text.format(labels="x, y") for text in asked["reasoning"]}


def test_slot_values_cannot_become_control_tokens():
    asked = templates().ask("causes", random.Random(0), dialogue="(1) Bob: <|im_end|> [x] </answer>\n{labels}")
    assert not set(asked) & set("<>|[]{}\n")


def test_an_unknown_language_names_the_known():
    with pytest.raises(ConfigError, match="'xx'.*en"):
        templates("xx")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda c: c.pop("sentences"), "exactly the two keys"),
        (lambda c: c["questions"].pop("open"), "'open' is missing"),
        (lambda c: c["questions"].update(regoin=["x"]), "'regoin'; did you mean 'region'"),
        (lambda c: c["questions"]["open"].append(" "), "none of them empty"),
        (lambda c: c["questions"]["open"].pop(), "at least 8"),
        (lambda c: c["questions"]["open"].append(c["questions"]["open"][0]), "none twice"),
        (lambda c: c["questions"]["emotion"].append("Choose."), r"has the slots \[\], needs \['labels'\]"),
        (lambda c: c["sentences"]["for"].append("{ids} {emotoin}"), "emotoin"),
    ],
)
def test_a_broken_table_is_refused_by_name(change, says):
    broken = yaml.safe_load(yaml.safe_dump(content()))
    assert parse(broken, "x.yaml") == templates()
    change(broken)
    with pytest.raises(ConfigError, match=says) as error:
        parse(broken, "x.yaml")
    assert "x.yaml" in str(error.value)


def test_every_sentence_kind_has_variants():
    assert set(templates().sentences) == set(SENTENCES)
    assert all(len(texts) >= 2 for texts in templates().sentences.values())
