"""The report as data: what goes out comes back, equal reports are equal bytes, and nonsense is refused."""

import json

import numpy as np
import pytest
from observations import make_observation
from report_fixtures import HOSTILE, make_report, probabilities, two_people

from emoreason.labels.emotions import EMOTIONS
from emoreason.report.emotion_report import EmotionReport
from emoreason.report.schema import PersonReport, Verdict, json_schema


def test_json_comes_back_unchanged_and_keeps_null_and_order():
    report = make_report()
    text = report.to_json()
    assert EmotionReport.from_json(text).to_json() == text == make_report().to_json()
    data = json.loads(text)
    assert list(data)[:3] == ["schema", "source", "verdict"] and data["schema"] == "emoreason/report/1"
    assert data["people"][0]["action_units"][0]["probability"] is None
    assert "\n" not in text and HOSTILE[4] in json.loads(text)["words"]["text"]


def test_probabilities_are_in_the_order_of_the_labels_whatever_order_they_came_in():
    values = {emotion: 0.125 for emotion in reversed(EMOTIONS)}
    verdict = Verdict(emotion="fear", confidence=0.125, abstained=False, probabilities=values)
    assert tuple(verdict.probabilities) == EMOTIONS


def test_json_schema_accepts_a_report_and_names_every_field():
    schema = json_schema()
    assert set(json.loads(make_report().to_json())) == set(schema["properties"]) == set(schema["required"])
    assert schema["additionalProperties"] is False and schema["$schema"].endswith("2020-12/schema")
    assert set(schema["$defs"]["PersonReport"]["properties"]) == set(PersonReport.model_fields)


@pytest.mark.parametrize(
    "change", [{"abstained": True}, {"emotion": None}, {"emotion": None, "confidence": None, "abstained": True}]
)
def test_a_verdict_that_contradicts_itself_is_refused(change):
    with pytest.raises(ValueError):
        Verdict(**({"emotion": "fear", "confidence": 0.5, "abstained": False} | change))


def test_unknown_keys_are_refused():
    data = json.loads(make_report().to_json()) | {"mood": "good"}
    with pytest.raises(ValueError, match="mood"):
        EmotionReport.from_json(json.dumps(data))


def test_frame_probabilities_must_fit_their_track():
    observation = two_people()
    report = make_report(observation)
    with pytest.raises(ValueError, match=r"p1 have shape \(3, 8\)"):
        report.attach(observation, probabilities(observation) | {"p1": np.zeros((3, 8))})
    with pytest.raises(ValueError, match="p7"):
        report.attach(observation, {"p7": np.zeros((3, 8))})


def test_measurements_do_not_travel_in_json():
    again = EmotionReport.from_json(make_report().to_json())
    with pytest.raises(ValueError, match="no measurements"):
        again.frames()


def test_speaker_is_who_fills_half_of_the_time():
    report = make_report(make_observation(10, people=[{"speaking": [(0.0, 4.0)]}, {"speaking": [(3.0, 9.0)]}]))
    assert [report.speaker(*span) for span in [(0, 2), (3.5, 6), (8.5, 9.8), (9.2, 9.9)]] == ["p1", "p2", None, None]
