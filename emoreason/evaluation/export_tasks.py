"""Suites for other evaluation tools: a task folder for lmms-eval (0.7), a TSV for VLMEvalKit.

Pictures, films and sounds stay where they are: the files name them by absolute path, so export again after moving the data.
lmms-eval runs every kind that can be asked in words and scores it with `lmms_task`, so emoreason must be installed beside it;
VLMEvalKit's own format knows pictures or words, asked by multiple choice.
"""

import csv
import json
import string
from pathlib import Path

import yaml

from emoreason.errors import ConfigError
from emoreason.evaluation.lmms_task import LOWER_IS_BETTER, UNREADABLE
from emoreason.evaluation.sample import EvalSample
from emoreason.evaluation.samples import SuiteSamples
from emoreason.instructions.observe_all import files_of
from emoreason.instructions.record import Media, Record

FORMS = ("lmms-eval", "vlmevalkit")
_HEAD = "# Run with: lmms-eval --include_path {folder} --tasks {task} --model ... (emoreason must be installed there, too)\n"
_FUNCTIONS = ("doc_to_visual", "doc_to_text", "doc_to_target", "process_results")


def export(samples: SuiteSamples, form: str, out: Path) -> Path:
    """Write one suite below `out`; returns the task folder or the TSV. Raises ConfigError for what the tool cannot ask."""
    if form not in FORMS:
        raise ConfigError(f"tasks can be exported for {' and '.join(FORMS)}, not for '{form}'")
    if samples.task.export_question is None:
        raise ConfigError(f"suite '{samples.suite.name}': kind '{samples.suite.kind}' needs measurements, which other tools lack")
    return (_lmms if form == FORMS[0] else _tsv)(samples, out)


def row(sample: EvalSample, samples: SuiteSamples) -> dict[str, str]:
    """One question, all values text, the same columns for every kind: what tools read must not change its type along the file."""
    suite, task = samples.suite, samples.task
    question = task.export_question.format(labels=", ".join(task.shuffled(sample)), asked=sample.truth.get("asked"))
    kind, files = _files(sample.record, samples) if suite.input == "media" else ("", [])
    return {
        "id": sample.id,
        "kind": suite.kind,
        "question": f"{task.export_context(sample.record)}{question}",
        "labels": json.dumps(list(task.labels)),
        "truth": json.dumps(sample.truth, ensure_ascii=False),
        "media_kind": kind,
        "media": json.dumps(files),
        "wheels": str(task.wheels.resolve()) if task.wheels else "",
    }


def _files(record: Record, samples: SuiteSamples) -> tuple[str, list[str]]:
    """(kind, absolute paths): a film with its own sound, else pictures, else a sound."""
    media = record.media or Media()
    kind = "video" if media.video else "image" if media.image or media.frames else "audio"
    others = {"image": None, "frames": []} if kind == "video" else {"video": None}
    silent = {} if kind == "audio" else {"audio": None}
    files = files_of(record.model_copy(update={"media": media.model_copy(update=others | silent)}), samples.root)
    if not files:
        raise ConfigError(f"record {record.id}: nothing can be shown; export suites whose records have media, or words as input")
    return kind, [str(file.resolve()) for file in files]


def _lmms(samples: SuiteSamples, out: Path) -> Path:
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
    names = (*samples.task.export_metrics, UNREADABLE)
    functions = "".join(f"{name}: !function utils.{name}\n" for name in _FUNCTIONS)
    better = {name: "false" if name in LOWER_IS_BETTER else "true" for name in names}
    metrics = "".join(
        f"  - metric: {name}\n    aggregation: !function utils.{name}\n    higher_is_better: {better[name]}\n" for name in names
    )
    head = _HEAD.format(folder=folder.resolve(), task=task) + yaml.safe_dump(config, sort_keys=False)
    (folder / f"{task}.yaml").write_text(f"{head}{functions}metric_list:\n{metrics}", encoding="utf-8")
    imported = ", ".join(sorted(("aggregation", *_FUNCTIONS)))
    made = "".join(f'{name} = aggregation("{name}")\n' for name in names)
    utils = f"from emoreason.evaluation.lmms_task import {imported}  # noqa: F401\n\n{made}"
    (folder / "utils.py").write_text(utils, encoding="utf-8")  # the module that the YAML's functions are looked up in
    return folder


def _tsv(samples: SuiteSamples, out: Path) -> Path:
    suite = samples.suite
    rows = [_choice(number, sample, samples) for number, sample in enumerate(samples.samples)]
    out.mkdir(parents=True, exist_ok=True)
    path = out / f"emoreason_{suite.name}.tsv"
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter="\t")
        writer.writeheader()
        writer.writerows(rows)
    return path


def _choice(number: int, sample: EvalSample, samples: SuiteSamples) -> dict[str, str | int]:
    """A row of a custom multiple-choice set: options in columns A, B, ..., the answer as its letter."""
    suite, task, made = samples.suite, samples.task, row(sample, samples)
    choice = task.export_choice(sample)
    if choice is None:
        raise ConfigError(f"suite '{suite.name}': VLMEvalKit's TSV holds questions with options; kind '{suite.kind}' has none")
    if suite.input == "media" and made["media_kind"] != "image":
        raise ConfigError(
            f"suite '{suite.name}': VLMEvalKit's TSV holds pictures, '{sample.id}' is not one; export for {FORMS[0]}"
        )
    question, options, right = choice
    letters = dict(zip(string.ascii_uppercase, options, strict=False))
    files = json.loads(made["media"])
    shown = {"image_path": files[0] if len(files) == 1 else made["media"]} if files else {}
    answer = next(letter for letter, option in letters.items() if option == right)
    asked = {"index": number, "id": sample.id} | shown | {"question": task.export_context(sample.record) + question}
    return asked | letters | {"answer": answer, "category": right}
