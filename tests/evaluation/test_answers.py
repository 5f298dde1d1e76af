"""What judges say about samples: the composer on measurements and words, a toy model in writing."""

from copy import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from evaluation.made import SENTENCES, face_suite, labels_of, samples_of, shown, write_suite
from inference.toys import judged, make_judge, noise_clip, observed

from emoreason.evaluation.answers import Exam
from emoreason.evaluation.native import Native
from emoreason.evaluation.run import run
from emoreason.evaluation.shown import Shown
from emoreason.evaluation.verdicts import Question, inputs, verdicts
from emoreason.inference.judges.composer import ComposerJudge
from emoreason.instructions.label_tasks import Scheme
from emoreason.instructions.record import Span
from emoreason.labels.action_units import ACTION_UNITS
from emoreason.labels.label_set import LabelSet
from emoreason.model.config import UTTERANCE_HEAD
from emoreason.perception.segments import Segment
from emoreason.training.words.head import give_words

SMILE = ({"au": {"AU12": [(1.0, 3.0, 9.0, 0.9, "both")], "AU06": [(1.0, 3.0, 9.0, 0.8, "both")]}},)
FROWN = ({"au": {"AU04": [(1.0, 3.0, 9.0, 0.9, "both")], "AU07": [(1.0, 3.0, 9.0, 0.8, "both")]}},)


def exam(kind="emotion", predictor=None, others=(), **changes):
    suite, recipe = face_suite(kind, merge={"calm": "neutral"}, **changes)
    scheme = Scheme("talk", tuple(recipe.scheme.labels), tuple(recipe.scheme.crosswalk.items()))
    return Exam(
        suite, labels_of(suite, recipe), scheme, predictor or ComposerJudge(), lambda shown: [one.observation for one in others]
    )


def test_emotions_in_the_words_of_the_set():
    (said,) = exam().answers([shown("a", {"label": "joy"}, people=SMILE)])
    assert said.status == "answered" and said.prediction["label"] == "joy"
    assert set(said.prediction["probabilities"]) == {"joy", "anger", "fear", "neutral"}


def test_nothing_to_see_is_no_answer():
    (said,) = exam().answers([shown("a", {"label": "joy"}, people=())])
    assert said.status == "silent" and said.prediction is None and "no face" in said.reason


def test_the_span_of_a_record_is_what_counts():
    long = ({"au": {"AU12": [(1.0, 3.0, 9.0, 0.9, "both")], "AU04": [(21.0, 24.0, 29.0, 0.9, "both")]}},)
    one = shown("a", {}, people=long, duration_s=30.0, cuts_s=(10.0, 20.0))
    late = one.record.model_copy(update={"span": Span(start_s=20.0, end_s=30.0)})
    whole, end = verdicts(ComposerJudge(), [one, Shown(one.sample, late, one.observation, None)])
    assert end.probabilities["anger"] > whole.probabilities["anger"]
    assert end.probabilities["happiness"] < whole.probabilities["happiness"]


def test_units_with_their_intensity():
    suite_units = ["AU04", "AU12"]
    (said,) = exam("action_units", units=suite_units).answers([shown("a", {}, people=SMILE)])
    assert said.prediction["units"] == {"AU04": 0.0, "AU12": pytest.approx(0.9, abs=0.02)}
    (nobody,) = exam("action_units", units=suite_units).answers([shown("a", {}, people=())])
    assert nobody.status == "silent"


def test_sentiment_affect_and_words_are_those_of_the_verdict():
    one = shown("a", {}, people=SMILE)
    (sentiment,), (affect,), (words,) = (
        exam(kind).answers([one]) for kind in ("sentiment", "valence_arousal", "open_vocabulary")
    )
    assert sentiment.prediction["label"] == "positive" and sentiment.prediction["score"] == affect.prediction["valence"] > 0.15
    assert words.prediction == {"words": ["happiness"]}


def test_probes_are_answered_by_the_verdict():
    answers = exam("hallucination").answers([shown("a", {"asked": asked}, people=SMILE) for asked in ("joy", "anger")])
    assert [said.prediction["answer"] for said in answers] == ["yes", "no"]


def test_explanations_are_held_against_codes_and_other_clips():
    one, other = (shown(name, {"units": {"AU12": True, "AU04": False}, "reference": None, "label": "joy"}, people=people)
                  for name, people in (("a", SMILE), ("b", FROWN)))  # fmt: skip
    (said,) = exam("reasoning", others=[other]).answers([one])
    counts = said.prediction["counts"]
    assert said.prediction["label"] == "joy" and "AU12" in said.text or "smile" in said.text
    assert counts["au_recall_human"] == [1, 1] and counts["specificity"] == [1, 1] and counts["claims_per_text"][0] >= 1


def test_the_head_alone_is_what_the_face_shows():
    seen = shown("a", {"label": "joy"}, people=SMILE)
    nobody = shown("b", {"label": "joy"}, people=())
    said = exam(answer="head").answers([seen, nobody])
    assert said[0].prediction["label"] == "joy" and not said[0].prediction["abstained"]
    assert said[1].status == "silent" and "neither a face nor a voice" in said[1].reason


@pytest.fixture(scope="module")
def toy():
    return make_judge(trained=True).with_settings(most_tokens=4)  # what it writes means nothing anyway


@pytest.fixture(autouse=True)
def short(monkeypatch):
    monkeypatch.setattr("emoreason.evaluation.answers.MOST_TOKENS", 4)


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
    for row, other in zip(before, unheard, strict=True):
        assert row.prediction["probabilities"] == pytest.approx(other.prediction["probabilities"], abs=1e-3)


def test_one_by_one_is_as_in_a_batch(toy, tmp_path):
    samples = samples_of(write_suite(tmp_path))
    alone = copy(toy)
    alone.together = 1
    one, many = (run(samples, judge, tmp_path / name, tmp_path) for judge, name in ((alone, "one"), (toy, "many")))
    for a, b in zip(one, many, strict=True):
        assert a.prediction["probabilities"] == pytest.approx(b.prediction["probabilities"], abs=2e-3)


class Writing(ComposerJudge):
    """Writes what it is told to."""

    name, writes = "writing", True

    def __init__(self, *texts):
        self.texts = texts

    def prepare(self, observation, segment, clip, question):
        return question

    def reply(self, inputs, most_tokens):
        return list(self.texts)


@pytest.mark.parametrize(
    ("kind", "text", "prediction"),
    [
        ("hallucination", "No, it is fear.", {"answer": "no"}),
        ("hallucination", "Perhaps yes.", None),
        ("hallucination", "<answer>emotion=joy</answer>", {"answer": "yes"}),
        ("hallucination", "<answer>emotion=happiness</answer>", {"answer": "yes"}),  # which the set calls joy
        ("hallucination", "<answer>emotion=fear</answer>", {"answer": "no"}),
        ("hallucination", "<answer>emotion=unclear</answer>", None),
        ("open_vocabulary", "Well. <answer>emotion=joy; open=glad, at ease</answer>", {"words": ["glad", "at ease"]}),
        ("open_vocabulary", "glad and at ease", None),
        ("causes", "Utterance 3 because of 1 (joy); 4 because of 4.", {"pairs": [[3, 1, "joy"], [4, 4, None]]}),
        ("causes", "The first one.", None),
        ("valence_arousal", "Valence +0.50, arousal -0.10.", {"valence": 0.5, "arousal": -0.1}),
        ("valence_arousal", "Valence +1.50, arousal -0.10.", None),
    ],
)
def test_what_a_judge_writes_is_read_strictly(kind, text, prediction):
    one = shown("a", {"asked": "joy"})
    words = Shown(one.sample, one.record, None, None)
    (said,) = exam(kind, Writing(text), input="words").answers([words])
    assert said.prediction == prediction and said.status == ("answered" if prediction else "unparsable") and said.text == text


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
    (said,) = exam(predictor=Writing(text), answer="free").answers([shown("a", {"label": "joy"}, people=SMILE)])
    assert said.status == status and said.text == text and (said.prediction or {}).get("label") == label


class Own(ComposerJudge):
    """Chooses among words of its own, two of which stand for emotions."""

    label_set = LabelSet("moods", ("glee", "fury", "boredom"), {"glee": "happiness", "fury": "anger"})

    def judge(self, measured, on_text=None, explain=True):
        said = {"probabilities": np.array([0.2, 0.3, 0.5]), "emotion": "boredom", "reason": None, "scheme": self.label_set}
        told = super().judge(measured)
        return [replace(one, clip=replace(one.clip, **said), segments=[replace(s, **said) for s in one.segments]) for one in told]


def test_words_of_a_judge_s_own_are_what_it_says_they_stand_for():
    one = shown("a", {"units": {}, "reference": None, "label": "joy"}, people=SMILE)
    (said,) = exam(predictor=Own()).answers([one])
    assert said.prediction["label"] == "anger" and said.prediction["probabilities"]["joy"] == pytest.approx(0.4)
    same = replace(exam(predictor=Own()), scheme=Scheme("moods", ()), native=Native(("glee", "fury"), {"boredom": "glee"}, {}))
    (said,) = same.answers([one])
    assert said.prediction["label"] == "glee" and said.prediction["probabilities"]["glee"] == pytest.approx(0.7)
    part = Shown(one.sample, one.record.model_copy(update={"span": Span(start_s=0.0, end_s=5.0)}), one.observation, None)
    assert verdicts(Own(), [part])[0].scheme == "moods"


def test_who_does_not_write_gives_the_verdict_for_a_free_answer():
    one = shown("a", {"label": "joy"}, people=SMILE)
    assert exam(answer="free").answers([one]) == exam().answers([one])


class Explaining(Writing):
    """Explains as the composer does; without the evidence lines it has nothing to say."""

    def judge(self, measured, on_text=None, explain=True):
        told = super().judge(measured)
        return [replace(one, clip=replace(one.clip, text="Nobody knows.")) for one in told] if self.left_out else told

    def without(self, part):
        blind = Explaining(*self.texts)
        blind.left_out = (part,)
        return blind


def test_explanations_of_a_model_are_measured_without_its_evidence_lines_too():
    one = shown("a", {"units": {"AU12": True}, "reference": None, "label": "joy"}, people=SMILE)
    judge = Explaining("Something. <answer>emotion=happiness</answer>")
    (said,) = exam("reasoning", judge).answers([one])
    counts = said.prediction["counts"]
    assert counts["supported_rate"][0] > 0 and counts["au_recall_human"] == [1, 1]
    assert counts["claims_per_text_without_evidence"] == [0, 1] and counts["au_recall_human_without_evidence"] == [0, 1]
    assert counts["free_parsed"] == [True, 1] and counts["conclusion_agreement"] == [True, 1]
    (blind,) = exam("reasoning", judge.without("evidence")).answers([one])
    assert blind.prediction["counts"]["claims_per_text"] == [0, 1]
    assert not any(name.endswith("_without_evidence") for name in blind.prediction["counts"])


def test_a_model_replies_to_every_question(toy, tmp_path):
    samples = samples_of(write_suite(tmp_path, kind="hallucination", primary="hallucination_overall"))
    rows = run(samples, toy, tmp_path / "out", tmp_path)
    assert {row.status for row in rows} == {"unparsable"} and len(rows) == 10  # an untrained toy says neither yes nor no


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


def test_a_model_judges_media_as_the_product_does(toy, tmp_path):
    clip = noise_clip(tmp_path)
    seen = shown("a", {"label": "joy"})
    one = Shown(seen.sample, seen.record, observed(clip), clip)
    (told,) = verdicts(toy, [one])
    product = judged(toy, one.observation, clip).clip.verdict()
    assert told.probabilities == pytest.approx(product.probabilities, abs=1e-4) and told.emotion == product.emotion
    assert len(toy.reply(inputs(toy, [Question(one, "Which emotion is shown?")]), 4)) == 1


def by_head(toy, one):
    """The largest probability over the frames of the only face, from the logits that the engine hands out."""
    judge = toy
    given = judge.processor.prepare(one.observation, Segment(0.0, 30.0), one.clip, "?")
    logits = judge.engine.read(judge.processor([given])).heads["action_units"][0, 0]  # [T, K]
    largest = logits[torch.from_numpy(given.frame_mask[0])].sigmoid().amax(0)
    return {au: float(largest[list(ACTION_UNITS).index(au)]) for au in ("AU04", "AU12")}


def test_units_by_the_head_of_a_model(toy, tmp_path):
    clip = noise_clip(tmp_path)
    seen, nobody = shown("a", {}), shown("b", {})
    pair = [Shown(seen.sample, seen.record, observed(clip), clip), Shown(nobody.sample, nobody.record, observed(clip, ()), clip)]
    said = exam("action_units", toy, units=["AU04", "AU12"], answer="head").answers(pair)
    assert said[0].prediction["units"].keys() == {"AU04", "AU12"} and said[0].prediction["bound"] == 0.5
    assert said[0].prediction["units"] == pytest.approx(by_head(toy, pair[0]), abs=1e-3)
    assert said[1].status == "silent" and said[1].reason == "no face was found"
    measured = exam("action_units", toy, units=["AU04", "AU12"]).answers(pair[:1])
    assert measured[0].prediction["units"]["AU12"] == pytest.approx(0.9, abs=0.02) and measured[0].prediction["bound"] == 0.25


def test_several_clips_are_judged_together_as_alone(toy, tmp_path):
    clip = noise_clip(tmp_path)
    seen = [Shown(one.sample, one.record, observed(clip, people), clip)
            for one, people in ((shown("a", {}), SMILE), (shown("b", {}), FROWN))]  # fmt: skip
    together, alone = verdicts(toy, seen), [verdicts(toy, [one])[0] for one in seen]
    for a, b in zip(together, alone, strict=True):
        assert a.probabilities == pytest.approx(b.probabilities, abs=2e-3)
