"""Clips of faces out of single pictures, and batches of them.

Letters: N pictures of a data set, T frames of a clip, C clips, F frames of all clips of a batch, E emotions, A action units.

Most clips are one picture. The rest teach what only a series can: the same face again under another crop and light, two
expressions in turn, and the way from a neutral face to its peak, with frame-level labels and uneven times.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from emoreason.errors import ConfigError
from emoreason.instructions.mixture import Draw, Mixture, Part
from emoreason.labels.emotions import EMOTIONS
from emoreason.model.batch import FaceBatch
from emoreason.training.face.augment import augment, blend, mirrored, plain
from emoreason.training.face.data import Faces
from emoreason.training.settings.face import FaceAugment, FaceBalance, FaceClipSettings

NEUTRAL = EMOTIONS.index("neutral")
_INPUTS = ("crops", "landmarks", "blendshapes", "pose", "gaze", "mesh")
_TARGETS = ("emotion", "aus", "measured")


@dataclass(frozen=True)
class Source:
    """Clips of one kind (settings.face.FaceSourceSettings) of the pictures of one data set; `weight`: its share of the clips."""

    faces: Faces
    kind: str
    weight: float

    @property
    def name(self) -> str:
        return f"{self.faces.dataset}-{self.kind}"


class FaceClips:
    """Examples for `fit`: a draw -> {inputs and targets [T, ...], times_s [T], seed}."""

    def __init__(self, sources: Sequence[Source], clips: FaceClipSettings, balance: FaceBalance, seed: int):
        """Raises ConfigError for a source of which nothing can be drawn."""
        self.sources, self.clips = {source.name: source for source in sources}, clips
        self.items = {source.name: _items(source, balance, seed) for source in sources}
        if empty := [source for source in sources if not self.items[source.name]]:
            raise ConfigError(f"{empty[0].faces.dataset}: its training pictures make no clip of kind '{empty[0].kind}'")
        parts = [Part(source.name, len(self.items[source.name]), source.weight) for source in sources]
        self.mixture = Mixture(parts, seed)

    def example(self, draw: Draw) -> dict:
        source, rng = self.sources[draw.part], draw.rng()
        item = self.items[draw.part][draw.item]
        make = {"still": _still, "turns": _turns, "course": _course, "last": _last}[source.kind]
        return make(source.faces, item, self.clips, rng) | {"seed": int(rng.integers(2**62))}

    def prior(self, dataset: str) -> Tensor:
        """[E] share of each emotion among the stills of a data set, as they are drawn: what a head learns to expect. One that
        never is counts as one in a thousand."""
        [source] = [source for source in self.sources.values() if (source.faces.dataset, source.kind) == (dataset, "still")]
        labels = source.faces["emotion"][torch.tensor([item[0] for item in self.items[source.name]])]
        return labels[~labels.isnan().any(1)].mean(0).clamp_min(1e-3)


def _items(source: Source, balance: FaceBalance, seed: int) -> list[tuple[int, ...]]:
    """Places in the data set, one tuple per clip."""
    if source.kind in ("still", "turns"):
        return [(i,) for i in balanced(source.faces, balance, seed)]
    sequences: dict[str, list[int]] = {}
    for i, name in enumerate(source.faces.sequences):
        sequences.setdefault(name, []).append(i)
    several = [tuple(sorted(places, key=lambda i: source.faces.ids[i])) for places in sequences.values() if len(places) > 1]
    if source.kind == "last":
        return several
    return [(first, last) for first, *_, last in several if source.faces["majority"][first] == NEUTRAL]


def balanced(faces: Faces, balance: FaceBalance, seed: int) -> list[int]:
    """Places 0..N-1, those of rare emotions several times: as often as a power of how much rarer they are."""
    labels = faces["emotion"]
    known = ~labels.isnan().any(1) & (faces["known"] >= balance.least_votes)  # where most saw no emotion, the rest is guesswork
    shares = labels[known].mean(0)
    times = ((shares.max() / shares.clamp_min(1e-6)) ** balance.power).clamp_max(balance.most)  # [E]
    often = torch.where(labels.isnan(), 0.0, labels) @ times  # [N]
    often = torch.where(known, often, (faces["known"] == 0).float() * (~faces["aus"].isnan()).any(1))
    chance = torch.rand(len(faces), generator=torch.Generator().manual_seed(seed))
    return torch.arange(len(faces)).repeat_interleave((often + chance).floor().long()).tolist()


# clips


def _still(faces: Faces, item: tuple[int, ...], clips: FaceClipSettings, rng: np.random.Generator) -> dict:
    return _frames(faces, torch.tensor(item), torch.zeros(1))


def _turns(faces: Faces, item: tuple[int, ...], clips: FaceClipSettings, rng: np.random.Generator) -> dict:
    """One face several times, or another one from some frame on: whatever went before, a frame shows what it shows."""
    frames = int(rng.integers(2, clips.frames + 1))
    other = item[0] if rng.random() < 1 - clips.another else int(rng.integers(len(faces)))
    places = torch.tensor([item[0]] * frames)
    places[int(rng.integers(1, frames)) :] = other
    return _frames(faces, places, _times(frames, rng))


def _last(faces: Faces, item: tuple[int, ...], clips: FaceClipSettings, rng: np.random.Generator) -> dict:
    """Neighbouring frames of a sequence."""
    some = item[: clips.frames]
    return _frames(faces, torch.tensor(some), torch.arange(len(some)) / faces.frame_rate)


def _course(faces: Faces, item: tuple[int, ...], clips: FaceClipSettings, rng: np.random.Generator) -> dict:
    """From the neutral face to its peak and sometimes back: pictures and meshes lie on each other, so they can be blended."""
    frames = int(rng.integers(min(3, clips.frames), clips.frames + 1))
    way = torch.from_numpy(np.sort(rng.random(frames)).astype(np.float32))  # [T] 0 neutral .. 1 peak
    way[0], way[-1] = 0.0, 1.0
    if rng.random() < clips.back:
        way = way.flip(0)
    ends = _frames(faces, torch.tensor(item), torch.zeros(2))
    out = {}
    for name in (*_INPUTS, *_TARGETS):
        first, last = (ends[name][i].float() for i in (0, 1))
        mixed = torch.lerp(first, last, way.view(-1, *[1] * first.dim()))
        out[name] = mixed.round().to(torch.uint8) if name == "crops" else mixed
    out["mesh"] = out["mesh"] == 1
    shown = ((way - clips.emotion_from) / clips.emotion_over).clamp(0, 1)[:, None]
    out["emotion"] = torch.lerp(ends["emotion"][0], ends["emotion"][1], shown)
    first, last = ends["aus"]
    between = torch.where((way > clips.onset) & (way < clips.apex), torch.nan, 1.0)[:, None] + torch.zeros_like(first)
    coded = torch.where(way[:, None] <= clips.onset, first, last)
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
    """Examples -> augmented batch: face (FaceBatch [C, 1, T]) and the targets of FaceTraining. side: of the encoder's crop."""

    strength: FaceAugment
    side: int

    def __call__(self, examples: Sequence[dict]) -> dict:
        lengths = torch.tensor([len(example["times_s"]) for example in examples])
        clips = torch.arange(len(examples)).repeat_interleave(lengths)  # [F]
        frames = {name: torch.cat([example[name] for example in examples]) for name in (*_INPUTS, *_TARGETS)}
        rng = torch.Generator().manual_seed(examples[0]["seed"])
        shown = augment(frames, clips, rng, self.side, self.strength)
        still = lengths[clips] == 1
        shown = blend(shown, still & (torch.rand(len(clips), generator=rng) < self.strength.mixed), rng)
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


def stills(faces: Faces, places: Tensor, in_mirror: bool = False) -> FaceBatch:
    """Single pictures as the encoder sees them outside training: [len(places), 1, 1]."""
    frames = {name: faces[name][places] for name in (*_INPUTS, *_TARGETS)}
    if in_mirror:
        frames = mirrored(frames, torch.ones(len(places), dtype=torch.bool))
    return packed(plain(frames, faces.side), torch.arange(len(places)), torch.zeros(len(places)))["face"]
