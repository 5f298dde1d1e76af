"""The strict parser of answer fields: what is readable, what is not, and that it has no way to know the truth."""

import inspect
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emoreason.labels.action_units import AUS
from emoreason.scoring import answer as answers
from emoreason.scoring.answer import parse_answer

LABELS = ("anger", "joy", "neutral")
word = st.text(string.ascii_letters + " -", min_size=1, max_size=12).map(str.strip).filter(bool)


def test_all_fields():
    text = "f1 shows a smile. <answer>emotion=joy; open=happy, at ease, happy; aus=AU06, AU12</answer>\n"
    found = parse_answer(text, LABELS)
    assert found.problem is None and not found.unclear
    assert (found.emotion, found.open_labels, found.aus) == ("joy", ("happy", "at ease"), ("AU06", "AU12"))
    assert found.explanation == "f1 shows a smile."


def test_unclear_is_readable_and_names_nothing():
    found = parse_answer("Too dark. <answer>emotion=unclear</answer>", LABELS)
    assert (found.emotion, found.unclear, found.problem) == (None, True, None)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("joy", "no single"),
        ("", "no single"),
        ("<answer>emotion=joy</answer> indeed", "no single"),
        ("<answer>emotion=joy</answer><answer>emotion=joy</answer>", "no single"),
        ("<answer>emotion=anger</answer> or <answer>emotion=joy</answer>", "no single"),
        ("<answer>joy</answer>", "without a value"),
        ("<answer></answer>", "without a value"),
        ("<answer>emotion=joy; emotion=anger</answer>", "doubled"),
        ("<answer>emotion=joy; mood=fine</answer>", "unknown"),
        ("<answer>emotion=</answer>", "none of the candidates"),
        ("<answer>emotion=Joy</answer>", "none of the candidates"),
        ("<answer>emotion=not joy</answer>", "none of the candidates"),
        ("<answer>emotion=joy or anger</answer>", "none of the candidates"),
        ("<answer>open=happy</answer>", "none of the candidates"),
        ("<answer>emotion=joy; aus=AU12, AU99</answer>", "unknown action unit 'AU99'"),
        ("<answer>emotion=joy; aus=not AU12</answer>", "unknown action unit 'not AU12'"),
    ],
)
def test_unreadable_answers_say_nothing_and_say_why(text, problem):
    found = parse_answer(text, LABELS)
    assert problem in found.problem
    assert (found.emotion, found.open_labels, found.aus, found.unclear) == (None, (), (), False)


@given(st.text(max_size=80))
def test_any_text_is_read_without_an_error_and_no_label_is_made_up(text):
    found = parse_answer(text, LABELS)
    assert found.emotion is None or found.problem is None


@given(
    st.sampled_from(LABELS),
    st.lists(word, max_size=4, unique=True),
    st.lists(st.sampled_from(AUS), max_size=4, unique=True),
    st.text(string.ascii_letters + " .,;=", max_size=40),
)
def test_what_is_written_is_read(label, words, aus, before):
    fields = [f"emotion={label}"] + ([f"open={', '.join(words)}"] if words else []) + ([f"aus={', '.join(aus)}"] if aus else [])
    found = parse_answer(f"{before} <answer>{'; '.join(fields)}</answer>", LABELS)
    assert (found.problem, found.emotion, list(found.open_labels), list(found.aus)) == (None, label, words, aus)
    assert found.explanation == before.strip()


def test_the_signature_has_no_place_for_the_truth():
    assert list(inspect.signature(parse_answer).parameters) == ["text", "candidates"]
    assert "truth" not in inspect.getsource(answers).replace("cannot see the truth", "")
