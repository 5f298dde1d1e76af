"""A conversation shows what the prompt builder shows, supervises exactly the answers, and knows where each sentence is from."""

import random

import pytest
from observations import make_observation

from emoreason.instructions.answers import Exchange
from emoreason.instructions.conversation import Message, converse, passages, segment_of, supervised_spans
from emoreason.instructions.record import ClosedLabel, Media, Record, Sentence, Span
from emoreason.instructions.tasks import tasks_for
from emoreason.model.prompt import Layout, evidence, user_text
from emoreason.perception.cues import cues
from emoreason.perception.segments import Segment

LABELS = ("anger", "fear", "happiness", "sadness", "surprise")
RECORD = Record(
    id="1", dataset="set", split="train", group="s1", licence="none", media=Media(video="a.mp4"),
    labels=[ClosedLabel(scheme="set", value="happiness")],
)  # fmt: skip


@pytest.fixture
def observation():
    people = [{"au": {"AU12": [(1.0, 2.0, 3.0, 0.9, "both")], "AU06": [(1.0, 2.0, 3.0, 0.7, "both")]}}]
    return make_observation(people=people, duration_s=5, voice={"pitch": (260.0, "high")}, words=[(0.5, 4, "what a day")])


def chat(messages: list[Message]) -> str:
    return "".join(f"[{message.role}]\n{message.content.strip()}[end]\n" for message in messages)


def test_the_first_prompt_is_the_one_of_inference(observation):
    made = converse(RECORD, observation, tasks_for("set", LABELS), random.Random(3))
    lines = evidence(cues(observation), Segment(0.0, 5.0))
    question = made.exchanges[0].question
    assert made.messages()[0].content == user_text(["p1"], True, lines, question, None)
    soft = made.messages(Layout(face=4, voice=2))[0].content
    assert soft == user_text(["p1"], True, lines, question, Layout(face=4, voice=2)) and "<|er_face|>" * 4 in soft


def test_answers_alone_are_supervised(observation):
    made = converse(RECORD, observation, tasks_for("set", LABELS), random.Random(1))
    messages = made.messages()
    assert len(messages) == 2 * len(made.exchanges) >= 6
    assert [message.role for message in messages] == ["user", "assistant"] * len(made.exchanges)
    text = chat(messages)
    spans = supervised_spans(text, messages)
    assert [text[start:end] for start, end in spans] == [exchange.answer.strip() for exchange in made.exchanges]
    assert len(made.turns) == len(made.exchanges) - 1


def test_an_answer_that_repeats_the_question_is_found_in_its_own_place():
    messages = [Message("user", "Yes or no? Yes"), Message("assistant", "Yes"), Message("user", "no"), Message("assistant", "no")]
    text = chat(messages)
    spans = supervised_spans(text, messages)
    assert [text[:start].rsplit("[", 1)[1] for start, _ in spans] == ["assistant]\n"] * 2


def test_a_template_that_changes_an_answer_is_noticed():
    with pytest.raises(ValueError, match="does not hold the assistant message"):
        supervised_spans("[user] q [assistant] Joy.", [Message("user", "q"), Message("assistant", "joy.")])


def test_the_seed_decides_and_most_limits(observation):
    tasks = tasks_for("set", LABELS)
    first, again = (converse(RECORD, observation, tasks, random.Random(8)) for _ in range(2))
    assert first == again != converse(RECORD, observation, tasks, random.Random(9))
    assert len(converse(RECORD, observation, tasks, random.Random(8), most=2).exchanges) == 2


def test_nothing_to_ask_makes_no_conversation(observation):
    assert converse(RECORD, observation, [], random.Random(0)) is None


def test_the_span_of_the_record_is_what_is_talked_about(observation):
    late = RECORD.model_copy(update={"span": Span(start_s=3.5, end_s=5.0)})
    assert segment_of(late, observation) == Segment(3.5, 5.0)
    made = converse(late, observation, tasks_for("set", LABELS), random.Random(0))
    assert all(line.cue.start_s >= 3.5 for line in made.evidence)
    assert "AU12" not in made.messages()[0].content


def test_passages_follow_the_provenance():
    exchange = Exchange("Why?", "A smile (f1). It fits. <answer>emotion=joy</answer>", (
        Sentence(text="A smile (f1).", source="measured"), Sentence(text="It fits.", source="composed"),
    ))  # fmt: skip
    message = Message("assistant", exchange.answer, exchange.provenance)
    assert passages(message) == [
        ("A smile (f1).", "measured"), (" ", None), ("It fits.", "composed"), (" <answer>emotion=joy</answer>", None),
    ]  # fmt: skip
    assert "".join(text for text, _ in passages(message)) == exchange.answer
    with pytest.raises(ValueError, match="provenance names"):
        passages(Message("assistant", "Other.", exchange.provenance))


def test_every_answer_of_every_task_has_sound_provenance(observation):
    for seed in range(20):
        made = converse(RECORD, observation, tasks_for("set", LABELS), random.Random(seed))
        for message in made.messages():
            assert "".join(text for text, _ in passages(message)) == message.content
