"""Kinds of suites: what the truth of a record is. What a judge says about it is in `answers`, how both compare in `scores`.

emotion            {label}                       one label of the set, in its own words
action_units       {units: {AU04: true, ...}, intensities: {AU04: 0.4}}    those that somebody coded, and graded
sentiment          {label, score}                either may be None
valence_arousal    {valence, arousal}
open_vocabulary    {words}                       with `metrics: [hit]` the one word of the record's label
reasoning          {label, units, reference}     each may be None or empty: explanations are held against measurements
causes             {pairs: [[effect, cause, emotion], ...]}      utterances counted from 1
hallucination      {answer, asked, pair}         the set's own, or two per record: for its label and another
"""

import random

from emoreason.evaluation.native import Native
from emoreason.evaluation.suite import Suite
from emoreason.instructions.answers import label_of
from emoreason.instructions.record import Record

Truths = list[tuple[str, dict]]  # (what is added to the record's id, truth)

YES, NO = "#yes", "#no"
UNLABELLED = "without one label among those scored"


def truths(suite: Suite, record: Record, native: Native) -> tuple[str | None, Truths]:
    """(why the record is left out, or None; its samples). Nothing here sees what a judge says."""
    if len(text_of(record).split()) < suite.subset.least_words:
        return f"shorter than {suite.subset.least_words} words", []
    if suite.input == "words" and not text_of(record, suite.text):
        return "without words", []
    return _OF[suite.kind](suite, record, native)


def text_of(record: Record, which: str = "transcript") -> str:
    """The words a judge may be shown."""
    if which == "explanation":
        return " ".join(sentence.text for sentence in record.explanation)
    return record.transcript or " ".join(turn.text for turn in record.turns)


def _emotion(suite: Suite, record: Record, native: Native) -> tuple[str | None, Truths]:
    label = _label(suite, record, native)
    return (None, [("", {"label": label})]) if label else (UNLABELLED, [])


def _label(suite: Suite, record: Record, native: Native) -> str | None:
    if not record.labels:
        return None
    first = record.labels[0]
    return native.label(first.value if suite.subset.majority else label_of(record, first.scheme))


def _units(suite: Suite, record: Record, native: Native) -> tuple[str | None, Truths]:
    coded = {unit.au: unit.present for unit in record.action_units if unit.au in suite.units}
    if not coded:
        return "without coded action units", []
    graded = {unit.au: unit.intensity for unit in record.action_units if unit.au in coded and unit.intensity is not None}
    return None, [("", {"units": coded} | ({"intensities": graded} if graded else {}))]


def _sentiment(suite: Suite, record: Record, native: Native) -> tuple[str | None, Truths]:
    if record.sentiment is None and record.sentiment_score is None:
        return "without sentiment", []
    return None, [("", {"label": record.sentiment, "score": record.sentiment_score})]


def _affect(suite: Suite, record: Record, native: Native) -> tuple[str | None, Truths]:
    if record.valence is None or record.arousal is None:
        return "without valence and arousal", []
    return None, [("", {"valence": record.valence, "arousal": record.arousal})]


def _open(suite: Suite, record: Record, native: Native) -> tuple[str | None, Truths]:
    if "hit" in suite.metrics:
        label = _label(suite, record, native)
        return (None, [("", {"words": [label]})]) if label else (UNLABELLED, [])
    return (None, [("", {"words": list(record.open_labels)})]) if record.open_labels else ("without open labels", [])


def _reasoning(suite: Suite, record: Record, native: Native) -> tuple[str | None, Truths]:
    units = {unit.au: unit.present for unit in record.action_units if unit.source == "human"}
    told = text_of(record, "explanation") or None
    return None, [("", {"label": _label(suite, record, native), "units": units, "reference": told})]


def _causes(suite: Suite, record: Record, native: Native) -> tuple[str | None, Truths]:
    if not record.turns:
        return "without a dialogue", []
    pairs = {(c.effect + 1, c.cause + 1, c.emotion or record.turns[c.effect].emotion) for c in record.causes}
    return None, [("", {"pairs": [list(pair) for pair in sorted(pairs, key=lambda pair: (*pair[:2], pair[2] or ""))]})]


def _hallucination(suite: Suite, record: Record, native: Native) -> tuple[str | None, Truths]:
    """The set's own question; else one for the label and one for another, which the id of the record alone decides."""
    if record.probe is not None:
        own = {"answer": record.probe.answer, "asked": record.probe.question, "pair": record.probe.pair}
        return (None, [("", own)]) if record.probe.pair else ("a question without its twin", [])
    label = _label(suite, record, native)
    others = [word for word in native.labels if word != label]
    if label is None or not others:
        return UNLABELLED, []
    other = random.Random(f"{suite.recipe}/{record.id}").choice(others)
    pair = {"pair": record.id}
    return None, [(YES, {"answer": "yes", "asked": label} | pair), (NO, {"answer": "no", "asked": other} | pair)]


_OF = {
    "emotion": _emotion, "action_units": _units, "sentiment": _sentiment, "valence_arousal": _affect, "open_vocabulary": _open,
    "reasoning": _reasoning, "causes": _causes, "hallucination": _hallucination,
}  # fmt: skip
