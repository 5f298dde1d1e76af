"""One table over many result folders, for a model card: suite by suite the figures that count, and all explanations pooled."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emoreason.errors import ConfigError
from emoreason.evaluation.explanations import BLIND, WITHOUT_EVIDENCE
from emoreason.evaluation.results import ROWS, RUN, SCORES, Result, Row, read_result
from emoreason.evaluation.scores import failures, told_scores
from emoreason.scoring.metrics.score import Protocol

POOLED = "all explanations"
TOLD = (
    "claims_per_text", "supported_rate", "contradicted_rate", "unverifiable_rate", "specificity", "au_precision_human",
    "au_recall_human", "free_parsed", "conclusion_agreement", *(f"{name}{WITHOUT_EVIDENCE}" for name in BLIND),
)  # fmt: skip
# beside each suite's primary metric; accuracy hides rare classes, so the unweighted recall stands beside it
ALSO = {"emotion": ("war", "uar"), "sentiment": ("war", "uar"), "reasoning": TOLD}


@dataclass(frozen=True)
class Line:
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


def lines(results: Sequence[Result]) -> list[Line]:
    """In the given order, then the explanations of each judge over all its suites, where there are several."""
    found = [line for result in results for line in _of(result)]
    told = [result for result in results if result.run["suite"]["kind"] == "reasoning"]
    for judge in dict.fromkeys(_judge(result) for result in told):
        own = [result for result in told if _judge(result) == judge]
        found += pooled(own) if len(own) > 1 else []
    return found


def _of(result: Result) -> list[Line]:
    suite, limit = result.run["suite"], result.run.get("limit")
    wanted = dict.fromkeys((result.scores["primary"], *ALSO.get(suite["kind"], ())))
    scores = {score["metric"]: score for score in result.scores["scores"]}
    tried = f"limited to {limit}: a try" if limit and result.scores["n"] >= limit else ""
    return _listed(suite["name"], _judge(result), [scores[name] for name in wanted if name in scores], tried)


def pooled(results: Sequence[Result]) -> list[Line]:
    """Explanations of several suites of one judge as one; whoever is drawn for the intervals stays within a suite."""
    rows = [_within(result, row) for result in results for row in result.rows]
    protocol = Protocol(POOLED, [row.group for row in rows], failures(rows))
    scores = {score.metric: score.to_dict() for score in told_scores(rows, protocol)}
    suites = " + ".join(result.run["suite"]["name"] for result in results)
    return _listed(POOLED, _judge(results[0]), [scores[name] for name in TOLD if name in scores], suites)


def _listed(suite: str, judge: str, scores: Sequence[Mapping[str, Any]], about: str) -> list[Line]:
    """What is to be known of all figures of a suite stands beside the first of them."""
    found, told = [], set()
    for score in scores:
        counted = [f"of {score['parts']['of']:.0f}"] if "of" in score.get("parts", {}) else []
        new = [note for note in (about, score.get("note")) if note and note not in told]
        told |= set(new)
        value, interval, notes = score["value"], score["interval"], "; ".join(counted + new)
        found.append(Line(suite, judge, score["metric"], value, interval, score["n"], score["unanswered"], notes))
    return found


def _within(result: Result, row: Row) -> Row:
    suite = result.run["suite"]
    return row.model_copy(update={"id": f"{suite['name']}/{row.id}", "group": f"{suite['recipe']}/{row.group}"})


def _judge(result: Result) -> str:
    return result.run["judge"]["name"]


def markdown(found: Sequence[Line]) -> str:
    """A table with a row per figure; a judge's name stands in it only where there are several."""
    several = len({line.judge for line in found}) > 1
    heads = ["suite", *(["judge"] if several else []), "n", "no answer", "figure", "value", "95 % interval", "note"]
    rows = [heads, ["---"] * len(heads), *(_cells(line, several) for line in found)]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in rows)


def _cells(line: Line, several: bool) -> list[str]:
    value = "–" if line.value is None else f"{line.value:.3f}"
    interval = "–" if line.interval is None else f"{line.interval[0]:.3f}–{line.interval[1]:.3f}"
    judge = [_plain(line.judge)] if several else []
    return [line.suite, *judge, str(line.n), str(line.unanswered or "–"), line.metric, value, interval, _plain(line.note)]


def _plain(text: str) -> str:
    return text.replace("|", "/")
