"""What a judge says about samples, in the form that each kind of suite is scored in. No truth is shown to a judge.

    emotion            {label, confidence, probabilities, abstained}   chosen among the set's labels, abstention noted beside it
    action_units       {units: {AU04: 0.31, ...}}                      largest intensity 0..1; present from ACTIVE on
    sentiment          {label, score}                                  score in -1..1: expected valence, or p(pos) - p(neg)
    valence_arousal    {valence, arousal}
    open_vocabulary    {words}
    reasoning          {label, counts: {metric: [numerator, denominator]}}   measured here, where the measurements are
    causes             {pairs: [[effect, cause, emotion], ...]}
    hallucination      {answer: yes | no}

Questions are those of `instructions.tasks`: what a model was taught to answer is what it is asked. A suite's `answer` says whose
answer counts: the product's verdict, what a model writes freely, or what the trained head of an encoder says alone.
"""

import random
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from emoreason.evaluation.explanations import BLIND, WITHOUT_EVIDENCE, Told, counts
from emoreason.evaluation.native import Native, most_likely
from emoreason.evaluation.shown import Shown
from emoreason.evaluation.suite import Suite
from emoreason.evaluation.verdicts import Question, inputs, reports, verdicts
from emoreason.inference.judges import Judge
from emoreason.instructions.answers import Exchange, affect_said, yes_no
from emoreason.instructions.conversation import segment_of
from emoreason.instructions.label_tasks import SENTIMENTS, Scheme, dialogue, shuffled
from emoreason.instructions.tasks import context
from emoreason.instructions.templates import templates
from emoreason.labels.action_units import ACTIVE, AUS
from emoreason.model.prompt import reasoned_question, sanitize
from emoreason.perception.observation import Observation
from emoreason.perception.people import main_person
from emoreason.perception.segments import Segment
from emoreason.report.emotion_report import EmotionReport
from emoreason.report.judgement import Judged, by_emotion
from emoreason.report.schema import Verdict
from emoreason.scoring.answer import Answer, parse_answer

Status = Literal["answered", "silent", "unparsable", "failed"]
MOST_TOKENS = 160  # of a written answer, its fields included
PROBABLE = 0.5  # from which a head's probability counts as present
_PAIR = re.compile(r"(\d+) because of (\d+)(?: \(([^()]+)\))?")


@dataclass(frozen=True)
class Said:
    """silent: nothing to go on, which `reason` explains. unparsable: a written answer that could not be read. Both are wrong."""

    status: Status
    prediction: dict | None = None
    reason: str | None = None
    text: str = ""


@dataclass(frozen=True)
class Exam:
    """What every answer of a suite depends on besides the sample."""

    suite: Suite
    native: Native
    scheme: Scheme
    predictor: Judge
    others: Callable[[Shown], list[Observation]]  # measurements of other samples, that a text should not fit

    def answers(self, shown: Sequence[Shown]) -> list[Said]:
        """One for each sample, in order."""
        return _OF[self.suite.kind](self, shown)

    @property
    def in_writing(self) -> bool:
        """Words alone are judged in writing by whoever can write."""
        return self.suite.input == "words" and self.predictor.writes

    @property
    def freely(self) -> bool:
        """The verdict of a judge that does not write is all it answers, so that it stands for the free answer, too."""
        return self.suite.answer == "free" and self.predictor.writes

    def choose(self, questions: Sequence[Question]) -> list[dict[str, float]]:
        """Probabilities of the labels of each question; all questions offer the same ones."""
        return self.predictor.choose(inputs(self.predictor, questions), questions[0].labels)

    def reply(self, questions: Sequence[Question]) -> list[str]:
        """Whole written answers, answer fields included."""
        return self.predictor.reply(inputs(self.predictor, questions), MOST_TOKENS)

    def question(self, shown: Shown, task: str, labels: Sequence[str] = (), **slots: str) -> Question:
        """Worded as in training, the wording and the order of labels drawn by the sample's id: the same for every judge."""
        rng = random.Random(f"{self.suite.name}/{shown.sample.id}")
        named = {"labels": shuffled(labels, rng)} if labels else {}
        asked = templates().ask(task, rng, **named, **slots)
        before = context(shown.record, shown.observation, Exchange(asked, "", ()), rng)
        return Question(shown, f"{before} {asked}".strip(), tuple(labels))


def _emotion(exam: Exam, shown: Sequence[Shown]) -> list[Said]:
    if exam.suite.answer == "head":
        judged = exam.predictor.judge([(one.observation, one.clip) for one in shown], explain=False)
        return [_by_head(exam, *pair) for pair in zip(judged, shown, strict=True)]
    if exam.freely:
        return _written(exam, shown)
    if exam.in_writing:
        labels = exam.scheme.labels
        chosen = exam.choose([exam.question(one, "emotion", labels) for one in shown])
        return [_chosen(_merged(p, exam.native), abstained=False) for p in chosen]
    return _closed(exam, shown)


def _closed(exam: Exam, shown: Sequence[Shown]) -> list[Said]:
    told = verdicts(exam.predictor, shown)
    return [_chosen(_shares(exam, one), one.abstained, one.reason) for one in told]


def _shares(exam: Exam, told: Verdict) -> dict[str, float] | None:
    """Over the scored labels. A judge's own words are understood where they are this set's, else by what they stand for."""
    if told.probabilities is None:
        return None
    if told.scheme == exam.scheme.name:
        return _merged(told.probabilities, exam.native)
    canonical: Counter[str] = Counter()
    for word, p in told.probabilities.items():
        if emotion := exam.predictor.label_set.emotion(word):
            canonical[emotion] += p
    return exam.native.probabilities(canonical)


def _by_head(exam: Exam, judged: Judged, shown: Shown) -> Said:
    """Of the whole file: what the face of its main person shows to the encoder's head alone, else what its voice does."""
    found = judged.people.get(judged.clip.person)
    found = judged.voice if found is None else found
    if found is None:
        return Said("silent", reason="neither a face nor a voice that a head could judge")
    return _chosen(exam.native.probabilities(by_emotion(found)), abstained=False)


def _written(exam: Exam, shown: Sequence[Shown]) -> list[Said]:
    """Whatever label stands in the answer that was written without any constraint; a written label has no confidence."""
    labels = exam.scheme.labels
    replies = exam.reply([exam.question(one, "emotion", labels) for one in shown])
    return [_label_said(exam.native, parse_answer(text, labels), text) for text in replies]


def _label_said(native: Native, answer: Answer, text: str) -> Said:
    if answer.problem:
        return Said("unparsable", reason=answer.problem, text=text)
    label = native.label(answer.emotion)
    if label is None:
        said = "unclear" if answer.emotion is None else f"{answer.emotion}, which is not scored here"
        return Said("silent", reason=f"the answer is {said}", text=text)
    sure = {name: float(name == label) for name in native.labels}
    return Said("answered", {"label": label, "confidence": 1.0, "probabilities": sure, "abstained": False}, text=text)


def _chosen(p: dict[str, float] | None, abstained: bool, reason: str | None = None) -> Said:
    """The best of the candidates is taken even where the verdict abstains, so that all judges answer the same question."""
    label = most_likely(p)
    if label is None:
        return Said("silent", reason=reason)
    shares = {name: round(value, 4) for name, value in p.items()}
    answer = {"label": label, "confidence": round(p[label], 4), "probabilities": shares, "abstained": abstained}
    return Said("answered", answer, reason)


def _merged(p: dict[str, float], native: Native) -> dict[str, float] | None:
    """Probabilities over all labels of the files, counted as the suite counts them; of labels not scored, renormalised."""
    shares = dict.fromkeys(native.labels, 0.0)
    for word, value in p.items():
        if (label := native.label(word)) is not None:
            shares[label] += value
    total = sum(shares.values())
    return {label: value / total for label, value in shares.items()} if total else None


def _units(exam: Exam, shown: Sequence[Shown]) -> list[Said]:
    """By the trained head where the suite asks for it and the judge has one; else as measured, which is what reports show."""
    spans = [(one.observation, _segment(one), one.clip) for one in shown]
    by_head = exam.predictor.units(spans) if exam.suite.answer == "head" else None
    if by_head is None:
        return [_measured_units(exam, one) for one in shown]
    return [_probable_units(exam, found.get(_person(one))) for found, one in zip(by_head, shown, strict=True)]


def _segment(shown: Shown) -> Segment:
    return segment_of(shown.record, shown.observation)


def _person(shown: Shown) -> str | None:
    """The record's, else the main one."""
    main = main_person(shown.observation, _segment(shown))
    return shown.record.person or (main and main.person)


def _probable_units(exam: Exam, found: Mapping[str, float] | None) -> Said:
    if found is None:
        return Said("silent", reason="no face was found")
    return Said("answered", {"units": {au: round(found[au], 4) for au in exam.suite.units if au in found}, "bound": PROBABLE})


def _measured_units(exam: Exam, shown: Shown) -> Said:
    """Of the record's person, else the main one: the largest intensity of either side over the record's seconds."""
    observation, segment = shown.observation, _segment(shown)
    named = observation.person(shown.record.person) if shown.record.person else None
    person = named or main_person(observation, segment)
    if person is None:
        return Said("silent", reason="no face was found")
    series = person.action_units
    inside = (series.times_s >= segment.start_s) & (series.times_s <= segment.end_s)
    found = {}
    for au in exam.suite.units:
        values = series.intensity[inside, AUS.index(au)]
        found[au] = round(float(np.nanmax(values)), 4) if np.isfinite(values).any() else None
    if all(value is None for value in found.values()):
        return Said("silent", reason="no action unit could be measured on this face")
    return Said("answered", {"units": found, "bound": ACTIVE})


def _sentiment(exam: Exam, shown: Sequence[Shown]) -> list[Said]:
    if not exam.in_writing:
        return [_derived_sentiment(told) for told in verdicts(exam.predictor, shown)]
    chosen = exam.choose([exam.question(one, "sentiment", SENTIMENTS) for one in shown])
    return [
        Said("answered", {"label": most_likely(p), "score": round(p["positive"] - p["negative"], 4), "probabilities": p})
        for p in chosen
    ]


def _derived_sentiment(told: Verdict) -> Said:
    if told.sentiment is None:
        return Said("silent", reason=told.reason)
    return Said("answered", {"label": told.sentiment, "score": told.valence})


def _affect(exam: Exam, shown: Sequence[Shown]) -> list[Said]:
    if exam.in_writing:
        replies = exam.reply([exam.question(one, "valence_arousal") for one in shown])
        return [_read(text, affect_said(text), lambda pair: {"valence": pair[0], "arousal": pair[1]}) for text in replies]
    return [_derived_affect(told) for told in verdicts(exam.predictor, shown)]


def _derived_affect(told: Verdict) -> Said:
    if told.valence is None:
        return Said("silent", reason=told.reason)
    return Said("answered", {"valence": told.valence, "arousal": told.arousal})


def _read(text: str, found, form) -> Said:
    return Said("unparsable", text=text) if found is None else Said("answered", form(found), text=text)


def _open(exam: Exam, shown: Sequence[Shown]) -> list[Said]:
    """A judge that writes lists its own words; of one that does not the emotion of the verdict is its one word."""
    if exam.predictor.writes:
        labels = exam.scheme.labels or tuple(exam.native.labels)
        replies = exam.reply([exam.question(one, "open") for one in shown])
        parsed = [parse_answer(text, labels) for text in replies]
        return [
            Said("unparsable", reason=answer.problem, text=text)
            if answer.problem
            else Said("answered", {"words": list(answer.open_labels)}, text=text)
            for answer, text in zip(parsed, replies, strict=True)
        ]
    return [_one_word(told) for told in verdicts(exam.predictor, shown)]


def _one_word(told: Verdict) -> Said:
    words = list(told.open_vocabulary) or [word for word in [most_likely(told.probabilities)] if word]
    return Said("answered", {"words": words}) if words else Said("silent", reason=told.reason)


def _reasoning(exam: Exam, shown: Sequence[Shown]) -> list[Said]:
    """The product's explanations; of a model also what it concludes when nothing is forced, and its explanations without the
    evidence lines, which it could have copied."""
    told = reports(exam.predictor, shown)
    if not exam.predictor.writes:
        return [_explained(exam, *pair) for pair in zip(shown, told, strict=True)]
    labels = exam.predictor.label_set.labels
    replies = exam.reply([Question(one, reasoned_question(labels), labels) for one in shown])
    free = [parse_answer(text, labels) for text in replies]
    if "evidence" in exam.predictor.left_out:
        return [_explained(exam, *some) for some in zip(shown, told, free, strict=True)]
    blind = reports(exam.predictor.without("evidence"), shown)
    return [_explained(exam, *some) for some in zip(shown, told, free, blind, strict=True)]


def _explained(
    exam: Exam, shown: Shown, made: EmotionReport, free: Answer | None = None, blind: EmotionReport | None = None
) -> Said:
    """Held against its own measurements and those of other samples, human codes and a human text: see `explanations`."""
    truth = shown.sample.truth
    told = Told(
        id=shown.sample.id,
        text=made.explanation.text,
        observation=shown.observation,
        conclusion=made.verdict.label,
        free=free,
        units=truth["units"],
        reference=truth["reference"],
    )
    found = counts(told, exam.others(shown))
    if blind is not None:
        without = counts(replace(told, text=blind.explanation.text, free=None))
        found |= {f"{metric}{WITHOUT_EVIDENCE}": without[metric] for metric in BLIND}
    label = most_likely(_shares(exam, made.verdict))
    kept = {metric: list(pair) for metric, pair in found.items() if pair[1]}
    return Said("answered", {"label": label, "counts": kept}, made.verdict.reason, made.explanation.text)


def _causes(exam: Exam, shown: Sequence[Shown]) -> list[Said]:
    if exam.predictor.writes:
        replies = exam.reply([exam.question(one, "causes", dialogue=dialogue(one.record)) for one in shown])
        return [_pairs_said(text) for text in replies]
    return [_self_caused(exam, one) for one in shown]


def _pairs_said(text: str) -> Said:
    found = _PAIR.findall(text)
    if not found:
        return Said("unparsable", text=text)
    pairs = [[int(effect), int(cause), emotion or None] for effect, cause, emotion in found]
    return Said("answered", {"pairs": pairs}, text=text)


def _self_caused(exam: Exam, shown: Shown) -> Said:
    """A judge that cannot write knows no causes: each utterance with an emotion word is said to be its own, a stated floor."""
    pairs = []
    for number, turn in enumerate(shown.record.turns, 1):
        label = most_likely(_shares(exam, exam.predictor.read(turn.text)))
        if label is not None:
            pairs.append([number, number, label])
    return Said("answered", {"pairs": pairs}) if pairs else Said("silent", reason="no word that shows an emotion")


def _hallucination(exam: Exam, shown: Sequence[Shown]) -> list[Said]:
    """`asked` is part of the question, not the truth. A judge that does not write says yes to the label it would choose."""
    if exam.predictor.writes:
        replies = exam.reply([_probe(exam, one) for one in shown])
        said = [_yes(exam, *pair) for pair in zip(shown, replies, strict=True)]
        return [_read(text, yes, lambda yes: {"answer": "yes" if yes else "no"}) for text, yes in zip(replies, said, strict=True)]
    asked = [one for one in shown if one.record.probe is None]
    said = iter(_closed(exam, asked))
    return [_agrees(one, next(said) if one.record.probe is None else None) for one in shown]


def _probe(exam: Exam, shown: Shown) -> Question:
    if (own := shown.record.probe) is not None:
        return Question(shown, sanitize(own.question))
    return exam.question(shown, "probe_emotion", other=shown.sample.truth["asked"])


def _yes(exam: Exam, shown: Shown, text: str) -> bool | None:
    """A reply that is an answer field instead says yes to the emotion that it names, and no to every other."""
    said = yes_no(text)
    if said is not None or shown.record.probe is not None:
        return said
    named = parse_answer(text, (*exam.scheme.labels, *exam.native.of)).emotion  # in the set's words or in the canonical ones
    label = exam.native.label(named) or exam.native.of.get(named)
    return None if label is None else label == shown.sample.truth["asked"]


def _agrees(shown: Shown, said: Said | None) -> Said:
    if said is None:
        return Said("silent", reason="a judge that does not write cannot read the set's own questions")
    if said.prediction is None:
        return said
    return Said("answered", {"answer": "yes" if said.prediction["label"] == shown.sample.truth["asked"] else "no"})


_OF = {
    "emotion": _emotion, "action_units": _units, "sentiment": _sentiment, "valence_arousal": _affect, "open_vocabulary": _open,
    "reasoning": _reasoning, "causes": _causes, "hallucination": _hallucination,
}  # fmt: skip
