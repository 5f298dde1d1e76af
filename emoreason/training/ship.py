"""Shipping: the parts that the stages of a run trained, put together as one checkpoint folder that inference loads.

Of a run that begins with a checkpoint only what it changed is stored; that base is named and hashed in the configuration. The
pinned language model and the pinned Whisper encoder are not copied: the configuration names them. Matrices are stored in float16;
norms, biases, priors and temperatures keep float32.
"""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from emoreason.errors import ConfigError
from emoreason.model.base import named
from emoreason.model.checkpoint_files import SHARDS, WEIGHTS
from emoreason.model.modeling import EmoReasonForConditionalGeneration
from emoreason.model.processing import EmoReasonProcessor
from emoreason.training import log
from emoreason.training.card import model_card
from emoreason.training.checkpoint import save_file_whole
from emoreason.training.finetune import initial
from emoreason.training.run import Run
from emoreason.training.stages.kinds import stage_of
from emoreason.training.stages.stage import Workspace

MOST_MB = 40.0


def ship(
    run: Run,
    out: Path,
    folder: Path,
    verdict: Mapping[str, Any] | None = None,
    most_mb: float | None = MOST_MB,
    results: str = "",
) -> dict[str, Any]:
    """Write `folder` from the finished stages of `out`, the last that trained a part winning; returns what each stage measured.

    verdict: fields of model.verdict.VerdictSettings (fusion weights, temperature), as calibration found them. most_mb: what the
    files may weigh together, the default being what the package may carry; None = anything. `folder` may be `out` itself; its
    other files stay. results: test figures for the card, in Markdown. Raises ConfigError when no stage is finished, and when it
    would be too large; then nothing is written.
    """
    model, processor = initial(run)
    measured = gather(run, out, model)
    model.config.trained, model.config.verdict = True, dict(verdict) if verdict else model.config.verdict
    model.config.base = None if run.init_from is None else named(run.init_from)
    scratch = folder / ".partial"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    try:
        save(model, processor, scratch)
        card = model_card(run, measured, spent(run, out), model.config.base, results)
        (scratch / "README.md").write_text(card, encoding="utf-8")
        size_mb = sum(file.stat().st_size for file in scratch.iterdir()) / 1e6
        if most_mb is not None and size_mb > most_mb:
            raise ConfigError(f"{folder} would be {size_mb:.1f} MB, more than the {most_mb:.0f} MB that the package may carry")
        (folder / SHARDS).unlink(missing_ok=True)
        for file in sorted(scratch.iterdir(), key=lambda file: file.name == WEIGHTS):  # last: without them it is no checkpoint
            os.replace(file, folder / file.name)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return measured


def gather(run: Run, out: Path, model: EmoReasonForConditionalGeneration) -> dict[str, Any]:
    """Fill the model from the stages of the run that are finished, in their order; stage -> what it measured."""
    measured = {}
    work = Workspace(run, out)
    for name in run.stages:
        if work.finished(name):
            measured[name] = stage_of(work, name).load(model)["info"]
    if not measured:
        raise ConfigError(f"{out}: no stage of run {run.name} is finished: run `emoreason train {run.name} --out {out}`")
    return measured


def spent(run: Run, out: Path) -> dict[str, float]:
    """Hours that each stage trained, by its logs; a stage may have several phases."""
    hours = {}
    for name in run.stages:
        if logs := log.phases(out / name):
            hours[name] = sum(entries[-1]["seconds"] for entries in logs.values()) / 3600
    return hours


def save(model: EmoReasonForConditionalGeneration, processor: EmoReasonProcessor, folder: Path) -> None:
    """As `save_pretrained` of both, matrices in float16."""
    for config in (processor.config, model.config):
        config.language_config._name_or_path = ""  # where the pinned one lay on this machine is nobody's business
    processor.save_pretrained(folder)
    model.save_pretrained(folder)
    state = load_file(folder / WEIGHTS)
    small = {name: value.half() if value.dtype == torch.float32 and value.dim() > 1 else value for name, value in state.items()}
    save_file_whole(small, folder / WEIGHTS)


def unfinished(run: Run, out: Path) -> list[str]:
    """Stages that have not saved their parts."""
    work = Workspace(run, out)
    return [name for name in run.stages if not work.finished(name)]
