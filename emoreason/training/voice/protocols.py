"""The figures of the stage `voice` as it is shipped: speakers that were held apart, folds of speakers, and a corpus never trained
on.

Nothing is chosen here. Intervals are told twice: over speakers, who are few, and over clips, which are not independent.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from emoreason.model.config import VOICE_EMOTIONS
from emoreason.scoring.metrics.classification import classification_scores
from emoreason.scoring.metrics.score import Protocol
from emoreason.training.fit import Progress
from emoreason.training.phases import check_finished, places_of
from emoreason.training.settings.voice import VoicePhaseSettings, VoiceSettings
from emoreason.training.voice.model import VoiceTraining
from emoreason.training.voice.training import Corpus, decide, occurring, predict, train_voice

PROTOCOLS = ("cv", "leave:nemo", "leave:ravdess")
FOLDS = 5


def run_protocol(
    name: str, settings: VoiceSettings, new: Callable[[VoicePhaseSettings], VoiceTraining], corpora: Mapping[str, Corpus],
    seed: int, folder: Path, progress: Progress | None = None,
) -> dict:  # fmt: skip
    """`leave:NAME` (settings that learn from the other corpus alone, tested on all of this one) or `cv` (five folds of the
    speakers of both).

    new: a model with new weights, for a phase. All clips that are judged must be in `corpora`. Raises ValueError for another
    name, TrainingError when a training was stopped.
    """
    if name not in PROTOCOLS:
        raise ValueError(f"no protocol for voices is called '{name}': {', '.join(PROTOCOLS)}")
    if name == "cv":
        return cross_validated(settings, new, corpora, seed, folder / "cv", progress)
    left = name.removeprefix("leave:")
    model, places = new(settings.phases[0]), places_of(settings.phases, folder / f"without-{left}")
    check_finished(train_voice(model, settings.phases, corpora, seed, places, progress=progress), places)
    return judged(model, corpora[left], range(len(corpora[left].voices)))


def cross_validated(
    settings: VoiceSettings, new: Callable[[VoicePhaseSettings], VoiceTraining], corpora: Mapping[str, Corpus], seed: int,
    folder: Path, progress: Progress | None = None,
) -> dict:  # fmt: skip
    """Each fold of speakers is judged by a model that heard none of them; the fold after it chooses among the weights."""
    evidence = {name: [] for name in corpora}
    order = {name: [] for name in corpora}
    for fold in range(FOLDS):
        parts = {name: [_of_fold(corpus, k % FOLDS) for k in range(fold, fold + FOLDS)] for name, corpus in corpora.items()}
        rest = {name: [i for part in some[2:] for i in part] for name, some in parts.items()}
        chosen_by = {name: some[1] for name, some in parts.items()}
        model, places = new(settings.phases[0]), places_of(settings.phases, folder / f"without-{fold}")
        check_finished(train_voice(model, settings.phases, corpora, seed, places, rest, chosen_by, progress), places)
        for name, corpus in corpora.items():
            evidence[name].append(model.head.log_evidence(predict(model, corpus, parts[name][0])))
            order[name] += parts[name][0]
    return {name: _judged(torch.cat(evidence[name]), corpus, order[name]) for name, corpus in corpora.items()}


def _of_fold(corpus: Corpus, fold: int) -> list[int]:
    """Clips of every fifth speaker. The last fold may have more speakers than there are folds."""
    speakers = sorted(set(corpus.voices.speakers))
    mine = set(speakers[fold::FOLDS])
    return [i for i, speaker in enumerate(corpus.voices.speakers) if speaker in mine]


def judged(model: VoiceTraining, corpus: Corpus, clips: Sequence[int]) -> dict:
    """UAR and accuracy over the emotions that occur in these clips and that were trained, prior divided out, with intervals."""
    return _judged(model.head.log_evidence(predict(model, corpus, list(clips))), corpus, list(clips))


def _judged(evidence: Tensor, corpus: Corpus, clips: Sequence[int]) -> dict:
    truth = corpus.voices.emotion[list(clips)]
    among = occurring(truth)
    said = [VOICE_EMOTIONS[k] for k in decide(evidence, among).tolist()]
    true = [VOICE_EMOTIONS[k] for k in truth.tolist()]
    speakers = [corpus.voices.speakers[i] for i in clips]
    out = {"n": len(true), "classes": len(among), "speakers": len(set(speakers))}
    for over, groups in (("speakers", speakers), ("clips", None)):
        for score in classification_scores(true, said, among, Protocol(corpus.voices.dataset, groups))[:2]:
            out |= {score.metric: score.value, f"{score.metric}_interval_over_{over}": score.interval}
            if score.metric == "uar":
                out["recall"] = dict(score.parts)
    return out
