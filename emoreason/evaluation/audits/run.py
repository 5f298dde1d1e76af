"""`audit`: one suite under one kind of change, from its file to a finished folder."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from emoreason.errors import ConfigError
from emoreason.evaluation import results
from emoreason.evaluation.audits import degradation, injection, modality, subgroups
from emoreason.evaluation.audits.page import gaps_page, page
from emoreason.evaluation.audits.subgroups import Gaps
from emoreason.evaluation.audits.trials import ConditionResult, outcomes, trials
from emoreason.evaluation.inputs import SampleInput
from emoreason.evaluation.run import described, load_inputs, run, scheme_of
from emoreason.evaluation.samples import Folders, Progress, SuiteSamples, load_samples
from emoreason.evaluation.suite import Suite
from emoreason.evaluation.tasks import EvalContext, task_class
from emoreason.evaluation.verdicts import as_asked
from emoreason.inference.judges import Judge
from emoreason.perception.landmarker import landmarkers_kept

Kind = Literal["modality", "ablation", "degradation", "subgroups", "injection"]
KINDS: tuple[Kind, ...] = ("modality", "ablation", "degradation", "subgroups", "injection")
FORMAT = "emoreason/audit/1"
_PLANS = {
    "modality": modality.plan, "ablation": modality.drops, "degradation": degradation.plan, "injection": injection.plan,
}  # fmt: skip
_ABOUT = {
    "modality": (
        "What do the answers depend on?",
        "One modality at a time is taken away, put out of order or taken from another clip that shows something else. A judge "
        "that looks at it changes its answers; one that is right all the same does not need it.",
    ),
    "ablation": (
        "What is each part of the input worth?",
        "One part at a time is taken away from the same judge, which is not trained anew. The difference is paired: the same "
        "samples with and without that part, whole subjects drawn together.",
    ),
    "degradation": (
        "How bad may the picture get?",
        "The frames are spoilt, measured anew and judged anew; the sound stays as it is. Sizes are relative to the face. Yaw "
        "turns the flat picture, which shows no other side of the head: read it as a lower bound.",
    ),
    "injection": (
        "Do words command the judge?",
        "What is said in the clip, or typed, imitates control tokens, evidence lines, answers and orders for an emotion that is "
        "not shown. What counts is how much more often the answer is that emotion than after words that merely mention it.",
    ),
    "subgroups": ("For whom are the answers worse?", "The suite's answers, split by groups that were given from outside."),
}


@dataclass(frozen=True)
class Audited:
    """What came out: `found` of conditions, `gaps` of subgroups; one of them is empty."""

    suite: Suite
    kind: Kind
    folder: Path
    found: tuple[ConditionResult, ...]
    gaps: tuple[Gaps, ...]
    failed: int

    def to_dict(self) -> dict:
        """Plain JSON."""
        figures = {"conditions": [one.to_dict() for one in self.found], "gaps": [one.to_dict() for one in self.gaps]}
        return {"suite": self.suite.name, "audit": self.kind, "folder": str(self.folder), "failed": self.failed, **figures}


def audit(
    kind: Kind,
    suite: Suite,
    path: Path,
    judge: Judge,
    folders: Folders,
    out: Path,
    store: Path,
    limit: int | None = None,
    groups: Path | None = None,
    progress: Progress | None = None,
) -> Audited:
    """Write `out`/<suite>-<kind>/: run.json, trials.jsonl, scores.json, report.html. `groups`: the table of subgroups, and only
    of them.

    Raises ConfigError for a suite of another kind than emotion, and where `groups` is missing, of no use or not fitting.
    """
    if not task_class(suite.kind).auditable:
        raise ConfigError(f"suite '{suite.name}' is of kind '{suite.kind}'; audits take suites of kind 'emotion'")
    if (kind == "subgroups") != (groups is not None):
        raise ConfigError("--groups FILE (columns id and one per attribute) goes with --audit subgroups, and only with it")
    if suite.input == "words" and kind in ("modality", "ablation", "degradation"):
        raise ConfigError(f"suite '{suite.name}' has words alone; the {kind} audit needs pictures or sound")
    judge = as_asked(judge, suite)
    samples = load_samples(suite, path, folders, limit, progress)
    folder = out / f"{suite.name}-{kind}"
    if groups is not None:
        return _by_group(samples, judge, folder, store, limit, groups, progress)
    context = EvalContext(samples.task, scheme_of(samples), judge)
    inputs, failures = _inputs(samples, judge, store, progress)
    plan, rows = _PLANS[kind](context, inputs), []
    with landmarkers_kept():
        for done, one in enumerate(inputs):
            if progress:
                progress(f"{suite.name}, {kind}", done, len(inputs))
            rows += trials(context, plan, one, failures)
    found = outcomes(plan.conditions, rows, samples.mapping.labels)
    if not found:
        why = failures[0] if failures else "no sample has what it changes"
        raise ConfigError(f"suite '{suite.name}': the {kind} audit changes nothing in it ({why})")
    about = described(samples, judge, limit) | {"format": FORMAT, "audit": kind}
    folder.mkdir(parents=True, exist_ok=True)
    results.write_json(folder / results.RUN, about)
    results.write_text(folder / "trials.jsonl", "".join(json.dumps(row.to_dict(), ensure_ascii=False) + "\n" for row in rows))
    scores = {"format": FORMAT, "conditions": [one.to_dict() for one in found], "failures": failures}
    results.write_json(folder / results.SCORES, scores)
    results.write_text(folder / results.PAGE, page(*_ABOUT[kind], about, found, failures))
    return Audited(suite, kind, folder, tuple(found), (), len(failures))


def _by_group(
    samples: SuiteSamples, judge: Judge, folder: Path, store: Path, limit: int | None, groups: Path, progress: Progress | None
) -> Audited:
    table = subgroups.read_groups(groups)
    rows = run(samples, judge, folder, store, limit, progress=progress)
    found = [subgroups.gaps(attribute, rows, group_of, samples.mapping.labels) for attribute, group_of in table.items()]
    results.write_json(folder / results.SCORES, {"format": FORMAT, "gaps": [one.to_dict() for one in found]})
    text = gaps_page(*_ABOUT["subgroups"], described(samples, judge, limit), found)
    results.write_text(folder / results.PAGE, text)
    failed = sum(row.status == "failed" for row in rows)
    return Audited(samples.suite, "subgroups", folder, (), tuple(found), failed)


def _inputs(
    samples: SuiteSamples, judge: Judge, store: Path, progress: Progress | None
) -> tuple[Sequence[SampleInput], list[str]]:
    """All samples at once: every one may lend its face or voice to another. Measurements stay on disk, memory-mapped."""
    inputs, failures = [], []
    for done, (sample, one) in enumerate(load_inputs(samples, samples.samples, store, judge), 1):
        if progress:
            progress("measurements", done, len(samples.samples))
        if isinstance(one, SampleInput):
            inputs.append(one)
        else:
            failures.append(f"{sample.id}: {one}")
    return inputs, failures
