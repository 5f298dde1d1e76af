"""Rows to scores, by hand-made rows whose scores are known."""

import pytest
from evaluation.made import face_suite

from emoreason.errors import ConfigError
from emoreason.evaluation.results import Row
from emoreason.evaluation.scores import by_fold, failures, scoring

LABELS = ("joy", "anger", "fear")


def row(identity, truth, prediction=None, status=None, **more):
    status = status or ("answered" if prediction else "silent")
    return Row(id=identity, group=more.pop("group", identity), truth=truth, prediction=prediction, status=status, **more)


def named(label, confidence, abstained=False):
    rest = (1 - confidence) / 2
    return {"label": label, "confidence": confidence, "abstained": abstained,
            "probabilities": {word: confidence if word == label else rest for word in LABELS}}  # fmt: skip


def values(kind, rows, labels=LABELS, **changes):
    suite, _ = face_suite(kind, **changes)
    return {score.metric: score for score in scoring(suite, labels).scores(rows)}


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


def test_intervals_draw_groups_where_they_have_several_samples():
    rows = [row(f"{k}", {"label": "joy"}, named("joy" if k % 2 else "fear", 0.9), group="ab"[k % 2]) for k in range(10)]
    interval = values("emotion", rows)["war"].interval
    assert interval == (0.0, 1.0)  # one of two persons is always wrong: nothing is sure
    alone = [one.model_copy(update={"group": one.id}) for one in rows]
    low, high = values("emotion", alone)["war"].interval
    assert 0 < low < 0.5 < high < 1


def test_folds():
    suite, _ = face_suite(split=None, folds="f.yaml")
    rows = [row(f"{k}", {"label": "joy"}, named("joy" if k else "fear", 0.9), fold=k % 2) for k in range(4)]
    assert by_fold(scoring(suite, LABELS), rows) == {0: 0.5, 1: 1.0}


def test_action_units_from_the_bound_of_slight_on():
    rows = [
        row("a", {"units": {"AU01": True, "AU04": False}}, {"units": {"AU01": 0.25, "AU04": 0.24}}),
        row("b", {"units": {"AU01": False, "AU04": True}}, {"units": {"AU01": 0.9, "AU04": None}}),
        row("c", {"units": {"AU04": True}}),
    ]
    found = values("action_units", rows, units=["AU01", "AU04"], primary="au_mean_f1")["au_mean_f1"]
    assert found.parts == {"AU01": pytest.approx(2 / 3), "AU04": 0.0} and found.unanswered == 1
    assert found.value == pytest.approx(1 / 3)


def test_a_known_set_of_units_has_its_name():
    units = ["AU01", "AU02", "AU04", "AU06", "AU09", "AU12", "AU25", "AU26"]
    rows = [row("a", {"units": {"AU12": True}}, {"units": {"AU12": 0.5}})]
    assert values("action_units", rows, units=units, primary="disfa8_mean_f1")["disfa8_mean_f1"].value == 1.0


def test_sentiment_words_and_numbers():
    rows = [
        row("a", {"label": "positive", "score": 0.5}, {"label": "positive", "score": 0.5}),
        row("b", {"label": "negative", "score": None}, {"label": "neutral", "score": 0.0}),
        row("c", {"label": None, "score": -1.0}),
    ]
    found = values("sentiment", rows)
    assert found["war"].value == 0.5 and found["war"].n == 2
    assert found["mae"].value == 1.0 and found["mae"].n == 2  # no answer is as far from -1 as can be


def test_valence_and_arousal():
    truth = [(-0.5, 0.1), (0.0, 0.3), (0.5, 0.2)]
    rows = [row(f"{k}", dict(zip(("valence", "arousal"), pair, strict=True))) for k, pair in enumerate(truth)]
    right = [one.model_copy(update={"prediction": one.truth, "status": "answered"}) for one in rows]
    assert values("valence_arousal", right, primary="mean_ccc")["mean_ccc"].value == pytest.approx(1)
    assert values("valence_arousal", rows, primary="mean_ccc")["mean_ccc"].value < 0.2


def test_open_words():
    rows = [row("a", {"words": ["sad"]}, {"words": ["sadness", "happy"]}), row("b", {"words": ["happy"]})]
    found = values("open_vocabulary", rows, primary="list_length")
    assert found["list_length"].value == 1.0
    assert next(score for name, score in found.items() if name.startswith("set_precision")).value == 0.25


def test_pairs():
    rows = [
        row("a", {"pairs": [[2, 1, "joy"]]}, {"pairs": [[2, 1, "joy"], [3, 3, "fear"]]}),
        row("b", {"pairs": [[1, 1, "anger"]]}, {"pairs": [[1, 1, "joy"]]}),
        row("c", {"pairs": []}),
    ]
    found = values("causes", rows, primary="pair_f1")
    assert found["pair_f1"].value == pytest.approx(2 * 2 / (3 + 2)) and found["pair_f1"].unanswered == 1
    assert found["emotion_pair_f1"].value == pytest.approx(2 * 1 / (3 + 2))


def test_probes_count_pairs():
    rows = []
    for identity, basic, made_up in (("a", "yes", "no"), ("b", "yes", "yes"), ("c", "no", None)):
        rows.append(row(f"{identity}#yes", {"answer": "yes", "pair": identity}, {"answer": basic}, group=identity))
        rows.append(row(f"{identity}#no", {"answer": "no", "pair": identity}, made_up and {"answer": made_up}, group=identity))
    found = values("hallucination", rows, primary="hallucination_overall")["hallucination_overall"]
    assert found.value == pytest.approx(1 / 3) and found.n == 3 and found.unanswered == 1


def test_reasoning_sums_numerators_and_denominators():
    counts = {"claims_per_text": [2, 1], "supported_rate": [1, 2]}
    rows = [row("a", {"label": None}, {"label": None, "counts": counts}), row("b", {"label": None})]
    found = values("reasoning", rows, primary="claims_per_text")
    assert found["claims_per_text"].value == 1.0 and found["supported_rate"].value == 0.5


def test_an_unknown_primary_metric_is_named():
    with pytest.raises(ConfigError, match="no metric 'accuracy' here; known: war, uar"):
        values("emotion", [row("a", {"label": "joy"}, named("joy", 0.9))], primary="accuracy")


def test_failures_are_those_without_an_answer():
    rows = [
        row("a", {}, {"label": "joy"}, notes=["no_face"]),
        row("b", {}, notes=["no_speech"]),
        row("c", {}, status="unparsable"),
    ]
    assert (failures(rows).no_face, failures(rows).no_speech, failures(rows).unparsable) == (0, 1, 1)


def test_what_is_known_against_an_interval_is_said():
    rows = [row(f"{k}", {"label": "joy"}, named("joy" if k % 3 else "fear", 0.9), group=f"{k % 4}") for k in range(40)]
    assert values("emotion", rows)["war"].note == "the interval is drawn from 4 groups and too narrow"
    alone = [one.model_copy(update={"group": one.id}) for one in rows]
    assert values("emotion", alone)["war"].note == ""
    single = [one.model_copy(update={"group": "s"}) for one in rows]
    assert values("emotion", single)["war"].note == "all samples are of one group: the interval says nothing about others"


def test_a_bound_of_the_answer_s_own():
    rows = [row("a", {"units": {"AU01": True, "AU04": False}}, {"units": {"AU01": 0.5, "AU04": 0.4}, "bound": 0.5})]
    found = values("action_units", rows, units=["AU01", "AU04"], primary="au_mean_f1")["au_mean_f1"]
    assert found.value == 1.0


def test_a_written_label_has_no_confidence():
    found = values("emotion", [row("a", {"label": "joy"}, named("joy", 1.0))], answer="free")
    assert list(found) == ["war", "uar", "macro_f1", "weighted_f1"]
