"""Metrics of explanations that need no judge: a text is held against the measurements, human codes, other clips, another run.

Each of them alone is easy to game: a text that copies its prompt is faithful, one that lists everything covers everything, one
that says little is never wrong. So all of them are reported beside claims per text, and what is to be maximised is
`chosen_cue_f1`, in which every further claim costs.

Every metric of one text is a pair (numerator, denominator); over many texts both are summed, so that a text with ten claims
weighs ten times one with a single claim where claims are counted, and each text once where texts are.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

from emoreason.perception.cues import cues
from emoreason.perception.observation import Observation
from emoreason.report.claims import check, mentions, strongest
from emoreason.report.schema import Claim
from emoreason.scoring.answer import Answer
from emoreason.scoring.grammar import parse
from emoreason.scoring.statement import Statement
from emoreason.scoring.tokens import tokenize
from emoreason.scoring.vocabulary import PHRASES

Counts = dict[str, tuple[float, float]]  # metric id -> numerator, denominator of one text

UNITS = {"claims_per_text": "claims", "claims_per_text_without_evidence": "claims"}
SIGNS = {"supported": 1, "contradicted": -1, "unverifiable": 0}  # of a claim's verdict
TOP = 6  # strong cues that a good text should mention, as in report.claims.coverage
OTHERS = 4  # other clips that a text is held against
_STOP_WORDS = frozenset("a an and as at be by for from go in into it of on or that the their to up with".split())
METRICS = {
    "claims_per_text": "checkable statements per text",
    "supported_rate": "share of all claims that the measurements support",
    "contradicted_rate": "share of all claims that the measurements contradict",
    "unverifiable_rate": "share of all claims that nothing measured can decide",
    "cue_coverage": "share of a clip's strongest cues that a supported claim mentions, mean over texts",
    "chosen_cue_f1": "2 x strong cues mentioned / (claims + strong cues): each claim beside the strong cues costs",
    "specificity": "how often the text fits its own clip better than another one; half for a tie: 0.5 is chance",
    "time_iou": "overlap of the stated span with the measured one over their union; 0 where nothing was measured",
    "au_precision_human": "share of affirmed, human-coded action units that the human coder saw",
    "au_recall_human": "share of the action units that the human coder saw that the text affirms",
    "au_f1_human": "F1 of the two, over all units and texts",
    "au_denials_human": "share of denied, human-coded action units that the human coder did not see",
    "conclusion_agreement": "the freely written conclusion is the stated verdict; unreadable counts as no",
    "free_parsed": "share of freely written answers that can be read",
    "clue_word_f1": "overlap of words for facial and vocal cues with a human text (a proxy; not the judged EMER score)",
    "clue_cue_f1": "overlap of the cues stated, read by the grammar, with those of a human text (a proxy, too)",
}
WITHOUT_EVIDENCE = "_without_evidence"  # the same of what a model writes when its prompt has no evidence lines to copy
BLIND = (
    "claims_per_text", "supported_rate", "contradicted_rate", "chosen_cue_f1", "au_precision_human", "au_recall_human",
)  # fmt: skip
REPORTED = METRICS | {f"{name}{WITHOUT_EVIDENCE}": f"without evidence lines: {METRICS[name]}" for name in BLIND}


@dataclass(frozen=True)
class ExplainedClip:
    """One explained clip. `units`: what a human coder decided, True for present; units not coded do not appear.

    conclusion: the verdict that the report states. free: what the model answered when nothing was forced; None = not asked.
    reference: a human explanation.
    """

    text: str
    observation: Observation
    conclusion: str | None = None
    free: Answer | None = None
    units: Mapping[str, bool] = field(default_factory=dict)
    reference: str | None = None


def counts(clip: ExplainedClip, others: Sequence[Observation] = ()) -> Counts:
    """Numerator and denominator of every metric for one text; 0 of 0 where it says nothing. `others`: of other people's clips."""
    statements, claims = parse(clip.text), check(clip.text, clip.observation)
    own, foreign = fit(claims), [fit(check(clip.text, other)) for other in others]
    return {
        "claims_per_text": (len(claims), 1),
        **{f"{verdict}_rate": (sum(claim.verdict == verdict for claim in claims), len(claims)) for verdict in SIGNS},
        **_chosen(claims, clip.observation),
        "specificity": (sum((own > one) + 0.5 * (own == one) for one in foreign), len(foreign)),
        "time_iou": _times(statements, claims, clip.observation),
        **_coded(statements, clip.units),
        **_concluded(clip),
        "clue_word_f1": _overlap(clue_words, clip.text, clip.reference),
        "clue_cue_f1": _overlap(clue_cues, clip.text, clip.reference),
    }


def _chosen(claims: Sequence[Claim], observation: Observation) -> Counts:
    """A strong cue is mentioned once, however often it is repeated; a claim counts each time it is made."""
    strong, supported = strongest(observation, TOP), [claim for claim in claims if claim.verdict == "supported"]
    mentioned = sum(any(mentions(claim, cue) for claim in supported for cue in same) for same in strong)
    covered = (mentioned / len(strong), 1) if strong else (0, 0)
    return {"cue_coverage": covered, "chosen_cue_f1": (2 * mentioned, len(claims) + len(strong))}


def fit(claims: Sequence[Claim]) -> float:
    """-1..1: supported minus contradicted, over all claims; 0 without any."""
    return sum(SIGNS[claim.verdict] for claim in claims) / len(claims) if claims else 0.0


def _times(statements: Sequence[Statement], claims: Sequence[Claim], observation: Observation) -> tuple[float, float]:
    """Of each affirmed facial movement or quotation with a stated span, the best overlap with one measured occurrence."""
    total, n, measured = 0.0, 0, cues(observation)
    for statement, claim in zip(statements, claims, strict=True):
        start, end = statement.start_s, statement.end_s
        timed = statement.cue.startswith("AU") or statement.cue == "said"
        if statement.negated or not timed or start is None or end is None or not 0 <= start < end:
            continue
        anytime = claim.model_copy(update={"start_s": None, "end_s": None})
        total += max((_iou(start, end, cue.start_s, cue.end_s) for cue in measured if mentions(anytime, cue)), default=0.0)
        n += 1
    return total, n


def _iou(start: float, end: float, other_start: float, other_end: float) -> float:
    union = max(end, other_end) - min(start, other_start)
    return max(0.0, min(end, other_end) - max(start, other_start)) / union


def _coded(statements: Sequence[Statement], units: Mapping[str, bool]) -> Counts:
    """A unit that is affirmed at one time and denied at another counts as affirmed: it did occur."""
    affirmed = {one.cue for one in statements if not one.negated and one.cue in units}
    denied = {one.cue for one in statements if one.negated and one.cue in units} - affirmed
    present = {au for au, seen in units.items() if seen}
    hits = len(affirmed & present)
    return {
        "au_precision_human": (hits, len(affirmed)),
        "au_recall_human": (hits, len(present)),
        "au_f1_human": (2 * hits, len(affirmed) + len(present)),
        "au_denials_human": (len(denied - present), len(denied)),
    }


def _concluded(clip: ExplainedClip) -> Counts:
    if clip.free is None:
        return {"conclusion_agreement": (0, 0), "free_parsed": (0, 0)}
    parsed = clip.free.problem is None
    return {"conclusion_agreement": (parsed and clip.free.emotion == clip.conclusion, 1), "free_parsed": (parsed, 1)}


def _overlap(read: Callable[[str], frozenset[str]], text: str, reference: str | None) -> tuple[float, float]:
    """F1 of what is read off both texts; 0 of 0 without a human text, or without a clue in it."""
    wanted = frozenset() if reference is None else read(reference)
    found = read(text) if wanted else frozenset()
    return (2 * len(found & wanted) / (len(found) + len(wanted)), 1) if wanted else (0, 0)


def clue_words(text: str) -> frozenset[str]:
    """The base forms of the words of a text that name parts of the face, movements or vocal cues."""
    return frozenset(token.lemma for token in tokenize(text) if token.lemma in _clue_vocabulary())


def clue_cues(text: str) -> frozenset[str]:
    """Cues that the text says are there."""
    return frozenset(statement.cue for statement in parse(text) if not statement.negated)


@cache
def _clue_vocabulary() -> frozenset[str]:
    named = (phrase for phrase, roles in PHRASES.items() if roles.keys() & {"part", "move", "cue"})
    return frozenset(word for phrase in named for word in phrase) - _STOP_WORDS
