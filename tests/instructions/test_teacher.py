"""A teacher may change words, never claims; what it said once is not asked again."""

import random
import re

import pytest
from instructions.synthetic import draw, lines_of
from local_server import serving

from emoreason.errors import EnvironmentProblem
from emoreason.instructions.answers import Exchange
from emoreason.instructions.chains import compose
from emoreason.instructions.record import Sentence
from emoreason.instructions.teacher import Teacher, objection
from emoreason.model.prompt import answer_text
from emoreason.model.served import Server
from emoreason.report.claims import check

SMILE = (
    "Person p1 shows a strong lip corner puller (AU12) from 2.0 to 4.0 s [f1] and a slight chin raiser (AU17) from 1.0 to 2.0 s "
    "[f2]."
)
SAID = 'The speaker said "come over here" (0.5-3.0 s) [w1].'
WEIGHED = "Evidence for happiness: f1; it does not go well with f2."
CONCLUDED = "On balance happiness is the best description."
GOOD = "From 2.0 to 4.0 s p1 has a strong smile (AU12) [f1], and from 1.0 to 2.0 s a slight chin raiser (AU17) [f2]."


def exchange(*sentences):
    sources = ["measured" if sentence in (SMILE, SAID) else "composed" for sentence in sentences]
    provenance = tuple(Sentence(text=text, source=source) for text, source in zip(sentences, sources, strict=True))
    return Exchange("Which emotion?", answer_text(" ".join(sentences), "", "happiness"), provenance)


@pytest.fixture(autouse=True)
def local(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def taught(tmp_path):
    """teach(reply, exchange) -> (exchange, rejected, what the server was asked)."""

    def teach(reply, given, folder=tmp_path / "replies"):
        asked = []

        def answer(method, path, body, headers):
            asked.append(body["messages"][0]["content"])
            text = reply(asked[-1]) if callable(reply) else reply
            return 200, {"choices": [{"message": {"content": text}}]}

        with serving(answer) as url:
            return *Teacher(Server(url, "teacher"), folder).rephrase(given), asked

    return teach


def test_good_words_are_taken_and_marked(taught):
    given = exchange(SMILE, WEIGHED, CONCLUDED)
    changed, rejected, (asked,) = taught(f"1. {GOOD}", given)
    assert not rejected and changed.question == given.question
    assert changed.answer == given.answer.replace(SMILE, GOOD) != given.answer
    assert [(one.text, one.source) for one in changed.provenance] == [
        (GOOD, "model"), (WEIGHED, "composed"), (CONCLUDED, "composed"),
    ]  # fmt: skip
    assert SMILE in asked and WEIGHED not in asked, "what the grammar cannot read is not offered"


@pytest.mark.parametrize(
    ("after", "reason"),
    [
        (GOOD.replace("strong", "slight"), "other claims"),
        (GOOD.replace("p1", "p2"), "other claims"),
        (GOOD.replace("4.0", "5.0"), "other claims"),
        (GOOD.replace("has a", "has no"), "other claims"),
        (GOOD.replace("smile", "smile on the left"), "other claims"),
        (GOOD.replace(" and", " raises the brows (AU01) and"), "other claims"),
        (GOOD.split(",")[0] + ".", "other claims"),
        (GOOD.replace("[f1]", "[f9]"), "other claims, or another evidence id"),
        (GOOD.replace("f1", "fx").replace("f2", "f1").replace("fx", "f2"), "another evidence id"),
        (GOOD.replace(" [f1]", ""), "another evidence id"),
        ("[f1] " + GOOD.replace(" [f1]", ""), "another evidence id"),
        (GOOD[:-1] + ", a sign of joy.", "other emotions"),
        (GOOD + " It is so" + " very" * 30 + " plain.", "more words"),
        (GOOD + " <answer>", "marks"),
        ("", "no line"),
    ],
)
def test_changed_claims_are_rejected(after, reason):
    assert reason in objection(SMILE, after)


def test_good_words_are_not_rejected():
    assert objection(SMILE, GOOD) is None and objection(SMILE, SMILE) is None
    assert objection(SAID, 'From 0.5 to 3.0 s the speaker said "come over here" [w1].') is None
    assert objection(SAID, SAID.replace("come", "run"))


def test_a_rejected_sentence_stays_and_is_reported(taught):
    given = exchange(SMILE, SAID, CONCLUDED)
    wrong = SAID.replace("come", "run")
    changed, (rejected,), _ = taught(f"1. {GOOD}\n2. {wrong}", given)
    assert (rejected.sentence, rejected.offered) == (SAID, wrong) and "claims" in rejected.reason
    assert GOOD in changed.answer and SAID in changed.answer


@pytest.mark.parametrize("reply", ["", "Certainly!", f"2. {GOOD}", f"1. {GOOD}\n2. {GOOD}", f"1. {GOOD}\n1. {GOOD}"])
def test_lines_that_do_not_fit_change_nothing(taught, reply):
    given = exchange(SMILE)
    changed, (rejected,), _ = taught(reply, given)
    assert changed == given and rejected.reason == "no line of its own"


def test_a_pronoun_cannot_move_a_claim_to_another_person(taught):
    first, second = "Person p1 shows a smile (AU12) [f1].", "Person p2 shows a jaw drop (AU26) [f2]."
    given = exchange(first, second)
    changed, rejected, _ = taught("1. Person p1 shows a smile (AU12) [f1].\n2. They show a jaw drop (AU26) [f2].", given)
    assert second in changed.answer and rejected


def test_human_sentences_are_left_alone(taught):
    given = Exchange("?", SMILE, (Sentence(text=SMILE, source="human"),))
    assert taught("1. x", given) == (given, [], [])


def test_replies_are_kept_by_what_was_asked(taught, tmp_path):
    given = exchange(SMILE)
    first = taught(f"1. {GOOD}", given)
    again = taught("1. another day, other words", given)
    assert again[:2] == first[:2] and again[2] == [], "the second run asks nothing and says the same"
    (file,) = tmp_path.glob("replies/*/*.json")
    assert GOOD in file.read_text() and not list(tmp_path.glob("replies/*/*.partial"))
    taught(f"1. {GOOD}", exchange(SAID))
    assert len(list(tmp_path.glob("replies/*/*.json"))) == 2


def test_a_server_that_fails_leaves_nothing(tmp_path):
    teacher = Teacher(Server("http://127.0.0.1:9/v1", "teacher", pause_s=0), tmp_path)
    with pytest.raises(EnvironmentProblem, match="is the server up"):
        teacher.rephrase(exchange(SMILE))
    assert not list(tmp_path.rglob("*.json"))


def test_composed_chains_keep_their_claims_under_a_teacher_that_changes_words(taught):
    def other_words(asked):
        lines = re.findall(r"^\d+\. .*$", asked, re.MULTILINE)
        swaps = {"marked": "strong", " displays ": " shows ", " there is ": " one sees ", "slight ": "faint "}
        for old, new in swaps.items():
            lines = [line.replace(old, new) for line in lines]
        return "\n".join(lines)

    taken = 0
    for seed in range(40):
        observation = draw(seed)
        sentences = compose(observation, lines_of(observation), "happiness", random.Random(seed)).sentences
        given = Exchange("?", answer_text(" ".join(one.text for one in sentences), "", "happiness"), sentences)
        changed, rejected, _ = taught(other_words, given)
        taken += changed != given
        claims = [check(text, observation) for text in (given.answer, changed.answer)]
        before, after = ([(claim.cue, claim.person, claim.verdict) for claim in some] for some in claims)
        assert before == after
        assert all("marked" in one.sentence for one in rejected), "only an inflated level is refused"
    assert taken > 5
