"""The report as data: what goes out comes back, equal reports are equal bytes, and nonsense is refused."""

import json
from pathlib import Path

import numpy as np
import pytest
from observations import make_observation
from report_fixtures import HOSTILE, make_report, probabilities, two_people

from emoreason.labels.emotions import EMOTIONS
from emoreason.report import schema
from emoreason.report.emotion_report import EmotionReport
from emoreason.report.schema import PersonReport, Verdict, json_schema


def test_json_comes_back_unchanged_and_keeps_null_and_order():
    report = make_report()
    text = report.to_json()
    assert EmotionReport.from_json(text).to_json() == text == make_report().to_json()
    data = json.loads(text)
    assert list(data)[:3] == ["schema", "source", "verdict"] and data["schema"] == "emoreason/report/2"
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


OLD = Path(__file__).with_name("report_schema_1.json")  # of make_report(), written by the code of version 0.1


def test_a_report_of_schema_1_is_read_and_means_the_same():
    text = OLD.read_text(encoding="utf-8")
    report, old = EmotionReport.from_json(text), json.loads(text)
    new = json.loads(report.to_json())
    assert new["schema"] == "emoreason/report/2"
    assert _within(old | {"schema": new["schema"]}, new)
    for unknown in (report.verdict.course, report.verdict.prior, report.speakers, report.answer, report.model.runtime):
        assert unknown is None
    assert report.people[0].course is report.people[0].body is report.explanation.sentences is None
    assert report.words.segments[0].words is report.explanation.claims[0].evidence is None


def _within(old, new) -> bool:
    """Whether all that `old` says stands in `new`, which may have further fields, all of them null."""
    if isinstance(old, dict):
        further = new.keys() - old.keys()
        return all(new[key] is None for key in further) and all(_within(old[key], new[key]) for key in old)
    if isinstance(old, list):
        return len(old) == len(new) and all(map(_within, old, new))
    return old == new


@pytest.mark.parametrize("form", ["file", "folder", "text"])
def test_a_saved_report_is_loaded(form, tmp_path):
    (path,) = make_report().save(tmp_path, ["json"])
    given = {"file": path, "folder": path.parent, "text": str(path)}[form]
    assert EmotionReport.load(given) == make_report()
    with pytest.raises(ValueError, match="no measurements"):
        EmotionReport.load(given).frames()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"schema": "emoreason/report/3"}', "schema 'emoreason/report/3'.*reads .*emoreason/report/1 and emoreason/report/2"),
        ('{"verdict": {}}', "no 'schema' at all"),
        ("[]", "this is a list"),
        ("<html>", "Expecting value"),
        ('{"schema": "emoreason/report/2", "source": {}}', "verdict"),
    ],
)
def test_what_is_not_a_report_of_a_known_version_is_refused_by_name(text, said, tmp_path):
    path = tmp_path / "report.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=f"(?s){path}: .*{said}"):
        EmotionReport.load(path)


def test_a_report_that_is_not_there_is_said(tmp_path):
    with pytest.raises(FileNotFoundError, match="folder that holds it"):
        EmotionReport.load(tmp_path)


def test_new_fields_are_typed_and_come_back():
    report = make_report()
    claim = report.explanation.claims[0].model_copy(update={"evidence": ["f1", "f2"]})
    explanation = report.explanation.model_copy(
        update={
            "raw": "p1 smiles [f1].",
            "brief": "A smile.",
            "sentences": [schema.Sentence(text="p1 smiles.", generator="tiny", claims=[claim])],
        }
    )
    span = schema.Span(start_s=1, end_s=2)
    body = schema.BodyCueReport(
        cue="hand_face", name="hand at the mouth", level=None, side="left", start_s=1, end_s=2, reliability="medium"
    )
    micro = schema.MicroMovement(region="mouth", onset_s=1, apex_s=1.1, offset_s=1.2, direction="up", aus=["AU12"])
    person = report.people[0].model_copy(
        update={"body": [body], "micro": [micro], "measurable": schema.Measurable(face=1, mouth=0.5)}
    )
    words = [schema.Word(start=2.0, end=2.4, word="so")]
    said = report.words.model_copy(
        update={"segments": [report.words.segments[0].model_copy(update={"words": words, "speaker": "s1"})]}
    )
    runtime = schema.Runtime(name="onnx", version="1.29", precision="fp32")
    full = make_report(
        explanation=explanation,
        people=[person],
        words=said,
        speakers=[schema.SpeakerReport(speaker="s1", spans=[span])],
        model=report.model.model_copy(update={"runtime": runtime}),
        answer=schema.Answer(question="Why not fear?", text="p1 smiles.", claims=[claim], times=[span]),
    )
    assert EmotionReport.from_json(full.to_json()) == full != report
    with pytest.raises(ValueError, match="speaker"):
        schema.SpeakerReport(speaker="anna", spans=[])
