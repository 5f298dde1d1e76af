"""One table over many result folders, for a model card: suite by suite the figures that count, and all explanations pooled."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emoreason.errors import ConfigError
from emoreason.evaluation.label_mapping import LabelMapping
from emoreason.evaluation.results import ROWS, RUN, SCORES, Result, SampleResult, failures, read_result
from emoreason.evaluation.suite import Suite
from emoreason.evaluation.tasks import make_task, task_class
from emoreason.scoring.metrics.score import Protocol


@dataclass(frozen=True)
class TableLine:
    """One figure. `n`: samples it rests on. interval: 95 %."""

    suite: str
    judge: str
    metric: str
    value: float | None
    interval: Sequence[float] | None
    n: int
    unanswered: int
    note: str


def results_below(folders: Iterable[Path]) -> list[Result]:
    """Finished results: each folder itself, or those right below it, by name. Raises ConfigError where there is none."""
    found = []
    for folder in folders:
        own = [folder] if (folder / RUN).is_file() else sorted(file.parent for file in folder.glob(f"*/{RUN}"))
        whole = [read_result(one) for one in own if (one / ROWS).is_file() and (one / SCORES).is_file()]
        found += [result for result in whole if "scores" in result.scores]  # audits by group have samples, too, but no scores
    if not found:
        raise ConfigError(f"no finished result in {', '.join(map(str, folders))}; name folders that `emoreason evaluate` wrote")
    return found


def lines(results: Sequence[Result]) -> list[TableLine]:
    """In the given order, then each judge's answers to all suites of a kind as one, where the kind is pooled (explanations)."""
    found = [line for result in results for line in _of(result)]
    together: dict[tuple[str, str], list[Result]] = {}
    for result in results:
        if task_class(result.run["suite"]["kind"]).pooled:
            together.setdefault((result.run["suite"]["kind"], _judge(result)), []).append(result)
    return found + [line for some in together.values() if len(some) > 1 for line in pooled(some)]


def _of(result: Result) -> list[TableLine]:
    suite, limit = result.run["suite"], result.run.get("limit")
    wanted = dict.fromkeys((result.scores["primary"], *task_class(suite["kind"]).tabled))
    scores = {score["metric"]: score for score in result.scores["scores"]}
    tried = f"limited to {limit}: a try" if limit and result.scores["n"] >= limit else ""
    return _listed(suite["name"], _judge(result), [scores[name] for name in wanted if name in scores], tried)


def pooled(results: Sequence[Result]) -> list[TableLine]:
    """Several suites of one kind and judge as one; whoever is drawn for the intervals stays within a suite."""
    rows = [_within(result, row) for result in results for row in result.rows]
    task = make_task(Suite.model_validate(results[0].run["suite"]), LabelMapping((), {}, {}))
    protocol = Protocol(task.pooled, [row.group for row in rows], failures(rows))
    scores = {score.metric: score.to_dict() for score in task.score(rows, protocol)}
    suites = " + ".join(result.run["suite"]["name"] for result in results)
    return _listed(task.pooled, _judge(results[0]), [scores[name] for name in task.tabled if name in scores], suites)


def _listed(suite: str, judge: str, scores: Sequence[Mapping[str, Any]], about: str) -> list[TableLine]:
    """What is to be known of all figures of a suite stands beside the first of them."""
    found, known = [], set()
    for score in scores:
        counted = [f"of {score['parts']['of']:.0f}"] if "of" in score.get("parts", {}) else []
        new = [note for note in (about, score.get("note")) if note and note not in known]
        known |= set(new)
        value, interval, notes = score["value"], score["interval"], "; ".join(counted + new)
        found.append(TableLine(suite, judge, score["metric"], value, interval, score["n"], score["unanswered"], notes))
    return found


def _within(result: Result, row: SampleResult) -> SampleResult:
    suite = result.run["suite"]
    return row.model_copy(update={"id": f"{suite['name']}/{row.id}", "group": f"{suite['recipe']}/{row.group}"})


def _judge(result: Result) -> str:
    return result.run["judge"]["name"]


def markdown(found: Sequence[TableLine]) -> str:
    """A table with a row per figure; a judge's name stands in it only where there are several."""
    several = len({line.judge for line in found}) > 1
    heads = ["suite", *(["judge"] if several else []), "n", "no answer", "figure", "value", "95 % interval", "note"]
    rows = [heads, ["---"] * len(heads)]
    for line in found:
        value = "–" if line.value is None else f"{line.value:.3f}"
        interval = "–" if line.interval is None else f"{line.interval[0]:.3f}–{line.interval[1]:.3f}"
        judge = [line.judge.replace("|", "/")] if several else []
        counts = [str(line.n), str(line.unanswered or "–")]
        rows.append([line.suite, *judge, *counts, line.metric, value, interval, line.note.replace("|", "/")])
    return "".join(f"| {' | '.join(cells)} |\n" for cells in rows)
