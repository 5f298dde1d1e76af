"""The figures of the stage words: what its head alone says about a split that it never learnt from. Nothing is chosen here."""

from collections.abc import Sequence
from pathlib import Path

import torch
from transformers import PreTrainedTokenizerBase

from emoreason.instructions.record import Record
from emoreason.model.config import UTTERANCE_HEAD
from emoreason.model.export import merged
from emoreason.model.modeling import EmoReasonForConditionalGeneration
from emoreason.scoring.metrics.classification import classification_scores
from emoreason.scoring.metrics.score import Protocol
from emoreason.training.words.utterances import LABELS, Progress, Reading, read_all, utterances_of


@torch.no_grad()
def judged(
    model: EmoReasonForConditionalGeneration,
    tokenizer: PreTrainedTokenizerBase,
    records: Sequence[Record],
    folder: Path,
    split: str = "test",
    progress: Progress | None = None,
) -> dict:
    """Accuracy, UAR, macro and weighted F1 with 95 % intervals over dialogues (comments: each its own), `as_trained` (emotions
    expected as often as in training) and `even` (equally often, as in a verdict).

    The model must have the head (`config.words`); its adapter is merged, in place. folder: what was read is kept there. Raises
    ConfigError where no utterance of the split is in a language of the head.
    """
    told = utterances_of(records, split, (), model.config.words["languages"])
    backbone = merged(model.backbone).eval()
    reading = Reading(backbone, tokenizer, model.config.words["layer"], model.words_adapter)
    head = model.heads[UTTERANCE_HEAD.name].eval()
    logits = head(read_all(reading, told.lines, folder, progress))
    truth = [LABELS[k] for k in told.emotion]
    among = [label for label in LABELS if label in truth]
    kept = [LABELS.index(label) for label in among]
    out = {"n": len(truth), "groups": len(set(told.groups))}
    for name, scores in (("as_trained", logits.log_softmax(-1)), ("even", head.log_evidence(logits))):
        said = [among[k] for k in scores[:, kept].argmax(1).tolist()]
        found = classification_scores(truth, said, among, Protocol(records[0].dataset, told.groups))
        out[name] = {score.metric: (score.value, score.interval) for score in found}
    return out
