"""Faces of a data set, cut once from its observed pictures into one memory-mapped file. Any data set of pictures that has a
recipe will do.

Letters: S side of a canvas, E emotions, A action units. Canvases are kept for training only, in a folder the caller chooses;
nothing else in the package stores faces.
"""

import json
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from emoreason.errors import ConfigError
from emoreason.instructions.answers import label_of
from emoreason.instructions.observe_all import clip_jobs, data_store, find
from emoreason.instructions.recipe import Recipe, load_recipe
from emoreason.instructions.record import Record
from emoreason.labels.action_units import ACTION_UNITS, AUS
from emoreason.labels.emotions import EMOTIONS
from emoreason.media import Clip
from emoreason.model.config import FaceConfig
from emoreason.model.segment_input import WHOLE_PICTURE
from emoreason.perception.degraded import Damage, degraded_clip
from emoreason.perception.landmarker import landmarkers_kept
from emoreason.perception.observation import Observation, Person
from emoreason.perception.observe import observe
from emoreason.perception.regions import aligned_crop, crop_matrix
from emoreason.training.data_sets import load_set, sha256_of
from emoreason.training.face.data import SPLITS, Faces, fold_of
from emoreason.training.settings.face import FaceDataSettings, FaceDoubt, copy_name

OUTSIDE = 128  # grey beyond the picture, as in perception.regions.aligned_crop
_CHUNK = 512  # pictures per part file

Progress = Callable[[str, int, int], None]  # data set, pictures done, pictures in all


@dataclass(frozen=True)
class Crop:
    """The crop that the encoder sees: FaceConfig.image_size pixels with FaceConfig.margin around the tight face."""

    side: int
    margin: float

    @classmethod
    def of(cls, config: FaceConfig) -> "Crop":
        """Raises ConfigError for a size of which no canvas is half as large again."""
        if config.image_size % 8:
            raise ConfigError(f"faces are prepared for crops whose side divides by 8, the encoder wants {config.image_size}")
        return cls(config.image_size, config.margin)

    @property
    def canvas(self) -> int:
        """Pixels of a side: half as much again as the crop."""
        return 3 * self.side // 2


@dataclass(frozen=True)
class Copy:
    """Pictures of some splits, each spoilt and measured anew. most: so many of them, drawn by their ids; None: all."""

    damage: Damage
    splits: tuple[str, ...]
    most: int | None = None

    def chosen(self, records: Sequence[Record]) -> list[Record]:
        some = [record for record in records if record.split in self.splits]
        return sorted(some, key=lambda record: sha256(record.id.encode()).digest())[: self.most]


def pictures_in(name: str, settings: FaceDataSettings, root: Path) -> list[Record]:
    """The records of a data set that are one picture each. Raises ConfigError for a set that does not pass validation, and for
    one that has no pictures."""
    records = [record for record in load_set(load_recipe(settings.recipe), root, None) if picture_of(record)]
    if not records:
        raise ConfigError(f"data.{name}: recipe '{settings.recipe}' has no pictures, which is what the stage learns from")
    return records


def build_faces(
    name: str, settings: FaceDataSettings, crop: Crop, root: Path, store: Path, folder: Path, copy: Copy | None = None,
    records: Sequence[Record] | None = None, workers: int = 2, progress: Progress | None = None,
) -> Faces:  # fmt: skip
    """The faces of a data set that was observed into `store`: prepared in `folder`, unless they are there for the same records.

    copy: its pictures are spoilt and observed anew, and called by `copy_name`. records: what `pictures_in` gave, where it was
    asked before. Goes on where it was interrupted. Pictures that were not observed, or on which no face was found, are left out.
    Raises ConfigError as `pictures_in` does, and for a set of which no picture is left.
    """
    recipe = load_recipe(settings.recipe)
    records = pictures_in(name, settings, root) if records is None else list(records)
    if copy is not None:
        name, records = copy_name(name, copy.damage), copy.chosen(records)
    path, source = folder / f"{name}.safetensors", sha256_of(settings.votes, recipe, crop, copy, settings.doubt, *records)
    if not _made_of(path, source):
        parts = folder / f"{name}-{source[:16]}.parts"
        parts.mkdir(parents=True, exist_ok=True)
        chunks = [records[start : start + _CHUNK] for start in range(0, len(records), _CHUNK)]
        making = _Making(recipe, settings, crop, root, store, copy.damage if copy else None)
        jobs = [(parts / f"{i:05d}.safetensors", making, chunk) for i, chunk in enumerate(chunks)]
        for done, _ in enumerate(_each(jobs, workers), 1):
            if progress is not None:
                progress(name, min(done * _CHUNK, len(records)), len(records))
        _join([job[0] for job in jobs], path, source, settings.recipe)
        for job in jobs:
            job[0].unlink()
        parts.rmdir()
    with safe_open(path, framework="pt") as file:
        names = json.loads(file.metadata()["names"])
    return Faces(name, tuple(names["ids"]), tuple(names["groups"]), load_file(path), settings.sequence, settings.frame_rate)


@dataclass(frozen=True)
class _Making:
    """What every part of a prepared data set is made by."""

    recipe: Recipe
    settings: FaceDataSettings
    crop: Crop
    root: Path
    store: Path
    damage: Damage | None


def picture_of(record: Record) -> str | None:
    """The file of a record that is one picture."""
    media = record.media
    if media is None or media.video:
        return None
    return media.image or (media.frames[0] if len(media.frames) == 1 else None)


def _made_of(path: Path, source: str) -> bool:
    """Whether the file is there and was made of just these records."""
    if not path.is_file():
        return False
    with safe_open(path, framework="pt") as file:
        return json.loads(file.metadata()["names"]).get("source") == source


def _each(jobs: list[tuple], workers: int) -> Iterator[None]:
    """Parts written, one after the other; `workers=1` works in this process."""
    workers = min(workers, len(jobs))
    if workers <= 1:
        yield from map(_write_part, jobs)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        yield from pool.map(_write_part, jobs)


def _write_part(job: tuple[Path, _Making, list[Record]]) -> None:
    path, making, records = job
    if path.is_file():
        return
    kept, rows = data_store(making.store), []
    with landmarkers_kept():
        for record in records:
            observation = find(record, making.root, kept, words=False)
            if observation is None or not observation.people:
                continue
            clip = Clip(making.root / picture_of(record))
            if making.damage is not None:
                clip, observation = _spoilt(clip, observation, record, making)
            if observation.people:
                rows.append(_row(record, making, observation.people[0], clip))
    names = [row.pop("names") for row in rows]
    arrays = {name: torch.from_numpy(np.stack([row[name] for row in rows])) for name in (rows[0] if rows else ())}
    _save(arrays, {"ids": [name for name, _ in names], "groups": [group for _, group in names]}, path)


def _spoilt(clip: Clip, observation: Observation, record: Record, making: _Making) -> tuple[Clip, Observation]:
    """The degraded picture and what is measured on it."""
    spoilt = degraded_clip(clip, observation, making.damage)
    return spoilt, observe(spoilt, clip_jobs(record, making.root, words=False)[0].settings)


def _join(parts: Sequence[Path], path: Path, source: str, recipe: str) -> None:
    ids, groups, loaded = [], [], []
    for part in parts:
        with safe_open(part, framework="pt") as file:
            names = json.loads(file.metadata()["names"])
        if names["ids"]:
            loaded.append(load_file(part))
        ids += names["ids"]
        groups += names["groups"]
    if not ids:
        raise ConfigError(f"data.{path.stem}: no face was observed on its pictures; run `emoreason data observe {recipe}` first")
    arrays = {name: torch.cat([arrays[name] for arrays in loaded]) for name in loaded[0]}
    _save(arrays, {"ids": ids, "groups": groups, "source": source}, path)


def _save(arrays: dict[str, Tensor], names: dict, path: Path) -> None:
    partial = path.with_suffix(".part")
    save_file(arrays, partial, metadata={"names": json.dumps(names)})
    os.replace(partial, path)


def _row(record: Record, making: _Making, person: Person, clip: Clip) -> dict:
    emotion, known, majority = _emotion(record, making.recipe, making.settings.votes)
    crop, landmarks, mesh = _face(person, clip, making.crop)
    pair = person.action_units.intensity[0]  # [A, 2]
    measured = np.where(np.isnan(pair).all(1), np.nan, np.fmax(pair[:, 0], pair[:, 1])) if mesh else np.full(len(AUS), np.nan)
    return {
        "names": (record.id, record.group),
        "crops": crop,
        "landmarks": landmarks.astype(np.float16),
        "blendshapes": np.nan_to_num(person.blendshapes[0]).astype(np.float16),
        "pose": np.nan_to_num(person.pose[0]).astype(np.float32),
        "gaze": np.nan_to_num(person.gaze[0]).astype(np.float32),
        "quality": np.float32(np.nan_to_num(person.quality[0, 3])),
        "mesh": np.bool_(mesh),
        "emotion": emotion,
        "known": np.float32(known),
        "majority": np.int8(majority),
        "doubted": np.bool_(_is_doubted(record, majority, making.settings.doubt)),
        "aus": _units(record),
        "measured": measured.astype(np.float32),
        "split": np.int8(SPLITS.index(record.split)),
        "fold": np.int8(fold_of(record.group)),
    }


def _face(person: Person, clip: Clip, crop: Crop) -> tuple[np.ndarray, np.ndarray, bool]:
    """Canvas [S, S], landmarks [478, 3] in crop units, and whether there are any: else the box, as the encoder falls back on."""
    frame = next(iter(clip.frames([0.0])))
    rim = (crop.canvas - crop.side) // 2
    if person.found[0] == WHOLE_PICTURE:
        x, y, width, height = (person.boxes[0] * frame.scale).round().astype(int)
        part = frame.image[max(y, 0) : max(y + height, 1), max(x, 0) : max(x + width, 1)]
        small = cv2.resize(part, (crop.side, crop.side), interpolation=cv2.INTER_AREA)
        return np.pad(_luma(small), rim, constant_values=OUTSIDE), np.zeros((478, 3), np.float32), False
    mesh = person.landmarks(np.array([0]))[0] * frame.scale  # [478, 3] px
    wide = ((1 + 2 * crop.margin) * crop.canvas / crop.side - 1) / 2  # the margin that keeps the scale
    canvas = _luma(aligned_crop(frame.image, mesh, crop.canvas, wide))
    matrix = crop_matrix(mesh, crop.side, crop.margin)
    flat = mesh[:, :2] @ matrix[:, :2].T + matrix[:, 2]
    depth = mesh[:, 2:] * np.hypot(matrix[0, 0], matrix[1, 0])
    return canvas, np.concatenate([flat, depth], axis=1) / crop.side, True


def _luma(image: np.ndarray) -> np.ndarray:
    """uint8 [H, W, 3] -> [H, W], ITU-R BT.601: what the small trunk works on."""
    return (image @ np.array([0.299, 0.587, 0.114])).round().astype(np.uint8)


def _emotion(record: Record, recipe: Recipe, votes: bool) -> tuple[np.ndarray, float, int]:
    """Shares over EMOTIONS (NaN without any), the share that went to emotions at all, and the majority's place or -1."""
    label = record.label(recipe.scheme.name) if recipe.scheme else None
    shares = np.zeros(len(EMOTIONS), np.float32)
    if label is not None:
        one = label.value if votes else label_of(record, recipe.scheme.name)
        told = (label.shares if votes or one is None else None) or {one: 1.0}
        for name, share in told.items():
            emotion = recipe.scheme.crosswalk.get(name)
            if emotion is not None:
                shares[EMOTIONS.index(emotion)] += share
    known = float(shares.sum())
    chosen = recipe.scheme.crosswalk.get(label.value) if label is not None and label.value else None
    return (shares / known if known > 0 else shares * np.nan), known, EMOTIONS.index(chosen) if chosen else -1


def _is_doubted(record: Record, majority: int, doubt: FaceDoubt | None) -> bool:
    """Whether the second opinion contradicts the label."""
    if doubt is None or majority < 0:
        return False
    says = record.notes.get(doubt.note)
    return says is not None and doubt.where.get(EMOTIONS[majority]) == says


def _units(record: Record) -> np.ndarray:
    """[A] 0, 1 or NaN."""
    out = np.full(len(AUS), np.nan, np.float32)
    for unit in record.action_units:
        if unit.au in ACTION_UNITS:
            out[AUS.index(unit.au)] = float(unit.present)
    return out
