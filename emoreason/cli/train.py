"""`emoreason train`: the stages of a run, one after the other, from data to a folder of weights."""

import os
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from emoreason.cli.shared import INTERRUPTED, Roots, Store, make_folder, print_paths, roots, say
from emoreason.errors import ConfigError
from emoreason.terminal import progress, safe


def train(
    run: Annotated[str, typer.Argument(metavar="RUN", help="Name or file (.yaml) of a run.", show_default=False)],
    out: Annotated[Path, typer.Option(help="Folder of the run: checkpoints, parts, logs, pages.")],
    stage: Annotated[str | None, typer.Option(help="Only this stage; the ones it starts from must be finished.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on in a folder that holds an unfinished stage.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Ten samples, tokens, time, memory, missing files, leaks; trains nothing.")
    ] = False,
    root: Roots = None,
    data: Annotated[
        str | None, typer.Option(metavar="RECIPE", help="Your own recipe, for runs that leave it open, such as finetune.")
    ] = None,
    setting: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Put over the run: stages.align.schedule.steps=100")
    ] = None,
    store: Store = None,
) -> int:
    """Train the stages of a run. Killed at any moment, --resume goes on with the same next batch.

    A run that begins with a checkpoint (init_from) makes OUT one, too: analyze, batch, evaluate, demo and export take it as
    --model.
    """
    from emoreason.training.pipeline import Pipeline
    from emoreason.training.run import load_run

    chosen = load_run(run, setting or (), data)
    if stage is not None and stage not in chosen.stages:
        raise typer.BadParameter(f"--stage: run {chosen.name} has {', '.join(chosen.stages)}, not '{stage}'")
    make_folder(out)
    pipeline = Pipeline(chosen, out, roots(root), os.environ.get("EMOREASON_DATA"), store)
    stages = [stage] if stage else pipeline.waiting()
    if begun := [name for name in stages if pipeline.begun(name) and not (resume or dry_run)]:
        raise ConfigError(f"{out}: stage '{begun[0]}' was begun there; say --resume to go on with it, or name another --out")
    for note in pipeline.check(stages, dry_run):
        say(note)
    for name in stages:
        if dry_run:
            _show(pipeline, name)
            continue
        with progress(Console(stderr=True), name, show=True) as hook:
            finished = pipeline.train(name, hook)
        if not finished:
            say(f"stage {name} was stopped and its state saved: --resume goes on")
            return INTERRUPTED
        print_paths(pipeline.pages(name))
    if not dry_run:
        with progress(Console(stderr=True), "before and after", show=True) as hook:
            page = pipeline.finish(bool(stages), hook)
        if page is not None:
            print_paths([page])
            say(f"{out} is a checkpoint now: emoreason analyze FILE --model {out}")
    return 0


def build_mixtures(run: str, out: Path, root: list[str] | None) -> int:
    """The mixtures of a run, a line for each: folder, records, hash."""
    from emoreason.training import mixtures
    from emoreason.training.run import load_run

    with progress(Console(stderr=True), run, show=True) as hook:
        built = mixtures.build(load_run(run), roots(root), os.environ.get("EMOREASON_DATA"), out, hook)
    for name, splits in built.items():
        for split, known in splits.items():
            print(safe(f"{out / name / split}  {known['records']} records  sha256 {known['sha256']}"))
    return 0


def _show(pipeline, name: str) -> None:
    """What a stage would do, as lines."""
    found = pipeline.dry_run(name)
    if found is None:
        settings = pipeline.run.stages[name]
        sets = ", ".join(settings.data_sets())
        print(safe(f"{name}: kind {settings.kind}, {settings.steps} steps, data sets {sets}, which are there"))
        for line in pipeline.stage(name).outline():
            print(safe(line))
        return
    for number, sample in enumerate(found.samples, 1):
        print(safe(f"--- {name}, sample {number}"))
        for line in sample.splitlines():
            print(safe(line))
    print(safe(f"--- {name}"))
    parts = ", ".join(f"{part} {count}" for part, count in found.parts.items())
    print(safe(f"records    {parts}"))
    trains = ", ".join(f"{row.part} {row.trainable:,} ({row.mode}, lr {row.lr:g})" for row in found.trains)
    print(f"trains     {trains}")
    print(f"tokens     {found.tokens:.0f} a sample, {found.supervised:.0f} of them learned")
    print(f"steps      {found.steps} of {found.step_s:.1f} s: {found.hours:.2f} h, measured on one step now")
    tight = "; too little is free: lower schedule.batch" if found.memory_mb > found.free_mb else ""
    print(f"memory     {found.memory_mb:.0f} MB at most so far, {found.free_mb:.0f} MB were free{tight}")
    for kind, lines in (("missing", found.missing or ["none"]), ("leaks", found.leaks or ["none"])):
        for line in lines:
            print(safe(f"{kind:11}{line}"))
