"""Statements about faces and heads, held against the action-unit series, gaze and head pose of each person."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from emoreason.labels.action_units import GAZE_AUS, LEVELS, SIDED_AUS, level
from emoreason.perception.cues import speaker
from emoreason.perception.observation import Observation, Person
from emoreason.report.finding import ClaimVerdict, Finding, Window, combine
from emoreason.scoring.statement import Statement

MIN_SEEN = 0.5  # share of the sampled frames in the stated time that must show the face before its absence means anything
# A unit is also shown by these: the same shapes (23, 24), a wider opening of the same (25-27), or a movement that
# narrows the eye as well (6).
_SHOWN_BY = {
    "AU07": ("AU07", "AU06"), "AU23": ("AU23", "AU24"), "AU24": ("AU24", "AU23"), "AU25": ("AU25", "AU26", "AU27"),
    "AU26": ("AU26", "AU27"),
}  # fmt: skip
_MOMENTARY = ("AU45",)
# Head poses: column of Person.pose (pitch, yaw, roll), sign, degrees from which a head counts as turned. Set by hand.
_POSES: dict[str, tuple[tuple[int, int, float], ...]] = {
    "head_up": ((0, 1, 12.0),), "head_down": ((0, -1, 12.0),), "head_left": ((1, 1, 15.0),), "head_right": ((1, -1, 15.0),),
    "tilt_left": ((2, 1, 12.0),), "tilt_right": ((2, -1, 12.0),), "head_tilt": ((2, 1, 12.0), (2, -1, 12.0)),
    "head_away": ((1, 1, 15.0), (1, -1, 15.0)),
}  # fmt: skip
_GAP_S = 0.3  # shorter breaks do not end a head pose


@dataclass(frozen=True)
class _Shown:
    """One stretch of time in which something was measured on one person."""

    cue: str
    start_s: float
    end_s: float
    level: str | None = None
    side: str | None = None

    @property
    def span(self) -> tuple[float, float]:
        return self.start_s, self.end_s

    def describe(self, person: Person) -> str:
        side = self.side if self.side in ("left", "right") else None
        words = [self.cue, self.level, side, f"{self.start_s:.1f}-{self.end_s:.1f} s on {person.person}"]
        return " ".join(word for word in words if word)


def is_measured(cue: str) -> bool:
    """Whether faces are measured for this cue at all."""
    return cue.startswith("AU") or cue in _POSES or cue == "gaze_away"


def verify_face(statement: Statement, window: Window, observation: Observation) -> Finding:
    """See `claims.verify` for the rules."""
    if not observation.people:
        return Finding("unverifiable", "no face was measured")
    people = addressed(statement, window, observation)
    if not people:
        return Finding("contradicted", f"there is no person {statement.person}")
    judge = _denied if statement.negated else _affirmed
    findings = [judge(statement, window, person, observation) for person in people]
    return combine(findings, every=statement.negated or statement.person == "all")


def addressed(statement: Statement, window: Window, observation: Observation) -> Sequence[Person]:
    """The persons a statement is about: the named one, whoever speaks, or everybody; empty for a name nobody has."""
    name = statement.person
    if name == "speaker":
        name = speaker(observation, window.start_s, window.end_s)
    if name in (None, "all"):
        return observation.people
    person = observation.person(name)
    return () if person is None else (person,)


def _affirmed(statement: Statement, window: Window, person: Person, observation: Observation) -> Finding:
    shown, reliable = _shown(statement.cue, person)
    doubt = _doubt(statement, window, person, observation, reliable)
    fitting = [s for s in shown if _fits_side(s, statement) and _fits_level(s, statement)]
    if window.holds([s.span for s in fitting], statement.cue in _MOMENTARY) and _sides_known(statement):
        return _finding("supported", _best(fitting, window), person)
    if doubt:
        return doubt
    if not shown:
        return Finding("contradicted", f"no {statement.cue} on {person.person}")
    return _finding("contradicted", _best(shown, window), person)


def _denied(statement: Statement, window: Window, person: Person, observation: Observation) -> Finding:
    shown, reliable = _shown(statement.cue, person)
    against = [s for s in shown if _includes_side(s, statement) and _at_least(s, statement)]
    if window.touches([s.span for s in against]):
        return _finding("contradicted", _best(against, window), person)
    doubt = _doubt(statement, window, person, observation, reliable)
    return doubt or Finding("supported", f"no {statement.cue} on {person.person}" + _when(window))


def _doubt(statement: Statement, window: Window, person: Person, observation: Observation, reliable: bool) -> Finding | None:
    """Why the absence of a cue would prove nothing, or None."""
    if not reliable:
        return Finding("unverifiable", f"{statement.cue} is measured with low reliability")
    if not _sides_known(statement):
        return Finding("unverifiable", f"{statement.cue} is not measured by side")
    seen = _seen(statement.cue, window, person, observation)
    return None if seen >= MIN_SEEN else Finding("unverifiable", f"{person.person}: face not measured" + _when(window))


def _sides_known(statement: Statement) -> bool:
    return statement.side in (None, "both") or statement.cue in SIDED_AUS


def _seen(cue: str, window: Window, person: Person, observation: Observation) -> float:
    """Share of the sampled frames of the stated time (of the person's own time, where none is stated) with a value."""
    known = ~np.isnan(_series(cue, person))
    if not window.stated:
        return float(known.mean())
    widen = max(window.tolerance_s if window.end_s == window.start_s else 0.0, 1e-6)
    start, end = window.start_s - widen, window.end_s + widen
    sampled = np.count_nonzero((observation.sample_times_s >= start) & (observation.sample_times_s <= end))
    here = np.count_nonzero(known & (person.times_s >= start) & (person.times_s <= end))
    return here / sampled if sampled else 0.0


def _series(cue: str, person: Person) -> np.ndarray:
    """[T] a value that is NaN where the cue was not measured."""
    if cue in _POSES:
        return person.pose[:, _POSES[cue][0][0]]
    return person.action_units.of(GAZE_AUS[0] if cue == "gaze_away" else cue)


def _shown(cue: str, person: Person) -> tuple[list[_Shown], bool]:
    """All stretches that show a cue, by reliable measurements only, and whether the cue's own measurement is reliable."""
    if cue in _POSES:
        return _pose_spans(cue, person), True
    series = person.action_units
    units = (*GAZE_AUS,) if cue == "gaze_away" else _SHOWN_BY.get(cue, (cue,))
    shown = [
        _Shown(au, event.onset_s, event.offset_s, level(event.peak), event.side)
        for au in units
        if series.reliability.get(au, "low") != "low"
        for event in series.events.get(au, ())
    ]
    if cue == "gaze_away":
        return shown + _pose_spans("head_away", person), any(series.reliability.get(au, "low") != "low" for au in units)
    return shown, series.reliability.get(cue, "low") != "low" and cue in series.aus


def _pose_spans(cue: str, person: Person) -> list[_Shown]:
    spans: list[_Shown] = []
    for column, sign, degrees in _POSES[cue]:
        times = person.times_s[sign * np.nan_to_num(person.pose[:, column]) >= degrees]
        for run in np.split(times, np.flatnonzero(np.diff(times) > _GAP_S) + 1) if len(times) else ():
            spans.append(_Shown(cue, float(run[0]), float(run[-1])))
    return spans


def _fits_side(shown: _Shown, statement: Statement) -> bool:
    """Naming one side says that the other does not show it: a movement of both sides is not "left"."""
    if statement.side is None or statement.cue not in SIDED_AUS:
        return True
    return shown.side in ("left", "right") if statement.side == "one" else shown.side == statement.side


def _includes_side(shown: _Shown, statement: Statement) -> bool:
    """ "The left brow is not raised" is wrong where both are."""
    if statement.side in ("left", "right"):
        return shown.side in (statement.side, "both", None)
    return _fits_side(shown, statement)


def _fits_level(shown: _Shown, statement: Statement) -> bool:
    """Within one step: "slight" and "strong" exclude each other, "marked" goes with both."""
    if statement.level not in LEVELS or shown.level is None:
        return True
    return abs(LEVELS.index(shown.level) - LEVELS.index(statement.level)) <= 1


def _at_least(shown: _Shown, statement: Statement) -> bool:
    """ "No strong smile" is wrong where a strong one was, and right where it was slight."""
    if statement.level not in LEVELS or shown.level is None:
        return True
    return LEVELS.index(shown.level) >= LEVELS.index(statement.level)


def _best(shown: Sequence[_Shown], window: Window) -> _Shown:
    return max(shown, key=lambda s: (window.overlap(*s.span), s.end_s - s.start_s, -s.start_s))


def _finding(verdict: ClaimVerdict, shown: _Shown, person: Person) -> Finding:
    return Finding(verdict, shown.describe(person), shown.start_s, shown.end_s)


def _when(window: Window) -> str:
    return f" in {window.start_s:.1f}-{window.end_s:.1f} s" if window.stated else ""
