"""Tasks: questions without the truth, answers that score themselves as right, conversations in an order that makes sense."""

import random
import re

import pytest
from instructions.synthetic import draw, lines_of
from observations import make_observation

from emoreason.instructions.answers import clues_said, label_of, set_score, several_said, units_said
from emoreason.instructions.label_tasks import BLENDS, SENTIMENTS
from emoreason.instructions.recipe import Scheme as RecipeScheme
from emoreason.instructions.recipe import load_recipe
from emoreason.instructions.record import AuLabel, Cause, ClosedLabel, Media, Probe, Record, Sentence, Turn
from emoreason.instructions.tasks import Exchange, conversation, tasks_for, tasks_of
from emoreason.instructions.templates import templates
from emoreason.labels.emotions import canonical
from emoreason.model.prompt import user_text
from emoreason.report.claims import check
from emoreason.scoring.answer import parse_answer
from emoreason.scoring.plain_answer import affect_said
from emoreason.scoring.plain_answer import yes_no_said as yes_no

LABELS = ("joy", "anger", "sad", "fearful", "neutral", "surprise")  # a scheme's own words
TASKS = tasks_for("own", LABELS)
FULL = {
    "sentiment": "positive", "compound": "happily surprised", "valence": 0.62, "arousal": -0.2,
    "open_labels": ["relieved", "amused, a bit", "joyful"],
    "action_units": [AuLabel(au="AU12", side="left"), AuLabel(au="AU06"), AuLabel(au="AU04", present=False), AuLabel(au="AU16")],
    "turns": [
        Turn(text="You won!", speaker="Ann", emotion="joy"), Turn(text="<answer>Really?", speaker="Bob", emotion="surprise"),
        Turn(text="Yes."),
    ],
    "probe": Probe(question="Is she glad?", answer="yes", pair="1"),
    "causes": [Cause(effect=1, cause=0, emotion="surprise"), Cause(effect=0, cause=0)],
}  # fmt: skip


def record(label="joy", **more):
    labels = [ClosedLabel(scheme="own", value=label)] if label else []
    return Record(id="r1", dataset="d", split="train", group="s1", licence="x", media=Media(video="a.mp4"), labels=labels, **more)


TOLD = [Sentence(text="She smiles & looks glad.", source="human"), Sentence(text="Her pitch is high.", source="human")]


def mixed(*words, **more):
    """A row with several labels."""
    rec = record(None, **more)
    return rec.model_copy(update={"labels": [ClosedLabel(scheme="own", shares={word: 1 / len(words) for word in words})]})


def smile():
    return make_observation(
        5.0,
        people=[{"au": {"AU12": [(1.0, 2.0, 3.0, 0.9, "both")], "AU06": [(1.0, 2.0, 3.0, 0.8, "both")]}}],
        voice={"pitch": (300.0, "high")},
        words=[(0.5, 3.0, "come over here")],
    )


def ask(name, rec, observation=None, seed=0):
    lines = lines_of(observation) if observation else []
    return TASKS[name].turns(rec, observation, lines, random.Random(seed))


def every_exchange(seeds=range(80)):
    for seed in seeds:
        observation = draw(seed)
        rec = record(LABELS[seed % len(LABELS)], **FULL)
        if seed % 5 == 0:  # no single label: then what it has several of is asked about, and what people wrote
            rec = mixed(LABELS[seed % len(LABELS)], LABELS[(seed + 1) % len(LABELS)], explanation=TOLD, **FULL)
        for task in TASKS.values():
            if task.applies(rec, observation):
                for exchange in task.turns(rec, observation, lines_of(observation), random.Random(seed)):
                    yield task, rec, observation, exchange


def test_every_task_is_asked_and_its_own_answer_is_right():
    asked = set()
    for task, rec, _, exchange in every_exchange():
        asked.add(task.name)
        score = task.score(exchange.answer, rec, exchange)
        assert score["readable"], (task.name, exchange)
        assert score.get("correct", score.get("f1", 1.0)) == 1, (task.name, exchange)
        assert score.get("valence_error", 0) <= 0.005 and score.get("arousal_error", 0) <= 0.005
    assert asked == set(TASKS)


def test_an_empty_or_rambling_answer_scores_nothing():
    for task, rec, _, exchange in every_exchange(range(12)):
        for text in ("", "Well, that is hard to tell.", "<answer>emotion=bliss</answer>"):
            score = task.score(text, rec, exchange)
            assert not score["readable"], (task.name, text)
            assert not score.get("correct") and not score.get("f1")


def test_closed_answers_have_the_one_answer_format():
    for task, _, _, exchange in every_exchange():
        if "<answer>" in exchange.answer:
            words = {"sentiment": SENTIMENTS, "compound": BLENDS}.get(task.name, LABELS)
            parsed = parse_answer(exchange.answer, words)
            assert parsed.problem is None and "  " not in exchange.answer
            assert parsed.explanation == " ".join(sentence.text for sentence in exchange.provenance)
        else:
            assert exchange.answer == " ".join(sentence.text for sentence in exchange.provenance)


def test_no_question_tells_the_answer():
    """Candidates are all there or it is a probe; nothing else in a question depends on the label."""
    for task, rec, observation, _ in every_exchange(range(30)):
        if task.name in ("causes", "probe_emotion", "why_not"):
            continue
        lines = lines_of(observation)
        if rec.label("own").value is None:
            other = mixed("sad", "neutral", "anger", explanation=TOLD[:1], **FULL)
        else:
            other = record("sad" if rec.label("own").value != "sad" else "joy", **FULL)
        mine = task.turns(rec, observation, lines, random.Random(7))
        theirs = task.turns(other, observation, lines, random.Random(7))
        assert [e.question for e in mine] == [e.question for e in theirs], task.name


def test_why_not_never_asks_about_the_label_or_its_synonym():
    seen = set()
    for seed in range(60):
        for exchange in ask("why_not", record("joy"), smile(), seed):
            assert not re.search(r"\bjoy\b", exchange.question)
            seen.update(label for label in LABELS if label in exchange.question.lower())
            assert parse_answer(exchange.answer, LABELS).emotion == "joy"
    assert len(seen) == len(LABELS) - 1


def test_measured_sentences_are_supported_by_the_checker():
    claims = []
    for _, _, observation, exchange in every_exchange():
        for sentence in exchange.provenance:
            if sentence.source == "measured":
                claims += check(sentence.text, observation)
    assert len(claims) > 500
    wrong = [claim for claim in claims if claim.verdict != "supported"]
    assert len(wrong) <= 0.01 * len(claims), wrong[:3]


def test_what_a_coder_saw_is_not_denied():
    """The mesh misses what people see: a conversation that lists a unit as coded must not say that it is absent."""
    quiet = make_observation(5.0, people=[{}])
    coded = [AuLabel(au=au) for au in ("AU12", "AU06", "AU25")]
    for rec, denies in ((record("neutral"), True), (record("neutral", action_units=coded), False)):
        texts = [one.answer for seed in range(60) for name in ("region", "why_not") for one in ask(name, rec, quiet, seed)]
        assert any("no lip corner puller (AU12)" in text for text in texts) is denies
        assert any("no nose wrinkler (AU09)" in text for text in texts)


@pytest.mark.parametrize("name", ["probe_emotion", "probe_unit"])
def test_probes_are_balanced_and_true(name):
    answers = [exchange for seed in range(400) for exchange in ask(name, record("joy", **FULL), smile(), seed)]
    yes = [exchange for exchange in answers if yes_no(exchange.answer)]
    assert len(answers) == 400 and 160 <= len(yes) <= 240
    for exchange in answers:
        truth = "joy" in exchange.question if name == "probe_emotion" else bool(re.search("AU12|AU06", exchange.question))
        assert yes_no(exchange.answer) is truth
        assert not TASKS[name].score("No." if truth else "Yes.", record("joy", **FULL), exchange)["correct"]


def test_a_drawn_question_cannot_be_scored_without_it():
    with pytest.raises(ValueError, match="needs the exchange"):
        TASKS["probe_emotion"].score("Yes.", record())


def test_labels_keep_the_words_of_their_scheme():
    for label in LABELS:
        [exchange] = ask("emotion", record(label))
        assert exchange.answer == f"<answer>emotion={label}</answer>"
        assert sorted(LABELS) == sorted(word for word in LABELS if re.search(rf"\b{word}\b", exchange.question))


def test_candidates_stand_in_random_order():
    firsts = {re.search("|".join(LABELS), ask("emotion", record(), seed=seed)[0].question).group() for seed in range(60)}
    assert firsts == set(LABELS)


def test_a_record_outside_the_scheme_has_no_closed_question():
    for rec in (record(None), record("bliss")):
        assert not [name for name, task in TASKS.items() if task.applies(rec, None)]
        assert {name for name, task in TASKS.items() if task.applies(rec, smile())} == {"region", "probe_unit"}


def test_votes_give_the_leading_word_and_ties_none():
    votes = [ClosedLabel(scheme="own", shares={"joy": 0.6, "neutral": 0.4})]
    assert label_of(record(None).model_copy(update={"labels": votes}), "own") == "joy"
    tie = [ClosedLabel(scheme="own", shares={"joy": 0.5, "neutral": 0.5})]
    assert label_of(record(None).model_copy(update={"labels": tie}), "own") is None


def test_units_that_nobody_coded_are_neither_right_nor_wrong():
    rec, task = record("joy", **FULL), TASKS["action_units"]
    [exchange] = ask("action_units", rec)
    assert parse_answer(exchange.answer, LABELS).aus == ("AU12", "AU06") and "on the left side" in exchange.answer
    assert task.score("<answer>emotion=joy; aus=AU12, AU06, AU25</answer>", rec)["f1"] == 1
    assert task.score("<answer>emotion=joy; aus=AU12, AU04</answer>", rec)["f1"] == pytest.approx(0.5)


def test_faces_coded_without_an_emotion_are_answered_without_its_field():
    rec = record(None, action_units=FULL["action_units"])
    [exchange] = ask("action_units", rec)
    assert "<answer>" not in exchange.answer and units_said(exchange.answer) == ("AU12", "AU06")
    none = record(None, action_units=[AuLabel(au="AU12", present=False), AuLabel(au="AU04", present=False)])
    [exchange] = ask("action_units", none)
    assert units_said(exchange.answer) == () and TASKS["action_units"].score(exchange.answer, none)["f1"] == 1


def test_a_dialogue_in_a_question_is_plain_text():
    [exchange] = ask("causes", record("joy", **FULL))
    assert "(1) Ann: You won!" in exchange.question and "<" not in exchange.question
    assert "2 because of 1 (surprise)" in exchange.answer and "1 because of 1 (joy)" in exchange.answer
    assert TASKS["causes"].score("Utterance 2 because of 3.", record("joy", **FULL))["f1"] == 0


def test_reasoning_uses_the_words_of_people_where_nothing_was_measured():
    rec = record("joy", explanation=[Sentence(text="She <b>laughs</b>.", source="human")])
    [exchange] = ask("reasoning", rec)
    assert exchange.provenance[0].source == "human" and exchange.answer.endswith("<answer>emotion=joy</answer>")
    assert parse_answer(exchange.answer, LABELS).problem is None
    assert not TASKS["reasoning"].applies(record("joy"), None)


def modality_answers(rec, observation, seeds=range(300)):
    """(modality asked about, emotion answered) of every seed that asks."""
    for exchange in (made for seed in seeds for made in ask("modality", rec, observation, seed)):
        yield re.search("face|voice|words", exchange.question).group(), parse_answer(exchange.answer, LABELS).emotion


def test_what_people_wrote_is_the_reason_as_they_wrote_it():
    rec = record("joy", explanation=TOLD)
    [exchange] = ask("reasoning", rec, smile())
    assert exchange.answer == "She smiles & looks glad. Her pitch is high. <answer>emotion=joy</answer>"
    assert exchange.provenance == tuple(TOLD) and not TASKS["description"].applies(rec, smile())
    by_machine = [sentence.model_copy(update={"source": "model"}) for sentence in TOLD]
    [exchange] = ask("reasoning", record("joy", explanation=by_machine), smile())
    assert "glad" not in exchange.answer and exchange.provenance[0].source == "measured"


def test_an_explained_label_stands_before_its_reasons():
    """As inference asks: the label alone, then why; of a face and a voice that differ, none, and why not."""
    for rec in (record("joy"), record("joy", explanation=TOLD)):
        label, reasons = ask("explained", rec, smile())
        assert label.answer == "<answer>emotion=joy</answer>" and not label.provenance and "joy" in label.question
        assert reasons.question in templates().questions["why"] and "<answer>" not in reasons.answer
        assert reasons.answer == " ".join(sentence.text for sentence in reasons.provenance)
        assert ("glad" in reasons.answer) == bool(rec.explanation)
    assert not TASKS["explained"].applies(record("joy"), None)
    whole = conversation(record("joy"), smile(), lines_of(smile()), [TASKS["explained"]], random.Random(1), most=1)
    assert len(whole) == 2 and whole[1].provenance  # its turns stay together


def test_a_text_without_a_label_is_asked_for_word_for_word():
    rec = record(None, explanation=TOLD)
    for observation in (None, smile()):
        made = conversation(rec, observation, [], TASKS, random.Random(0))
        [exchange] = [one for one in made if one.provenance == tuple(TOLD)]
        assert exchange.answer == "She smiles & looks glad. Her pitch is high."
    assert TASKS["description"].score("A glad woman: the pitch is high.", rec)["f1"] == pytest.approx(4 / 5)  # without the smile
    assert TASKS["description"].score("A frowning man.", rec)["f1"] == 0


def test_several_labels_are_asked_for_together():
    rec, task = mixed("joy", "fearful", "sad"), TASKS["several"]
    [exchange] = ask("several", rec)
    assert exchange.answer.endswith(": joy, sad and fearful.") and all(label in exchange.question for label in LABELS)
    assert task.score("Both afraid and joyful.", rec) == {
        "readable": True, "precision": 1.0, "recall": pytest.approx(2 / 3), "f1": pytest.approx(0.8),
    }  # fmt: skip
    assert not task.applies(record("joy"), None) and not TASKS["emotion"].applies(rec, None)
    leading = record(None).model_copy(update={"labels": [ClosedLabel(scheme="own", shares={"joy": 0.6, "sad": 0.4})]})
    denied = [one for name in ("probe_emotion", "why_not") for seed in range(60) for one in ask(name, leading, smile(), seed)]
    assert denied and not any("sad" in one.question for one in denied)  # it is one of those that fit
    votes = record(None).model_copy(update={"labels": [ClosedLabel(scheme="own", shares={"joy": 0.7, "sad": 0.2, "anger": 0.1})]})
    assert not task.applies(votes, None)  # stray votes
    assert several_said("Not joy but anger.", LABELS) == {"anger"} and clues_said("Neither.") == set()


def test_one_modality_alone_may_be_unclear():
    answers = {}
    for modality, emotion in modality_answers(record("joy"), smile()):
        answers.setdefault(modality, set()).add(emotion)
    assert answers["face"] == {"joy"} and answers["words"] == {None}


def test_what_is_alone_in_a_clip_tells_its_label():
    silent = make_observation(5.0, people=[{"au": {"AU04": [(1.0, 2.0, 3.0, 0.9, "both")]}}])  # a frown, and yet labelled joy
    answers = list(modality_answers(record("joy"), silent))
    assert set(answers) == {("face", "joy"), ("voice", None)}
    assert 0.02 < sum(emotion is None for _, emotion in answers) / len(answers) <= 0.15


def test_a_modality_with_a_label_of_its_own_tells_that():
    own = [ClosedLabel(scheme="emoreason.face", value="joy"), ClosedLabel(scheme="emoreason.voice", value="anger")]
    mixed = ClosedLabel(scheme="own", shares={"joy": 0.5, "anger": 0.5})
    answers = set(modality_answers(record(None).model_copy(update={"labels": [mixed, *own]}), smile()))
    assert answers == {("face", "joy"), ("voice", "anger"), ("words", None)}


def test_a_face_and_a_voice_that_contradict_each_other_are_both_told():
    own = [ClosedLabel(scheme="emoreason.face", value="joy"), ClosedLabel(scheme="emoreason.voice", value="anger")]
    both = ClosedLabel(scheme="own", shares={"joy": 0.5, "anger": 0.5})
    rec = record(None, open_labels=["mixed"]).model_copy(update={"labels": [both, *own]})
    [reasons], [free] = ask("reasoning", rec, smile()), ask("open", rec, smile())
    assert parse_answer(reasons.answer, LABELS).unclear and "mixed" in reasons.answer and "AU12" in reasons.answer
    for modality, emotion in (("face", "joy"), ("voice", "anger")):
        assert re.search(f"{modality}[^;]*{emotion}|{emotion}[^;]*{modality}", reasons.answer.lower())
    said = parse_answer(free.answer, LABELS)
    assert said.open_labels == ("joy", "anger", "mixed") and said.unclear
    assert TASKS["reasoning"].score(reasons.answer, rec)["correct"] and TASKS["open"].score(free.answer, rec)["f1"] == 1
    assert not TASKS["reasoning"].applies(rec, None) and not TASKS["reasoning"].applies(record(None), smile())


def test_few_modality_questions_of_many_clips_are_unclear():
    answers = []
    for seed in range(400):
        answers += modality_answers(record(LABELS[seed % len(LABELS)]), draw(seed), [seed])
    assert 100 < len(answers) and sum(emotion is None for _, emotion in answers) / len(answers) <= 0.15


def test_one_conversation_asks_everything_in_a_sensible_order():
    observation, rec = smile(), record("joy", **FULL)
    made = conversation(rec, observation, lines_of(observation), TASKS, random.Random(5))
    assert len(made) in (len(TASKS) - 4, len(TASKS) - 3)  # the verdict is asked for in one way of three
    assert all(isinstance(exchange, Exchange) for exchange in made)
    verdict = next(i for i, exchange in enumerate(made) if "emotion=joy" in exchange.answer and "open=" not in exchange.answer)
    assert all("Yes, it is" not in exchange.answer and "No, it is" not in exchange.answer for exchange in made[:verdict])
    again = conversation(rec, observation, lines_of(observation), TASKS, random.Random(5))
    others = conversation(rec, observation, lines_of(observation), TASKS, random.Random(6))
    assert made == again != others
    assert len(conversation(rec, observation, lines_of(observation), TASKS, random.Random(5), most=3)) == 3


def test_the_first_question_fits_the_one_prompt_builder():
    observation = smile()
    first = conversation(record(), observation, lines_of(observation), TASKS, random.Random(1))[0]
    prompt = user_text(["p1"], True, lines_of(observation), first.question, None)
    assert prompt.endswith(first.question) and "\n" not in first.question


def test_words_that_were_not_measured_stand_before_the_first_question():
    spoken = Record(id="t", dataset="d", split="train", group="g", licence="x", transcript="I <b>won</b>",
                    labels=[ClosedLabel(scheme="own", value="joy")])  # fmt: skip
    first = conversation(spoken, None, [], TASKS, random.Random(0))[0].question
    assert "I (b)won(/b) " in first and "utterance" not in first
    turns = spoken.model_copy(update={"transcript": None, "turns": FULL["turns"], "target_turn": 1})
    asked = conversation(turns, None, [], TASKS, random.Random(0))
    assert "(2) Bob:" in asked[0].question and "utterance 2" in asked[0].question
    assert not any("(2) Bob:" in exchange.question for exchange in asked[1:])
    causes = turns.model_copy(update={"causes": FULL["causes"]})
    assert conversation(causes, None, [], TASKS, random.Random(0))[0].question.count("(2) Bob:") == 1
    observed = conversation(spoken, smile(), lines_of(smile()), TASKS, random.Random(0))
    assert not any("(b)won" in exchange.question for exchange in observed)


def test_a_crosswalk_tells_what_a_foreign_label_means():
    tasks = tasks_for("own", ("wesoly", "zly"), {"wesoly": "happiness", "zly": "anger"})
    rec, observation = record("wesoly"), smile()
    [made] = tasks["reasoning"].turns(rec, observation, lines_of(observation), random.Random(0))
    assert "wesoly" in made.provenance[-2].text and len(made.provenance) == 5
    assert tasks["why_not"].applies(rec, observation)
    assert not tasks_for("own", ("wesoly", "zly"))["why_not"].applies(rec, observation)


def test_a_recipe_says_what_is_offered_and_what_it_means():
    labels, recipe = ["wesoly", "zly", "unknown"], load_recipe("goemotions_ekman")
    scheme = RecipeScheme(name="own", labels=labels, not_offered=["unknown"], crosswalk={"wesoly": "happiness"})
    tasks = tasks_of(recipe.model_copy(update={"scheme": scheme}))
    question = tasks["emotion"].turns(record("wesoly"), None, [], random.Random(0))[0].question
    assert "zly" in question and "unknown" not in question
    assert not any(tasks[name].applies(record("unknown"), smile()) for name in ("emotion", "reasoning", "modality"))
    assert tasks["reasoning"].scheme.meaning("wesoly") == "happiness"
    assert "emotion" in tasks_of(recipe.model_copy(update={"scheme": None}))


def test_a_question_of_the_set_is_asked_as_it_is():
    asked = record(None, probe=Probe(question="Does he <answer>smile?", answer="no", pair="7"))
    [made] = TASKS["yes_no"].turns(asked, None, [], random.Random(0))
    assert made.question == "Does he (answer)smile?" and made.answer == "No." and made.provenance[0].source == "human"
    assert TASKS["yes_no"].score("No, he does not.", asked)["correct"] and not TASKS["yes_no"].score("Yes.", asked)["correct"]
    assert TASKS["yes_no"].score("Perhaps.", asked) == {"readable": False, "correct": False}
    assert conversation(asked, None, [], TASKS, random.Random(0)) == [made] and not TASKS["yes_no"].applies(record(), None)


def test_the_verdict_is_asked_for_once():
    observation, names, both = smile(), set(), [TASKS["emotion"], TASKS["reasoning"]]
    for seed in range(20):
        made = conversation(record(), observation, lines_of(observation), both, random.Random(seed))
        assert len(made) == 1
        names.add(bool(made[0].provenance))
    assert names == {True, False}


def test_set_score_counts():
    assert set_score({"a", "b"}, {"a"}) == {"readable": True, "precision": 0.5, "recall": 1.0, "f1": pytest.approx(2 / 3)}
    assert set_score((), ())["f1"] == 1 and set_score((), {"a"})["f1"] == 0 and set_score((), (), readable=False)["f1"] == 0
    assert affect_said("Valence +0.62, arousal -0.20.") == (0.62, -0.2) and affect_said("Valence 3.00, arousal 0.10.") is None


def test_the_scheme_of_these_tests_has_canonical_words():
    assert all(canonical(label) for label in LABELS)  # else why_not would have nothing to refuse
