"""The only builder of prompts, for training and inference, soft tokens and text evidence alike.

A prompt says what can be seen and heard (placeholders for soft tokens, one group per person and one for the voice), lists the
strongest measured cues as terse evidence lines with ids, and asks. An answer cites evidence ids, interprets, and ends in
`<answer>` fields. For a verdict the label is asked for first (`emotion_question`), and once it stands its reasons (`WHY`).
Untrusted text (transcripts, questions) goes through `sanitize` and cannot become a control token.
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from emoreason.labels.action_units import ACTION_UNITS
from emoreason.labels.voice_cues import VOICE_CUES, VOICE_LEVELS
from emoreason.perception.cues import rank
from emoreason.perception.observation import Cue
from emoreason.perception.segments import Segment

FACE, VOICE, SCENE = "<|er_face|>", "<|er_voice|>", "<|er_scene|>"
PERSON_MARK, VOICE_MARK = "<|er_person|>", "<|er_sound|>"
PLACEHOLDERS = (FACE, VOICE)  # their embeddings are overwritten
SPECIAL_TOKENS = (FACE, VOICE, PERSON_MARK, VOICE_MARK)
ANSWER_OPEN, ANSWER_CLOSE = "<answer>", "</answer>"
WHY = "Why?"  # asked after the label has been given

MOST_LINES = 12
_PREFIX = {"face": "f", "voice": "v", "words": "w"}
_MOST_QUOTED = 60  # characters of a quotation in an evidence line
_FORBIDDEN = str.maketrans({"<": "(", ">": ")", "[": "(", "]": ")", "{": "(", "}": ")", "|": "/", "`": "'", '"': "'", "▁": "_"})


def sanitize(text: str) -> str:
    """Untrusted text as one plain line: no brackets, bars or control characters, from which every control token is made."""
    text = unicodedata.normalize("NFKC", text).translate(_FORBIDDEN)  # NFKC first: full-width brackets become plain ones
    return " ".join("".join(c if unicodedata.category(c)[0] != "C" else " " for c in text).split())


@dataclass(frozen=True)
class Evidence:
    """One line of evidence: `f3 p1 strong lip corner puller (AU12) left 2.1-4.8`, the words as an answer can take them over.
    A picture has no time."""

    id: str
    cue: Cue

    @property
    def text(self) -> str:
        cue = self.cue
        side = cue.side if cue.side in ("left", "right") else None
        span = f"{cue.start_s:.1f}-{cue.end_s:.1f}" if cue.end_s > 0 else None
        return " ".join(part for part in (self.id, cue.person, self._told, side, span) if part)

    @property
    def _told(self) -> str:
        cue = self.cue
        if cue.modality == "words":
            return f"'{sanitize(str(cue.value))[:_MOST_QUOTED]}'"
        if cue.modality == "voice":
            return VOICE_CUES[cue.cue].words[VOICE_LEVELS.index(cue.level)]
        return f"{cue.level} {ACTION_UNITS[cue.cue].noun} ({cue.cue})"


def evidence(cues: Sequence[Cue], segment: Segment, most: int = MOST_LINES) -> list[Evidence]:
    """The strongest x most reliable cues of a segment, numbered per modality in that order. At most `most`. What is typical of a
    voice goes without saying."""
    inside = [segment.part_of(cue) for cue in cues if segment.holds(cue) and cue.level != "typical"]
    ranked = sorted(inside, key=lambda cue: -rank(cue))[:most]
    counts = dict.fromkeys(_PREFIX, 0)
    lines = []
    for cue in ranked:
        counts[cue.modality] += 1
        lines.append(Evidence(f"{_PREFIX[cue.modality]}{counts[cue.modality]}", cue))
    return lines


@dataclass(frozen=True)
class Layout:
    """How many soft tokens stand for one person and for the voice: fixed by the encoders' configuration."""

    face: int
    voice: int


def user_text(
    persons: Sequence[str], has_voice: bool, lines: Sequence[Evidence], question: str, layout: Layout | None, scenes: int = 0
) -> str:
    """The first user turn. `layout=None` builds the text-evidence prompt: the same words without soft tokens.

    `question` is trusted (a template filled with sanitized values); SCENE marks stand where a backbone's own image tokens go.
    """
    parts = [SCENE * scenes] if scenes and layout else []
    parts += [f"{name}{PERSON_MARK}{FACE * layout.face}" if layout else f"{name}: face seen" for name in persons]
    if has_voice:
        parts.append(f"voice{VOICE_MARK}{VOICE * layout.voice}" if layout else "voice heard")
    nothing = ["no cue stands out"] if persons or has_voice else []  # of words alone no cue was to be expected
    parts += [line.text for line in lines] or nothing
    return "\n".join([*parts, question])


def emotion_question(labels: Sequence[str]) -> str:
    """The closed question, with its candidates in the given order."""
    return f"Which emotion is shown? Choose from: {', '.join(labels)}."


def reasoned_question(labels: Sequence[str]) -> str:
    """Reasons first, then the label: for a model that answers freely."""
    return f"Which emotion is shown, and why? Choose from: {', '.join(labels)}."


def answer_text(
    observations: str, interpretation: str, emotion: str | None, open_labels: Sequence[str] = (), aus: Sequence[str] = ()
) -> str:
    """Observations citing evidence ids, interpretation, then the fields; an abstaining answer says `unclear`."""
    fields = [f"emotion={emotion or 'unclear'}"]
    fields += [f"open={', '.join(open_labels)}"] if open_labels else []
    fields += [f"aus={', '.join(aus)}"] if aus else []
    return f"{observations} {interpretation} {ANSWER_OPEN}{'; '.join(fields)}{ANSWER_CLOSE}".strip()
