"""New records from those at hand: a face with a voice, in agreement or in conflict; blends of two faces; neutral-to-peak
sequences; and which inputs to leave out. All chance comes from the `rng` given.

Records of different data sets have different roots. The paths of a record put together from several therefore start with the name
of the data set each file belongs to: `ravdess/Actor_01/x.wav`.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal

import numpy as np

from emoreason.errors import ConfigError
from emoreason.instructions.record import ClosedLabel, Media, Record
from emoreason.labels.emotions import COMPOUNDS, EMOTIONS

SCHEME = "emoreason"  # canonical emotions: schemes of different data sets meet in them only
FACE_SCHEME, VOICE_SCHEME = "emoreason.face", "emoreason.voice"  # what one modality of a synthetic record shows by itself
MIXED = "mixed"
MORPH_FPS = 2.0  # pictures a second of a sequence that is put together from neutral to peak

Emotion = Callable[[Record], str | None]  # canonical emotion of a record: a recipe's crosswalk
Input = Literal["face", "voice", "words", "evidence"]


def audio_visual(
    faces: Iterable[Record], voices: Iterable[Record], emotion: Emotion, rng: np.random.Generator, rounds: int = 1
) -> Iterator[Record]:
    """Each face record meets `rounds` voices of its emotion and split. Voices are used equally often, in random order.

    A face whose emotion no voice of its split shows stays unpaired.
    """
    shown, heard = _by_emotion(faces, emotion), _by_emotion(voices, emotion)
    for key in sorted(set(shown) & set(heard)):
        partners = _endless(heard[key], rng)
        for face in shown[key] * rounds:
            yield _pair(face, next(partners), [ClosedLabel(scheme=SCHEME, value=key[1])])


def conflicts(
    faces: Iterable[Record], voices: Iterable[Record], emotion: Emotion, rng: np.random.Generator, rounds: int = 1
) -> Iterator[Record]:
    """As `audio_visual`, but face and voice show different emotions of equal share, neither of them neutral: a neutral voice
    contradicts no face. The open label is "mixed"; each modality keeps its own label."""
    shown, heard = _by_emotion(faces, emotion), _by_emotion(voices, emotion)
    partners = {key: _endless(heard[key], rng) for key in sorted(heard) if key[1] != "neutral"}
    for split, seen in sorted(key for key in shown if key[1] != "neutral"):
        others = [key for key in partners if key[0] == split and key[1] != seen]
        for face in shown[split, seen] * rounds if others else ():
            key = others[rng.integers(len(others))]
            shares = ClosedLabel(scheme=SCHEME, shares={seen: 0.5, key[1]: 0.5})
            yield _pair(face, next(partners[key]), [shares], (seen, key[1])).model_copy(update={"open_labels": [MIXED]})


def _by_emotion(records: Iterable[Record], emotion: Emotion) -> dict[tuple[str, str], list[Record]]:
    """(split, canonical emotion) -> records. Splits never mix: a test voice with a training face would be a leak."""
    out = defaultdict(list)
    for record in records:
        name = emotion(record)
        if name is not None and name not in EMOTIONS:
            raise ConfigError(f"record {record.id}: '{name}' is no canonical emotion ({', '.join(EMOTIONS)}): map it")
        if name is not None:
            out[record.split, name].append(record)
    return dict(out)


def _endless(records: Sequence[Record], rng: np.random.Generator) -> Iterator[Record]:
    while True:
        yield from (records[i] for i in rng.permutation(len(records)))


def _pair(face: Record, voice: Record, labels: list[ClosedLabel], own: tuple[str, str] | None = None) -> Record:
    seen, heard = own or (labels[0].value, labels[0].value)
    if face.media is None or not (face.media.image or face.media.video or face.media.frames):
        raise ConfigError(f"record {face.id} has no picture or video: it cannot be the face of a pair")
    if voice.media is None or not (voice.media.audio or voice.media.video):
        raise ConfigError(f"record {voice.id} has no sound: it cannot be the voice of a pair")
    own_labels = [ClosedLabel(scheme=FACE_SCHEME, value=seen), ClosedLabel(scheme=VOICE_SCHEME, value=heard)]
    picture = prefixed(face.media, face.dataset)
    sound = f"{voice.dataset}/{voice.media.audio or voice.media.video}"
    return Record(
        id=f"{face.id}+{voice.id}",
        dataset=f"{face.dataset}+{voice.dataset}",
        split=face.split,
        group=f"{face.group}+{voice.group}",
        licence="; ".join(dict.fromkeys((face.licence, voice.licence))),
        media=picture.model_copy(update={"audio": sound}),
        person=face.person,
        cropped_face=face.cropped_face,
        labels=[*labels, *own_labels],
        action_units=face.action_units,
        transcript=voice.transcript,
        language=voice.language,
        synthetic=[face.id, voice.id],
    )


def prefixed(media: Media, dataset: str) -> Media:
    """Its paths, which now begin with the name of the data set they are of."""
    paths = {name: f"{dataset}/{path}" for name in ("video", "image", "audio") if (path := getattr(media, name))}
    return Media(**paths, frames=[f"{dataset}/{path}" for path in media.frames], frame_rate=media.frame_rate)


# blends


@dataclass(frozen=True)
class Blend:
    """Two face pictures to be merged: `share` is the part of `first` in pixels and label alike. `record` needs the finished
    picture, for neither of the two shows what the label says."""

    first: Record
    second: Record
    share: float
    how: Literal["mixup", "cutmix"]
    emotions: tuple[str, str]

    def record(self, image: str) -> Record:
        """The record of the merged picture, at `image`. The compound is named where psychology has a name for it."""
        shares = {self.emotions[0]: self.share, self.emotions[1]: 1 - self.share}
        return Record(
            id=f"{self.how}:{self.first.id}+{self.second.id}",
            dataset="+".join(dict.fromkeys((self.first.dataset, self.second.dataset))),
            split=self.first.split,
            group=f"{self.first.group}+{self.second.group}",
            licence="; ".join(dict.fromkeys((self.first.licence, self.second.licence))),
            media=Media(image=image),
            cropped_face=True,
            labels=[ClosedLabel(scheme=SCHEME, shares=shares)],
            compound=COMPOUNDS.get(frozenset(self.emotions)),
            synthetic=[self.first.id, self.second.id],
        )


def blends(
    faces: Iterable[Record], emotion: Emotion, rng: np.random.Generator, how: Literal["mixup", "cutmix"] = "mixup"
) -> Iterator[Blend]:
    """Each face with one of another emotion of the same split, neither neutral. The larger share is between a half and 0.7:
    beyond that one of the two can hardly be seen."""
    groups = {key: records for key, records in sorted(_by_emotion(faces, emotion).items()) if key[1] != "neutral"}
    for (split, name), records in groups.items():
        others = [key for key in groups if key[0] == split and key[1] != name]
        for first in records if others else ():
            key = others[rng.integers(len(others))]
            second = groups[key][rng.integers(len(groups[key]))]
            yield Blend(first, second, round(float(rng.uniform(0.3, 0.7)), 3), how, (name, key[1]))


# neutral to peak


def sequence_name(record: Record) -> str:
    """Subject and sequence of a picture called `<subject>_<sequence>_<frame>`, as CK+ does."""
    return PurePosixPath(record.media.image).stem.rpartition("_")[0]


def neutral_to_peak(
    pictures: Iterable[Record], emotion: Emotion, name: Callable[[Record], str] = sequence_name
) -> Iterator[Record]:
    """Pictures of one sequence in order of their file names, first neutral, last not: its labels are those of the last.
    Sequences that do not start neutral or have no other end are left out."""
    found = defaultdict(list)
    for picture in pictures:
        found[picture.split, picture.group, name(picture)].append(picture)
    for (_, _, key), records in sorted(found.items()):
        records = sorted(records, key=lambda record: PurePosixPath(record.media.image).name)
        if emotion(records[0]) == "neutral" != emotion(records[-1]):
            frames = [record.media.image for record in records]
            made_of = [record.id for record in records]
            media = Media(frames=frames, frame_rate=MORPH_FPS)
            yield records[-1].model_copy(update={"id": f"{key}:sequence", "media": media, "synthetic": made_of})


# dropout


def left_out(present: Sequence[Input], rates: Mapping[Input, float], rng: np.random.Generator) -> tuple[Input, ...]:
    """Which inputs a training sample goes without. One is always kept: where chance would drop all, the least often dropped.

    >>> left_out(["face", "voice", "evidence"], {"face": 0.1, "evidence": 0.5}, np.random.default_rng(0))
    ()
    """
    unknown = sorted(set(rates) - {"face", "voice", "words", "evidence"})
    if unknown or not all(0 <= rate <= 1 for rate in rates.values()):
        raise ConfigError(f"dropout {dict(rates)}: give rates of 0 to 1 for face, voice, words, evidence")
    chance = rng.random(len(present))
    gone = [name for name, value in zip(present, chance, strict=True) if value < rates.get(name, 0.0)]
    if gone and len(gone) == len(present):
        gone.remove(min(present, key=lambda name: rates.get(name, 0.0)))
    return tuple(gone)
