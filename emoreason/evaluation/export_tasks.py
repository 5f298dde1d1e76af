"""Suites for other evaluation tools: a task folder for lmms-eval (0.7), a TSV for VLMEvalKit.

Pictures, films and sounds stay where they are: the files name them by absolute path, so export again after moving the data.
lmms-eval runs every kind that can be asked in words and scores it with `lmms_task`, so emoreason must be installed beside it;
VLMEvalKit's own format knows pictures or words, asked by multiple choice.
"""

import csv
import json
import random
import string
from pathlib import Path

import yaml

from emoreason.errors import ConfigError
from emoreason.evaluation.kinds import text_of
from emoreason.evaluation.lmms_task import LOWER_IS_BETTER, METRICS, UNREADABLE
from emoreason.evaluation.samples import Sample, Samples
from emoreason.instructions.label_tasks import SENTIMENTS, dialogue
from emoreason.instructions.observe_all import files_of
from emoreason.instructions.record import Media, Record

FORMS = ("lmms-eval", "vlmevalkit")
_ONE_OF = "Answer with one word or phrase of this list: {labels}."
_ASK = {
    "emotion": "Which emotion is expressed? " + _ONE_OF,
    "sentiment": "Which sentiment is expressed? " + _ONE_OF,
    "hallucination": "Is {asked} the emotion that is expressed? Answer yes or no.",
    "open_vocabulary": "Which emotions are expressed? List all the words that fit, separated by commas, and nothing else.",
    "action_units": "Which of these facial action units are shown: {labels}? List their codes alone, or say: no action units.",
    "valence_arousal": "How pleasant and how excited is it? Answer in the form: valence 0.0, arousal 0.0 (both from -1 to 1).",
    "causes": "Which utterances cause emotions in which? Answer in the form: 3 because of 1 (emotion); emotions are {labels}.",
}
_CHOICE = {"emotion": "Which emotion is expressed?", "sentiment": "Which sentiment is expressed?"}
_HEAD = "# Run with: lmms-eval --include_path {folder} --tasks {task} --model ... (emoreason must be installed there, too)\n"
_FUNCTIONS = ("doc_to_visual", "doc_to_text", "doc_to_target", "process_results")


def export(samples: Samples, form: str, out: Path) -> Path:
    """Write one suite below `out`; returns the task folder or the TSV. Raises ConfigError for what the tool cannot ask."""
    if form not in FORMS:
        raise ConfigError(f"tasks can be exported for {' and '.join(FORMS)}, not for '{form}'")
    if samples.suite.kind not in _ASK:
        raise ConfigError(f"suite '{samples.suite.name}': kind '{samples.suite.kind}' needs measurements, which other tools lack")
    return (_lmms if form == FORMS[0] else _tsv)(samples, out)


def row(sample: Sample, samples: Samples) -> dict[str, str]:
    """One question, all values text, the same columns for every kind: what tools read must not change its type along the file."""
    suite = samples.suite
    labels = _labels(suite.kind, samples)
    shown = ", ".join(_shuffled(labels, sample, samples))
    question = _ASK[suite.kind].format(labels=shown, asked=sample.truth.get("asked"))
    kind, files = _files(sample.record, samples) if suite.input == "media" else ("", [])
    return {
        "id": sample.id,
        "kind": suite.kind,
        "question": f"{_before(sample.record, suite.kind, suite.input, suite.text)}{question}",
        "labels": json.dumps(list(labels)),
        "truth": json.dumps(sample.truth, ensure_ascii=False),
        "media_kind": kind,
        "media": json.dumps(files),
        "wheels": str(samples.wheels.resolve()) if samples.wheels else "",
    }


def _labels(kind: str, samples: Samples) -> tuple[str, ...]:
    if kind == "sentiment":
        return SENTIMENTS
    return tuple(samples.suite.units) if kind == "action_units" else tuple(samples.native.labels)


def _shuffled(labels: tuple[str, ...], sample: Sample, samples: Samples) -> list[str]:
    """In an order of the sample's own, the same each time: the place of a label must not tell anything."""
    return random.Random(f"{samples.suite.name}/{sample.id}").sample(labels, len(labels))


def _before(record: Record, kind: str, shown: str, text: str) -> str:
    """What must be read before the question: a dialogue, the words alone, or which seconds are meant."""
    if kind == "causes":
        return f"{dialogue(record)}\n"
    if shown == "words":
        return f"{text_of(record, text)}\n"
    return f"From {record.span.start_s:.1f} to {record.span.end_s:.1f} seconds: " if record.span else ""


def _files(record: Record, samples: Samples) -> tuple[str, list[str]]:
    """(kind, absolute paths): a film with its own sound, else pictures, else a sound."""
    media = record.media or Media()
    kind = "video" if media.video else "image" if media.image or media.frames else "audio"
    others = {"image": None, "frames": []} if kind == "video" else {"video": None}
    silent = {} if kind == "audio" else {"audio": None}
    files = files_of(record.model_copy(update={"media": media.model_copy(update=others | silent)}), samples.root)
    if not files:
        raise ConfigError(f"record {record.id}: nothing can be shown; export suites whose records have media, or words as input")
    return kind, [str(file.resolve()) for file in files]


def _lmms(samples: Samples, out: Path) -> Path:
    folder, task = out / samples.suite.name, f"emoreason_{samples.suite.name}"
    folder.mkdir(parents=True, exist_ok=True)
    data = folder / "samples.jsonl"
    with open(data, "w", encoding="utf-8") as file:
        file.writelines(json.dumps(row(sample, samples), ensure_ascii=False) + "\n" for sample in samples.samples)
    config = {
        "task": task,
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": str(data.resolve())}},
        "test_split": "test",
        "output_type": "generate_until",
        "generation_kwargs": {"max_new_tokens": 128, "temperature": 0, "do_sample": False},
        "metadata": [{"version": 1.0, "protocol": samples.suite.protocol.strip()}],
    }
    names = (*METRICS[samples.suite.kind], UNREADABLE)
    functions = "".join(f"{name}: !function utils.{name}\n" for name in _FUNCTIONS)
    metrics = "".join(map(_metric, names))
    head = _HEAD.format(folder=folder.resolve(), task=task) + yaml.safe_dump(config, sort_keys=False)
    (folder / f"{task}.yaml").write_text(f"{head}{functions}metric_list:\n{metrics}", encoding="utf-8")
    (folder / "utils.py").write_text(_utils(names), encoding="utf-8")
    return folder


def _metric(name: str) -> str:
    better = "false" if name in LOWER_IS_BETTER else "true"
    return f"  - metric: {name}\n    aggregation: !function utils.{name}\n    higher_is_better: {better}\n"


def _utils(names: tuple[str, ...]) -> str:
    """The module that the YAML's functions are looked up in."""
    imported = ", ".join(sorted(("aggregation", *_FUNCTIONS)))
    made = "".join(f'{name} = aggregation("{name}")\n' for name in names)
    return f"from emoreason.evaluation.lmms_task import {imported}  # noqa: F401\n\n{made}"


def _tsv(samples: Samples, out: Path) -> Path:
    suite = samples.suite
    rows = [_choice(number, sample, samples) for number, sample in enumerate(samples.samples)]
    out.mkdir(parents=True, exist_ok=True)
    path = out / f"emoreason_{suite.name}.tsv"
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter="\t")
        writer.writeheader()
        writer.writerows(rows)
    return path


def _choice(number: int, sample: Sample, samples: Samples) -> dict[str, str | int]:
    """A row of a custom multiple-choice set: options in columns A, B, ..., the answer as its letter."""
    suite, made = samples.suite, row(sample, samples)
    if suite.kind == "hallucination":
        question, right = f"Is {sample.truth['asked']} the emotion that is expressed?", sample.truth["answer"]
        options = ["yes", "no"]
    elif suite.kind in _CHOICE and sample.truth["label"]:
        question, right = _CHOICE[suite.kind], sample.truth["label"]
        options = _shuffled(_labels(suite.kind, samples), sample, samples)
    else:
        raise ConfigError(f"suite '{suite.name}': VLMEvalKit's TSV holds questions with options; kind '{suite.kind}' has none")
    if suite.input == "media" and made["media_kind"] != "image":
        raise ConfigError(f"suite '{suite.name}': VLMEvalKit's TSV holds pictures, '{sample.id}' is none; export for {FORMS[0]}")
    letters = dict(zip(string.ascii_uppercase, options, strict=False))
    files = json.loads(made["media"])
    shown = {"image_path": files[0] if len(files) == 1 else made["media"]} if files else {}
    before = _before(sample.record, suite.kind, suite.input, suite.text)
    answer = next(letter for letter, option in letters.items() if option == right)
    asked = {"index": number, "id": sample.id} | shown | {"question": before + question}
    return asked | letters | {"answer": answer, "category": right}
