"""The stage words: a head on what the tuned language model makes of an utterance, halfway up. What the model writes stays as it
is, so this comes after the stages that change that.

Letters: N utterances, F features, K emotions.

A linear head on frozen states has one best fit, so it is found by a full-batch solver instead of steps; only how strongly its
weights are held back is chosen, on validation. What takes time is reading the utterances, which is kept in shards. From there
the reading itself may be tuned (training.words_tuning).
"""

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from emoreason.errors import ConfigError
from emoreason.instructions.conversation import said_in
from emoreason.instructions.leaks import without_texts_of
from emoreason.instructions.recipe import load_recipe
from emoreason.instructions.record import Record
from emoreason.labels.emotions import canonical
from emoreason.model.config import UTTERANCE_HEAD
from emoreason.model.export import merged
from emoreason.model.heads import Head
from emoreason.model.modeling import EmoReasonForConditionalGeneration
from emoreason.model.stages import WORDS_ADAPTER
from emoreason.model.words import WordsAdapter, new_adapter, read_words, words_batch, words_width
from emoreason.scoring.metrics.classification import confusion, uar, weighted_f1
from emoreason.training import log
from emoreason.training.checkpoint import save_file_whole
from emoreason.training.features import add_weights, batched
from emoreason.training.finetune import initial
from emoreason.training.fit import Fitted
from emoreason.training.mixtures import class_of, load_set, tested_passages
from emoreason.training.parts import INDEX, load_parts, save_parts
from emoreason.training.perception import FINAL, places
from emoreason.training.run import WORDS, Run, WordsStage
from emoreason.training.words_tuning import WordsTraining, shares, tune_words

HEAD = f"heads.{UTTERANCE_HEAD.name}"
LABELS = UTTERANCE_HEAD.labels
DECAYS = (1.0, 0.3, 0.1, 0.03, 0.01)  # of the squared weights, beside the mean cross-entropy
SHARD, BATCH = 1024, 32
Progress = Callable[[str, float, float | None], None]


def train_words(run: Run, out: Path, roots: Mapping[str, Path], data: str | None, progress: Progress | None = None) -> bool:
    """OUT/words/final: the head, and the adapter where the run asks for one.

    Returns whether it is finished: SIGTERM leaves a checkpoint to be gone on from. Raises ConfigError for data sets that are not
    there.
    """
    asked, (model, processor) = run.words, initial(run)
    (out / WORDS).mkdir(parents=True, exist_ok=True)
    written = log.Log(out / WORDS, step=len(log.read(out / WORDS)))
    for name in run.before(WORDS):
        load_parts(model, out / name / FINAL)
    give_words(model, asked.reads)
    sets = {name: load_set(load_recipe(name), place, progress) for name, place in places_of(asked, roots, data).items()}
    tested = tested_passages(sets)
    backbone = merged(model.backbone).eval()
    reading = Reading(backbone, processor.tokenizer, asked.layer)
    told, found = {}, {}
    for split, most in (("train", asked.limit), ("valid", asked.validation)):
        for name in asked.data:
            told[split, name] = some = utterances_of(sets[name], split, tested, asked.languages, most, run.seed)
            features = read_all(reading, some.lines, out / WORDS / "features", progress)
            found[split, name] = features, torch.from_numpy(some.emotion)
            written.write(len(written.history) + 1, {f"read_{split}_{name}": len(features)})
    features, emotion = (torch.cat(parts) for parts in zip(*(found["train", name] for name in asked.data), strict=True))
    best, measured = choose_head((features, emotion), {name: found["valid", name] for name in asked.data})
    head = model.heads[UTTERANCE_HEAD.name]
    head.load_state_dict(best.state_dict())
    written.write(len(written.history) + 1, measured)
    written.close()
    parts = [HEAD]
    if asked.adapter is not None:
        sets = [{name: told[split, name] for name in asked.data} for split in ("train", "valid")]
        fitted = _tune(head, replace(reading, adapter=model.words_adapter), run, *sets, out / WORDS / "tuning", progress)
        if not fitted.finished:
            return False
        parts, measured = [HEAD, WORDS_ADAPTER], measured | fitted.best
    save_parts(model, parts, out / WORDS / FINAL, info={WORDS: {key: round(value, 4) for key, value in measured.items()}})
    return True


def _tune(
    head: Head, reading: "Reading", run: Run, train: Mapping[str, "Utterances"], valid: Mapping[str, "Utterances"], folder: Path,
    progress: Progress | None,
) -> Fitted:  # fmt: skip
    """The head and the adapter of `reading`, by data sets."""

    def evaluate() -> dict[str, float]:
        read = {name: (reading(told.lines), torch.from_numpy(told.emotion)) for name, told in valid.items()}
        return {"loss": loss_of(head, read), **figures(head, read)}

    rows = {name: list(zip(told.lines, told.emotion.tolist(), strict=True)) for name, told in train.items()}
    model = WordsTraining(reading.backbone, reading.adapter, head, reading.layer)
    return tune_words(model, reading.tokenizer, rows, run.words.adapter, run.seed, folder, evaluate, progress)


def set_weights(run: Run) -> dict[str, float]:
    """Weights in the verdict that the run itself sets: of the head on utterances, if it has one and says so."""
    return {} if run.words is None or run.words.weight is None else {UTTERANCE_HEAD.name: run.words.weight}


def places_of(asked: WordsStage, roots: Mapping[str, Path], data: str | None) -> dict[str, Path]:
    """Where the sets of the stage lie. Raises ConfigError naming every one that is not there."""
    return places([*asked.data, *asked.apart], roots, data)


def give_words(model: EmoReasonForConditionalGeneration, reads: Mapping[str, Any]) -> None:
    """From now on the model reads utterances, by a new head and adapter unless it reads just so already. reads: as
    `EmoReasonConfig.words`.

    Raises ConfigError for layers that the language model does not have.
    """
    device = model.face_connector.length.device
    if model.config.words != dict(reads):
        adapter = new_adapter(model.backbone, reads)
        model.words_adapter = adapter and adapter.train(model.training).to(device)
        model.config.words = dict(reads)
    if UTTERANCE_HEAD.name not in model.heads:
        head = Head(UTTERANCE_HEAD, words_width(model.config.text_width)).train(model.training)
        model.heads[UTTERANCE_HEAD.name] = head.to(device)
        model.config.heads = [*model.config.heads, UTTERANCE_HEAD.to_dict()]


def take_words(run: Run, out: Path, model: EmoReasonForConditionalGeneration) -> None:
    """The head of OUT/words/final into the model, where the run has that stage and it is finished."""
    if run.words is not None and (out / WORDS / FINAL / INDEX).is_file():
        give_words(model, run.words.reads)
        load_parts(model, out / WORDS / FINAL)


@dataclass(frozen=True)
class Utterances:
    """Of one data set and split. lines: as `SegmentInput.words`; emotion: int [N], places in LABELS; groups: whose, or which
    dialogue's, they are."""

    lines: Sequence[tuple[str, ...]]
    emotion: np.ndarray
    groups: Sequence[str]


def utterances_of(
    records: Sequence[Record],
    split: str,
    tested: Collection[str],
    languages: Collection[str],
    limit: int | None = None,
    seed: int = 0,
) -> Utterances:
    """Those of a split whose emotion the head knows and whose words are not among `tested` (`leaks.passages`)."""
    kept, _ = without_texts_of([record for record in records if record.split == split], tested)
    rows = [(said_in(record, languages), canonical(class_of(record) or ""), record.group) for record in kept]
    rows = [row for row in rows if row[0] and row[1] in LABELS]
    if limit is not None and limit < len(rows):
        rows = [rows[n] for n in sorted(np.random.default_rng(seed).permutation(len(rows))[:limit])]
    if not rows:
        raise ConfigError(f"no {split} utterance in {' or '.join(languages)} shows one of {', '.join(LABELS)}")
    lines, emotions, groups = zip(*rows, strict=True)
    return Utterances(list(lines), np.array([LABELS.index(emotion) for emotion in emotions], np.int64), list(groups))


@dataclass(frozen=True)
class Reading:
    """Who reads, and up to where."""

    backbone: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    layer: int
    adapter: WordsAdapter | None = None

    def source(self) -> str:
        """Hash of layer and weights, which what is kept goes by."""
        total = hashlib.sha256(str(self.layer).encode())
        for part in (self.backbone, self.adapter):
            if part is not None:
                add_weights(total, part.state_dict())
        return total.hexdigest()

    @torch.no_grad()
    def __call__(self, lines: Sequence[tuple[str, ...]]) -> Tensor:
        """float32 [N, F]; utterances of like length are read together."""
        order = sorted(range(len(lines)), key=lambda n: sum(map(len, lines[n])))
        batches = (words_batch(self.tokenizer, [lines[n] for n in some]) for some in batched(order, BATCH))
        read = [read_words(self.backbone, batch, self.layer, self.adapter) for batch in batches]
        return torch.cat(read)[torch.tensor(order).argsort()]


def read_all(reading: Reading, lines: Sequence[tuple[str, ...]], folder: Path, progress: Progress | None = None) -> Tensor:
    """float32 [N, F]. Shards are kept in `folder`, named by what was read and by whom; those that are there stay."""
    folder.mkdir(parents=True, exist_ok=True)
    out, done, source = [], 0, reading.source()
    for shard in batched(lines, SHARD):
        file = folder / f"{hashlib.sha256(repr((source, shard)).encode()).hexdigest()[:24]}.safetensors"
        if not file.is_file():
            save_file_whole({"features": reading(shard).half()}, file)
        out.append(load_file(file)["features"].float())
        done += len(shard)
        if progress is not None:
            progress("utterances read", done, len(lines))
    return torch.cat(out)


def fit_head(features: Tensor, emotion: Tensor, decay: float) -> Head:
    """features [N, F], emotion [N] -> multinomial logistic regression on standardised features. The head carries its prior."""
    head = Head(UTTERANCE_HEAD, features.shape[1], dropout=0.0)
    head.set_prior(shares(emotion, len(LABELS)))
    plain = F.layer_norm(features, features.shape[1:])
    spread = plain.std(0).clamp_min(1e-4)
    with torch.no_grad():  # the head's own norm does the standardising
        head.norm.weight.copy_(1 / spread)
        head.norm.bias.copy_(-plain.mean(0) / spread)
        torch.nn.init.zeros_(head.out.weight)
        head.out.bias.copy_(head.log_prior)
        scaled = head.norm(features)
    search = torch.optim.LBFGS(head.out.parameters(), max_iter=200, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        search.zero_grad()
        value = F.cross_entropy(head.out(scaled), emotion) + 0.5 * decay * head.out.weight.square().sum()
        value.backward()
        return value

    search.step(loss)
    return head.eval().requires_grad_(False)


def choose_head(train: tuple[Tensor, Tensor], valid: Mapping[str, tuple[Tensor, Tensor]]) -> tuple[Head, dict[str, float]]:
    """The decay with the least cross-entropy on validation, all its sets counting alike; and what it measured there."""
    heads = {decay: fit_head(*train, decay) for decay in DECAYS}
    losses = {decay: loss_of(head, valid) for decay, head in heads.items()}
    best = min(losses, key=losses.__getitem__)
    return heads[best], {"decay": best, "loss": losses[best], **figures(heads[best], valid)}


@torch.no_grad()
def figures(head: Head, sets: Mapping[str, tuple[Tensor, Tensor]]) -> dict[str, float]:
    """weighted_f1_SET: emotions expected as often as in training; uar_even_SET: expected equally often, as in a verdict."""
    found = {}
    for name, (features, emotion) in sets.items():
        logits = head(features)
        said, even = logits.argmax(1).numpy(), head.log_evidence(logits).argmax(1).numpy()
        found[f"weighted_f1_{name}"] = float(weighted_f1(confusion(emotion.numpy(), said, len(LABELS))))
        found[f"uar_{name}"] = float(uar(confusion(emotion.numpy(), said, len(LABELS))))
        found[f"uar_even_{name}"] = float(uar(confusion(emotion.numpy(), even, len(LABELS))))
    return found


@torch.no_grad()
def loss_of(head: Head, sets: Mapping[str, tuple[Tensor, Tensor]]) -> float:
    """Mean cross-entropy, all sets counting alike."""
    return float(torch.stack([F.cross_entropy(head(features), emotion) for features, emotion in sets.values()]).mean())
