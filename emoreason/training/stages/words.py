"""The stage kind `words`: a head on what the tuned language model makes of an utterance, halfway up. What the model writes stays
as it is, so this comes after the stages that change that."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from emoreason.instructions.recipe import load_recipe
from emoreason.model.config import UTTERANCE_HEAD
from emoreason.model.export import merged
from emoreason.model.heads import Head
from emoreason.model.modeling import EmoReasonForConditionalGeneration
from emoreason.model.stages import WORDS_ADAPTER
from emoreason.training import log
from emoreason.training.data_sets import load_set, places
from emoreason.training.finetune import initial
from emoreason.training.fit import Fitted
from emoreason.training.mixtures import tested_passages
from emoreason.training.parts import load_parts, save_parts
from emoreason.training.run import Run
from emoreason.training.settings.words import WordsSettings
from emoreason.training.stages.stage import Progress, Stage, Workspace
from emoreason.training.words.head import choose_head, figures, give_words, loss_of
from emoreason.training.words.tuning import WordsTraining, tune_words
from emoreason.training.words.utterances import Reading, Utterances, read_all, utterances_of

HEAD = f"heads.{UTTERANCE_HEAD.name}"
Split = Mapping[str, Utterances]  # by data set


class WordsStage(Stage[WordsSettings]):
    """OUT/STAGE/final: the head, and the adapter where the run asks for one; OUT/STAGE/tuning: its training; OUT/STAGE/features:
    what was read."""

    settings_type = WordsSettings

    def begins_with(self) -> Sequence[str]:
        return self.work.run.before(self.name)

    def check(self) -> None:
        self._places()

    def run(self, progress: Progress | None) -> bool:
        model, processor = initial(self.work.run)
        self.folder.mkdir(parents=True, exist_ok=True)
        written = log.Log(self.folder, step=len(log.read(self.folder)))
        for name in self.begins_with():
            load_parts(model, self.work.final(name))
        give_words(model, self.settings.reads)
        reading = Reading(merged(model.backbone).eval(), processor.tokenizer, self.settings.layer)
        train, valid = self._utterances(progress)
        measured = self._fit(model.heads[UTTERANCE_HEAD.name], reading, train, valid, written, progress)
        written.close()
        parts = [HEAD]
        if self.settings.adapter is not None:
            read = replace(reading, adapter=model.words_adapter)
            fitted = self._tune(model.heads[UTTERANCE_HEAD.name], read, train, valid, progress)
            if not fitted.finished:
                return False
            parts, measured = [HEAD, WORDS_ADAPTER], measured | fitted.best
        save_parts(model, parts, self.final, info={self.name: {key: round(value, 4) for key, value in measured.items()}})
        return True

    def load(self, model: EmoReasonForConditionalGeneration) -> dict[str, Any]:
        give_words(model, self.settings.reads)
        return super().load(model)

    def _places(self) -> dict[str, Path]:
        return places([*self.settings.data, *self.settings.apart], self.work.roots, self.work.data)

    def _utterances(self, progress: Progress | None) -> tuple[Split, Split]:
        """To learn from and to choose by."""
        sets = {name: load_set(load_recipe(name), place, progress) for name, place in self._places().items()}
        tested, seed = tested_passages(sets), self.work.run.seed
        limits = {"train": self.settings.limit, "valid": self.settings.validation}
        train, valid = (
            {name: utterances_of(sets[name], split, tested, self.settings.languages, most, seed) for name in self.settings.data}
            for split, most in limits.items()
        )
        return train, valid

    def _fit(
        self, head: Head, reading: Reading, train: Split, valid: Split, written: log.Log, progress: Progress | None
    ) -> dict[str, float]:
        """Fill the head with its best fit; returns what it measured."""
        found = {}
        for split, some in (("train", train), ("valid", valid)):
            for name, told in some.items():
                features = read_all(reading, told.lines, self.folder / "features", progress)
                found[split, name] = features, torch.from_numpy(told.emotion)
                written.write(len(written.history) + 1, {f"read_{split}_{name}": len(features)})
        features, emotion = (torch.cat(parts) for parts in zip(*(found["train", name] for name in train), strict=True))
        best, measured = choose_head((features, emotion), {name: found["valid", name] for name in valid}, self.settings.decays)
        head.load_state_dict(best.state_dict())
        written.write(len(written.history) + 1, measured)
        return measured

    def _tune(self, head: Head, reading: Reading, train: Split, valid: Split, progress: Progress | None) -> Fitted:
        """The head and the adapter of `reading`."""

        def evaluate() -> dict[str, float]:
            read = {name: (reading(told.lines), torch.from_numpy(told.emotion)) for name, told in valid.items()}
            return {"loss": loss_of(head, read), **figures(head, read)}

        rows = {name: list(zip(told.lines, told.emotion.tolist(), strict=True)) for name, told in train.items()}
        model, folder = WordsTraining(reading.backbone, reading.adapter, head, reading.layer), self.folder / "tuning"
        return tune_words(model, reading.tokenizer, rows, self.settings.adapter, self.work.run.seed, folder, evaluate, progress)


def set_weights(run: Run) -> dict[str, float]:
    """Weights in the verdict that the run itself sets: of the head on utterances, if it has one and says so."""
    weight = run.words[1].weight if run.words else None
    return {} if weight is None else {UTTERANCE_HEAD.name: weight}


def take_words(run: Run, out: Path, model: EmoReasonForConditionalGeneration) -> None:
    """The head of the finished stage of kind words into the model, where the run has one."""
    work = Workspace(run, out)
    if run.words is not None and work.finished(run.words[0]):
        WordsStage(work, run.words[0]).load(model)
