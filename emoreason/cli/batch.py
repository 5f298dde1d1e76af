"""`emoreason batch`, `status`, `merge`: folders of media, analysed by several processes, resumed wherever they were stopped."""

import importlib.util
import json
import re
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from emoreason.cli.shared import (
    INPUT_FAILED,
    Language,
    Model,
    NoWords,
    Quiet,
    Runtime,
    ServedModel,
    Server,
    choices,
    print_line,
    runtime_of,
    say,
)
from emoreason.config import DEFAULT_MODEL
from emoreason.errors import EnvironmentProblem
from emoreason.terminal import safe

if TYPE_CHECKING:
    from emoreason.inference.batch.options import Options
    from emoreason.inference.batch.runner import Event
    from emoreason.inference.batch.runner import Progress as Done

EXTRAS = ("csv", "vtt", "srt", "eaf", "textgrid", "html")
_STATUS_FAILURES = 10


def batch(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Videos, pictures and sound files, nested.", show_default=False)
    ],
    out: Annotated[Path, typer.Option(help="Results; run again with the same folder to go on.")],
    model: Model = DEFAULT_MODEL,
    server: Server = None,
    served_model: ServedModel = None,
    runtime: Runtime = None,
    formats: Annotated[str | None, typer.Option(help=f"Extra files per clip: {','.join(EXTRAS)}.")] = None,
    no_frames: Annotated[bool, typer.Option("--no-frames", help="Write no frame tables.")] = False,
    engine: Annotated[str, typer.Option(help="Where it runs: local processes, or ray (the extra `ray`).")] = "local",
    ray_address: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Of a Ray cluster that shares both folders; else one made here.")
    ] = None,
    ray_gpus: Annotated[float, typer.Option(min=0, help="GPUs of the Ray actor in which the model judges.")] = 0,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; from cores and memory when not given.")] = None,
    waiting: Annotated[int, typer.Option(min=1, help="With a model: how many clips may be measured and not yet judged.")] = 32,
    shard: Annotated[
        str, typer.Option(metavar="I/N", help="Take only this part of the files, as other machines the rest.")
    ] = "1/1",
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many files in this run.")] = None,
    fps: Annotated[float | None, typer.Option(min=0.1, max=240, help="Face samples per second.")] = None,
    language: Language = None,
    no_words: NoWords = False,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Neither read nor keep measurements outside the results.")] = False,
    time_limit: Annotated[float, typer.Option(min=1, help="Seconds a file may take before it is stopped.")] = 3600.0,
    memory_limit: Annotated[
        float | None, typer.Option(min=0.1, help="GiB a worker may take; 80 % of all, shared, if not given.")
    ] = None,
    retries: Annotated[int, typer.Option(min=0, help="Further tries after a worker died or the disk stumbled.")] = 1,
    restart: Annotated[bool, typer.Option("--restart", help="Throw away all results in --out and begin anew.")] = False,
    verify: Annotated[bool, typer.Option("--verify", help="Read every file again to see whether it changed.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per event instead of a summary.")] = False,
    quiet: Quiet = False,
) -> int:
    """Analyse a folder. What is done is not redone; a file that fails is listed and costs nothing else."""
    extras = tuple(choices(formats, EXTRAS, "--formats")) if formats else ()
    part = _shard(shard)
    if served_model is not None and server is None:
        raise typer.BadParameter("--served-model names a model of a server: say which with --server")
    from emoreason.inference.batch.options import Options
    from emoreason.inference.batch.runner import run
    from emoreason.perception.settings import PerceptionSettings

    given = {name: value for name, value in (("fps", fps), ("language", language)) if value is not None}
    options = Options(
        model=model,
        perception=PerceptionSettings(words=not no_words, **given),
        formats=extras,
        frames=not no_frames,
        workers=workers,
        time_limit_s=time_limit,
        memory_limit_gib=memory_limit,
        retries=retries,
        cache=not no_cache,
        waiting=waiting,
        server=server,
        served_model=served_model,
        runtime=runtime_of(runtime, server),
    )
    chosen = _engine(engine, ray_address, ray_gpus, options)
    with _watching(as_json, quiet) as on_event:
        done = run(folder, out, options, on_event, chosen, part, limit, restart, verify)
    if not as_json and not quiet:
        _summary(out, done)
    return INPUT_FAILED if done.failed else 0


def _engine(name: str, address: str | None, gpus: float, options: "Options"):
    if name == "local" and address is None:
        return None
    if name != "ray":
        raise typer.BadParameter(f"--engine takes local or ray (--ray-address needs ray), not '{name}'")
    if importlib.util.find_spec("ray") is None:
        raise EnvironmentProblem("--engine ray needs Ray: pip install 'emoreason[ray]'")
    from emoreason.inference.batch.ray_engine import RayEngine

    return RayEngine(options, address, gpus=gpus)


def _shard(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d+)/(\d+)", text)
    if not found or not 1 <= int(found[1]) <= int(found[2]):
        raise typer.BadParameter(f"--shard takes I/N with 1 <= I <= N, such as 2/4, not '{text}'")
    return int(found[1]), int(found[2])


@contextmanager
def _watching(as_json: bool, quiet: bool):
    """A hook that draws a line of progress on stderr and tells failures as they happen, or prints events on stdout."""
    console = Console(stderr=True, markup=False, highlight=False)
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=quiet or not console.is_terminal) as bars:
        bar = bars.add_task("batch", total=None)

        def on_event(event: "Event", done: "Done") -> None:
            finished = done.done + done.failed + done.skipped
            bars.update(bar, description=_line(done), completed=finished, total=done.files)
            if event.kind == "tick":
                return
            if as_json:
                facts = {name: value for name, value in asdict(event).items() if value is not None}
                print_line(json.dumps({**facts, "files": done.files, "finished": finished, "failed": done.failed}))
            elif event.kind in ("failed", "retried", "unreadable") and not quiet:
                bars.console.print(safe(f"{event.kind}: {event.path}: {event.message}"), soft_wrap=True)

        yield on_event


def _line(done: "Done") -> str:
    parts = [f"{done.per_minute:.1f} clips/min"] if done.elapsed_s > 5 and done.done else []
    if done.left_s is not None and done.elapsed_s > 5:
        parts.append(f"{_clock(done.left_s)} left")
    if done.failed:
        parts.append(f"{done.failed} failed")
    if done.busy:
        path, seconds = done.busy[0]
        parts.append(f"{path[-40:]} for {seconds:.0f} s")
    return safe("  ".join(parts) or "batch")


def _clock(seconds: float) -> str:
    minutes, hours = seconds / 60, seconds / 3600
    return f"{seconds:.0f} s" if minutes < 2 else f"{minutes:.0f} min" if hours < 2 else f"{hours:.1f} h"


def _summary(out: Path, done: "Done") -> None:
    counts = f"{done.done} analysed, {done.skipped} done before, {done.failed} failed"
    print(safe(f"{counts} in {_clock(done.elapsed_s)}: {out / 'index.html'}"))
    if done.failed:
        print(safe(f"what failed and why: {out / 'failures.jsonl'}"))


def status(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Results of a batch.", show_default=False)],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> int:
    """Say how far a batch is, while it runs or afterwards."""
    from emoreason.inference.batch.status import status as read

    found = read(out)
    if as_json:
        print_line(json.dumps(found.to_dict()))
        return 0
    print(f"{found.state}: {found.done} done, {found.failed} failed, {found.pending} to do")
    progress = found.run.get("progress") or {}
    if found.state == "running":
        left = "" if progress.get("left_s") is None else f", {_clock(progress['left_s'])} left"
        print(f"{progress.get('per_minute', 0):.1f} clips/min{left}")
        for path, seconds in progress.get("busy", []):
            print(safe(f"  at work for {seconds:.0f} s: {path}"))
    if found.gone:
        print(f"{found.gone} of them are no longer in the folder; their reports stay")
    for entry in found.failures[:_STATUS_FAILURES]:
        print(safe(f"  failed: {entry.path}: {entry.message}"))
    if len(found.failures) > _STATUS_FAILURES:
        print(f"  and {len(found.failures) - _STATUS_FAILURES} more in failures.jsonl")
    return 0


def merge(
    parts: Annotated[
        list[Path], typer.Argument(metavar="OUT...", help="Results of batches with equal settings.", show_default=False)
    ],
    out: Annotated[Path, typer.Option(help="New folder for all of them.")],
) -> int:
    """Put the results of several machines together."""
    from emoreason.inference.batch.merge import merge as join

    merged = join(parts, out)
    print(safe(f"{merged.clips} clips, {merged.failed} failed: {out / 'index.html'}"))
    if merged.failed:
        say(f"{merged.failed} files failed in every part that had them; see {out / 'failures.jsonl'}")
    return 0
