"""One label: the composer on measurements, a toy model on words, free and head answers, and their scores."""

from copy import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from evaluation.made import (
    SENTENCES,
    SMILE,
    Writing,
    context_of,
    named,
    row,
    sample_input,
    samples_of,
    task_of,
    values,
    write_suite,
)
from inference.toys import make_judge

from emoreason.evaluation.inputs import SampleInput
from emoreason.evaluation.label_mapping import LabelMapping
from emoreason.evaluation.run import run
from emoreason.evaluation.tasks import make_task
from emoreason.evaluation.verdicts import verdicts
from emoreason.inference.judges.composer import ComposerJudge
from emoreason.instructions.label_tasks import Scheme
from emoreason.instructions.record import Span
from emoreason.labels.label_set import LabelSet
from emoreason.model.config import UTTERANCE_HEAD
from emoreason.training.words.head import give_words


def test_emotions_in_the_words_of_the_set():
    (prediction,) = context_of().predictions([sample_input("a", {"label": "joy"}, people=SMILE)])
    assert prediction.status == "answered" and prediction.prediction["label"] == "joy"
    assert set(prediction.prediction["probabilities"]) == {"joy", "anger", "fear", "neutral"}


def test_nothing_to_see_is_no_answer():
    (prediction,) = context_of().predictions([sample_input("a", {"label": "joy"}, people=())])
    assert prediction.status == "silent" and prediction.prediction is None and "no face" in prediction.reason


def test_the_head_alone_is_what_the_face_shows():
    seen = sample_input("a", {"label": "joy"}, people=SMILE)
    nobody = sample_input("b", {"label": "joy"}, people=())
    prediction = context_of(answer="head").predictions([seen, nobody])
    assert prediction[0].prediction["label"] == "joy" and not prediction[0].prediction["abstained"]
    assert prediction[1].status == "silent" and "neither a face nor a voice" in prediction[1].reason


@pytest.fixture(scope="module")
def toy():
    return make_judge(trained=True).with_settings(most_tokens=4)  # what it writes means nothing anyway


@pytest.fixture(autouse=True)
def short(monkeypatch):
    monkeypatch.setattr("emoreason.evaluation.tasks.task.MOST_TOKENS", 4)


def test_a_model_chooses_among_the_labels_of_the_set(toy, tmp_path):
    samples = samples_of(write_suite(tmp_path))
    rows = run(samples, toy, tmp_path / "out", tmp_path)
    assert [row.status for row in rows] == ["answered"] * 5
    assert all(set(row.prediction["probabilities"]) == {"joy", "anger", "fear", "neutral"} for row in rows)
    assert all(sum(row.prediction["probabilities"].values()) == pytest.approx(1, abs=1e-3) for row in rows)


def test_the_head_on_utterances_has_its_say_about_words(tmp_path):
    samples, judge = samples_of(write_suite(tmp_path)), make_judge(trained=True)
    before = run(samples, judge, tmp_path / "before", tmp_path)
    give_words(judge.engine.model, {"layer": 1, "languages": ["en"]})
    with torch.no_grad():
        judge.engine.model.heads["words_emotion"].out.bias[UTTERANCE_HEAD.labels.index("happiness")] = 20.0
    heard = judge.with_settings(weights={"language": 1.0, "words_emotion": 1.0})
    after = run(samples, heard, tmp_path / "after", tmp_path)
    assert [row.prediction["label"] for row in after] == ["joy"] * 5, "in the words of the set"
    unheard = run(samples, judge.with_settings(weights={"language": 1.0}), tmp_path / "unheard", tmp_path)
    for one, other in zip(before, unheard, strict=True):
        assert one.prediction["probabilities"] == pytest.approx(other.prediction["probabilities"], abs=1e-3)


def test_one_by_one_is_as_in_a_batch(toy, tmp_path):
    samples = samples_of(write_suite(tmp_path))
    alone = copy(toy)
    alone.together = 1
    one, many = (run(samples, judge, tmp_path / name, tmp_path) for judge, name in ((alone, "one"), (toy, "many")))
    for a, b in zip(one, many, strict=True):
        assert a.prediction["probabilities"] == pytest.approx(b.prediction["probabilities"], abs=2e-3)


def test_the_question_holds_the_words_and_not_the_truth(toy, tmp_path):
    samples = samples_of(write_suite(tmp_path))
    asked = []

    listening, choose = copy(toy), toy.choose

    def heard(inputs, labels):
        asked.extend((given.question, labels) for given in inputs)
        return choose(inputs, labels)

    listening.choose = heard
    run(samples, listening, tmp_path / "out", tmp_path)
    assert all(labels == ("joy", "anger", "fear", "neutral", "calm") for _, labels in asked)
    for (question, labels), (_, _, _, _, text) in zip(asked, SENTENCES, strict=False):
        assert text in question and sorted(word for word in labels if word in question) == sorted(labels)


@pytest.mark.parametrize(
    ("text", "status", "label"),
    [
        ("It is calm. <answer>emotion=calm</answer>", "answered", "neutral"),  # counted together by this suite
        ("<answer>emotion=joy</answer>", "answered", "joy"),
        ("<answer>emotion=unclear</answer>", "silent", None),
        ("<answer>emotion=bliss</answer>", "unparsable", None),
        ("Joy.", "unparsable", None),
    ],
)
def test_a_free_answer_is_what_the_model_wrote(text, status, label):
    (prediction,) = context_of(judge=Writing(text), answer="free").predictions(
        [sample_input("a", {"label": "joy"}, people=SMILE)]
    )
    assert prediction.status == status and prediction.text == text and (prediction.prediction or {}).get("label") == label


class Own(ComposerJudge):
    """Chooses among words of its own, two of which stand for emotions."""

    label_set = LabelSet("moods", ("glee", "fury", "boredom"), {"glee": "happiness", "fury": "anger"})

    def judge(self, measured, on_text=None, explain=True):
        prediction = {"probabilities": np.array([0.2, 0.3, 0.5]), "emotion": "boredom", "reason": None, "scheme": self.label_set}
        told = super().judge(measured)
        return [
            replace(one, clip=replace(one.clip, **prediction), segments=[replace(s, **prediction) for s in one.segments])
            for one in told
        ]


def test_words_of_a_judge_s_own_are_what_it_says_they_stand_for():
    one = sample_input("a", {"units": {}, "reference": None, "label": "joy"}, people=SMILE)
    (prediction,) = context_of(judge=Own()).predictions([one])
    assert prediction.prediction["label"] == "anger" and prediction.prediction["probabilities"]["joy"] == pytest.approx(0.4)
    moods = make_task(task_of().suite, LabelMapping(("glee", "fury"), {"boredom": "glee"}, {}))
    same = replace(context_of(judge=Own()), task=moods, scheme=Scheme("moods", ()))
    (prediction,) = same.predictions([one])
    assert prediction.prediction["label"] == "glee" and prediction.prediction["probabilities"]["glee"] == pytest.approx(0.7)
    part = SampleInput(one.sample, one.record.model_copy(update={"span": Span(start_s=0.0, end_s=5.0)}), one.observation, None)
    assert verdicts(Own(), [part])[0].scheme == "moods"


def test_who_does_not_write_gives_the_verdict_for_a_free_answer():
    one = sample_input("a", {"label": "joy"}, people=SMILE)
    assert context_of(answer="free").predictions([one]) == context_of().predictions([one])


def test_emotion_counts_every_sample():
    rows = [
        row("a", {"label": "joy"}, named("joy", 0.9)),
        row("b", {"label": "joy"}, named("anger", 0.5, abstained=True)),
        row("c", {"label": "anger"}, named("anger", 0.6)),
        row("d", {"label": "anger"}, notes=["no_face"]),
    ]
    found = values("emotion", rows)
    assert found["war"].value == 0.5 and found["uar"].value == 0.5
    assert found["war"].n == 4 and found["war"].unanswered == 1 and found["war"].failures.no_face == 1
    assert found["war"].parts == {"joy": 0.5, "anger": 0.5, "fear": None}  # nobody was afraid: no recall, and not in the mean
    assert found["coverage"].value == 0.5 and found["selective_accuracy"].value == 1.0 and found["selective_accuracy"].n == 2
    assert list(found)[0] == "war"


def test_a_written_label_has_no_confidence():
    found = values("emotion", [row("a", {"label": "joy"}, named("joy", 1.0))], answer="free")
    assert list(found) == ["war", "uar", "macro_f1", "weighted_f1"]


def test_micro_expressions_are_merged_and_others_left_out():
    rows = [row("a", {"label": "happiness"}, named("fear")), row("b", {"label": "fear"}, named("sadness")),
            row("c", {"label": "others"}, named("fear"))]  # fmt: skip
    for one in rows:
        one.prediction["probabilities"] = {label: 1 / 4 for label in ("happiness", "fear", "sadness", "others")}
    found = values("emotion", rows, ("happiness", "fear", "sadness", "others"), metrics=["micro_expressions"], primary="megc_uf1")
    assert found["megc_uar"].n == 2 and found["megc_uar"].value == 0.5  # sadness is negative, as fear is
