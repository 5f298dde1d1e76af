"""Installable tools, simple probes and our own judges on the same samples, side by side; writes docs/benchmarks/peers.md.

    python scripts/bench_peers.py --environments DIR [--work DIR] [--suites S...] [--peers P...] [--models M...]
                                  [--limit N] [--train-limit N] [--out FILE]

S: the name of a suite, or NAME:N for N of its samples, evenly spread.
Data: $EMOREASON_DATA, else ../shared/data beside the checkout. Each peer gets a virtual environment below --environments, filled
by pip. Answers are kept below --work: started again, the script goes on where it was.
"""

import argparse
import json
import os
import platform
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from emoreason import __version__
from emoreason.config import DEFAULT_MODEL
from emoreason.errors import EmoReasonError
from emoreason.evaluation import probes
from emoreason.evaluation.peers import PEERS, Peer, ask, canonical, emotions_of, python_of, scores_among, shared
from emoreason.evaluation.run import run
from emoreason.evaluation.sample import EvalSample, text_of
from emoreason.evaluation.samples import Folders, SuiteSamples, load_samples
from emoreason.evaluation.suite_file import load_suite
from emoreason.inference.judges import load_judge
from emoreason.instructions.observe_all import default_store, files_of
from emoreason.media import Clip
from emoreason.model.modeling import load_whisper
from emoreason.scoring.metrics.score import Score

ROOT = Path(__file__).resolve().parents[1]
DATA = os.environ.get("EMOREASON_DATA") or str(ROOT.parent / "shared" / "data")
# Of CK+ the held-out fold alone: ours have learnt from the others. Peers and probes may be run on `ckplus_emotion`, all five.
SUITES = ["ferplus_test", "ckplus_emotion_test", "clips_emotion", "ravdess_test", "meld_test", "goemotions_test"]
Said = dict[str, Mapping[str, float] | None]  # id of a sample -> canonical emotion -> score; None: no answer


@dataclass
class Table:
    """What came out for one suite: tool -> its answers, in canonical emotions, and a remark."""

    samples: SuiteSamples
    limit: int | None = None  # samples of the suite, evenly spread; None: all
    said: dict[str, Said] = field(default_factory=dict)
    remarks: dict[str, str] = field(default_factory=dict)


def main() -> None:
    arguments = parse()
    tables = []
    for name, own in arguments.suites:
        limit = own or arguments.limit
        suite, path = load_suite(name)
        table = Table(load_samples(suite, path, Folders({}, DATA), limit), limit)
        work = arguments.work / (name if limit is None else f"{name}-{limit}")
        if table.samples.suite.input == "media" and not _is_sound(table.samples.samples[0]):
            for peer in arguments.peers:
                add_peer(table, PEERS[peer], arguments.environments, work)
        add_floors(table, path, arguments.train_limit, work)
        for model in arguments.models:
            add_model(table, model, work)
        tables.append(table)
        print(f"{name}: {len(table.samples.samples)} samples, {len(table.said)} tools", flush=True)
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        arguments.out.write_text(page(tables, arguments), encoding="utf-8")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--environments", type=Path, required=True, help="where the peers' virtual environments lie")
    parser.add_argument("--work", type=Path, default=Path("peers-work"), help="where answers are kept")
    parser.add_argument("--suites", nargs="+", default=[(name, None) for name in SUITES], type=suite_asked, metavar="S")
    parser.add_argument("--peers", nargs="*", default=list(PEERS), choices=list(PEERS))
    parser.add_argument("--models", nargs="*", default=["composer", DEFAULT_MODEL], help="composer, a folder, a name")
    parser.add_argument("--limit", type=int, help="samples of each suite, evenly spread (default: all)")
    parser.add_argument("--train-limit", type=int, default=12_000, help="training samples of a probe")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "benchmarks" / "peers.md")
    return parser.parse_args()


def suite_asked(text: str) -> tuple[str, int | None]:
    """NAME or NAME:N. argparse tells what is wrong before anything runs."""
    name, colon, own = text.partition(":")
    if colon and not (own.isdecimal() and int(own)):
        raise argparse.ArgumentTypeError(f"'{text}': N in NAME:N must be a whole number above 0")
    try:
        load_suite(name)
    except EmoReasonError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return name, int(own) if own else None


def _is_sound(sample: EvalSample) -> bool:
    media = sample.record.media
    return not (media.image or media.video or media.frames)


# who answers


def add_peer(table: Table, peer: Peer, environments: Path, work: Path) -> None:
    name = f"{peer.bare[0].replace('==', ' ')}"
    try:
        python = python_of(peer, environments)
        found = ask(peer, python, ROOT / "scripts" / "peer_worker.py", table.samples.samples, table.samples.root, work)
    except EmoReasonError as error:
        print(f"left out: {error}", flush=True)
        return
    table.said[name] = {sample: canonical(peer, scores) for sample, scores in found.items()}
    table.remarks[name] = f"trained on: {peer.trained_on}; {peer.protocol}"


def add_model(table: Table, model: str, work: Path) -> None:
    judge = load_judge(model)
    rows = run(table.samples, judge, work / judge.name, default_store(), table.limit)
    name = f"emoreason {__version__}, {judge.name}"
    table.said[name] = {row.id: row.prediction and _of(table, row.prediction["probabilities"]) for row in rows}
    failed = sum(row.status == "failed" for row in rows)
    table.remarks[name] = f"the most likely candidate, also where the verdict abstains; {failed} samples failed"


def _of(table: Table, shares: Mapping[str, float]) -> dict[str, float]:
    """Native labels back in canonical emotions, one to one."""
    return {emotion: shares.get(label, 0.0) for emotion, label in table.samples.mapping.label_of.items()}


def add_floors(table: Table, path: Path, most: int, work: Path) -> None:
    """A set for testing alone has nothing to learn from, and no floors."""
    file = work / f"floors-{most}.json"
    if not file.is_file():
        work.mkdir(parents=True, exist_ok=True)
        try:
            made = floors(table.samples, path, most)
        except EmoReasonError as error:
            print(f"no floors for {table.samples.suite.name}: {error}", flush=True)
            made = {}
        file.write_text(json.dumps(made), encoding="utf-8")
    for name, (remark, said) in json.loads(file.read_text(encoding="utf-8")).items():
        table.said[name] = {one.id: said.get(one.id) and _of(table, said[one.id]) for one in table.samples.samples}
        table.remarks[name] = remark


def floors(samples: SuiteSamples, path: Path, most: int) -> dict[str, tuple[str, dict[str, dict[str, float]]]]:
    """Name -> remark, and the labels' probabilities by id of the samples that it could answer."""
    suite, (kind, probe, features) = samples.suite, _probe(samples)
    ids, tested = [one.id for one in samples.samples], [features(one) for one in samples.samples]
    known = [k for k, value in enumerate(tested) if value is not None]
    if suite.folds:
        labels, folds = [samples.samples[k].truth["label"] for k in known], [samples.samples[k].fold for k in known]
        said = probes.predict_folds(probe, [tested[k] for k in known], labels, folds)
        common = probes.predict_folds(probes.majority(), *_unseen(samples.samples), [one.fold for one in samples.samples])
        remark = f"trained on the other folds of {len(labels)} samples"
    else:
        train = load_samples(suite.model_copy(update={"split": "train"}), path, Folders({}, DATA), most)
        pairs = [(features(one), one.truth["label"]) for one in train.samples]
        values, labels = zip(*((value, label) for value, label in pairs if value is not None), strict=True)
        said = probes.predict(probe, values, labels, [tested[k] for k in known])
        common = probes.predict(probes.majority(), *_unseen(train.samples), [[0.0]] * len(ids))
        remark = f"trained on {len(labels)} samples of the training split"
    by_id = dict(zip([ids[k] for k in known], said, strict=True))
    return {f"probe: {kind}": (remark, by_id), "most frequent label": (remark, dict(zip(ids, common, strict=True)))}


def _unseen(samples: Sequence[EvalSample]) -> tuple[list[list[float]], list[str]]:
    """The labels alone."""
    return [[0.0]] * len(samples), [one.truth["label"] for one in samples]


def _probe(samples: SuiteSamples) -> tuple[str, object, Callable[[EvalSample], object]]:
    """(name, classifier, features of a sample; None where there are none)."""
    if samples.suite.input == "words":
        return "logistic regression on TF-IDF", probes.words(), _words
    if _is_sound(samples.samples[0]):
        encoder = load_whisper({"asset": "whisper-base"})

        def heard(one: EvalSample) -> np.ndarray:
            return probes.voice_features(Clip(files_of(one.record, samples.root)[-1]).audio(), encoder)[-1]

        return "logistic regression on Whisper-base states, last layer", probes.linear(0.01), heard

    judge = load_judge("composer")  # a probe reads what was measured, which the composer does not refine

    def seen(one: EvalSample) -> np.ndarray | None:
        try:
            return probes.face_features(samples.input_of(one, default_store(), judge).observation)
        except EmoReasonError:
            return None

    return "logistic regression on blendshapes + mesh", probes.linear(0.01), seen


def _words(sample: EvalSample) -> str:
    record = sample.record
    return record.turns[record.target_turn].text if record.target_turn is not None else text_of(record)


# the page


def page(tables: list[Table], arguments: argparse.Namespace) -> str:
    command = f"python scripts/bench_peers.py --environments DIR --train-limit {arguments.train_limit}"
    command += f" --limit {arguments.limit}" if arguments.limit else ""
    asked = " ".join(name if own is None else f"{name}:{own}" for name, own in arguments.suites)
    lines = [
        "# Installable tools, simple probes and ours, on the same samples",
        "",
        f"`{command} --suites {asked}` (models: {', '.join(arguments.models)}), "
        f"{datetime.now(UTC):%Y-%m-%d}, revision {_revision()}; {hardware()}.",
        "",
        "Everybody answers the same question: which of the set's labels? The best of the candidates counts, abstentions do not "
        "excuse; a sample for which a tool has no answer (no face found, no listed word) is wrong and counted under *none*. "
        "Where a picture is a face crop the tools' own detectors are off. *shared* columns: only samples whose label every peer "
        "can say, answered among these labels alone. WAR is accuracy, UAR the mean recall of classes, with 95 % intervals by "
        "bootstrap over subjects (where nobody knows them: over samples). What a tool was trained on stands in its remark.",
        "",
    ]
    for table in tables:
        lines += section(table)
    return "\n".join(lines)


def section(table: Table) -> list[str]:
    samples = table.samples
    peers = [PEERS[name] for name in PEERS if any(tool.startswith(f"{name} ") for tool in table.said)]
    among = shared(samples.mapping, emotions_of(peers)) if peers else samples.mapping
    narrower = set(among.labels) != set(samples.mapping.labels)
    columns = ["n", "none", "WAR", "UAR"] + (["n shared", "WAR shared", "UAR shared"] if narrower else [])
    lines = [f"## {samples.suite.title}", "", " ".join(samples.suite.protocol.split()), ""]
    lines += [f"| tool | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
    for tool, said in table.said.items():
        whole = {score.metric: score for score in scores_among(samples, said, samples.mapping, by_group=True)}
        cells = [str(whole["war"].n), str(whole["war"].unanswered), shown(whole["war"]), shown(whole["uar"])]
        if narrower:
            part = {score.metric: score for score in scores_among(samples, said, among, by_group=True)}
            cells += [str(part["war"].n), shown(part["war"]), shown(part["uar"])]
        lines.append(f"| {tool} | {' | '.join(cells)} |")
    return [*lines, "", *(f"- {tool}: {remark}." for tool, remark in table.remarks.items()), ""]


def shown(score: Score) -> str:
    if score.value is None:
        return "–"
    low, high = score.interval or (None, None)
    return f"{score.value:.3f}" + ("" if low is None else f" [{low:.3f}, {high:.3f}]")


def _revision() -> str:
    found = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    return found.stdout.strip() or __version__


def hardware() -> str:
    return f"{os.cpu_count()} {platform.machine()} cores, no GPU, Python {platform.python_version()}"


if __name__ == "__main__":
    main()
