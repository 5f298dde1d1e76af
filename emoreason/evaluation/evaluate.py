"""`evaluate`: one suite from its file to a finished result folder."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from emoreason.evaluation import results
from emoreason.evaluation.judge import Grader, judged_scores
from emoreason.evaluation.page import page
from emoreason.evaluation.results import Row
from emoreason.evaluation.run import described, run
from emoreason.evaluation.samples import Folders, Progress, Samples, load_samples
from emoreason.evaluation.scores import Scoring, by_fold, scoring
from emoreason.evaluation.suite import Suite
from emoreason.evaluation.verdicts import as_asked
from emoreason.evaluation.worst import look, worst
from emoreason.inference.judges import Judge
from emoreason.scoring.metrics.score import Score


@dataclass(frozen=True)
class Evaluated:
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
    predictor: Judge,
    folders: Folders,
    out: Path,
    store: Path,
    limit: int | None = None,
    restart: bool = False,
    progress: Progress | None = None,
    judge: Grader | None = None,
) -> Evaluated:
    """Ask, score and write `out`/<suite>/: run.json, samples.jsonl, scores.json, report.html, worst/. `judge`: a language model
    that compares explanations with human ones.

    Raises ConfigError for a suite without samples and for a folder that holds another run; see `run` for what else.
    """
    predictor = as_asked(predictor, suite)
    samples = load_samples(suite, path, folders, limit, progress)
    folder = out / suite.name
    rows = run(samples, predictor, folder, store, limit, restart, progress)
    scored = scoring(suite, samples.native.labels, samples.wheels)
    scores = scored.scores(rows)
    if judge is not None and suite.kind == "reasoning":
        scores += judged_scores(judge, rows, scored.protocol(rows))
    folds = by_fold(scored, rows)
    results.write_json(folder / results.SCORES, summary(suite, rows, scores, folds))
    _write_page(samples, predictor, scored, rows, scores, folds, folder, store, limit)
    status = dict(Counter(row.status for row in rows))
    return Evaluated(suite, folder, tuple(scores), status, status.get("failed", 0) + len(samples.unread))


def summary(suite: Suite, rows: list[Row], scores: list[Score], folds: dict[int, float | None]) -> dict:
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


def _write_page(
    samples: Samples, predictor: Judge, scored: Scoring, rows: list[Row], scores: list[Score],
    folds: dict[int, float | None], folder: Path, store: Path, limit: int | None,
) -> None:  # fmt: skip
    shown = look(worst(samples.suite, rows), samples, predictor, folder, store)
    text = page(described(samples, predictor, limit), scored, rows, scores, folds, shown)
    results.write_text(folder / results.PAGE, text)
