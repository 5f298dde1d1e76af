"""`emoreason evaluate --audit KIND`: suites under changes of their input, and answers by given groups."""

from functools import partial
from pathlib import Path

from emoreason.cli.shared import choices
from emoreason.cli.suites import Asked, run_each
from emoreason.terminal import safe

# those of evaluation.audits, which takes seconds to import
KINDS = ("modality", "ablation", "degradation", "subgroups", "injection")


def run_audits(asked: Asked, kinds: str, groups: Path | None = None) -> int:
    """Each kind of `kinds` (comma separated) on each suite; one that cannot be audited costs the others nothing."""
    chosen = choices(kinds, KINDS, "--audit")
    from emoreason.evaluation.audits import audit

    loaded = asked.loaded()
    judge, folders, store = asked.judge(), asked.folders(), asked.measurements()
    jobs = [
        (f"{suite.name}, {kind}", partial(audit, kind, suite, path, judge, folders, asked.out, store, asked.limit, groups))
        for kind in chosen
        for suite, path in loaded
    ]
    return run_each(asked, jobs, _print)


def _print(done) -> None:
    print(safe(f"{done.suite.name}, {done.kind}: {done.folder / 'report.html'}"))
    for one in done.found:
        interval = f" [{one.worse.interval[0]:+.3f}, {one.worse.interval[1]:+.3f}]" if one.worse.interval else ""
        numbers = f"accuracy {one.accuracy:.3f} ({one.worse.value:+.3f}{interval}), changed {one.changed:.3f}, n {one.n}"
        print(safe(f"  {one.condition.title:40} {numbers}"))
    for one in done.gaps:
        print(safe(f"  {one.attribute}: gap in accuracy {one.accuracy_gap.value:.3f}, by chance {one.expected['accuracy']:.3f}"))
