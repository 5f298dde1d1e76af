"""Open-vocabulary emotions: hit rate and set F over emotion wheels, and what they do not show.

Hit rate (MER-UniBench) skips every sample whose truth is not on a wheel, all neutral ones among them, and a list of all words
always hits. Therefore stand beside it: precision and F of the set, the length of the list, and how often a neutral sample is
called something else. Letters: N samples, W wheels.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from emoreason.scoring.metrics.checks import ScoringError, same_length
from emoreason.scoring.metrics.ratios import f_score, mean_defined, ratio_of_sums
from emoreason.scoring.metrics.score import PLAIN, Protocol, Score, measure
from emoreason.scoring.metrics.wheels import WheelTables, listed, small_tables

NEUTRAL = frozenset("neutral neutrality calm emotionless expressionless unemotional indifferent".split())
Words = str | Iterable[str] | None  # a list, or a list written as text; None: no readable answer


@dataclass(frozen=True)
class Overlap:
    """precision, recall [N, W]: NaN where the truth has no word on the wheel. lists: the answers' words as read.

    neutral [N] bool: the truth names neutral and nothing that is on a wheel. silent [N] bool: no readable answer.
    """

    precision: np.ndarray
    recall: np.ndarray
    lists: list[list[str]]
    neutral: np.ndarray
    silent: np.ndarray

    @property
    def scored(self) -> np.ndarray:
        """[N] samples whose truth is on some wheel."""
        return ~np.isnan(self.precision).all(axis=1)


def overlap(
    truth: Sequence[Words],
    answers: Sequence[Words],
    tables: WheelTables,
    level: str = "inner",
    neutral: bool = False,
    candidates: Collection[str] | None = None,
) -> Overlap:
    """Overlap of the mapped sets. An answer without any mapped word has precision and recall 0.

    neutral: words for neutral that a wheel lacks are one more class on it, so that no sample is skipped for being neutral.
    candidates: of the answers only what maps to one of these words counts.
    """
    same_length(truths=truth, answers=answers)
    true, predicted = [listed(words) for words in truth], [listed(words) for words in answers]
    normalisers = tables.normalisers(level)
    on_wheels = set().union(*normalisers)
    calm = np.array([bool(NEUTRAL & set(words)) and not on_wheels & set(words) for words in true], dtype=bool)
    if neutral:
        normalisers = tuple(dict.fromkeys(NEUTRAL, "neutral") | one for one in normalisers)
    shape = (len(true), len(normalisers))
    precision, recall = np.full(shape, np.nan), np.full(shape, np.nan)
    for w, normaliser in enumerate(normalisers):
        allowed = None if candidates is None else mapped(candidates, normaliser)
        for n, (right, named) in enumerate(zip(true, predicted, strict=True)):
            goal, reply = mapped(right, normaliser), mapped(named, normaliser)
            reply = reply if allowed is None else reply & allowed
            if goal:
                precision[n, w] = len(goal & reply) / len(reply) if reply else 0.0
                recall[n, w] = len(goal & reply) / len(goal)
    return Overlap(precision, recall, predicted, calm, np.array([words is None for words in answers], dtype=bool))


def mapped(words: Iterable[str], normaliser: dict[str, str]) -> set[str]:
    """Ring words of a list; words off the wheel are left out."""
    return {normaliser[word] for word in words if word in normaliser}


def set_f(precision: np.ndarray, recall: np.ndarray) -> float:
    """Mean over wheels of F from the averages of precision and recall over samples [N, W] (not the mean of the samples' F)."""
    by_wheel = [f_score(mean_defined(p), mean_defined(r)) for p, r in zip(precision.T, recall.T, strict=True)]
    return mean_defined(np.array(by_wheel))


def wheel_mean(values: np.ndarray) -> float:
    """Mean over wheels of the mean over samples [N, W]."""
    return mean_defined(np.array([mean_defined(wheel) for wheel in values.T]))


def set_scores(
    truth: Sequence[Words], answers: Sequence[Words], tables: WheelTables | None = None, level: str = "inner",
    protocol: Protocol = PLAIN,
) -> list[Score]:  # fmt: skip
    """OV-MER / MER-UniBench set F (level "inner"; MER2025 averages both levels), with neutral as a class, and the companions."""
    tables = tables or small_tables()
    plain, with_neutral = (overlap(truth, answers, tables, level, neutral) for neutral in (False, True))
    scores = [
        _set_f(f"ew_set_f_{tables.name}_{level}", plain, protocol),
        _set_f(f"ew_set_f_{tables.name}_{level}_with_neutral", with_neutral, protocol),
    ]
    return scores + companions(plain, tables, level, protocol)


def hit_scores(
    truth: Sequence[str],
    answers: Sequence[Words],
    candidates: Collection[str],
    tables: WheelTables | None = None,
    protocol: Protocol = PLAIN,
) -> list[Score]:
    """MER-UniBench hit rate of one-word truths, hit rate with neutral as a class, "mscore", and the companions.

    candidates: the data set's labels. mscore: the truth's share of those labels that the answer names, 0 if it names none.
    """
    if foreign := set(truth) - set(candidates):
        raise ScoringError(f"truth '{min(foreign)}' is not among the candidates {sorted(candidates)}")
    tables = tables or small_tables()
    one_word = [[word] for word in truth]
    plain, with_neutral = (overlap(one_word, answers, tables, neutral=neutral) for neutral in (False, True))
    chosen = overlap(one_word, answers, tables, candidates=candidates).precision
    name, silent = f"hit_{tables.name}", int(plain.silent[plain.scored].sum())
    skipped = {"skipped": float((~plain.scored).mean()) if len(truth) else np.nan}
    return [
        measure(name, wheel_mean, (plain.recall,), protocol, "ratio", silent, skipped, plain.scored),
        measure(f"{name}_with_neutral", wheel_mean, (with_neutral.recall,), protocol, "ratio", int(plain.silent.sum())),
        measure(f"mscore_{tables.name}", wheel_mean, (chosen,), protocol, "ratio", silent, skipped, plain.scored),
        _set_f(f"ew_set_f_{tables.name}_inner_with_neutral", with_neutral, protocol),
        *companions(plain, tables, "inner", protocol),
    ]


def companions(found: Overlap, tables: WheelTables, level: str, protocol: Protocol) -> list[Score]:
    """Set precision, list length in words, share of words that no wheel knows, and false alarms on neutral samples."""
    on_wheels = set().union(*tables.normalisers(level))
    lengths = np.array([len(words) for words in found.lists], dtype=float)
    unknown = np.array([len(set(words) - on_wheels - NEUTRAL) for words in found.lists], dtype=float)
    alarm = np.array([bool(on_wheels & set(words)) for words in found.lists], dtype=bool) | found.silent
    silent = int(found.silent.sum())
    return [
        measure(
            f"set_precision_{tables.name}_{level}", wheel_mean, (found.precision,), protocol, "ratio",
            int(found.silent[found.scored].sum()), None, found.scored,
        ),
        measure("list_length", mean_defined, (lengths,), protocol, "words", silent),
        measure("unknown_words", ratio_of_sums, (np.stack([unknown, lengths], 1),), protocol, "ratio", silent),
        measure(
            "neutral_false_alarm", mean_defined, (alarm.astype(float),), protocol, "ratio",
            int(found.silent[found.neutral].sum()), None, found.neutral,
        ),
    ]  # fmt: skip


def _set_f(name: str, found: Overlap, protocol: Protocol) -> Score:
    parts = {"precision": wheel_mean(found.precision), "recall": wheel_mean(found.recall)}
    parts |= {
        f"wheel{k}": f_score(mean_defined(p), mean_defined(r))
        for k, (p, r) in enumerate(zip(found.precision.T, found.recall.T, strict=True), start=1)
    }
    silent, scored = int(found.silent[found.scored].sum()), found.scored
    return measure(name, set_f, (found.precision, found.recall), protocol, "ratio", silent, parts, scored)
