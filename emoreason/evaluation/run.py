"""Running a suite: samples through a judge to a result folder. A sample that fails has a line that says why."""

import random
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from emoreason.errors import AssetError, EmoReasonError, EnvironmentProblem
from emoreason.evaluation import results
from emoreason.evaluation.explanations import OTHERS
from emoreason.evaluation.inputs import SampleInput
from emoreason.evaluation.results import SampleResult
from emoreason.evaluation.sample import EvalSample
from emoreason.evaluation.samples import Progress, SuiteSamples
from emoreason.evaluation.tasks import EvalContext, Prediction
from emoreason.inference.judges import Judge
from emoreason.instructions.label_tasks import Scheme
from emoreason.perception.observation import Observation


def run(
    samples: SuiteSamples,
    judge: Judge,
    folder: Path,
    store: Path,
    limit: int | None = None,
    restart: bool = False,
    progress: Progress | None = None,
) -> list[SampleResult]:
    """Ask the judge about each sample and write the lines as they come; what an earlier run has answered is kept.

    Returns all rows in the order of the samples. Raises ConfigError when the folder holds another run, AssetError and
    EnvironmentProblem, which would be true of every sample.
    """
    wanted = {sample.id: sample.truth for sample in samples.samples}
    known = results.begin(folder, described(samples, judge, limit), wanted, restart)
    todo = [sample for sample in samples.samples if sample.id not in known]
    done = len(known)
    others = partial(_others, samples=samples, store=store, judge=judge)
    context = EvalContext(samples.task, scheme_of(samples), judge, others)
    with open(folder / results.ROWS, "a", encoding="utf-8") as lines:
        for start in range(0, len(todo), judge.together):
            if progress:
                progress(samples.suite.name, done, len(wanted))
            for row in _rows(todo[start : start + judge.together], samples, context, store):
                known[row.id] = row
                lines.write(results.line(row))
                done += 1
            lines.flush()
    if progress:
        progress(samples.suite.name, done, len(wanted))
    rows = [known[sample.id] for sample in samples.samples]
    results.write_rows(folder / results.ROWS, rows)
    return rows


def described(samples: SuiteSamples, judge: Judge, limit: int | None) -> dict:
    """run.json. `key` covers everything that decides about an answer; `made` and the environment do not."""
    suite = samples.suite.model_dump(exclude_defaults=True)
    content = [[sample.id, sample.truth] for sample in samples.samples]
    about = judge.info().model_dump(exclude_none=True)
    decides = {"suite": suite, "judge": about, "limit": limit, "samples_sha256": results.digest(content)}
    mapping = samples.mapping
    labels = {"labels": list(mapping.labels), "crosswalk": dict(mapping.label_of), "unreachable": list(mapping.unreachable)}
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


def scheme_of(samples: SuiteSamples) -> Scheme:
    """The labels that the set offers, in its own words; none where it has no scheme."""
    scheme = samples.recipe.scheme
    return Scheme("", ()) if scheme is None else Scheme(scheme.name, scheme.offered, tuple(scheme.crosswalk.items()))


def _others(one: SampleInput, samples: SuiteSamples, store: Path, judge: Judge) -> list[Observation]:
    """Of samples of other groups, drawn by the id alone. One that cannot be measured is left out: it has its own line."""
    pool = [sample for sample in samples.samples if sample.group != one.sample.group]
    drawn = random.Random(one.sample.id).sample(pool, min(OTHERS, len(pool)))
    return [other.observation for _, other in load_inputs(samples, drawn, store, judge) if isinstance(other, SampleInput)]


def load_inputs(
    samples: SuiteSamples, some: Iterable[EvalSample], store: Path, judge: Judge
) -> Iterator[tuple[EvalSample, SampleInput | str]]:
    """Each sample with its input, or why there is none. Raises AssetError and EnvironmentProblem, which are true of all."""
    for sample in some:
        try:
            yield sample, samples.input_of(sample, store, judge)
        except (AssetError, EnvironmentProblem):
            raise
        except (EmoReasonError, OSError) as error:
            yield sample, _line(error)


def _rows(some: Sequence[EvalSample], samples: SuiteSamples, context: EvalContext, store: Path) -> Iterator[SampleResult]:
    inputs: list[SampleInput] = []
    for sample, one in load_inputs(samples, some, store, context.judge):
        if isinstance(one, SampleInput):
            inputs.append(one)
        else:
            yield _row(sample, Prediction("failed", reason=one))
    for one, prediction in _predictions(context, inputs):
        yield _row(one.sample, prediction, one.notes)


def _predictions(context: EvalContext, inputs: list[SampleInput]) -> Iterator[tuple[SampleInput, Prediction]]:
    """A batch that fails is tried one by one, so that one prompt that is too long fails alone."""
    if not inputs:
        return
    try:
        yield from zip(inputs, context.predictions(inputs), strict=True)
    except (AssetError, EnvironmentProblem):
        raise
    except (EmoReasonError, OSError) as error:
        if len(inputs) == 1:
            yield inputs[0], Prediction("failed", reason=_line(error))
        else:
            for one in inputs:
                yield from _predictions(context, [one])


def _row(sample: EvalSample, prediction: Prediction, notes: Sequence[str] = ()) -> SampleResult:
    about = {"id": sample.id, "group": sample.group, "fold": sample.fold, "media": sample.media, "truth": sample.truth}
    return SampleResult(**about, notes=list(notes), **vars(prediction))


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
