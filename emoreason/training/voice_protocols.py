"""The figures of stage 0 for voices: speakers that were held apart, folds of speakers, and a corpus never trained on.

Nothing is chosen here. Intervals are told twice: over speakers, who are few, and over clips, which are not independent.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor
from transformers.models.whisper.modeling_whisper import WhisperEncoder

from emoreason.model.config import VOICE_EMOTIONS
from emoreason.scoring.metrics.classification import classification_scores
from emoreason.scoring.metrics.score import Protocol
from emoreason.training.fit import Progress
from emoreason.training.voice_stage import (
    ALONE,
    PHASE,
    Corpus,
    Phase,
    VoiceClips,
    VoiceTraining,
    decide,
    new_training,
    occurring,
    predict,
    train,
)

FOLDS = 5


def run_protocol(
    name: str, encoder: WhisperEncoder, tokens: int, corpora: Mapping[str, Corpus], folder: Path, phase: Phase | None = None,
    progress: Progress | None = None,
) -> dict:  # fmt: skip
    """`leave:nemo` (trained on the training speakers of RAVDESS, tested on all of nEMO) or `cv` (five folds of speakers of both).

    All clips that are judged must be encoded. Raises ValueError for another name, TrainingError when a training was stopped.
    """
    if name == "leave:nemo":
        model = left_out(encoder, tokens, corpora["ravdess"], folder / "without-nemo", phase or ALONE, progress)
        return judged(model, corpora["nemo"], range(len(corpora["nemo"].voices)))
    if name != "cv":
        raise ValueError(f"no protocol for voices is called '{name}': cv, leave:nemo")
    return cross_validated(encoder, tokens, corpora, folder / "cv", phase or PHASE, progress)


def left_out(
    encoder: WhisperEncoder, tokens: int, corpus: Corpus, folder: Path, phase: Phase = ALONE, progress: Progress | None = None
) -> VoiceTraining:
    """One corpus alone; its validation speakers choose."""
    model = new_training(encoder, tokens, phase.strength, phase.schedule.seed)
    clips = VoiceClips([corpus], phase.strength, phase.schedule.seed)
    train(model, clips, {corpus.voices.dataset: corpus.voices.of_split("valid")}, phase, folder, progress).check_finished()
    return model


def cross_validated(
    encoder: WhisperEncoder, tokens: int, corpora: Mapping[str, Corpus], folder: Path, phase: Phase = PHASE,
    progress: Progress | None = None,
) -> dict:  # fmt: skip
    """Each fold of speakers is judged by a model that heard none of them; the fold after it chooses among the weights."""
    evidence = {name: [] for name in corpora}
    order = {name: [] for name in corpora}
    for fold in range(FOLDS):
        parts = {name: [_of_fold(corpus, k % FOLDS) for k in range(fold, fold + FOLDS)] for name, corpus in corpora.items()}
        model = new_training(encoder, tokens, phase.strength, phase.schedule.seed)
        rest = {name: [i for part in some[2:] for i in part] for name, some in parts.items()}
        clips = VoiceClips(list(corpora.values()), phase.strength, phase.schedule.seed, rest)
        chosen_by = {name: some[1] for name, some in parts.items()}
        train(model, clips, chosen_by, phase, folder / f"without-{fold}", progress).check_finished()
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
