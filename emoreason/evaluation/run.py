"""Running a suite: samples through a judge to a result folder. A sample that fails has a line that says why."""

import dataclasses
import random
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from emoreason.errors import AssetError, EmoReasonError, EnvironmentProblem
from emoreason.evaluation import results
from emoreason.evaluation.answers import Exam, Said
from emoreason.evaluation.explanations import OTHERS
from emoreason.evaluation.results import Row
from emoreason.evaluation.samples import Progress, Sample, Samples
from emoreason.evaluation.shown import Shown, show
from emoreason.inference.judges import Judge
from emoreason.instructions.label_tasks import Scheme
from emoreason.perception.observation import Observation


def run(
    samples: Samples,
    predictor: Judge,
    folder: Path,
    store: Path,
    limit: int | None = None,
    restart: bool = False,
    progress: Progress | None = None,
) -> list[Row]:
    """Ask the judge about each sample and write the lines as they come; what an earlier run has answered is kept.

    Returns all rows in the order of the samples. Raises ConfigError when the folder holds another run, AssetError and
    EnvironmentProblem, which would be true of every sample.
    """
    wanted = {sample.id: sample.truth for sample in samples.samples}
    known = results.begin(folder, described(samples, predictor, limit), wanted, restart)
    todo = [sample for sample in samples.samples if sample.id not in known]
    done = len(known)
    others = partial(_others, samples=samples, store=store, judge=predictor)
    exam = Exam(samples.suite, samples.native, scheme_of(samples), predictor, others)
    with open(folder / results.ROWS, "a", encoding="utf-8") as lines:
        for start in range(0, len(todo), predictor.together):
            if progress:
                progress(samples.suite.name, done, len(wanted))
            for row in _rows(todo[start : start + predictor.together], samples, exam, store):
                known[row.id] = row
                lines.write(results.line(row))
                done += 1
            lines.flush()
    rows = [known[sample.id] for sample in samples.samples]
    results.write_rows(folder / results.ROWS, rows)
    return rows


def described(samples: Samples, predictor: Judge, limit: int | None) -> dict:
    """run.json. `key` covers everything that decides about an answer; `made` and the environment do not."""
    suite = samples.suite.model_dump(exclude_defaults=True)
    content = [[sample.id, sample.truth] for sample in samples.samples]
    judge = predictor.info().model_dump(exclude_none=True)
    decides = {"suite": suite, "judge": judge, "limit": limit, "samples_sha256": results.digest(content)}
    labels = {"labels": list(samples.native.labels), "crosswalk": dict(samples.native.of),
              "unreachable": list(samples.native.unreachable)}  # fmt: skip
    counts = {"samples": len(samples.samples), "left_out": dict(samples.left_out), "unread": list(samples.unread)}
    return {
        "format": results.FORMAT,
        "key": results.digest(decides),
        **decides,
        **labels,
        **counts,
        "environment": results.environment(),
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def scheme_of(samples: Samples) -> Scheme:
    """The labels that the set offers, in its own words; none where it has no scheme."""
    scheme = samples.recipe.scheme
    return Scheme("", ()) if scheme is None else Scheme(scheme.name, scheme.offered, tuple(scheme.crosswalk.items()))


def _others(shown: Shown, samples: Samples, store: Path, judge: Judge) -> list[Observation]:
    """Of samples of other groups, drawn by the id alone. One that cannot be measured is left out: it has its own line."""
    pool = [sample for sample in samples.samples if sample.group != shown.sample.group]
    found = []
    for sample in random.Random(shown.sample.id).sample(pool, min(OTHERS, len(pool))):
        try:
            found.append(show(sample, samples, store, judge).observation)
        except (AssetError, EnvironmentProblem):
            raise
        except (EmoReasonError, OSError):
            continue
    return found


def _rows(some: Sequence[Sample], samples: Samples, exam: Exam, store: Path) -> Iterator[Row]:
    shown: list[Shown] = []
    for sample in some:
        try:
            shown.append(show(sample, samples, store, exam.predictor))
        except (AssetError, EnvironmentProblem):
            raise
        except (EmoReasonError, OSError) as error:
            yield _row(sample, Said("failed", reason=_line(error)))
    for one, said in _answers(exam, shown):
        yield _row(one.sample, said, one.notes)


def _answers(exam: Exam, shown: list[Shown]) -> Iterator[tuple[Shown, Said]]:
    """A batch that fails is tried one by one, so that one prompt that is too long fails alone."""
    if not shown:
        return
    try:
        yield from zip(shown, exam.answers(shown), strict=True)
    except (AssetError, EnvironmentProblem):
        raise
    except (EmoReasonError, OSError) as error:
        if len(shown) == 1:
            yield shown[0], Said("failed", reason=_line(error))
        else:
            for one in shown:
                yield from _answers(exam, [one])


def _row(sample: Sample, said: Said, notes: Sequence[str] = ()) -> Row:
    told = {field.name: getattr(said, field.name) for field in dataclasses.fields(said)}
    return Row(
        id=sample.id, group=sample.group, fold=sample.fold, media=sample.media, truth=sample.truth, notes=list(notes), **told
    )


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
