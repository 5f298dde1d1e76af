"""Product, evaluation, the page of a fine-tuning and calibration come to the same numbers on the same clips: each is entered
where its users enter it, on measured media with words, frames of poor quality and a second person."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import yaml
from builders import even_times, write_media
from face_pictures import face, scene
from training_data import make_model
from voices import speech

from emoreason import EmotionReasoner
from emoreason.evaluation.samples import Folders, load_samples
from emoreason.evaluation.suite_file import load_suite
from emoreason.evaluation.verdicts import verdicts
from emoreason.inference.judges.loading import load_model
from emoreason.instructions.collator import Source
from emoreason.instructions.observe_all import data_store, find, jobs_of, observe_all
from emoreason.instructions.readers import read
from emoreason.instructions.recipe import load_recipe
from emoreason.instructions.tasks import tasks_of
from emoreason.labels.emotions import EMOTIONS
from emoreason.labels.label_set import EMOTION_SET
from emoreason.media import Clip
from emoreason.model.modeling import EmoReasonForConditionalGeneration
from emoreason.model.processing import EmoReasonProcessor
from emoreason.model.untrained import untrained
from emoreason.perception.segments import Segment
from emoreason.training import mixtures
from emoreason.training.assess import answers, clips_of, native, settings_of
from emoreason.training.calibration import votes
from emoreason.training.run import load_run
from emoreason.training.sft import MIXTURES, TuningSetup
from emoreason.training.words.head import give_words

ROUNDING = 5.1e-5  # reports have four decimals
TEMPERATURE = 1.5
WEIGHTS = {"language": 0.6, "emotion": 0.9, "voice_emotion": 0.7, "words_emotion": 0.5}
RECIPE = {
    "name": "talks", "title": "Made clips", "source": "made", "licence": "none", "terms": "none", "layout": "talks.csv",
    "folder": "talks", "faces": "full", "metric": "accuracy",
    "reader": {"kind": "table", "tables": {"all": "talks.csv"}},
    "fields": {"id": "{id}", "group": "{id}", "label": "{label}", "transcript": "{text}", "language": "en",
               "video": "{id}.mp4"},
    "splits": {"of": "{part}"},
    "scheme": {"name": "emoreason", "labels": list(EMOTIONS), "crosswalk": {emotion: emotion for emotion in EMOTIONS}},
}  # fmt: skip
SUITE = {
    "name": "talks_valid", "title": "Made clips", "kind": "emotion", "recipe": "recipe.yaml", "split": "valid", "input": "media",
    "primary": "war", "protocol": "Made clips.",
}  # fmt: skip
RUN = {
    "seed": 3,
    "stages": {
        "reason": {
            "stage": "reason-small", "validation": 4,
            "mixture": {"clips": {"data": "recipe.yaml", "tasks": ["emotion"]}},
            "schedule": {"steps": 1, "batch": 1, "evaluate_every": 1},
        }
    },
}  # fmt: skip


@dataclass(frozen=True)
class Talks:
    """Clips with labels and words, their recipe, suite and run, and a checkpoint of a model with a head on utterances."""

    folder: Path

    @property
    def root(self) -> Path:
        return self.folder / "talks"

    @property
    def store(self) -> Path:
        return self.folder / "store"

    @property
    def model(self) -> Path:
        return self.folder / "model"

    def records(self):
        return [record for record in read(load_recipe(self.folder / "recipe.yaml"), self.root) if record.split == "valid"]


def blurred(picture: np.ndarray) -> np.ndarray:
    return (0.3 * cv2.GaussianBlur(picture, (0, 0), 5)).astype(np.uint8)


def write_talk(path: Path, seed: int) -> None:
    """Two seconds of a talking head: its first half is dark and blurred, and in `seed` 1 a second person comes in."""
    heads = [(40 + 4 * n, 30, face(220)) for n in range(16)]
    pictures = [scene(head, *([(380, 60, face(150, other=True))] if seed == 1 and n > 5 else [])) for n, head in enumerate(heads)]
    pictures = [blurred(picture) if n < 8 else picture for n, picture in enumerate(pictures)]
    write_media(path, even_times(16, 8.0), pictures, speech(2.0, 110 + 40 * seed, seed=seed), sound_rate=16_000)


@pytest.fixture(scope="module")
def talks(tmp_path_factory) -> Talks:
    talks = Talks(tmp_path_factory.mktemp("one"))
    talks.root.mkdir()
    rows = [("a", "valid", "happiness", "what a lovely day"), ("b", "valid", "anger", "leave me alone now"),
            ("c", "train", "anger", "no"), ("d", "train", "happiness", "yes")]  # fmt: skip
    for n, (name, *_) in enumerate(rows[:2]):
        write_talk(talks.root / f"{name}.mp4", n)
    for name, source in (("c", "b"), ("d", "a")):
        shutil.copy(talks.root / f"{source}.mp4", talks.root / f"{name}.mp4")
        with open(talks.root / f"{name}.mp4", "ab") as file:
            file.write(b"\0\0\0\x09free\0")  # other bytes, the same clip: training data are no test data
    table = ["id,part,label,text", *(",".join(row) for row in rows)]
    (talks.root / "talks.csv").write_text("\n".join(table) + "\n")
    paths = {"recipe": str(talks.folder / "recipe.yaml")}
    run = RUN | {"init_from": str(talks.model)}
    run["stages"]["reason"]["mixture"]["clips"]["data"] = paths["recipe"]
    for name, content in (("recipe", RECIPE), ("suite", SUITE | paths), ("run", run)):
        (talks.folder / f"{name}.yaml").write_text(yaml.safe_dump(content))
    save_model(talks)
    observe_all(jobs_of(talks.records(), talks.root), talks.store, workers=1)
    return talks


@pytest.fixture(scope="module")
def product(talks) -> "Shares":
    return by_product(talks)


def save_model(talks: Talks) -> None:
    """Random weights everywhere; all four sources of a verdict have something to say."""
    model, processor = untrained(make_model(talks.folder))
    give_words(model, {"layer": 1, "languages": ["en"]})
    torch.manual_seed(1)
    for head in model.heads.values():
        torch.nn.init.normal_(head.out.weight, std=0.1)
    model.config.trained = True
    model.config.verdict = {"weights": WEIGHTS, "temperature": TEMPERATURE, "most_tokens": 4}
    model.save_pretrained(talks.model)
    processor.save_pretrained(talks.model)


Shares = dict[str, np.ndarray]  # record -> [8]


def by_product(talks: Talks) -> Shares:
    """Unrounded, after it was made sure that the report says the same."""
    reasoner, records = EmotionReasoner(load_model(talks.model)), talks.records()
    observations = [find(record, talks.root, data_store(talks.store)) for record in records]
    reports = list(reasoner.report_many(observations))
    judged = reasoner.judge.judge([(report.observation, Clip(report.source.path)) for report in reports])
    for report, one in zip(reports, judged, strict=True):
        np.testing.assert_allclose([*report.verdict.probabilities.values()], one.clip.probabilities, atol=ROUNDING)
    return {record.id: one.clip.probabilities for record, one in zip(records, judged, strict=True)}


def by_evaluation(talks: Talks) -> Shares:
    judge, (suite, path) = load_model(talks.model), load_suite(talks.folder / "suite.yaml")
    samples = load_samples(suite, path, Folders({"talks": talks.root}))
    shown = [samples.input_of(sample, talks.store, judge) for sample in samples.samples]
    told = verdicts(judge, shown)
    return {one.record.id: np.array([*v.probabilities.values()]) for one, v in zip(shown, told, strict=True)}


def by_page(talks: Talks) -> Shares:
    model = EmoReasonForConditionalGeneration.from_pretrained(talks.model)
    processor = EmoReasonProcessor.from_pretrained(talks.model, model.config)
    source = Source(talks.records(), talks.root, {"": tasks_of(load_recipe(talks.folder / "recipe.yaml"))}, 1, words=True)
    clips = clips_of(source, EMOTION_SET, native(EMOTION_SET), data_store(talks.store))
    found = answers(model, processor, clips, EMOTION_SET, settings_of(model)).probabilities
    return {clip.record: p for clip, p in zip(clips, found, strict=True)}


def by_calibration(talks: Talks) -> Shares:
    run, roots, out = load_run(talks.folder / "run.yaml"), {"talks": talks.root}, talks.folder / "out"
    mixtures.build(run, roots, None, out / MIXTURES)
    stage = TuningSetup(run, "reason", out, roots, None, data_store(talks.store))
    found = np.exp(votes(stage, ["clips"]).fused(TEMPERATURE, WEIGHTS))
    records = stage.conversations("valid").sources["clips"].records
    return {record.id: p for record, p in zip(records, found, strict=True)}


@pytest.mark.parametrize(("caller", "tolerance"), [(by_evaluation, ROUNDING), (by_page, 1e-6), (by_calibration, 1e-6)])
def test_all_callers_come_to_the_same_numbers(talks, product, caller, tolerance):
    found = caller(talks)
    assert found.keys() == product.keys()
    for name, p in product.items():
        np.testing.assert_allclose(found[name], p, atol=tolerance, rtol=0, err_msg=name)


def test_all_four_sources_have_their_say(talks, product):
    """Without any one of them the numbers are others, so that equal numbers mean something."""
    judge = load_model(talks.model)
    observations = [find(record, talks.root, data_store(talks.store)) for record in talks.records()]
    shown = [(judge.refine(one, clip), clip) for one in observations for clip in [Clip(one.source.path)]]
    for left_out in WEIGHTS:
        other = judge.with_settings(weights={name: weight for name, weight in WEIGHTS.items() if name != left_out}, most_tokens=0)
        moved = [np.abs(one.clip.probabilities - p).max() for one, p in zip(other.judge(shown), product.values(), strict=True)]
        assert max(moved) > 1e-3, left_out
    lines = judge.prepare(*shown[0][:1], Segment(0.0, 2.0), shown[0][1], "?").evidence
    assert all(line.cue.reliability != "low" for line in lines)
    quality = np.concatenate([person.quality[:, 3] for one in observations for person in one.people])
    assert quality.min() < 0.5 * quality.max() and max(len(one.people) for one in observations) == 2
