"""`evaluate`: one suite from its file to a finished result folder."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from emoreason.evaluation import results
from emoreason.evaluation.grader import Grader
from emoreason.evaluation.page import page
from emoreason.evaluation.results import SampleResult
from emoreason.evaluation.run import described, run
from emoreason.evaluation.samples import Folders, Progress, load_samples
from emoreason.evaluation.suite import Suite
from emoreason.evaluation.verdicts import as_asked
from emoreason.evaluation.worst import look, worst
from emoreason.inference.judges import Judge
from emoreason.scoring.metrics.score import Score


@dataclass(frozen=True)
class EvaluatedSuite:
    """What came out. `failed`: samples and rows of the data that could not be used; they are listed in the folder."""

    suite: Suite
    folder: Path
    scores: tuple[Score, ...]
    status: dict[str, int]
    failed: int

    @property
    def primary(self) -> Score:
        return self.scores[0]

    def to_dict(self) -> dict:
        """Plain JSON."""
        figures = {"status": self.status, "failed": self.failed, "scores": [score.to_dict() for score in self.scores]}
        return {"suite": self.suite.name, "folder": str(self.folder), **figures}


def evaluate(
    suite: Suite,
    path: Path,
    judge: Judge,
    folders: Folders,
    out: Path,
    store: Path,
    limit: int | None = None,
    restart: bool = False,
    progress: Progress | None = None,
    grader: Grader | None = None,
) -> EvaluatedSuite:
    """Ask, score and write `out`/<suite>/: run.json, samples.jsonl, scores.json, report.html, worst/. `grader`: a language model
    that compares explanations with human ones.

    Raises ConfigError for a suite without samples and for a folder that holds another run; see `run` for what else.
    """
    judge = as_asked(judge, suite)
    samples = load_samples(suite, path, folders, limit, progress)
    folder, task = out / suite.name, samples.task
    rows = run(samples, judge, folder, store, limit, restart, progress)
    scores = task.scores(rows)
    if grader is not None:
        scores += task.graded(rows, grader, task.protocol(rows))
    folds = task.by_fold(rows)
    results.write_json(folder / results.SCORES, summary(suite, rows, scores, folds))
    mistakes = look(worst(task, rows), samples, judge, folder, store)
    results.write_text(folder / results.PAGE, page(described(samples, judge, limit), task, rows, scores, folds, mistakes))
    status = dict(Counter(row.status for row in rows))
    return EvaluatedSuite(suite, folder, tuple(scores), status, status.get("failed", 0) + len(samples.unread))


def summary(suite: Suite, rows: list[SampleResult], scores: list[Score], folds: dict[int, float | None]) -> dict:
    """scores.json."""
    return {
        "format": results.FORMAT,
        "suite": suite.name,
        "primary": scores[0].metric,
        "n": len(rows),
        "status": dict(sorted(Counter(row.status for row in rows).items())),
        "scores": [score.to_dict() for score in scores],
        "folds": {str(fold + 1): value for fold, value in folds.items()},
    }
