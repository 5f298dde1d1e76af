"""Statements about the voice and the words, held against prosody, speech spans and transcript."""

import re
from difflib import SequenceMatcher

from emoreason.labels.voice_cues import VOICE_CUES
from emoreason.perception.cues import speaker
from emoreason.perception.observation import Observation
from emoreason.report.finding import ClaimVerdict, Finding, Window
from emoreason.scoring.statement import Statement

MIN_ALIKE = 0.75  # share of characters in order: a transcript and a quotation of it differ in fillers and spelling
_WORD = re.compile(r"\w+")
_ISO = {
    "english": "en", "chinese": "zh", "mandarin": "zh", "german": "de", "french": "fr", "spanish": "es", "polish": "pl",
    "italian": "it",
    "russian": "ru", "japanese": "ja", "korean": "ko", "portuguese": "pt", "dutch": "nl", "arabic": "ar", "hindi": "hi",
    "turkish": "tr",
    "swedish": "sv", "danish": "da", "norwegian": "no", "finnish": "fi", "czech": "cs", "ukrainian": "uk", "greek": "el",
    "hebrew": "he",
    "hungarian": "hu", "romanian": "ro", "vietnamese": "vi", "thai": "th",
}  # fmt: skip


def is_heard(cue: str) -> bool:
    """Whether voice or words are measured for this cue at all."""
    return cue in VOICE_CUES or cue in ("speech", "said", "language")


def verify_sound(statement: Statement, window: Window, observation: Observation) -> Finding:
    """See `claims.verify` for the rules."""
    missing = _not_listened(statement, observation)
    if missing:
        return Finding("unverifiable", missing)
    if statement.cue == "language":
        return _language(statement, observation)
    if statement.cue == "said":
        return _said(statement, window, observation)
    if statement.cue == "speech":
        return _speech(statement, window, observation)
    return _prosody(statement, window, observation)


def _not_listened(statement: Statement, observation: Observation) -> str | None:
    """Why the sound could not be judged, or None."""
    if not observation.source.has_audio:
        return "there is no sound"
    wordy = statement.cue in ("said", "language")
    if not observation.settings.get("words" if wordy else "voice", True):
        return "words were not measured" if wordy else "the voice was not measured"
    if wordy and observation.words is None and _spans(observation):
        return "the speech was not transcribed"
    if statement.cue in VOICE_CUES and VOICE_CUES[statement.cue].reliability == "low":
        return f"{statement.cue} is measured with low reliability"
    return None


def _spans(observation: Observation) -> tuple[tuple[float, float], ...]:
    return observation.voice.spans if observation.voice else ()


def _wrong_speaker(statement: Statement, start_s: float, end_s: float, observation: Observation) -> str | None:
    """Who speaks instead of the named person, where that is known."""
    name = statement.person
    if name in (None, "speaker", "all") or not observation.people:
        return None
    if observation.person(name) is None:
        return f"there is no person {name}"
    who = speaker(observation, start_s, end_s)
    return f"{who} speaks then" if who not in (None, name) else None


def _verdict(true: bool, negated: bool) -> ClaimVerdict:
    return "supported" if true != negated else "contradicted"


def _speech(statement: Statement, window: Window, observation: Observation) -> Finding:
    spans = _spans(observation)
    if statement.person not in (None, "speaker", "all") and observation.people:
        if observation.person(statement.person) is None:
            return Finding("contradicted", f"there is no person {statement.person}")
        if spans and not any(observation.speaking.values()):
            return Finding("unverifiable", "who speaks is not known")
        spans = observation.speaking.get(statement.person, ())
    true = window.touches(spans) if statement.negated else window.holds(spans, momentary=True)
    if not spans:
        return Finding(_verdict(true, statement.negated), "no speech")
    start, end = max(spans, key=lambda span: window.overlap(*span))
    return Finding(_verdict(true, statement.negated), f"speech {start:.1f}-{end:.1f} s", start, end)


def _prosody(statement: Statement, window: Window, observation: Observation) -> Finding:
    cues = [c for c in observation.voice.cues if c.cue == statement.cue] if observation.voice else []
    if not _spans(observation):
        return Finding("unverifiable" if statement.negated else "contradicted", "no speech")
    if not cues:
        return Finding("unverifiable", f"{statement.cue} was not measured")
    here = [c for c in cues if window.overlap(c.start_s, c.end_s, window.tolerance_s) >= 0]
    if not here or window.stated and not window.holds(_spans(observation), momentary=True):
        return Finding("unverifiable" if statement.negated else "contradicted", "no speech then")
    if window.stated:  # the measurement nearest in extent; without a stated time any will do
        here = [min(here, key=lambda c: abs(c.start_s - window.start_s) + abs(c.end_s - window.end_s))]
    wanted = ("typical", "high") if statement.level is None else (statement.level,)
    fitting = [c for c in here if c.level in wanted]
    cue = (fitting or here)[0]
    text = f"{cue.cue} {cue.level} ({cue.value:.1f} {cue.unit}) {cue.start_s:.1f}-{cue.end_s:.1f} s"
    other = _wrong_speaker(statement, cue.start_s, cue.end_s, observation)
    if other:
        return Finding("contradicted", f"{text}, {other}", cue.start_s, cue.end_s)
    return Finding(_verdict(bool(fitting), statement.negated), text, cue.start_s, cue.end_s)


def _language(statement: Statement, observation: Observation) -> Finding:
    if observation.words is None:
        return Finding("contradicted", "no speech")
    language = observation.words.language
    return Finding(_verdict(_ISO.get(statement.quote or "") == language, statement.negated), f"language {language}")


def _said(statement: Statement, window: Window, observation: Observation) -> Finding:
    """The quotation must be in the words said in the stated time, give or take spelling and fillers."""
    segments = observation.words.segments if observation.words else ()
    wanted = _plain(statement.quote or "")
    if not wanted:
        return Finding("unverifiable")
    near = [s for s in segments if window.overlap(s.start_s, s.end_s, window.tolerance_s) >= 0]
    if not contains(" ".join(s.text for s in near), wanted):
        where = "said then" if window.stated and near else "said"
        heard = " ".join(s.text for s in near)[:80]
        return Finding(_verdict(False, statement.negated), f'{where}: "{heard}"' if heard else "no words")
    best = max(near, key=lambda s: SequenceMatcher(None, _plain(s.text), wanted, autojunk=False).ratio())
    other = _wrong_speaker(statement, best.start_s, best.end_s, observation)
    if other and not statement.negated:
        return Finding("contradicted", other, best.start_s, best.end_s)
    measured = f'said "{best.text[:80]}" {best.start_s:.1f}-{best.end_s:.1f} s'
    return Finding(_verdict(True, statement.negated), measured, best.start_s, best.end_s)


def contains(text: str, quote: str) -> bool:
    """Whether `quote` (plain) occurs in `text`, literally or nearly so."""
    plain = _plain(text)
    if f" {quote} " in f" {plain} " or quote in plain and not quote.isascii():  # languages without spaces between words
        return True
    words, wanted = plain.split(), quote.split()
    for start in range(max(1, len(words) - len(wanted) + 1)):
        part = words[start : start + len(wanted)]
        if 2 * len(set(part) & set(wanted)) >= len(set(wanted)) and _alike(" ".join(part), quote):
            return True
    return False


def _alike(a: str, b: str) -> bool:
    return SequenceMatcher(None, a, b, autojunk=False).ratio() >= MIN_ALIKE


def _plain(text: str) -> str:
    return " ".join(_WORD.findall(text.casefold()))
