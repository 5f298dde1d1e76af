"""Tools that one can install today, on the same samples, each in a virtual environment of its own.

A peer runs through `scripts/peer_worker.py` in that environment and gives scores in its own words; the mapping to canonical
emotions stands here and goes into the table. Where the sample is a face crop its own detector is off: what is compared is how
expressions are told, not how faces are found.
"""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from emoreason.errors import EnvironmentProblem
from emoreason.evaluation.label_mapping import LabelMapping, most_likely
from emoreason.evaluation.sample import EvalSample
from emoreason.evaluation.samples import SuiteSamples
from emoreason.labels.emotions import EMOTIONS
from emoreason.scoring.metrics.classification import classification_scores
from emoreason.scoring.metrics.score import Failures, Protocol, Score


@dataclass(frozen=True)
class Peer:
    """`bare` is installed without what it asks for, `needs` with it. `weights`: files below the home folder, for tools whose
    weights are not in the package; without them the tool is left out. `said`: its label -> canonical emotion."""

    name: str
    bare: tuple[str, ...]
    needs: tuple[str, ...]
    said: Mapping[str, str]
    trained_on: str
    protocol: str
    weights: tuple[str, ...] = ()


# Both still ask for what OpenCV 5 dropped, and fer for pkg_resources; facenet-pytorch, moviepy and ffmpeg-python are for its
# other detector and for films, which are not used here.
_TENSORFLOW = ("tensorflow-cpu==2.21.0", "opencv-python-headless<5")
PEERS = {
    "fer": Peer(
        "fer",
        ("fer==25.10.3",),
        (*_TENSORFLOW, "setuptools<80", "pandas", "matplotlib", "pillow", "requests", "tqdm"),
        {"angry": "anger", "disgust": "disgust", "fear": "fear", "happy": "happiness", "sad": "sadness", "surprise": "surprise",
         "neutral": "neutral"},
        "FER2013",
        "its shipped TensorFlow Lite network on the whole crop, padding off (with its 10 pixels of padding it did worse on FER+ "
        "validation crops: 0.60 against 0.66, n = 300); of videos its own Haar detector, every quarter second, mean of scores",
    ),
    "facex": Peer(
        "facex",
        ("facex==1.1.0",),
        (*_TENSORFLOW, "scikit-image"),
        {"anger": "anger", "disgust": "disgust", "fear": "fear", "happy": "happiness", "neutral": "neutral", "sadness": "sadness",
         "surprised": "surprise"},
        "not stated by its authors (so good on CK+ and so poor on FER+ that CK+ was probably in it)",
        "its network on the whole crop in grey, as its own `predict` gives it; of videos its own Haar detector, every quarter "
        "second, mean of scores",
    ),
}  # fmt: skip


def python_of(peer: Peer, folder: Path) -> Path:
    """The interpreter of the peer's environment below `folder`, made and filled where it is not there yet.

    Raises EnvironmentProblem with pip's last words, or naming the weights that are missing.
    """
    if missing := [name for name in peer.weights if not (Path.home() / name).is_file()]:
        raise EnvironmentProblem(f"{peer.name}: its weights are not in ~/{missing[0]}; get them from its authors first")
    home, wanted = folder / peer.name, "\n".join((*peer.bare, *peer.needs))
    python, ready = home / "bin" / "python", home / "installed.txt"
    if ready.is_file() and ready.read_text(encoding="utf-8") == wanted:
        return python
    _run([sys.executable, "-m", "venv", str(home)])
    _run([str(python), "-m", "pip", "install", "-q", "--no-deps", *peer.bare])
    _run([str(python), "-m", "pip", "install", "-q", *peer.needs])
    ready.write_text(wanted, encoding="utf-8")
    return python


def ask(peer: Peer, python: Path, worker: Path, samples: Sequence[EvalSample], root: Path, work: Path) -> dict[str, dict | None]:
    """id -> scores in the peer's own words, None where it found no face. What `work` holds from before is not asked again.

    Raises EnvironmentProblem with the tool's last words when it breaks off.
    """
    work.mkdir(parents=True, exist_ok=True)
    listed, out = work / f"{peer.name}-samples.jsonl", work / f"{peer.name}-scores.jsonl"
    lines = [{"id": one.id, "path": str(root / one.media), "crop": one.record.cropped_face} for one in samples]
    listed.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    _run([str(python), str(worker), peer.name, str(listed), str(out)])
    found = {row["id"]: row["scores"] for row in map(json.loads, out.read_text(encoding="utf-8").splitlines())}
    return {one.id: found[one.id] for one in samples}


def _run(command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines() or ["no message"]
        raise EnvironmentProblem(f"`{' '.join(command[:5])} ...` failed: {said[-1]}")


def canonical(peer: Peer, scores: Mapping[str, float] | None) -> dict[str, float] | None:
    """The peer's scores over canonical emotions. Raises KeyError for a label that its mapping does not know."""
    return None if scores is None else {peer.said[label]: float(p) for label, p in scores.items()}


def emotions_of(peers: Sequence[Peer]) -> tuple[str, ...]:
    """What every one of them can say."""
    return tuple(emotion for emotion in EMOTIONS if all(emotion in peer.said.values() for peer in peers))


def shared(mapping: LabelMapping, emotions: Sequence[str]) -> LabelMapping:
    """The labels of a set that stand for one of `emotions`: those that all tools of a table can answer."""
    of = {emotion: label for emotion, label in mapping.label_of.items() if emotion in emotions}
    return LabelMapping(tuple(label for label in mapping.labels if label in of.values()), mapping.merged, of)


def scores_among(
    samples: SuiteSamples, said: Mapping[str, Mapping[str, float] | None], mapping: LabelMapping, by_group: bool
) -> list[Score]:
    """Of samples whose truth is among `mapping.labels`, the best of these labels by the canonical scores of each sample.

    A sample without scores counts as wrong, and as one without a face. `by_group`: intervals draw whole subjects.
    """
    counted = [one for one in samples.samples if one.truth["label"] in mapping.labels]
    answers = [most_likely(mapping.probabilities(said[one.id])) for one in counted]
    groups = [one.group for one in counted] if by_group else None
    protocol = Protocol(samples.suite.name, groups, Failures(no_face=sum(answer is None for answer in answers)))
    return classification_scores([one.truth["label"] for one in counted], answers, mapping.labels, protocol)
