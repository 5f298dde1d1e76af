"""Tasks for other tools: what the files hold, and that what lmms-eval would run reads and scores answers strictly."""

import csv
import importlib.util
import json
import math
import wave

import pytest
import yaml
from evaluation.made import face_suite, samples_of, write_suite
from PIL import Image

from emoreason.errors import ConfigError
from emoreason.evaluation.export_tasks import export, row
from emoreason.evaluation.label_mapping import label_mapping
from emoreason.evaluation.lmms_task import UNREADABLE, doc_to_target, doc_to_text, doc_to_visual
from emoreason.evaluation.sample import EvalSample
from emoreason.evaluation.samples import SuiteSamples
from emoreason.evaluation.tasks import make_task, task_class
from emoreason.instructions.record import Media, Record, Span, Turn

TALK = ["Hello.", "You won!", "Oh no."]
EXAMS = {  # kind: (truths, right answers, changes of the suite)
    "emotion": ([{"label": "joy"}, {"label": "anger"}], ["Happy.", "It is anger, not fear."], {}),
    "sentiment": ([{"label": "positive", "score": 0.4}, {"label": "negative", "score": None}], ["Positive", "negative."], {}),
    "hallucination": (
        [{"answer": "yes", "asked": "joy", "pair": "x"}, {"answer": "no", "asked": "fear", "pair": "x"}],
        ["Yes.", "No, it is not."],
        {},
    ),
    "open_vocabulary": ([{"words": ["glad", "proud"]}, {"words": ["gloomy"]}], ["- glad\n- proud.", "gloomy"], {}),
    "action_units": (
        [{"units": {"AU04": True, "AU12": False}}, {"units": {"AU12": True}}],
        ["AU04", "AU12 (lip corner puller), no AU04"],
        {"units": ["AU04", "AU12"], "input": "media"},
    ),
    "valence_arousal": (
        [{"valence": 0.5, "arousal": -0.2}, {"valence": -0.5, "arousal": 0.3}],
        ["valence 0.5, arousal -0.2", "Valence: -0.5; arousal: 0.3"],
        {},
    ),
    "causes": ([{"pairs": [[2, 1, "joy"]]}, {"pairs": [[3, 2, "fear"]]}], ["2 because of 1 (joy)", "3 because of 2 (fear)"], {}),
}


def made(kind: str, root, media: Media | None = None, span: Span | None = None, **changes) -> SuiteSamples:
    truths, _, needed = EXAMS[kind]
    suite, recipe = face_suite(kind, **({"primary": task_class(kind).export_metrics[0], "input": "words"} | needed | changes))
    media = media or (Media(image="a.png") if kind == "action_units" else None)
    common = {"dataset": "talk", "split": "test", "group": "g", "licence": "none", "media": media, "span": span}
    said = {"transcript": "some words", "turns": [Turn(text=text) for text in TALK]}
    records = [Record(id=f"s{k}", **common, **said) for k in range(len(truths))]
    samples = tuple(EvalSample(record.id, "g", None, record, truth) for record, truth in zip(records, truths, strict=True))
    task = make_task(suite, label_mapping(recipe, suite.merge))
    return SuiteSamples(task, recipe, root, samples, {}, ())


def task_of(folder):
    """Rows, metrics and functions as lmms-eval finds them: names in the YAML, functions in utils.py beside it."""
    spec = importlib.util.spec_from_file_location("utils", folder / "utils.py")
    utils = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(utils)
    (path,) = folder.glob("*.yaml")
    config = yaml.safe_load(path.read_text(encoding="utf-8").replace("!function ", ""))
    rows = [json.loads(line) for line in open(config["dataset_kwargs"]["data_files"]["test"], encoding="utf-8")]
    named = [config[key] for key in ("doc_to_visual", "doc_to_text", "doc_to_target", "process_results")]
    named += [metric["aggregation"] for metric in config["metric_list"]]
    assert all(callable(getattr(utils, name.removeprefix("utils."))) for name in named)
    return config, rows, utils


def scored(folder, answers):
    config, rows, utils = task_of(folder)
    results = [utils.process_results(doc, [answer]) for doc, answer in zip(rows, answers, strict=True)]
    json.dumps(results)  # lmms-eval writes them to its logs
    return {m["metric"]: getattr(utils, m["metric"])([result[m["metric"]] for result in results]) for m in config["metric_list"]}


@pytest.mark.parametrize("kind", EXAMS)
def test_right_answers_in_plain_words_are_right(kind, tmp_path):
    found = scored(export(made(kind, tmp_path), "lmms-eval", tmp_path), EXAMS[kind][1])
    assert found[task_class(kind).export_metrics[0]] == pytest.approx(1) and found[UNREADABLE] == 0
    assert list(found) == [*task_class(kind).export_metrics, UNREADABLE]


@pytest.mark.parametrize("kind", EXAMS)
def test_what_cannot_be_read_is_wrong_and_counted(kind, tmp_path):
    silent = "" if kind == "open_vocabulary" else "I am not able to tell."
    found = scored(export(made(kind, tmp_path), "lmms-eval", tmp_path), [silent] * 2)
    assert found[UNREADABLE] == 1 and (
        found[task_class(kind).export_metrics[0]] <= 0 or math.isnan(found[task_class(kind).export_metrics[0]])
    )


def test_a_task_of_a_shipped_kind_of_suite(tmp_path):
    samples = samples_of(write_suite(tmp_path))
    config, rows, _ = task_of(export(samples, "lmms-eval", tmp_path / "out"))
    assert config["task"] == "emoreason_talk_test" and config["dataset_path"] == "json" and len(rows) == 5
    assert [json.loads(one["truth"])["label"] for one in rows] == ["joy", "anger", "fear", "neutral", "neutral"]
    assert rows[0]["question"].startswith("what a wonderful day\nWhich emotion") and rows[0]["media"] == "[]"
    orders = {one["question"].split("list: ")[1] for one in rows}
    assert len(orders) > 1 and all(sorted(o.rstrip(".").split(", ")) == ["anger", "fear", "joy", "neutral"] for o in orders)
    assert row(samples.samples[0], samples) == rows[0]  # the same order of labels each time


def test_pictures_films_and_sounds(tmp_path):
    for name in ("a.png", "b.png"):
        Image.new("L", (8, 8)).save(tmp_path / name)
    with wave.open(str(tmp_path / "a.wav"), "wb") as file:
        file.setparams((1, 2, 16000, 0, "NONE", ""))
        file.writeframes(bytes(3200))
    shown = {}
    pictures = Media(image="a.png"), Media(frames=["a.png", "b.png"], frame_rate=25)
    for media in (*pictures, Media(video="a.mp4", audio="a.wav"), Media(audio="a.wav")):
        samples = made("emotion", tmp_path, media, input="media")
        doc = row(samples.samples[0], samples)
        shown[doc["media_kind"]] = doc_to_visual(doc)
    assert [picture.mode for picture in shown["image"]] == ["RGB", "RGB"]
    assert shown["video"] == [str((tmp_path / "a.mp4").resolve())]
    assert shown["audio"][0]["sampling_rate"] == 16000 and len(shown["audio"][0]["array"]) == 1600
    with pytest.raises(ConfigError, match="s0: nothing can be shown"):
        export(made("emotion", tmp_path, None, input="media"), "lmms-eval", tmp_path)


def test_part_of_a_film_is_named_in_seconds(tmp_path):
    samples = made("emotion", tmp_path, Media(video="a.mp4"), Span(start_s=2, end_s=4.5), input="media")
    assert row(samples.samples[0], samples)["question"].startswith("From 2.0 to 4.5 seconds: Which")


def test_prompts_around_the_question_and_target():
    doc = {"question": "Which?", "truth": '{"label": "joy"}'}
    assert doc_to_text(doc) == "Which?" and doc_to_target(doc) == doc["truth"]
    assert doc_to_text(doc, {"pre_prompt": "<", "post_prompt": ">"}) == "<Which?>"


def test_tsv_of_pictures(tmp_path):
    samples = made("emotion", tmp_path, Media(image="a.png"), input="media")
    path = export(samples, "vlmevalkit", tmp_path / "out")
    with open(path, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    assert [one["index"] for one in rows] == ["0", "1"] and rows[0]["image_path"] == str((tmp_path / "a.png").resolve())
    assert [one[one["answer"]] for one in rows] == ["joy", "anger"] and rows[0]["question"] == "Which emotion is expressed?"
    assert {rows[0][letter] for letter in "ABCDE"} == {"joy", "anger", "fear", "neutral", "calm"}


def test_tsv_of_words_and_of_yes_or_no(tmp_path):
    with open(export(made("hallucination", tmp_path), "vlmevalkit", tmp_path), encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    assert "image_path" not in rows[0]
    assert [(one["A"], one["B"], one["answer"]) for one in rows] == [("yes", "no", "A"), ("yes", "no", "B")]
    assert rows[0]["question"] == "some words\nIs joy the emotion that is expressed?"


def test_what_a_tool_cannot_ask_is_an_error(tmp_path):
    with pytest.raises(ConfigError, match="not for 'helm'"):
        export(made("emotion", tmp_path), "helm", tmp_path)
    with pytest.raises(ConfigError, match="'s0' is not one"):
        export(made("emotion", tmp_path, Media(audio="a.wav"), input="media"), "vlmevalkit", tmp_path)
    with pytest.raises(ConfigError, match="'causes' has none"):
        export(made("causes", tmp_path), "vlmevalkit", tmp_path)
    suite, recipe = face_suite("reasoning")
    with pytest.raises(ConfigError, match="needs measurements"):
        export(SuiteSamples(make_task(suite, label_mapping(recipe, {})), recipe, tmp_path, (), {}, ()), "lmms-eval", tmp_path)
