"""Supervised fine-tuning: stages 1 to 3, the language model on conversations, through `fit`.

The encoders are frozen: their tokens are computed once (training.features). What trains is what the stage file says, by LoRA for
the language model; the head on words learns beside it from the state at the end of the prompt.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from emoreason.errors import ConfigError
from emoreason.instructions.collator import Conversations, Example, Source
from emoreason.instructions.mixture import Mixture, Part
from emoreason.model.backbones import decoder_of
from emoreason.model.modeling import EmoReasonForConditionalGeneration
from emoreason.model.processing import IGNORED
from emoreason.model.stages import FROZEN, apply_stage, parameter_groups
from emoreason.model.verdict import own_head
from emoreason.perception.store import ObservationStore
from emoreason.training.features import Features
from emoreason.training.finetune import initial
from emoreason.training.fit import Fitted, fit, moved
from emoreason.training.mixtures import class_of, locate, part_sources
from emoreason.training.own_labels import LabelledConversations
from emoreason.training.parts import FINAL, INDEX, load_parts, save_parts
from emoreason.training.processes import main_first
from emoreason.training.run import Run
from emoreason.training.settings.sft import SftSettings

Progress = Callable[[str, float, float | None], None]
MIXTURES, FEATURES = "mixtures", "features"  # folders of a run
PLAIN_TOKENS = 320  # up to here plain attention fits in memory, and trains 1.4 times as fast as the fused kernel on CPU
ENCODERS = ("face.trunk", "face", "voice.encoder", "voice")


@dataclass
class TuningOutput:
    """loss: what is minimised; text: of the answers' tokens alone; sentiment, label: of the heads."""

    loss: Tensor
    text: Tensor
    sentiment: Tensor
    label: Tensor | None = None


class Tuning(nn.Module):
    """The model with the losses of a stage."""

    def __init__(self, model: EmoReasonForConditionalGeneration, sentiment: float, label: float = 0.0):
        super().__init__()
        self.model, self.weight, self.label_weight = model, sentiment, label

    def forward(self, sentiment: Tensor, label: Tensor | None = None, **batch: Any) -> TuningOutput:
        """sentiment [B]: class of the head on words, -100 = not known; label [B, K]: shares of own labels, NaN = not known."""
        if batch["input_ids"].device.type == "cpu":
            plain = batch["input_ids"].shape[1] <= PLAIN_TOKENS
            self.model.backbone.set_attn_implementation("eager" if plain else "sdpa")
        out = self.model(**batch)
        head = self.model.heads["sentiment"]
        words = head.loss(out.heads["sentiment"].float(), sentiment, mask=sentiment != IGNORED)
        loss = out.loss + self.weight * words
        if label is None:
            return TuningOutput(loss, out.loss.detach(), words.detach())
        name = own_head(self.model.config.scheme)
        own = self.model.heads[name].loss(out.heads[name].float(), label)
        return TuningOutput(loss + self.label_weight * own, out.loss.detach(), words.detach(), own.detach())


class TuningSetup:
    """One stage of kind sft, ready: model with the parts of earlier stages, data, and what trains.

    `out` is the run's folder: OUT/mixtures holds the records, OUT/STAGE/final the parts each stage trained.
    """

    def __init__(
        self,
        run: Run,
        name: str,
        out: Path,
        roots: Mapping[str, Path],
        data: str | None,
        store: ObservationStore,
        skip_missing: bool = False,
    ):
        """skip_missing: parts of stages that are not finished stay new, for a look at the stage (dry run)."""
        self.run, self.name, self.out, self.store = run, name, out, store
        self.spec: SftSettings = run.tuning()[name]
        self.stage = self.spec.spec(name)
        if wrong := [part for part in ENCODERS if self.stage.mode(part) != FROZEN]:
            raise ConfigError(f"stage '{name}' trains {wrong[0]}: encoders train in the stages face and voice only")
        if (self.spec.sentiment + self.spec.label > 0) != (self.stage.mode("heads") != FROZEN):
            raise ConfigError(f"stage '{name}': `sentiment` and `label` weigh the losses of heads, which train where heads do")
        self.model, self.processor = initial(run)
        for earlier in self.spec.start:
            if not skip_missing or (out / earlier / FINAL / INDEX).is_file():
                load_parts(self.model, out / earlier / FINAL)
        self.table = apply_stage(self.model, self.stage)
        if self.spec.checkpointing:
            save_memory(self.model)
        self.tuning = Tuning(self.model, self.spec.sentiment, self.spec.label)
        self.places = locate(run, roots, data)
        self.features = Features(self.model, self.processor, out / FEATURES)

    def sources(self, split: str) -> dict[str, Source]:
        return part_sources(self.run, self.name, self.places, self.out / MIXTURES, split)

    def conversations(self, split: str = "train") -> Conversations:
        """The samples that training draws, or those of validation: the latter with every input."""
        sources = self.sources(split)
        parts = [
            Part(name, len(source.records), self.spec.mixture[name].weight, self._classes(name, source))
            for name, source in sources.items()
            if source.records
        ]
        dropout = self.spec.dropout if split == "train" else {}
        given = (sources, Mixture(parts, self.run.seed), self.processor, self.store, self.features, dropout, self.spec.emphasis)
        return Conversations(*given) if self.run.labels is None else LabelledConversations(self.model.config.label_set(), *given)

    def _classes(self, name: str, source: Source) -> list[str] | None:
        if not self.spec.mixture[name].balance:
            return None
        return [str(class_of(record)) for record in source.records]

    def prepare(self, progress: Progress | None = None) -> None:
        """Compute the encoders' tokens of all media of the stage that are not there yet."""
        for split in ("train", "valid"):
            source = self.conversations(split)
            self.features.prepare(source.places(), progress)

    def validation(self, most: int) -> list[tuple[str, Example]]:
        """(part, sample) of up to `most` validation records a part, always the same."""
        source = self.conversations("valid")
        out = []
        for number, (name, given) in enumerate(source.sources.items()):
            for at, record in enumerate(given.records[:most]):
                example = source.make(record, given, np.random.default_rng([self.run.seed, number, at]))
                if example is not None:
                    out.append((name, example))
        return out


def save_memory(model: EmoReasonForConditionalGeneration) -> None:
    """Activations inside the language model's layers are computed again in the backward pass rather than kept."""
    model.backbone.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})


def tune(stage: TuningSetup, progress: Progress | None = None) -> Fitted:
    """Train a stage to its end, or until SIGTERM; the parts it trained go to OUT/STAGE/final once it is finished."""
    with main_first():
        stage.prepare(progress)
    source, plan = stage.conversations(), stage.spec.plan(stage.run.seed)
    groups = parameter_groups(stage.model, stage.stage)
    chosen = stage.validation(stage.spec.validation)
    fitted = fit(
        stage.tuning, source, source.collate, plan, stage.out / stage.name, groups,
        lambda: validate(stage, source, chosen, plan.batch), progress=progress, decoder=decoder_of(stage.model.backbone),
    )  # fmt: skip
    if fitted.finished:
        info = {stage.name: {"steps": fitted.steps, **{key: round(value, 4) for key, value in fitted.best.items()}}}
        with main_first() as main:
            if main:
                save_parts(stage.model, stage.stage.train, stage.out / stage.name / FINAL, info=info)
    return fitted


@torch.no_grad()
def validate(stage: TuningSetup, source: Conversations, chosen: list[tuple[str, Example]], batch: int) -> dict[str, float]:
    """Loss and token accuracy of the answers, over all and by part, and accuracy of the head on words; teacher-forced."""
    device = next(stage.model.parameters()).device
    enabled = stage.spec.plan(0).bf16(device)
    ordered = sorted(chosen, key=lambda pair: pair[1].length)
    sums: dict[str, list[float]] = {}
    right = known = 0
    own: list[bool] = []
    for start in range(0, len(ordered), batch):
        some = ordered[start : start + batch]
        given = source.collate([example for _, example in some])
        sentiment, label = given.pop("sentiment").to(device), given.pop("label", None)
        with torch.autocast(device.type, torch.bfloat16, enabled=enabled):
            out = stage.model(**{name: moved(value, device) for name, value in given.items()})
        rows = (given["labels"][:, 1:] != IGNORED).sum(1).tolist()
        targets = given["labels"][:, 1:][given["labels"][:, 1:] != IGNORED].to(device)  # [M]
        losses = nn.functional.cross_entropy(out.logits[0].float(), targets, reduction="none").split(rows)
        hits = (out.logits[0].argmax(-1) == targets).split(rows)
        for (part, _), loss, hit in zip(some, losses, hits, strict=True):
            for name in ("", f"_{part}"):
                tally = sums.setdefault(name, [0.0, 0.0, 0.0])
                tally[0], tally[1], tally[2] = tally[0] + float(loss.sum()), tally[1] + float(hit.sum()), tally[2] + len(hit)
        told = sentiment != IGNORED
        right += int((out.heads["sentiment"].argmax(-1)[told] == sentiment[told]).sum())
        known += int(told.sum())
        if label is not None:
            one = label.amax(-1) > 0.5  # several labels in equal parts have no one answer
            said = out.heads[own_head(stage.model.config.scheme)].argmax(-1).cpu()
            own += (said == label.argmax(-1))[one].tolist()
    metrics = {f"loss{name}": tally[0] / tally[2] for name, tally in sums.items()}
    metrics |= {f"tokens_right{name}": tally[1] / tally[2] for name, tally in sums.items()}
    metrics |= {"sentiment_right": right / known} if known else {}
    return metrics | ({"label_right": sum(own) / len(own)} if own else {})
