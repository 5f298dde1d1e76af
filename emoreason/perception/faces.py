"""All faces of one clip: reads frames, follows people, hands on rows for the face table."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from emoreason.media import Clip, Frame
from emoreason.perception.landmarker import Meshes, let_go, still_landmarker
from emoreason.perception.loop import VideoLoop
from emoreason.perception.observation import Note
from emoreason.perception.rows import LOOP, SECOND, SMALL_PX, Counts, Ledger, Rows, mesh_rows, whole_picture_row
from emoreason.perception.second_look import SecondLook, mesh_boxes, overlap
from emoreason.perception.settings import PerceptionSettings
from emoreason.perception.shots import CutFinder, SceneChooser, Thumbnail, thumbnail
from emoreason.perception.tracks import Sighting, Track, Tracker, look, shape

T = TypeVar("T")
LOOK_S = 0.5  # how often looks are measured while one face is followed undisturbed
SEARCH_S, SEARCH_MOST_S = 0.5, 4.0  # pause between searches of a face-free shot: doubled after each one in vain
DARK = 0.12  # mean luma below which a frame counts as dark
SAME = 0.5  # overlap from which two meshes are one face
CROP_MOST_PX, CROP_ASPECT = 256, 1.34  # a picture up to this size and this near to square may itself be a face crop


@dataclass(frozen=True)
class FaceLog:
    """What was met on the way, besides the rows."""

    sample_times_s: np.ndarray = field(default_factory=lambda: np.zeros(0))  # [S] float64
    sample_frames: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))  # [S] index in presentation order
    cuts_s: tuple[float, ...] = ()
    scene_times_s: tuple[float, ...] = ()
    notes: tuple[Note, ...] = ()
    decode_s: float = 0.0  # seconds spent waiting for frames
    counts: Counts = field(default_factory=Counts)  # of the rows


def read_faces(
    clip: Clip,
    settings: PerceptionSettings,
    sink: Callable[[Rows], None],
    progress: Callable[[float], None] | None = None,
    on_faces: Callable[[Frame, Meshes], None] | None = None,
) -> FaceLog:
    """Follow every face of `clip`. `sink` gets the rows of one sampled frame at a time, n >= 1 faces stacked, in time order.

    Rows come late by at most LOST_S seconds, until it is sure that a new track is a person; of each frame only time and
    index are kept. `progress` gets the seconds read so far, `on_faces` each frame with the faces found on it at first sight.
    The same clip and settings give the same rows. Raises MediaError, AssetError.
    """
    if not clip.has_video:
        return FaceLog()
    reading = _Reading(settings, sink, still=clip.kind == "picture")
    try:
        for seen in reading.seen(clip.sample(settings.fps, max_side=settings.max_side)):
            reading.take(seen)
            if on_faces is not None:
                on_faces(seen.frame, seen.meshes)
            if progress is not None:
                progress(seen.frame.time_s)
        return reading.finish()
    finally:
        reading.close()


@dataclass(frozen=True)
class Seen:
    """A frame and what the video loop saw on it."""

    frame: Frame
    thumb: Thumbnail
    new_shot: bool
    meshes: Meshes


def _ahead(items: Iterator[T], pool: ThreadPoolExecutor, waited: Callable[[float], None] | None = None) -> Iterator[T]:
    """The items, each made in `pool` while the one before is in use. `waited` hears the seconds spent waiting for one."""
    coming = pool.submit(next, items, None)
    while True:
        start = time.perf_counter()
        item = coming.result()
        if waited is not None:
            waited(time.perf_counter() - start)
        if item is None:
            return
        coming = pool.submit(next, items, None)
        yield item


class _Reading:
    """State of one pass over a clip."""

    def __init__(self, settings: PerceptionSettings, sink: Callable[[Rows], None], still: bool) -> None:
        self._settings, self._still = settings, still
        self._ledger, self._tracker, self._closer = Ledger(sink), Tracker(), SecondLook()
        self._loop = still_landmarker(settings.max_faces) if still else VideoLoop(settings.max_faces)
        self._cut, self._scenes = CutFinder(), SceneChooser()
        self._pool = ThreadPoolExecutor(1, "emoreason-frames")  # decodes ahead of the detector and measures behind it
        self._detecting = ThreadPoolExecutor(1, "emoreason-faces")
        self._times_s: list[float] = []
        self._frames: list[int] = []
        self._cuts_s: list[float] = []
        self._dark, self._decode_s = 0, 0.0
        self._next_look_s, self._next_search_s, self._search_s = 0.0, 0.0, SEARCH_S

    def seen(self, frames: Iterator[Frame]) -> Iterator[Seen]:
        """Decode a frame while the detector looks at the one before, while the faces of the one before that get their tracks."""
        shrunk = _ahead(((frame, thumbnail(frame.image)) for frame in frames), self._pool, self._waited)
        return _ahead((self._see(frame, thumb) for frame, thumb in shrunk), self._detecting)

    def _see(self, frame: Frame, thumb: Thumbnail) -> Seen:
        new_shot = self._cut(thumb, frame.time_s)
        meshes = self._first_look(frame.image) if self._still else self._loop(frame.image, frame.time_s, new_shot)
        return Seen(frame, thumb, new_shot, distinct(meshes))

    def _waited(self, seconds: float) -> None:
        self._decode_s += seconds

    def take(self, seen: Seen) -> None:
        frame, thumb, new_shot = seen.frame, seen.thumb, seen.new_shot
        self._dark += thumb.brightness < DARK
        self._scenes(thumb, frame.time_s, new_shot)
        if new_shot:
            self._cuts_s.append(frame.time_s)
            self._tracker.end_shot(self._times_s[-1])
            self._next_look_s = self._next_search_s = frame.time_s
            self._search_s = SEARCH_S
        self._times_s.append(frame.time_s)
        self._frames.append(frame.index)
        self._follow(frame, seen.meshes)

    def _follow(self, frame: Frame, meshes: Meshes) -> None:
        """Give each face of one frame its track, and look again for those that are missing."""
        image, now = frame.image, frame.time_s
        found = [LOOP] * len(meshes)
        sightings = self._sightings(image, meshes, now)
        matches = self._tracker.match(sightings, now)
        closer = self._look_closer(image, meshes, self._tracker.missing(matches), now)
        if len(closer):
            meshes, found = Meshes.join([meshes, closer]), found + [SECOND] * len(closer)
            sightings = self._sightings(image, meshes, now)
            matches = self._tracker.match(sightings, now)
        tracks = self._tracker.update(sightings, matches, now)
        if len(meshes):
            self._ledger.add(len(self._times_s) - 1, self._pool.submit(mesh_rows, image, frame.scale, meshes, found), tracks)
        elif self._settings.cropped_faces:
            self._take_whole(frame)
        else:
            self._ledger.release()

    def _first_look(self, image: np.ndarray) -> Meshes:
        """Of a still. No track will show whether the face was real, so the mirror must: tiny pictures look like faces easily."""
        meshes = self._loop(image)
        return meshes if self._settings.cropped_faces else self._closer.confirmed(image, meshes)

    def _sightings(self, image: np.ndarray, meshes: Meshes, now: float) -> list[Sighting]:
        """Looks are measured where they can decide something, else now and then: they cost a third of a millisecond a face."""
        boxes = mesh_boxes(meshes.landmarks)
        plain = len(meshes) == len(self._tracker.live) == 1 and now < self._next_look_s
        if plain:
            return [Sighting(boxes[0])]
        self._next_look_s = now + LOOK_S
        looks = [look(image, box) for box in boxes]
        shapes = [shape(points, transform) for points, transform in zip(meshes.landmarks, meshes.transforms, strict=True)]
        return [Sighting(*face) for face in zip(boxes, looks, shapes, strict=True)]

    def _look_closer(self, image: np.ndarray, meshes: Meshes, missing: list[Track], now: float) -> Meshes:
        """Faces that the loop did not see: near each missing one's last place; with nobody in view anywhere, now and then."""
        if not self._settings.second_pass:
            return Meshes.none()
        found = [meshes]
        for track in missing:
            found.append(self._closer.near(image, track.predicted(now)))
        if not missing and not len(meshes) and now >= self._next_search_s:
            found.append(self._search(image))
            self._next_search_s = now + self._search_s
            self._search_s = SEARCH_S if len(found[-1]) else min(2 * self._search_s, SEARCH_MOST_S)
        together = distinct(Meshes.join(found), first=len(meshes))
        return together[len(meshes) : self._settings.max_faces]

    def _search(self, image: np.ndarray) -> Meshes:
        height, width = image.shape[:2]
        crop_like = max(height, width) <= CROP_MOST_PX and max(height, width) <= CROP_ASPECT * min(height, width)
        allowed = self._settings.cropped_faces
        if allowed or (allowed is None and crop_like and self._still):
            return self._closer.crop(image, vouched=bool(allowed))
        if self._tracker.last_place is not None and len(found := self._closer.near(image, self._tracker.last_place)):
            return found
        return self._closer.anywhere(image, self._settings.max_faces)

    def _take_whole(self, frame: Frame) -> None:
        """The caller vouches that the picture is a face: one track for all such frames of a shot."""
        height, width = frame.image.shape[:2]
        sighting = Sighting(np.array([0, 0, width, height], np.float32))
        matches = self._tracker.match([sighting], frame.time_s)
        tracks = self._tracker.update([sighting], matches, frame.time_s)
        self._ledger.add(len(self._times_s) - 1, self._pool.submit(whole_picture_row, frame.image, frame.scale), tracks)

    def finish(self) -> FaceLog:
        last_s = self._times_s[-1] if self._times_s else 0.0
        self._tracker.end_shot(last_s)
        self._ledger.release(wait=True)
        scenes_s = self._scenes.times_s(last_s)
        times_s, frames = np.array(self._times_s, np.float64), np.array(self._frames, np.int64)
        return FaceLog(times_s, frames, tuple(self._cuts_s), scenes_s, self._notes(), self._decode_s, self._ledger.counts)

    def _notes(self) -> tuple[Note, ...]:
        counts, frames, most = self._ledger.counts, max(len(self._times_s), 1), self._settings.max_faces
        what = "picture" if self._still else "video"
        crowded = not self._still and self._loop.crowded
        facts = (
            ("no_face", not counts.rows, f"No face was found in the {what}."),
            ("few_faces", 0 < counts.frames < 0.5 * frames, f"A face is visible in {counts.frames} of {frames} sampled frames."),
            ("dark", self._dark > 0.5 * frames, f"The {what} is mostly dark: small facial movements may be missed."),
            ("small_faces", counts.small > 0.5 * counts.rows, f"Most faces are small: eyes under {SMALL_PX:.0f} pixels apart."),
            ("whole_picture", counts.whole > 0, f"No mesh fitted {counts.whole} of {frames} frames, taken whole as a face."),
            ("more_faces", crowded, f"There are more faces than the {most} that are followed."),
        )
        return tuple(Note(code, text) for code, holds, text in facts if holds)

    def close(self) -> None:
        self._detecting.shutdown()
        self._pool.shutdown()
        let_go(self._loop)
        self._closer.close()


def distinct(meshes: Meshes, first: int = 0) -> Meshes:
    """Without meshes that repeat an earlier one; the `first` ones are known to be distinct."""
    boxes = mesh_boxes(meshes.landmarks)
    same, kept = overlap(boxes, boxes) > SAME, list(range(min(first, len(meshes))))
    for i in range(first, len(meshes)):
        if not same[i, kept].any():
            kept.append(i)
    return meshes[kept]
