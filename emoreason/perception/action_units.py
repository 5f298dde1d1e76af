"""Facial action units of one person over time, from blendshapes and geometry, by a small packaged table.

Each unit is a logistic function of a few blendshapes and distances that its muscle moves. The table (`au_map.json`) was fitted
on human FACS codes by `scripts/measure_action_units.py`, which also reports how well it does on people it never saw.
"""

import json
from importlib.resources import files
from typing import Protocol

import numpy as np

from emoreason.labels.action_units import ACTION_UNITS, ACTIVE, AUS, BLENDSHAPES, GAZE_AUS, RELIABILITY, Side
from emoreason.perception.au_series import AuEvent, AuSeries
from emoreason.perception.geometry import MEASURES

SMOOTHING_S = 0.1  # standard deviation of the Gaussian kernel: onsets of facial movements take 0.2 s and more
GAP_S = 0.5  # a longer time without a measurement ends an event
MIN_EVENT_S = 0.15  # shorter activations than this, blinks apart, are noise more often than not
OFF = 0.72 * ACTIVE  # an event goes on until the intensity falls below this
CLOSED_S = 0.5  # FACS: eyes closed for longer is AU43, shorter is a blink, AU45
BLINK_FPS = 20.0  # a blink lasts 0.1 to 0.4 s: slower sampling misses too many
HIDDEN_YAW, LOST_YAW = 30.0, 65.0  # degrees: beyond the first the far half of the face is guessed, beyond the second all is
BASELINE_S = 3.0  # seconds of quiet face that weigh as much as the prior
GAZE_DEGREES = 40.0  # eyes turned 10 degrees count as active, 28 as strongly turned

FEATURES = (*BLENDSHAPES, *MEASURES)
_CLOSURE = "AU43"


class AuMap:
    """The table as arrays. `bias` [U], `weights` [2, F, U] for the subject's left and right; U follows `aus`.

    neutral, spread [U]: centre and standard deviation of the logit over neutral faces of many people.
    lean [U]: by how much the mesh favours the left logit over the right one, on faces and on their mirror images alike; it is
    taken out. margin [U]: difference of the two logits that mirroring shows to be more than noise.
    """

    def __init__(self, table: dict):
        units = table["units"]
        self.aus: tuple[str, ...] = tuple(units)
        self.bias, self.neutral, self.spread, self.lean, self.margin = (
            np.array([unit[name] for unit in units.values()]) for name in ("bias", "neutral", "spread", "lean", "margin")
        )
        self.weights = np.zeros((2, len(FEATURES), len(units)))
        for column, (au, unit) in enumerate(units.items()):
            one_sided = ACTION_UNITS[au].sided and au != _CLOSURE  # the lids of both eyes tell more than those of one
            for feature, weight in unit["weights"].items():
                pair = feature_columns(feature)
                for side in range(2):
                    np.add.at(self.weights[side, :, column], [pair[side]] * 2 if one_sided else list(pair), weight / 2)

    def logits(self, blendshapes: np.ndarray, geometry: np.ndarray) -> np.ndarray:
        """[N, 52], [N, G] -> [N, U, 2] (left, right); 0 is where a unit counts as active."""
        x = np.concatenate([blendshapes, geometry], axis=1)  # [N, F]
        sides = self.bias[:, None] + np.stack([-self.lean, self.lean], axis=1) / 2  # [U, 2]
        return np.einsum("nf,sfu->nus", x, self.weights, optimize=True) + sides

    def source(self, au: str) -> str:
        used = {FEATURES[i] in BLENDSHAPES for i in np.flatnonzero(self.weights[0, :, self.aus.index(au)])}
        return "fused" if len(used) == 2 else "blendshape" if used == {True} else "geometry"


def feature_columns(feature: str) -> tuple[int, int]:
    """Columns of FEATURES for the subject's left and right; a name ending in '*' is paired ("browDown*", "eye_opening*")."""
    if not feature.endswith("*"):
        return FEATURES.index(feature), FEATURES.index(feature)
    stem = feature[:-1]
    left, right = ("Left", "Right") if stem + "Left" in FEATURES else ("_left", "_right")
    return FEATURES.index(stem + left), FEATURES.index(stem + right)


def intensity(logits: np.ndarray) -> np.ndarray:
    """Shown intensity 0..1 of a logit: 0 gives ACTIVE, the typical peak of a posed expression (1.5) gives 0.6."""
    return 1 / (1 + (1 / ACTIVE - 1) * np.exp(-np.clip(logits, -50, 50)))


AU_MAP = AuMap(json.loads(files("emoreason.perception").joinpath("au_map.json").read_text("utf-8")))


class Track(Protocol):
    """What is measured of one face over T frames, as far as action units need it. An `observation.Person` is one."""

    times_s: np.ndarray  # [T]
    blendshapes: np.ndarray  # [T, 52]
    geometry: np.ndarray  # [T, G]
    pose: np.ndarray  # [T, 3] degrees
    gaze: np.ndarray  # [T, 2] degrees
    quality: np.ndarray  # [T, 4]


def au_series(person: Track) -> AuSeries:
    """The action units of one track. Deterministic, O(T); works for a single picture too (no smoothing, no baseline)."""
    times, yaw = person.times_s, np.nan_to_num(person.pose[:, 1])
    lost = ~np.isfinite(person.geometry).all(axis=1) | (np.abs(yaw) > LOST_YAW)
    logits = AU_MAP.logits(person.blendshapes, person.geometry)  # [T, U, 2]
    logits[lost] = np.nan
    for side, hidden in enumerate((yaw > HIDDEN_YAW, yaw < -HIDDEN_YAW)):  # turned to the left, the left half faces away
        logits[hidden, :, side] = logits[hidden, :, 1 - side]
    weight = np.clip(np.nan_to_num(person.quality[:, 3]), 0.05, 1) * ~lost  # [T]
    closure = intensity(logits[:, AU_MAP.aus.index(_CLOSURE)])  # [T, 2] unsmoothed: blinks are two or three frames long
    logits = smooth(logits, times, weight)
    logits -= baseline(logits, times, weight * (np.abs(yaw) < HIDDEN_YAW))
    shown = np.full((len(times), len(AUS), 2), np.nan)
    for column, au in enumerate(AU_MAP.aus):
        shown[:, AUS.index(au)] = intensity(logits[:, column])
    shown[:, AUS.index("AU43")], shown[:, AUS.index("AU45")] = split_closure(closure, times)
    shown[:, [AUS.index(au) for au in GAZE_AUS]] = _gaze_intensity(smooth(person.gaze, times, weight))[..., None]
    return AuSeries(times, shown.astype(np.float32), _all_events(shown, times), _sources(), dict(RELIABILITY))


def smooth(values: np.ndarray, times: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Weighted Gaussian mean over SMOOTHING_S of real time: [T, ...], [T], [T] -> [T, ...]. NaN stays NaN and leaks nowhere."""
    reach = 3 * SMOOTHING_S
    span = int((np.searchsorted(times, times + reach, side="right") - np.arange(len(times))).max(initial=1))
    shape = (-1,) + (1,) * (values.ndim - 1)
    known = np.isfinite(values)
    filled, total, mass = np.where(known, values, 0.0), np.zeros(values.shape), np.zeros(values.shape)
    for shift in range(1 - span, span):
        to = slice(max(0, -shift), len(times) - max(0, shift))
        of = slice(max(0, shift), len(times) - max(0, -shift))
        gap = times[of] - times[to]
        kernel = np.where(np.abs(gap) <= reach, np.exp(-0.5 * (gap / SMOOTHING_S) ** 2), 0.0) * weight[of]
        total[to] += filled[of] * kernel.reshape(shape)
        mass[to] += known[of] * kernel.reshape(shape)
    return np.divide(total, mass, out=np.full(values.shape, np.nan), where=known & (mass > 0))


def baseline(logits: np.ndarray, times: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """What this person's resting face adds to each logit, [U, 2]: to be subtracted.

    It is the median over the quietest quarter of the well-seen frames, as a departure from the neutral face of many people. It is
    shrunk by the seconds it rests on, and it is believed only as far as resting faces really differ: fully up to one of
    their standard deviations, ever less up to two, not at all beyond. So a smile held through the whole clip, which is far
    outside that range, is not mistaken for a resting face.
    """
    seen = np.flatnonzero((weight >= 0.5 * weight.max(initial=0)) & (weight > 0))
    if len(seen) < 4:
        return np.zeros(logits.shape[1:])
    activity = intensity(logits[seen]).mean(axis=(1, 2))
    quiet = seen[np.argsort(activity, kind="stable")[: max(1, len(seen) // 4)]]
    seconds = len(quiet) * float(np.median(np.diff(times)))
    return trusted(np.median(logits[quiet], axis=0) - AU_MAP.neutral[:, None]) * seconds / (seconds + BASELINE_S)


def trusted(departure: np.ndarray) -> np.ndarray:
    """The part of a quiet face's departure from neutral [..., U, 2] that is put down to the person, not to an expression."""
    return departure * np.clip(2 - np.abs(departure) / AU_MAP.spread[:, None], 0, 1)


def split_closure(closure: np.ndarray, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Closed eyes [T, 2] -> AU43 (closed for CLOSED_S or longer, or in a single picture) and AU45 (briefer), [T, 2] each.

    AU45 is NaN throughout where the faces were sampled more slowly than BLINK_FPS.
    """
    shut = closure.max(axis=1) >= ACTIVE
    step = _step(times)
    long = np.zeros(len(times), bool)
    for start, stop in _runs(shut, times):
        long[start:stop] = times[stop - 1] - times[start] + step >= CLOSED_S
    quiet = np.minimum(closure, np.nextafter(np.float32(ACTIVE), np.float32(0)) * OFF)
    au43 = np.where(long[:, None], closure, quiet)
    fast = len(times) > 1 and step <= 1.02 / BLINK_FPS  # presentation times jitter
    au45 = np.where(long[:, None], quiet, closure) if fast else np.full_like(closure, np.nan)
    return au43, au45


def events(series: np.ndarray, times: np.ndarray, shortest_s: float = MIN_EVENT_S, margin: float = 1.0) -> list[AuEvent]:
    """Activations of one unit: [T, 2], [T] -> events. On at ACTIVE, off below OFF; gaps longer than GAP_S break them.

    An event is one-sided if, around its apex, the other side is inactive and weaker by `margin` logits or more.
    """
    strongest = np.where(np.isfinite(series).all(axis=1), series.max(axis=1), -1.0)
    step, found = _step(times), []
    for start, stop in _runs(strongest >= OFF, times):
        on = start + np.flatnonzero(strongest[start:stop] >= ACTIVE)
        if len(on) and times[on[-1]] - times[on[0]] + step >= shortest_s:
            apex = on[np.argmax(strongest[on])]
            near = on[np.abs(times[on] - times[apex]) <= SMOOTHING_S]
            side = _side(series[near].mean(axis=0), margin)
            found.append(AuEvent(*(float(times[i]) for i in (on[0], apex, on[-1])), float(strongest[apex]), side))
    return found


def _side(pair: np.ndarray, margin: float) -> Side:
    shown = np.clip(pair, 1e-6, 1 - 1e-6)
    left, right = np.log(shown / (1 - shown))
    if pair.min() >= ACTIVE or abs(left - right) < margin:
        return "both"
    return "left" if left > right else "right"


def _runs(mask: np.ndarray, times: np.ndarray) -> list[tuple[int, int]]:
    """Half-open index ranges in which `mask` holds without a gap in time."""
    known = np.flatnonzero(mask)
    if not len(known):
        return []
    gap = max(GAP_S, 2.5 * _step(times)) if len(times) > 1 else GAP_S
    # A false frame between two true ones ends a run; so does a hole in the track.
    breaks = np.flatnonzero((np.diff(known) > 1) | (np.diff(times[known]) > gap)) + 1
    return [(int(part[0]), int(part[-1]) + 1) for part in np.split(known, breaks)]


def _step(times: np.ndarray) -> float:
    """Usual seconds between samples; infinite for a single picture, whose state lasts for all that is known."""
    return float(np.median(np.diff(times))) if len(times) > 1 else float("inf")


def _gaze_intensity(gaze: np.ndarray) -> np.ndarray:
    """[T, 2] degrees -> [T, 4] intensities of AU61 (left), AU62 (right), AU63 (up), AU64 (down)."""
    yaw, pitch = gaze.T
    return np.clip(np.stack([yaw, -yaw, pitch, -pitch], axis=1) / GAZE_DEGREES, 0, 1)


def _all_events(shown: np.ndarray, times: np.ndarray) -> dict[str, list[AuEvent]]:
    margins = dict(zip(AU_MAP.aus, AU_MAP.margin, strict=True))
    found = {}
    for column, au in enumerate(AUS):
        shortest_s = 0.0 if au == "AU45" else MIN_EVENT_S
        if activations := events(shown[:, column], times, shortest_s, margins.get(au, np.inf)):
            found[au] = activations
    return found


def _sources() -> dict[str, str]:
    return {au: AU_MAP.source(au) if au in AU_MAP.aus else "fused" for au in AUS}
