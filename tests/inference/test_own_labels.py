"""A judge whose model was fine-tuned on words of its own: the report, its tables and pages speak in them."""

import json

import numpy as np
import pytest
import torch
from inference.toys import judged, make_judge, noise_clip, observed
from scipy.special import log_softmax

from emoreason.inference.batch.manifest import Entry
from emoreason.inference.batch.tables import SUMMARY_COLUMNS, summary_row
from emoreason.inference.judges.model import ModelJudge
from emoreason.labels.emotions import EMOTIONS
from emoreason.labels.label_set import LabelSet
from emoreason.model.engines.transformers import TransformersEngine
from emoreason.model.verdict import label_scores
from emoreason.report.assemble import assemble
from emoreason.report.emotion_report import EmotionReport
from emoreason.report.schema import ModelInfo, Verdict
from emoreason.report.writers.subtitles import cues_of
from emoreason.training.own_labels import give_labels

MOODS = LabelSet("moods", ("tense", "calm", "calm down"), {"tense": "fear"})


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return noise_clip(tmp_path_factory.mktemp("clip"))


def own_judge(labels=MOODS, **weights) -> ModelJudge:
    """The toy judge, fine-tuned as far as its head goes; `weights` alone vote."""
    judge = make_judge(verdict={"most_tokens": 8})
    give_labels(judge.engine.model, labels)
    judge.config.verdict["weights"] = weights or judge.config.verdict["weights"]
    engine = TransformersEngine(judge.engine.model, judge.processor.tokenizer)
    return ModelJudge(judge.processor, engine, "own", "soft")


def told(judge, clip) -> EmotionReport:
    observation = observed(clip, voice={"pitch": (160.0, "typical")})
    return assemble(observation, judged(judge, observation, clip), ModelInfo(name="own"), {})


def test_the_report_chooses_among_the_own_labels(clip):
    judge = own_judge(label_moods=1.0)
    with torch.no_grad():
        judge.engine.model.heads["label_moods"].out.bias.copy_(torch.tensor([9.0, 0.0, 0.0]))
    report = told(judge, clip)
    verdict = report.verdict
    assert (verdict.label, verdict.emotion, verdict.scheme) == ("tense", "fear", "moods") and verdict.confidence > 0.9
    assert list(verdict.probabilities) == list(MOODS.labels) and sum(verdict.probabilities.values()) == pytest.approx(1, abs=1e-3)
    assert verdict.valence is None and verdict.derived == []  # of labels that stand for nothing no valence is known
    assert all(segment.verdict.scheme == "moods" for segment in report.segments)
    assert set(report.people[0].probabilities) == set(EMOTIONS)  # the heads on faces are the base's own
    assert EmotionReport.from_json(report.to_json()) == report
    assert "fear" in {segment.verdict.emotion for segment in report.segments} and "tense" in cues_of(report)[0][2]


def test_a_label_that_stands_for_no_emotion_names_none(clip, tmp_path):
    judge = own_judge(label_moods=1.0)
    with torch.no_grad():
        judge.engine.model.heads["label_moods"].out.bias.copy_(torch.tensor([0.0, 9.0, 0.0]))
    report = told(judge, clip)
    assert report.verdict.label == "calm" and report.verdict.emotion is None and not report.verdict.abstained
    page = (report.save(tmp_path, formats=["html"], key_frames=False)[0]).read_text(encoding="utf-8")
    assert "Calm is shown" in page and "none of the eight emotions" in page and "calm down" in page and "e-own" in page
    row = summary_row(Entry("a.mp4", 1, 1, id="x"), json.loads(report.to_json()))
    assert row["label"] == "calm" and row["scheme"] == "moods" and row["emotion"] is None and set(row) <= set(SUMMARY_COLUMNS)
    assert json.loads(row["label_probabilities"])["calm"] > 0.9 and "anger" not in row


def test_a_whole_crosswalk_gives_valence_and_compound(clip):
    whole = LabelSet("moods", ("glum", "merry"), {"glum": "sadness", "merry": "happiness"})
    verdict = told(own_judge(whole, language=1.0), clip).verdict
    assert verdict.valence is not None and verdict.derived[:3] == ["valence", "arousal", "sentiment"]


def test_the_fresh_head_sees_in_use_what_it_saw_in_training(clip):
    judge = own_judge()
    observation = observed(clip, voice={"pitch": (160.0, "typical")})
    asked = list(judge._asked([(observation, clip)]))[0]
    prompt = judge.engine.read(judge.processor([asked.given]))
    trained = judge.engine.model(**judge.processor([asked.given], ["It appears so."]))
    np.testing.assert_allclose(prompt.heads["label_moods"], trained.heads["label_moods"].detach(), atol=1e-4, rtol=1e-4)


def test_a_label_that_begins_another_is_not_favoured(clip):
    judge = own_judge()
    observation = observed(clip)
    prompt = judge.engine.read(judge.processor([list(judge._asked([(observation, clip)]))[0].given]))
    alone = label_scores(judge.engine, prompt, ("tense", "calm"))
    ended = judge.engine.score(prompt, [f"<answer>emotion={label}</answer>" for label in MOODS.labels])
    np.testing.assert_allclose(label_scores(judge.engine, prompt, MOODS.labels), log_softmax(ended, axis=-1), rtol=1e-5)
    assert alone.shape == (1, 2)


def test_canonical_verdicts_are_what_they_were(clip):
    judge = make_judge(verdict={"most_tokens": 8})
    observation = observed(clip)
    before = judged(judge, observation, clip)
    verdict = before.clip.verdict()
    assert verdict.scheme == "emoreason" and verdict.label == verdict.emotion
    give_labels(judge.engine.model, MOODS)
    judge.config.scheme, judge.config.labels, judge.config.crosswalk = "emoreason", list(EMOTIONS), None
    judge.config.verdict = {"most_tokens": 8}
    again = judged(ModelJudge(judge.processor, judge.engine, "toy", "soft"), observation, clip)
    np.testing.assert_array_equal(before.clip.probabilities, again.clip.probabilities)  # the same batches, so the same bits
    assert [part.text for part in before.segments] == [part.text for part in again.segments]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"label": "tense", "emotion": None, "confidence": None}, "has a label and confidence"),
        ({"label": None, "emotion": "fear", "confidence": None, "abstained": True, "reason": "x"}, "does not go with"),
        ({"label": "loud", "emotion": None}, "has no probability"),
        ({"scheme": "emoreason", "label": "anger", "emotion": "fear"}, "does not go with"),
    ],
)
def test_a_verdict_that_contradicts_itself_is_refused(changes, said):
    good = {"scheme": "moods", "label": "tense", "emotion": "fear", "confidence": 0.5, "abstained": False,
            "probabilities": {"tense": 0.5, "calm": 0.5}}  # fmt: skip
    Verdict(**good)
    with pytest.raises(ValueError, match=said):
        Verdict(**good | changes)


def test_a_report_of_before_reads_as_canonical():
    verdict = Verdict.model_validate({"emotion": "fear", "confidence": 0.5, "abstained": False, "person": None})
    assert verdict.label == "fear" and verdict.scheme == "emoreason"
