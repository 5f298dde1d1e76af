"""`emoreason evaluate --audit KIND`: suites under changes of their input, and answers by given groups."""

import json
import os
from pathlib import Path

from rich.console import Console

from emoreason.cli.shared import INPUT_FAILED, USAGE, choices, make_folder, print_line, report_failure
from emoreason.errors import AssetError, EmoReasonError, EnvironmentProblem
from emoreason.terminal import progress, safe

KINDS = ("modality", "degradation", "subgroups", "injection")  # those of evaluation.audits, which takes seconds to import


def run_audits(
    kinds: str,
    suites: list[str],
    model: str,
    given: dict[str, Path],
    out: Path,
    limit: int | None = None,
    store: Path | None = None,
    groups: Path | None = None,
    as_json: bool = False,
    quiet: bool = False,
    debug: bool = False,
) -> int:
    """Each kind of `kinds` (comma separated) on each suite; one that cannot be audited costs the others nothing."""
    chosen = choices(kinds, KINDS, "--audit")
    from emoreason.evaluation.audits import audit
    from emoreason.evaluation.predictors import load_predictor
    from emoreason.evaluation.samples import Folders
    from emoreason.evaluation.suite import load_suite
    from emoreason.instructions.observe_all import default_store

    loaded = [load_suite(name) for name in suites]
    make_folder(out)
    judge, folders = load_predictor(model), Folders(given, os.environ.get("EMOREASON_DATA"))
    lost, incomplete = 0, False
    for kind, (suite, path) in ((kind, one) for kind in chosen for one in loaded):
        try:
            with progress(Console(stderr=True), "", show=not quiet) as hook:
                done = audit(kind, suite, path, judge, folders, out, store or default_store(), limit, groups, hook)
        except (AssetError, EnvironmentProblem):
            raise  # true of all that follow
        except EmoReasonError as error:
            lost += 1
            report_failure(f"{suite.name}, {kind}", error, debug)
            continue
        incomplete |= bool(done.failed)
        if as_json:
            print_line(json.dumps(done.to_dict(), ensure_ascii=False, allow_nan=False))
        elif not quiet:
            _print(done)
    return USAGE if lost == len(loaded) * len(chosen) else INPUT_FAILED if lost or incomplete else 0


def _print(done) -> None:
    print(safe(f"{done.suite.name}, {done.kind}: {done.folder / 'report.html'}"))
    for one in done.found:
        numbers = f"accuracy {one.accuracy:.3f} ({one.worse.value:+.3f}), changed {one.changed:.3f}, n {one.n}"
        print(safe(f"  {one.condition.title:40} {numbers}"))
    for one in done.gaps:
        print(safe(f"  {one.attribute}: gap in accuracy {one.accuracy_gap.value:.3f}, by chance {one.expected['accuracy']:.3f}"))
