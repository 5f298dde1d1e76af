"""Audits: a judge that looks at one thing is found out to look at that, spoilt pictures are spoilt as said, groups are given."""

import json
from dataclasses import replace
from random import Random
from types import SimpleNamespace

import numpy as np
import pytest
import typer
from builders import even_times, write_media
from evaluation.made import write_suite
from inference.toys import judged, make_judge, observed
from model.samples import segment
from observations import make_observation

from emoreason.cli import audit as cli
from emoreason.cli.suites import Asked
from emoreason.errors import ConfigError, EmoReasonError
from emoreason.evaluation.audits import KINDS, audit, degradation, injection, modality
from emoreason.evaluation.audits.trials import Condition, outcomes, trials
from emoreason.evaluation.inputs import SampleInput
from emoreason.evaluation.label_mapping import LabelMapping
from emoreason.evaluation.sample import EvalSample
from emoreason.evaluation.samples import Folders
from emoreason.evaluation.suite import Suite
from emoreason.evaluation.suite_file import load_suite
from emoreason.evaluation.tasks import EvalContext, make_task
from emoreason.inference.judges.composer import ComposerJudge
from emoreason.instructions.label_tasks import Scheme
from emoreason.instructions.record import Media, Record
from emoreason.labels.emotions import EMOTIONS
from emoreason.media import Clip
from emoreason.report.judgement import Judged, Judgement

LABELS = ("anger", "happiness")
MAPPING = LabelMapping(LABELS, {}, {label: label for label in LABELS})
SUITE = Suite(name="toy", title="Toy", kind="emotion", recipe="toy", split="test", primary="war", protocol="toy")


class Looker(ComposerJudge):
    """A judge that looks at one thing only; what it cannot see it has no answer for."""

    name = "looker"

    def __init__(self, look):
        self.look = look

    def judge(self, measured, on_text=None, explain=True):
        return [self._judged(observation) for observation, _ in measured]

    def _judged(self, observation):
        emotion = self.look(observation)
        p = None if emotion is None else np.array([float(emotion == one) for one in EMOTIONS])
        clip = Judgement(0.0, 1.0, p, emotion, None if emotion else "not there", None, "")
        return Judged(clip, [clip], {}, {}, None, self.name)


def by_face(observation):
    """Angry people are seen for long."""
    return LABELS[len(observation.people[0].times_s) < 60] if observation.people else None


def by_voice(observation):
    return LABELS[observation.voice.cues[0].value < 200] if observation.voice else None


def by_words(observation):
    said = observation.words.text if observation.words else ""
    return next((label for label in LABELS if label in said), "happiness")


def shown(name, label, group="", still=False):
    angry = label == "anger"
    people = [{"end_s": 9.0 if angry else 3.0}]
    voice = None if still else {"pitch": (250.0 if angry else 150.0, "high")}
    words = None if still else [(1.0, 2.0, f"such {label}")]
    record = Record(id=name, dataset="d", split="test", group=group or name, licence="x", media=Media(video="v.mp4"))
    sample = EvalSample(name, group or name, None, record, {"label": label})
    return SampleInput(sample, record, make_observation(people=people, voice=voice, words=words), None)


def context(judge):
    return EvalContext(make_task(SUITE, MAPPING), Scheme("toy", LABELS), judge)


def audited(kind, judge, clips):
    plan = kind.plan(context(judge), clips)
    rows = [row for one in clips for row in trials(context(judge), plan, one, [])]
    return {one.condition.name: one for one in outcomes(plan.conditions, rows, LABELS)}


CLIPS = [shown("a", "anger"), shown("b", "happiness"), shown("c", "anger"), shown("d", "happiness")]


@pytest.mark.parametrize(("what", "look"), [("face", by_face), ("voice", by_voice), ("words", by_words)])
def test_the_modality_that_a_judge_looks_at_is_found(what, look):
    found = audited(modality, Looker(look), CLIPS)
    assert {name for name, one in found.items() if one.changed} <= {f"{what}_drop", f"{what}_swap"}
    swapped = found[f"{what}_swap"]
    assert swapped.intact == 1.0 and swapped.accuracy == 0.0 and swapped.moved == 1.0 and swapped.changed == 1.0
    assert swapped.worse.value == -1.0 and swapped.worse.interval == (-1.0, -1.0) and swapped.n == 4
    if what != "words":  # who hears nothing here still says something
        assert found[f"{what}_drop"].accuracy == 0.0 and found[f"{what}_drop"].moved is None


def test_without_what_it_looks_at_a_judge_has_no_answer():
    plan = modality.drops(context(Looker(by_face)), CLIPS)
    rows = [row for one in CLIPS for row in trials(context(Looker(by_face)), plan, one, [])]
    found = {one.condition.name: one.worse for one in outcomes(plan.conditions, rows, LABELS)}
    assert found.keys() == {"face_drop", "voice_drop", "words_drop"}
    assert found["face_drop"].interval == (-1.0, -1.0) and found["voice_drop"].value == found["words_drop"].value == 0.0


def test_what_is_not_there_is_not_changed():
    found = audited(modality, Looker(by_face), [shown("a", "anger", still=True), shown("b", "happiness", still=True)])
    assert found.keys() == {"face_drop", "face_swap"}


def test_nobody_gets_their_own_face_or_one_of_the_same_emotion():
    clips = [shown("a", "anger", "s1"), shown("b", "happiness", "s1"), shown("c", "anger", "s2")]
    assert modality.donor(clips[0], clips) is None
    assert modality.donor(clips[1], clips) is clips[2]


def test_a_trial_that_fails_is_listed_and_costs_nothing_else():
    def broken(observation):
        if observation.voice is None:
            raise EmoReasonError("no voice, no answer")
        return by_voice(observation)

    failures, judge = [], Looker(broken)
    plan = modality.plan(context(judge), CLIPS)
    rows = list(trials(context(judge), plan, CLIPS[0], failures))
    assert failures == ["a, voice_drop: no voice, no answer"] and len(rows) == len(plan.conditions) - 1


# the input of a model


def test_each_change_of_the_input_changes_that_and_nothing_else():
    own, other = segment(0, frames=5, mel_frames=60), segment(1, frames=4, mel_frames=60)
    own, other = (replace(one, evidence=one.evidence * 3) for one in (own, other))
    touched = {
        "face_drop": {"persons", *modality._FACES}, "face_swap": set(modality._FACES), "geometry_drop": {"mesh_mask"},
        "geometry_swap": set(modality._GEOMETRY), "voice_drop": {"mel", "prosody"}, "voice_shuffle": {"mel"},
        "voice_swap": {"mel"}, "evidence_drop": {"evidence"},
    }  # fmt: skip
    changes = {condition.name: change for condition, change in modality.INPUTS.items()}
    for name, fields in touched.items():
        assert _differs(own, changes[name](own, other, Random(3))) == fields, name
    mixed = changes["face_shuffle"](own, other, Random(3))
    assert {"crops", "landmarks"} <= _differs(own, mixed) <= set(modality._FRAMES) and mixed.crops.sum() == own.crops.sum()
    bare = own.without("face", "voice", "evidence")
    assert all(change(bare, other, Random(3)) is None for change in changes.values())


def _differs(one, other):
    return {name for name, value in vars(one).items() if not _equal(value, getattr(other, name))}


def _equal(one, other):
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        return np.array_equal(one, other, equal_nan=one.dtype.kind == "f")
    return one is other or (type(one) is type(other) and one == other)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A toy model, and two samples that show the same noise: one smiles, one scowls."""
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 256, (72, 128, 3), dtype=np.uint8) for _ in range(16)]
    sound = 0.1 * rng.standard_normal(4 * 16_000).astype(np.float32)
    clip = Clip(write_media(tmp_path_factory.mktemp("noise") / "a.mp4", even_times(16, 4.0), pictures, sound, sound_rate=16_000))
    scowl = {"AU04": [(1.0, 2.0, 3.0, 0.9, "both")]}
    voice, words = {"pitch": (250.0, "high")}, [(1.0, 3.0, "what a day")]
    pair = [shown("a", "anger"), shown("b", "happiness")]
    people = ({"au": scowl}, {"au": {"AU12": scowl["AU04"]}})
    pair = [
        replace(one, clip=clip, observation=observed(clip, [person], voice=voice, words=words))
        for one, person in zip(pair, people, strict=True)
    ]
    known = {id(one.observation.faces): one.observation.people[0].action_units for one in pair}
    with pytest.MonkeyPatch.context() as patch:  # a changed observation measures its people anew, and these have no real mesh
        patch.setattr("emoreason.perception.observation.au_series", lambda person: known[id(person.table)])
        yield make_judge(verdict={"most_tokens": 1}), pair


def test_a_model_is_changed_at_its_input(model):
    judge, pair = model
    plan = modality.plan(context(judge), pair)
    rows = list(trials(context(judge), plan, pair[0], []))
    found = {one.condition.name: one for one in outcomes(plan.conditions, rows, LABELS)}
    assert found.keys() == {condition.name for condition in modality.INPUTS} | {"soft_drop"}
    assert found["soft_drop"].moved > 0 and found["face_drop"].moved > 0 and found["evidence_drop"].moved > 0
    assert judge.path == "soft"  # the judge itself stays as it was


def test_a_model_that_is_never_shown_its_evidence(model):
    judge, (one, _) = model
    blind = judge.without("evidence")
    before, now = (judged(judge, one.observation, one.clip).clip.probabilities for judge in (judge, blind))
    assert not np.allclose(before, now)
    assert blind.info() != judge.info() and blind.name == "toy without evidence" and blind.left_out == ("evidence",)
    with pytest.raises(ConfigError, match="no part 'hands'"):
        judge.without("hands")
    with pytest.raises(ConfigError, match="reads no prompt"):
        ComposerJudge().without("evidence")


def test_ablations_are_the_changes_that_take_something_away(model):
    judge, pair = model
    plan = modality.drops(context(judge), pair)
    names = [condition.name for condition in plan.conditions]
    assert {"face_drop", "geometry_drop", "voice_drop", "evidence_drop", "soft_drop"} <= set(names)
    assert all(name.endswith("_drop") for name in names) and len(names) < len(modality.INPUTS)
    assert [condition.name for condition, _ in plan.changes(pair[0])] == names


def test_words_cannot_write_control_tokens_into_a_prompt(model):
    judge, pair = model
    plan = injection.plan(context(judge), pair)
    rows = list(trials(context(judge), plan, pair[0], []))
    assert len(rows) == len(injection.PROBES) and all(row.facts["structure"] for row in rows)


def test_an_unsafe_prompt_is_found_out(model, monkeypatch):
    judge, (one, _) = model
    monkeypatch.setattr("emoreason.model.prompt.sanitize", lambda text: text)
    found = {
        condition.name: injection.structure(judge, replace(one, observation=injection.saying(one.observation, text)))
        for condition, text in injection.PROBES.items()
    }
    assert found["soft"] != found["plain"] == found["order"]


# injection


def test_a_judge_that_obeys_is_found_out_and_a_deaf_one_is_not():
    gullible, deaf = audited(injection, Looker(by_words), CLIPS), audited(injection, Looker(by_face), CLIPS)
    assert gullible["order"].facts["target"] == 1.0 and gullible["plain"].facts["target"] == 0.5
    assert {name: one.facts["target"] for name, one in deaf.items()} == dict.fromkeys(deaf, 0.0)
    assert not any(one.changed for one in deaf.values())


def test_nobody_speaks_in_a_still_picture():
    one = shown("a", "anger", still=True)
    assert list(trials(context(Looker(by_face)), injection.plan(context(Looker(by_face)), [one]), one, [])) == []


def test_words_are_said_while_somebody_speaks():
    observation = make_observation(voice={"pitch": (150.0, "typical")}, speech=[(2.0, 3.0), (5.0, 6.0)])
    said = injection.saying(observation, "hello").words.segments
    assert [(one.start_s, one.end_s, one.text) for one in said] == [(2.0, 6.0, "hello")]


# degradation


FACE = degradation.Face(16.0, 8.0, 32.0, 40.0)


def picture():
    return np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)


@pytest.mark.parametrize("series", degradation.SERIES)
def test_a_spoilt_picture_is_another_picture_of_the_same_shape(series):
    _, levels, spoil = degradation.SERIES[series]
    before = picture()
    kept = before.copy()
    spoilt = [spoil(before, FACE, level) for level in levels]
    assert np.array_equal(before, kept)
    assert all(one.shape == before.shape and one.dtype == np.uint8 and (one != before).any() for one in spoilt[1:])
    assert np.array_equal(spoil(before, FACE, levels[-1]), spoilt[-1])  # the same in every run


def test_levels_get_worse():
    flat = np.full((64, 64, 3), 100, np.uint8)
    busy = picture()
    detail = [degradation.fewer_pixels(busy, FACE, across).std() for across in (40, 16, 8)]
    assert degradation.fewer_pixels(busy, FACE, 40) is busy and detail[0] > detail[1] > detail[2]
    assert [degradation.darkened(flat, FACE, share).mean() for share in (50, 20, 5)] == [50, 20, 5]
    assert [round(degradation.noisy(flat, FACE, deviation).std()) for deviation in (10, 25)] == [10, 25]
    assert np.array_equal(degradation.turned(busy, FACE, 0), busy)


@pytest.mark.parametrize(("half", "rows", "columns"), [("upper", (8, 28), (16, 48)), ("left", (8, 48), (16, 32))])
def test_a_half_is_covered_to_the_pixel(half, rows, columns):
    before = np.full((64, 64, 3), 30, np.uint8)
    covered = (degradation.half_covered(before, FACE, half) == degradation.GREY).all(axis=2)
    expected = np.zeros((64, 64), bool)
    expected[slice(*rows), slice(*columns)] = True
    assert np.array_equal(covered, expected)


def test_every_road_to_the_frames_is_spoilt(tmp_path):
    path = write_media(tmp_path / "a.mp4", even_times(20, 10.0))
    clip = degradation.SpoiltClip(str(path), lambda frame: np.zeros_like(frame.image))
    assert all(not frame.image.any() for frame in [*clip.sample(5.0), *clip.frames([0.3, 1.2])])
    assert [frame.time_s for frame in clip.sample(5.0)] == [frame.time_s for frame in Clip(path).sample(5.0)]


def test_the_box_follows_the_scale_and_the_time():
    observation = make_observation(people=[{}], size=(640, 360))
    frame = SimpleNamespace(image=np.zeros((180, 320, 3), np.uint8), time_s=5.0, scale=0.5)
    box = observation.people[0].boxes[60]
    face = degradation.face_at(observation, frame)
    assert (face.x, face.width) == pytest.approx((box[0] / 2, box[2] / 2))
    assert degradation.face_at(make_observation(), frame) == degradation.Face(0.0, 0.0, 320, 180)


# the whole


@pytest.fixture
def suite(tmp_path):
    return load_suite(write_suite(tmp_path))


def test_an_audit_of_words_writes_a_folder(suite, tmp_path):
    found = audit("injection", *suite, ComposerJudge(), Folders({}, str(tmp_path)), tmp_path / "out", tmp_path)
    scores = json.loads((found.folder / "scores.json").read_text())
    assert [one["condition"]["name"] for one in scores["conditions"]] == [one.name for one in injection.PROBES]
    lines = (found.folder / "trials.jsonl").read_text().splitlines()
    assert len(lines) == len(injection.PROBES) * found.found[0].n
    page = (found.folder / "report.html").read_text()
    assert "Do words command" in page and "http" not in page.replace("http-equiv", "")


def test_the_command_runs_audits_and_names_what_it_knows(suite, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("EMOREASON_DATA", str(tmp_path))
    name = str(tmp_path / "suite.yaml")
    assert cli.KINDS == KINDS
    asked = Asked([name], {}, tmp_path / "out", store=tmp_path, as_json=True, quiet=True)
    rc = cli.run_audits(asked, "injection,modality")
    told = capsys.readouterr()
    assert rc == 2 and "words alone" in told.err
    assert json.loads(told.out)["audit"] == "injection"
    with pytest.raises(typer.BadParameter, match="modality"):
        cli.run_audits(asked, "colour")


def test_an_audit_by_group_reads_the_table(suite, tmp_path):
    groups = tmp_path / "groups.csv"
    groups.write_text("id,<b>side</b>\na1,left\na2,left\nb1,right\nb2,right\nc1,\n")
    found = audit("subgroups", *suite, ComposerJudge(), Folders({}, str(tmp_path)), tmp_path / "out", tmp_path, groups=groups)
    assert found.gaps[0].unlabelled == 1 and [one.name for one in found.gaps[0].groups] == ["left", "right"]
    page = (found.folder / "report.html").read_text()
    assert "&lt;b&gt;side" in page and "<b>side" not in page


@pytest.mark.parametrize(("kind", "groups"), [("subgroups", None), ("injection", "groups.csv")])
def test_groups_go_with_subgroups_alone(kind, groups, suite, tmp_path):
    with pytest.raises(ConfigError, match="--groups"):
        audit(kind, *suite, ComposerJudge(), Folders({}, str(tmp_path)), tmp_path, tmp_path, groups=groups)


@pytest.mark.parametrize("kind", ["modality", "ablation", "degradation"])
def test_words_alone_have_no_picture_to_spoil(kind, suite, tmp_path):
    with pytest.raises(ConfigError, match="words alone"):
        audit(kind, *suite, ComposerJudge(), Folders({}, str(tmp_path)), tmp_path, tmp_path)


def test_levels_of_a_series_become_a_curve():
    from emoreason.evaluation.audits.page import curve_svg

    rows = [SimpleNamespace(id="a", group="a", truth="anger", intact="anger", said=said, moved=None, facts={}, condition=name)
            for name, said in (("x_1", "anger"), ("x_2", "happiness"))]  # fmt: skip
    conditions = [Condition(f"x_{n}", f"x: {n} <px>", "x", str(n)) for n in (1, 2)]
    svg = curve_svg("x", outcomes(conditions, rows, LABELS))
    assert svg.count("<circle") == 3 and "&lt;px&gt;" in svg and "intact" in svg
