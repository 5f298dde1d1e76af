"""`emoreason data`: data sets, from their recipes to what the model is shown."""

import json
import os
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from emoreason.cli.shared import INPUT_FAILED, make_folder, print_line, print_paths, roots, say
from emoreason.terminal import print_validation, progress, safe

app = typer.Typer(help="Data sets: check them against their recipes, turn them into records.", rich_markup_mode=None)
Recipes = Annotated[list[str], typer.Argument(metavar="RECIPE...", help="Names or files (.yaml).", show_default=False)]
Roots = Annotated[
    list[str] | None, typer.Option("--root", metavar="NAME=DIR", help="Where a set lies; else its folder in $EMOREASON_DATA.")
]
Store = Annotated[Path | None, typer.Option(help="Where measurements are kept; else in the cache.")]
NoWords = Annotated[bool, typer.Option("--no-words", help="Do not transcribe speech.")]
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
    return INPUT_FAILED if _compare(recipes, records, strict) or failed else 0


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
    recipes: Annotated[list[str], typer.Argument(metavar="RECIPE|RUN...", help="Names or files (.yaml).", show_default=False)],
    out: Annotated[Path, typer.Option(help="Records go to a folder per set below this one.")],
    root: Roots = None,
    strict: Strict = False,
) -> int:
    """Write the records that pass, and failures.jsonl beside them; a set with errors is not written. Of a run, its mixtures."""
    from emoreason.cli.train import build_mixtures, is_run
    from emoreason.instructions.store import write_records

    make_folder(out)
    if len(recipes) == 1 and is_run(recipes[0]):
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
) -> int:
    """Measure faces, voices and words of all media. What was measured before is skipped, so an interrupted run goes on."""
    from emoreason.instructions.observe_all import default_store, jobs_of, observe_all

    kept = store or default_store()
    make_folder(failures or kept)
    failed = False
    for recipe, folder in _sets(recipes, root):
        records, unread = _records(recipe, folder)
        jobs = jobs_of(records[:limit], folder, words=not no_words)
        with progress(Console(stderr=True), recipe.name, show=True) as hook:
            lines = (failures or kept) / f"{recipe.name}.failures.jsonl"
            tally = observe_all(jobs, kept, workers, lines, lambda done, total, hook=hook: hook("observing", done, total))
        with open(lines, "a", encoding="utf-8") as file:
            file.writelines(json.dumps(failure.to_dict(), ensure_ascii=False) + "\n" for failure in unread)
        new, seconds = tally.files - tally.cached - tally.failed, max(tally.elapsed_s, 1e-3)
        speed = f"{tally.faces / seconds:.1f} faces/s, sound at {tally.sound_s / seconds:.1f} x real time"
        print(safe(f"{recipe.name}: {new} measured, {tally.cached} known, {tally.failed} failed; {speed}"))
        failed |= bool(tally.failed or unread)
    return INPUT_FAILED if failed else 0


@app.command("preview")
def data_preview(
    recipes: Recipes,
    out: Annotated[Path, typer.Option(help="A page per set goes to this folder.")],
    root: Roots = None,
    count: Annotated[int, typer.Option(min=1, help="Records on a page.")] = 6,
    seed: Annotated[int, typer.Option(help="Another seed shows other records and wordings.")] = 0,
    store: Store = None,
    no_words: NoWords = False,
) -> int:
    """Show what the model is shown and taught: frames, waveform, prompt, answers and where each sentence comes from."""
    import random

    from emoreason.instructions.observe_all import default_store
    from emoreason.instructions.preview import few, preview
    from emoreason.instructions.tasks import tasks_of

    make_folder(out)
    failed, kept = False, store or default_store()
    for recipe, folder in _sets(recipes, root):
        records, unread = _records(recipe, folder)
        some = few(records, count, random.Random(seed))
        path = out / f"{recipe.name}.html"
        page = preview(some, folder, tasks_of(recipe), recipe.title, kept, seed, words=not no_words)
        path.write_text(page, encoding="utf-8")
        print_paths([path])
        failed |= bool(unread)
    return INPUT_FAILED if failed else 0


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

    chosen, given = [load_recipe(name) for name in recipes], roots(root)
    strange = sorted(set(given) - {recipe.name for recipe in chosen})
    if strange:
        raise typer.BadParameter(f"--root names '{strange[0]}', which is none of: {', '.join(recipe.name for recipe in chosen)}")
    for recipe in chosen:
        folder = data_root(recipe, given, os.environ.get("EMOREASON_DATA"))
        yield recipe, folder


@app.command("new")
def data_new(
    source: Annotated[
        Path, typer.Argument(metavar="DIR|CSV", help="A folder per class, or a table with path and label.", show_default=False)
    ],
    name: Annotated[str | None, typer.Option(help="Of the data set; else that of the folder or table.")] = None,
    out: Annotated[Path, typer.Option(help="NAME.yaml, the recipe, and NAME.html, its preview, go here.")] = Path(),
    cropped: Annotated[bool, typer.Option("--cropped", help="The pictures or videos are cut to the face.")] = False,
) -> int:
    """Write a recipe for your own clips: labels, a split by groups, all media opened, and the conversations they make."""
    import random

    from emoreason.instructions.new_recipe import checked, draft, write
    from emoreason.instructions.observe_all import default_store
    from emoreason.instructions.preview import few, preview
    from emoreason.instructions.tasks import tasks_of

    made = draft(source, name, cropped)
    recipe = made.recipe
    with progress(Console(stderr=True), recipe.name, show=True) as hook:
        loaded = checked(made, hook)
        some = few(loaded.records, 6, random.Random(0))
        page = preview(some, made.root, tasks_of(recipe), recipe.title, default_store())
    paths = write(made, page, out)
    print_validation(recipe.name, loaded.report)
    for note in made.notes:
        say(note)
    print_paths(paths)
    print(safe(f"next: emoreason data observe {paths[0]} --no-words"))
    return 0
