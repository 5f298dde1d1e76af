"""Clips for stage 0 out of single pictures, and batches of them.

Letters: N pictures of a data set, T frames of a clip, C clips, F frames of all clips of a batch, E emotions, A action units.

Most clips are one picture. The rest teach what only a series can: the same face again under another crop and light, two
expressions in turn, and the way from a neutral face to its peak (CK+), with frame-level labels and uneven times.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from emoreason.instructions.mixture import Draw, Mixture, Part
from emoreason.labels.emotions import EMOTIONS
from emoreason.model.face import FaceBatch
from emoreason.training.face_augment import Strength, augment, blend, plain
from emoreason.training.face_data import SIDE, Faces

NEUTRAL = EMOTIONS.index("neutral")
MOST = 6  # frames of a clip
RARE = 6.0  # a rare class is shown at most this many times as often as it occurs
_INPUTS = ("crops", "landmarks", "blendshapes", "pose", "gaze", "mesh")
_TARGETS = ("emotion", "aus", "measured")
_ONSET, _APEX = 0.25, 0.6  # on the way from neutral to peak: below the first no unit is active, above the second all are


@dataclass(frozen=True)
class Source:
    """Clips of one kind from one data set: `kind` is still, turns (some frames of one or two pictures), course (from neutral to
    peak) or last (all frames of a sequence). `weight` is its share of the clips."""

    faces: Faces
    kind: str
    weight: float

    @property
    def name(self) -> str:
        return f"{self.faces.dataset}-{self.kind}"


class FaceClips:
    """Examples for `fit`: a draw -> {inputs and targets [T, ...], times_s [T], seed}."""

    def __init__(self, sources: Sequence[Source], seed: int):
        self.sources = {source.name: source for source in sources}
        self.items = {source.name: _items(source, seed) for source in sources}
        parts = [Part(source.name, len(self.items[source.name]), source.weight) for source in sources]
        self.mixture = Mixture(parts, seed)

    def example(self, draw: Draw) -> dict:
        source, rng = self.sources[draw.part], draw.rng()
        item = self.items[draw.part][draw.item]
        make = {"still": _still, "turns": _turns, "course": _course, "last": _last}[source.kind]
        return make(source.faces, item, rng) | {"seed": int(rng.integers(2**62))}

    def prior(self) -> Tensor:
        """[E] share of each emotion among the single pictures of the first source, as they are drawn: what a head learns to
        expect of faces like those. Of a mixture with posed faces it would be wrong for both: the head tells the two apart
        (measured on FER+ valid: UAR 0.59 with the mixture's shares divided out, 0.64 with those of FER+)."""
        name, source = next((name, source) for name, source in self.sources.items() if source.kind == "still")
        labels = source.faces["emotion"][torch.tensor([item[0] for item in self.items[name]])]
        return labels[~labels.isnan().any(1)].mean(0)


def _items(source: Source, seed: int) -> list[tuple[int, ...]]:
    """Places in the data set, one tuple per clip."""
    if source.kind in ("still", "turns"):
        return [(i,) for i in balanced(source.faces, seed)]
    sequences: dict[str, list[int]] = {}
    for i, name in enumerate(source.faces.ids):
        sequences.setdefault(name.rsplit("_", 1)[0], []).append(i)
    several = [tuple(sorted(places, key=lambda i: source.faces.ids[i])) for places in sequences.values() if len(places) > 1]
    if source.kind == "last":
        return several
    return [(first, last) for first, *_, last in several if source.faces["majority"][first] == NEUTRAL]


def balanced(faces: Faces, seed: int) -> list[int]:
    """Places 0..N-1, those of rare emotions several times: as often as the square root of how much rarer they are."""
    labels = faces["emotion"]
    known = ~labels.isnan().any(1) & (faces["known"] >= 0.5)  # where most saw no emotion, the rest is guesswork
    shares = labels[known].mean(0)
    times = (shares.max() / shares.clamp_min(1e-6)).sqrt().clamp_max(RARE)  # [E]
    often = torch.where(labels.isnan(), 0.0, labels) @ times  # [N]
    often = torch.where(known, often, (faces["known"] == 0).float() * (~faces["aus"].isnan()).any(1))
    chance = torch.rand(len(faces), generator=torch.Generator().manual_seed(seed))
    return torch.arange(len(faces)).repeat_interleave((often + chance).floor().long()).tolist()


# clips


def _still(faces: Faces, item: tuple[int, ...], rng: np.random.Generator) -> dict:
    return _frames(faces, torch.tensor(item), torch.zeros(1))


def _turns(faces: Faces, item: tuple[int, ...], rng: np.random.Generator) -> dict:
    """One face several times, or another one from some frame on: whatever went before, a frame shows what it shows."""
    frames = int(rng.integers(2, MOST + 1))
    other = item[0] if rng.random() < 0.5 else int(rng.integers(len(faces)))
    places = torch.tensor([item[0]] * frames)
    places[int(rng.integers(1, frames)) :] = other
    return _frames(faces, places, _times(frames, rng))


def _last(faces: Faces, item: tuple[int, ...], rng: np.random.Generator) -> dict:
    """Neighbouring frames of a sequence, filmed 30 times a second."""
    return _frames(faces, torch.tensor(item[:MOST]), torch.arange(len(item[:MOST])) / 30)


def _course(faces: Faces, item: tuple[int, ...], rng: np.random.Generator) -> dict:
    """From the neutral face to its peak and sometimes back: pictures and meshes lie on each other, so they can be blended."""
    frames = int(rng.integers(3, MOST + 1))
    way = torch.from_numpy(np.sort(rng.random(frames)).astype(np.float32))  # [T] 0 neutral .. 1 peak
    way[0], way[-1] = 0.0, 1.0
    if rng.random() < 0.3:
        way = way.flip(0)
    ends = _frames(faces, torch.tensor(item), torch.zeros(2))
    out = {}
    for name in (*_INPUTS, *_TARGETS):
        first, last = (ends[name][i].float() for i in (0, 1))
        mixed = torch.lerp(first, last, way.view(-1, *[1] * first.dim()))
        out[name] = mixed.round().to(torch.uint8) if name == "crops" else mixed
    out["mesh"] = out["mesh"] == 1
    shown = ((way - 0.15) / 0.55).clamp(0, 1)[:, None]
    out["emotion"] = torch.lerp(ends["emotion"][0], ends["emotion"][1], shown)
    first, last = ends["aus"]
    between = torch.where((way > _ONSET) & (way < _APEX), torch.nan, 1.0)[:, None] + torch.zeros_like(first)
    coded = torch.where(way[:, None] <= _ONSET, first, last)
    out["aus"] = torch.where(first == last, last, coded * between)
    return out | {"times_s": _times(frames, rng)}


def _times(frames: int, rng: np.random.Generator) -> Tensor:
    """Uneven steps between 1/30 s and about a second."""
    steps = np.exp(rng.uniform(np.log(1 / 30), 0.0)) * rng.uniform(0.5, 1.5, frames - 1)
    return torch.from_numpy(np.concatenate([[0.0], np.cumsum(steps)]).astype(np.float32))


def _frames(faces: Faces, places: Tensor, times_s: Tensor) -> dict:
    return {name: faces[name][places] for name in (*_INPUTS, *_TARGETS)} | {"times_s": times_s}


# batches


@dataclass(frozen=True)
class Collate:
    """Examples -> augmented batch: face (FaceBatch [C, 1, T]) and the targets of FaceTraining."""

    strength: Strength
    mixed: float = 0.1  # share of the stills blended with another one

    def __call__(self, examples: Sequence[dict]) -> dict:
        lengths = torch.tensor([len(example["times_s"]) for example in examples])
        clips = torch.arange(len(examples)).repeat_interleave(lengths)  # [F]
        frames = {name: torch.cat([example[name] for example in examples]) for name in (*_INPUTS, *_TARGETS)}
        rng = torch.Generator().manual_seed(examples[0]["seed"])
        shown = augment(frames, clips, rng, SIDE, self.strength)
        still = lengths[clips] == 1
        shown = blend(shown, still & (torch.rand(len(clips), generator=rng) < self.mixed), rng)
        return packed(shown, clips, torch.cat([example["times_s"] for example in examples]))


def packed(frames: dict[str, Tensor], clips: Tensor, times_s: Tensor) -> dict:
    """Frames [F, ...] of C clips, in order -> {"face": FaceBatch [C, 1, T], targets [C, T, ...] with NaN where nothing is}."""
    count = int(clips.max()) + 1
    lengths = torch.bincount(clips, minlength=count)
    mask = torch.arange(int(lengths.max())) < lengths[:, None]  # [C, T]

    def spread(values: Tensor, empty: float = 0.0) -> Tensor:
        out = values.new_full((*mask.shape, *values.shape[1:]), empty)
        out[mask] = values
        return out

    crops = frames["crops"][:, None].expand(-1, 3, -1, -1)  # grey in three channels, as coloured pictures come
    face = FaceBatch(
        crops=spread(crops)[:, None],
        times_s=spread(times_s)[:, None],
        frame_mask=mask[:, None],
        mesh_mask=spread(frames["mesh"])[:, None],
        **{name: spread(frames[name])[:, None] for name in ("landmarks", "blendshapes", "pose", "gaze")},
    )
    targets = {name: spread(frames[name].float(), torch.nan) for name in (*_TARGETS, "series") if name in frames}
    return {"face": face} | targets


def stills(faces: Faces, places: Tensor) -> FaceBatch:
    """Single pictures as the encoder sees them outside training: [len(places), 1, 1]."""
    frames = plain({name: faces[name][places] for name in _INPUTS}, SIDE)
    return packed(frames, torch.arange(len(places)), torch.zeros(len(places)))["face"]
