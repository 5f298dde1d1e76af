"""`emoreason data`: data sets, from their recipes to what the model is shown."""

import json
import os
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from emoreason.cli.shared import INPUT_FAILED, NoWords, Roots, Store, make_folder, print_line, print_paths, roots, say
from emoreason.errors import ConfigError
from emoreason.terminal import print_validation, progress, safe

app = typer.Typer(help="Data sets: check them against their recipes, turn them into records.", rich_markup_mode=None)
Recipes = Annotated[
    list[str],
    typer.Argument(metavar="RECIPE|RUN...", help="Names or files (.yaml); a run means all its data sets.", show_default=False),
]
Mixtures = Annotated[
    Path | None, typer.Option(help="Where `data build` put the mixtures of the run: these records, not the data sets.")
]
Strict = Annotated[bool, typer.Option("--strict", help="A sample that had to be left out, or a warning, is a failure.")]


@app.command("validate")
def data_validate(
    recipes: Recipes,
    root: Roots = None,
    strict: Strict = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per data set.")] = False,
) -> int:
    """Counts against the expected ones, labels, missing or damaged media, leaks across splits, and what several sets share."""
    failed, records = False, []
    for name, loaded in _load_sets(recipes, root):
        records += loaded.records
        report = loaded.report
        failed |= not report.ok or (strict and bool(report.failures or report.warnings))
        if as_json:
            print_line(json.dumps(report.to_dict(), ensure_ascii=False))
        else:
            print_validation(name, report)
    return INPUT_FAILED if _compare(_expanded(recipes), records, strict) or failed else 0


def _compare(names: list[str], records: list, strict: bool) -> bool:
    """Whether the sets share more than they may; what they share goes to stderr."""
    from emoreason.instructions.recipe import load_recipe
    from emoreason.instructions.validate import compare_texts

    errors, warnings = compare_texts([load_recipe(name) for name in names], records)
    for kind, lines in (("warning", warnings), ("error", errors)):
        for line in lines:
            say(f"{kind}: {line}")
    return bool(errors or (strict and warnings))


@app.command("build")
def data_build(
    recipes: Recipes,
    out: Annotated[Path, typer.Option(help="Records go to a folder per set below this one.")],
    root: Roots = None,
    strict: Strict = False,
) -> int:
    """Write the records that pass, and failures.jsonl beside them; a set with errors is not written. Of a run, its mixtures."""
    from emoreason.instructions.store import write_records

    make_folder(out)
    if len(recipes) == 1 and _is_run(recipes[0]):
        from emoreason.cli.train import build_mixtures

        return build_mixtures(recipes[0], out, root)
    failed = False
    for name, loaded in _load_sets(recipes, root):
        report = loaded.report
        if not report.ok or (strict and (report.failures or report.warnings)):
            failed = True
            say(f"{name}: not built: {'; '.join(report.errors or report.warnings)}")
            continue
        digest = write_records(loaded.records, out / report.dataset)
        lines = (json.dumps(failure.to_dict(), ensure_ascii=False) + "\n" for failure in report.failures)
        (out / report.dataset / "failures.jsonl").write_text("".join(lines), encoding="utf-8")
        print(safe(f"{out / report.dataset}  {len(loaded.records)} records  {len(report.failures)} failures  sha256 {digest}"))
    return INPUT_FAILED if failed else 0


@app.command("observe")
def data_observe(
    recipes: Recipes,
    root: Roots = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = 2,
    store: Store = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first so many records of each set.")] = None,
    failures: Annotated[Path | None, typer.Option(help="Folder for a <set>.failures.jsonl each; else in the store.")] = None,
    no_words: NoWords = False,
    mixtures: Mixtures = None,
) -> int:
    """Measure faces, voices and words of all media. What was measured before is skipped, so an interrupted run goes on."""
    from emoreason.instructions.observe_all import default_store, observe_all

    kept = store or default_store()
    make_folder(failures or kept)
    failed = False
    for name, jobs, unread in _jobs(recipes, root, limit, not no_words, mixtures):
        with progress(Console(stderr=True), name, show=True) as hook:
            lines = (failures or kept) / f"{name}.failures.jsonl"
            tally = observe_all(jobs, kept, workers, lines, lambda done, total, hook=hook: hook("observing", done, total))
        with open(lines, "a", encoding="utf-8") as file:
            file.writelines(json.dumps(failure.to_dict(), ensure_ascii=False) + "\n" for failure in unread)
        new, seconds = tally.files - tally.cached - tally.failed, max(tally.elapsed_s, 1e-3)
        speed = f"{tally.faces / seconds:.1f} faces/s, sound at {tally.sound_s / seconds:.1f} x real time"
        print(safe(f"{name}: {new} measured, {tally.cached} known, {tally.failed} failed; {speed}"))
        failed |= bool(tally.failed or unread)
    return INPUT_FAILED if failed else 0


def _jobs(names: list[str], root: list[str] | None, limit: int | None, words: bool, mixtures: Path | None):
    """(name, what to measure, failures) of each data set, or of each part of a run whose mixtures were built."""
    from emoreason.instructions.observe_all import jobs_of

    if mixtures is not None:
        for split in ("train", "valid"):
            for part, source in _parts(names, root, mixtures, split):
                yield f"{part}-{split}", jobs_of(source.records[:limit], source.roots, source.words), []
        return
    for recipe, folder in _sets(names, root):
        records, unread = _records(recipe, folder)
        yield recipe.name, jobs_of(records[:limit], folder, words), unread


def _parts(names: list[str], root: list[str] | None, mixtures: Path, split: str):
    """(STAGE-PART, source) of a run, as built."""
    from emoreason.training import mixtures as built
    from emoreason.training.run import load_run

    if len(names) != 1 or not _is_run(names[0]):
        raise typer.BadParameter("--mixtures goes with one run")
    run, index = load_run(names[0]), built.read(mixtures)
    if index is None or index["run"] != run.digest():
        remedy = f"emoreason data build {names[0]} --out {mixtures}"
        raise ConfigError(f"{mixtures} does not hold the mixtures of {names[0]} as it is now: {remedy}")
    places = built.locate(run, roots(root), os.environ.get("EMOREASON_DATA"))
    for stage in run.tuning():
        for part, source in built.part_sources(run, stage, places, mixtures, split).items():
            yield f"{stage}-{part}", source


@app.command("preview")
def data_preview(
    recipes: Recipes,
    out: Annotated[Path, typer.Option(help="A page per set goes to this folder.")],
    root: Roots = None,
    count: Annotated[int, typer.Option(min=1, help="Records on a page.")] = 6,
    seed: Annotated[int, typer.Option(help="Another seed shows other records and wordings.")] = 0,
    store: Store = None,
    no_words: NoWords = False,
    mixtures: Mixtures = None,
) -> int:
    """Show what the model is shown and taught: frames, waveform, prompt, answers and where each sentence comes from."""
    import random

    from emoreason.instructions.observe_all import default_store
    from emoreason.instructions.preview import few, preview

    make_folder(out)
    failed, kept = False, store or default_store()
    for name, title, source, unread in _shown(recipes, root, not no_words, mixtures):
        some = few(source.records, count, random.Random(seed))
        path = out / f"{name}.html"
        path.write_text(preview(some, source, title, kept, seed), encoding="utf-8")
        print_paths([path])
        failed |= bool(unread)
    return INPUT_FAILED if failed else 0


@app.command("export")
def data_export(
    recipes: Recipes,
    out: Annotated[Path, typer.Option(help="A file per set and split goes to this folder.")],
    style: Annotated[str, typer.Option("--format", help="ms-swift or llama-factory.")] = "ms-swift",
    teacher: Annotated[str | None, typer.Option(metavar="URL", help="A server (OpenAI API) that rephrases answers.")] = None,
    teacher_model: Annotated[str | None, typer.Option(help="Where the server has several.")] = None,
    root: Roots = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first so many records of each set.")] = None,
    seed: Annotated[int, typer.Option(help="Another seed words the conversations differently.")] = 0,
    store: Store = None,
    no_words: NoWords = False,
    mixtures: Mixtures = None,
) -> int:
    """Write the conversations as lines for other trainers: files, questions with the measured cues as text, answers."""
    from dataclasses import replace

    from emoreason.instructions.interchange import conversations_of, write_conversations
    from emoreason.instructions.observe_all import data_store, default_store

    make_folder(out)
    failed, kept = False, data_store(store or default_store())
    reword, rejected = _teacher(teacher, teacher_model)
    for name, _, source, unread in _shown(recipes, root, not no_words, mixtures):
        by_split: dict[str, list] = {}
        for split, talk in conversations_of(replace(source, records=source.records[:limit]), kept, seed, reword):
            by_split.setdefault(split, []).append(talk)
        for split, talks in by_split.items():
            path = out / f"{name}.{split}.jsonl"
            count = write_conversations((talk for talk in talks if talk), path, style)
            print(safe(f"{path}  {count} conversations"))
        if left := sum(talk is None for talks in by_split.values() for talk in talks):
            say(f"{name}: {left} records left out: not observed (emoreason data observe {name}), or nothing to ask")
        failed |= bool(unread or left)
    if rejected:
        say(f"{len(rejected)} rephrasings were not taken over, the first: {rejected[0].reason}: {rejected[0].offered}")
    return INPUT_FAILED if failed else 0


def _teacher(url: str | None, model: str | None):
    """(exchange -> exchange in the teacher's words, list that collects what it may not say). Without a server nothing changes."""
    from emoreason import assets
    from emoreason.instructions.teacher import Teacher
    from emoreason.model.served import Server

    rejected: list = []
    teacher = Teacher(Server.connect(url, model), assets.home() / "rephrased") if url else None

    def reword(exchange):
        if teacher is None:
            return exchange
        changed, refused = teacher.rephrase(exchange)
        rejected.extend(refused)
        return changed

    return reword, rejected


def _shown(names: list[str], root: list[str] | None, words: bool, mixtures: Path | None):
    """(name, title, source, failures) of each data set, or of each part of a run whose mixtures were built."""
    from emoreason.instructions.preview import source_of

    if mixtures is not None:
        for part, source in _parts(names, root, mixtures, "train"):
            yield part, f"{Path(names[0]).stem}: {part}", source, []
        return
    for recipe, folder in _sets(names, root):
        records, unread = _records(recipe, folder)
        yield recipe.name, recipe.title, source_of(recipe, folder, records, words), unread


def _records(recipe, folder: Path) -> tuple[list, list]:
    """(records, failures); the number of failures and the first go to stderr."""
    from emoreason.instructions.readers import Failure, read

    items = list(read(recipe, folder))
    unread = [item for item in items if isinstance(item, Failure)]
    if unread:
        say(f"{recipe.name}: {len(unread)} samples could not be read, the first: {unread[0].place}: {unread[0].reason}")
    return [item for item in items if not isinstance(item, Failure)], unread


def _load_sets(recipes: list[str], root: list[str] | None):
    """(name, loaded) one after the other."""
    from emoreason.instructions.validate import load

    for recipe, folder in _sets(recipes, root):
        with progress(Console(stderr=True), recipe.name, show=True) as hook:
            loaded = load(recipe, folder, hook)
        yield recipe.name, loaded


def _sets(recipes: list[str], root: list[str] | None):
    """(recipe, folder) one after the other; a recipe with a mistake is found before any set is read."""
    from emoreason.instructions.recipe import load_recipe
    from emoreason.instructions.validate import data_root

    chosen, given = [load_recipe(name) for name in _expanded(recipes)], roots(root)
    strange = sorted(set(given) - {recipe.name for recipe in chosen})
    if strange:
        raise typer.BadParameter(f"--root names '{strange[0]}', which is none of: {', '.join(recipe.name for recipe in chosen)}")
    for recipe in chosen:
        folder = data_root(recipe, given, os.environ.get("EMOREASON_DATA"))
        yield recipe, folder


def _expanded(names: list[str]) -> list[str]:
    """Recipes, each once; instead of a run those of its data sets."""
    return list(dict.fromkeys(one for name in names for one in (_sets_of_run(name) if _is_run(name) else [name])))


def _is_run(name: str) -> bool:
    """Asked of what is no recipe only: to read a run takes torch, which takes seconds."""
    from emoreason.instructions.recipe import load_recipe

    try:
        load_recipe(name)
    except ConfigError:
        from emoreason.training.run import is_run

        return is_run(name)
    return False


def _sets_of_run(name: str) -> list[str]:
    from emoreason.training.run import load_run

    return load_run(name).data_sets()


@app.command("new")
def data_new(
    source: Annotated[
        Path, typer.Argument(metavar="DIR|TABLE", help="A folder per class, or a table with path and label.", show_default=False)
    ],
    name: Annotated[str | None, typer.Option(help="Of the data set; else that of the folder or table.")] = None,
    out: Annotated[Path, typer.Option(help="NAME.yaml, the recipe, and NAME.html, its preview, go here.")] = Path(),
    cropped: Annotated[bool, typer.Option("--cropped", help="The pictures or videos are cut to the face.")] = False,
) -> int:
    """Write a recipe for your own clips: labels, a split by groups, all media opened, and the conversations they make."""
    import random

    from emoreason.instructions.new_recipe import checked, draft, write
    from emoreason.instructions.observe_all import default_store
    from emoreason.instructions.preview import few, preview, source_of

    made = draft(source, name, cropped)
    recipe = made.recipe
    with progress(Console(stderr=True), recipe.name, show=True) as hook:
        loaded = checked(made, hook)
        some = few(loaded.records, 6, random.Random(0))
        page = preview(some, source_of(recipe, made.root, some), recipe.title, default_store())
    paths = write(made, page, out)
    print_validation(recipe.name, loaded.report)
    for note in made.notes:
        say(note)
    print_paths(paths)
    print(safe(f"next: emoreason data observe {paths[0]} --no-words"))
    return 0
