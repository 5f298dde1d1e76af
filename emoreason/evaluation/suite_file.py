"""Suite files: found by name or path, read and checked; and the fold lists beside them."""

from difflib import get_close_matches
from pathlib import Path

import yaml
from pydantic import ValidationError

from emoreason.config import resolve
from emoreason.errors import ConfigError
from emoreason.evaluation.suite import Joined, Subset, Suite
from emoreason.evaluation.tasks import KINDS, EvaluationTask, task_class


def load_suite(name_or_path: str | Path) -> tuple[Suite, Path]:
    """A suite file, or the shipped one of that name, and where it lies. ConfigError names file, key and the nearest key."""
    path = resolve("suites", name_or_path)
    if path.is_dir():
        raise ConfigError(f"{path} is a folder; name a suite file (.yaml) or a shipped suite")
    values = _yaml(path)
    try:
        suite = Suite.model_validate(values)
        _check(suite)
        return suite, path
    except ValidationError as error:
        raise ConfigError(f"{path}: {_explain(error)}") from error
    except ValueError as error:
        raise ConfigError(f"{path}: {error}") from error


def load_folds(suite: Suite, path: Path) -> dict[str, int]:
    """id -> fold, counted from 0. Raises ConfigError for an empty list and for an id that is listed twice."""
    file = path.parent / suite.folds
    folds = _yaml(file).get("folds")
    if not isinstance(folds, list) or len(folds) < 2 or not all(isinstance(ids, list) and ids for ids in folds):
        raise ConfigError(f"{file}: `folds` must be a list of two or more lists of ids, none of them empty")
    fold_of: dict[str, int] = {}
    for fold, ids in enumerate(folds):
        for one in ids:
            if one in fold_of:
                raise ConfigError(f"{file}: id '{one}' is listed twice (folds {fold_of[one] + 1} and {fold + 1})")
            fold_of[str(one)] = fold
    return fold_of


def _check(suite: Suite) -> None:
    """Raises ValueError for settings that do not fit the kind of question."""
    if suite.kind not in KINDS:
        raise ValueError(f"'kind': '{suite.kind}' is unknown; {_nearest(suite.kind, KINDS)}")
    task = task_class(suite.kind)
    kind_of = {name: kind for kind, one in EvaluationTask.registry.items() for name in one.benchmarks}
    for name in suite.metrics:
        if name not in kind_of:
            raise ValueError(f"'metrics': '{name}' is unknown; {_nearest(name, kind_of)}")
        if name not in task.benchmarks:
            raise ValueError(f"metrics '{name}' are for kind '{kind_of[name]}', not for '{suite.kind}'")
    task.check(suite)
    if suite.answer == "head" and ("head" not in task.answers or suite.input == "words"):
        raise ValueError("`answer: head` is for emotions and action units of pictures or sound")
    if suite.answer == "free" and "free" not in task.answers:
        raise ValueError("`answer: free` is for kind 'emotion'; the other written answers are free as they are")


def _nearest(word: str, known) -> str:
    near = get_close_matches(word, known, 1, cutoff=0.4)
    return f"did you mean '{near[0]}'?" if near else f"known here: {', '.join(known)}"


def _yaml(path: Path) -> dict:
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{path}: cannot be read as YAML ({' '.join(str(error).split())})") from error
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: must be a mapping of keys, not {type(values).__name__}")
    return values


def _explain(error: ValidationError) -> str:
    """The first problem in one line; an unknown key comes with its nearest neighbour."""
    first = sorted(error.errors(), key=lambda e: e["type"] != "extra_forbidden")[0]  # a typo also makes its key "missing"
    place = [str(part) for part in first["loc"]]
    where = ".".join(place) or "suite"
    if first["type"] != "extra_forbidden":
        return f"'{where}': {first['msg']}"
    part = {"subset": Subset, "join": Joined}.get(place[0], Suite) if len(place) > 1 else Suite
    return f"no key '{where}'; {_nearest(place[-1], part.model_fields)}"
