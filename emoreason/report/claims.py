"""The claims of an explanation and their verification against the observation. It does not know who wrote the text."""

from collections.abc import Sequence

from emoreason.perception.cues import cues
from emoreason.perception.observation import Cue, Observation
from emoreason.report.face_claims import is_measured, verify_face
from emoreason.report.finding import POINT_TOLERANCE_S, ClaimVerdict, Finding, window
from emoreason.report.schema import Claim
from emoreason.report.voice_claims import is_heard, verify_sound
from emoreason.scoring.grammar import parse
from emoreason.scoring.statement import Statement

_SAME = {"AU24": "AU23", "AU26": "AU25", "AU27": "AU25"}  # mentions of one count for the other


def check(text: str, observation: Observation) -> list[Claim]:
    """Every statement of `text` about a cue, with its verdict and what was measured.

    The claim's time is the stated one; where none is stated, that of the measurement that supports it.
    """
    return [_claim(statement, observation) for statement in parse(text)]


def verify(statement: Statement, observation: Observation) -> ClaimVerdict:
    """Holds one statement against the measurements.

    Faces. *Supported*: the person (anybody, if none is named; everybody for "all") has an event of the unit that fills enough of
    the stated time (`finding.Window.holds`; 0.5 s or 15 % of tolerance), on the stated side, within one step of the stated level.
    Naming one side denies the other. AU23/24 come from the same shapes and stand for each other; a wider opening (26, 27) also
    shows a smaller one (25, 26); AU06 also narrows the eye (07). *Contradicted*: measured, and not so; also words that name
    another unit than the code behind them, whatever is shown. A denial is the mirror: contradicted by an event inside the stated
    time, else supported.
    *Unverifiable*: a unit of low reliability or one that is never measured, a side of a unit without sides, a time in which
    the face was seen in less than half of the frames, no face in the clip at all, posture, gestures, tears, the scene.
    Voice: the level must be the measured one, over the stated time (else over any measured stretch). No sound at all, or a cue
    of low reliability: unverifiable; sound without speech: contradicted. Words: the quotation must be in the transcript of the
    stated time, nearly to the letter. A person that is not in the clip, a time outside it, somebody else speaking: contradicted.
    """
    return _judge(statement, observation).verdict


def faithfulness(claims: Sequence[Claim]) -> float | None:
    """supported / (supported + contradicted), or None where nothing could be verified."""
    supported = sum(claim.verdict == "supported" for claim in claims)
    judged = supported + sum(claim.verdict == "contradicted" for claim in claims)
    return supported / judged if judged else None


def coverage(
    claims: Sequence[Claim], observation: Observation, top: int = 6, start_s: float = 0.0, end_s: float | None = None
) -> float | None:
    """Share of the `top` strongest different cues measured in start_s..end_s that a supported claim mentions; None without cues.

    Cues of low reliability and voice cues in their typical range are no evidence that a text should mention. A supported denial
    mentions nothing: its time never overlaps an event of its unit.
    """
    told = strongest(observation, top, start_s, end_s)
    supported = [claim for claim in claims if claim.verdict == "supported"]
    return sum(any(mentions(claim, cue) for claim in supported for cue in same) for same in told) / len(told) if told else None


def strongest(observation: Observation, top: int = 6, start_s: float = 0.0, end_s: float | None = None) -> list[list[Cue]]:
    """The `top` strongest different cues measured in start_s..end_s, each with all its occurrences; see `coverage`."""
    end_s = observation.source.duration_s if end_s is None else end_s
    found: dict[tuple[str, str | None], list[Cue]] = {}
    for cue in cues(observation):
        inside = cue.start_s <= end_s and cue.end_s >= start_s
        if inside and cue.reliability != "low" and cue.level != "typical":
            key = (_SAME.get(cue.cue, cue.cue), cue.person if cue.modality == "face" else None)
            if key in found or len(found) < top:
                found.setdefault(key, []).append(cue)
    return list(found.values())


def mentions(claim: Claim, cue: Cue) -> bool:
    """Whether a claim speaks of this cue: the same unit, of a person and at a time that fit."""
    if _SAME.get(claim.cue, claim.cue) != _SAME.get(cue.cue, cue.cue):
        return False
    if cue.modality == "face" and claim.person not in (None, "all", "speaker", cue.person):
        return False
    start = claim.start_s if claim.start_s is not None else float("-inf")
    end = claim.end_s if claim.end_s is not None else float("inf")
    return start - POINT_TOLERANCE_S <= cue.end_s and end + POINT_TOLERANCE_S >= cue.start_s


def _judge(statement: Statement, observation: Observation) -> Finding:
    if statement.misnamed is not None:
        return Finding("contradicted", f"its words name {statement.misnamed}, not {statement.cue}")
    measured_face, heard = is_measured(statement.cue), is_heard(statement.cue)
    if not measured_face and not heard:
        return Finding("unverifiable")
    span = window(statement, observation)
    if span is None:
        return Finding("contradicted", f"the clip lasts {observation.source.duration_s:.1f} s")
    return verify_face(statement, span, observation) if measured_face else verify_sound(statement, span, observation)


def _claim(statement: Statement, observation: Observation) -> Claim:
    finding = _judge(statement, observation)
    start, end = _stated(statement, observation)
    if start is None and end is None and finding.verdict == "supported":
        start, end = finding.start_s, finding.end_s
    return Claim(
        text=statement.text,
        modality=statement.modality,
        cue=statement.cue,
        person=statement.person,
        start_s=start,
        end_s=end,
        verdict=finding.verdict,
        measured=finding.measured,
    )


def _stated(statement: Statement, observation: Observation) -> tuple[float | None, float | None]:
    """The time in the text, relative ones in seconds of this clip."""
    if statement.phase is None and (statement.start_s is None or statement.start_s >= 0):
        return statement.start_s, statement.end_s
    span = window(statement, observation)
    return (span.start_s, span.end_s) if span else (None, None)
