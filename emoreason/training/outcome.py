"""What a fine-tuning did: its own validation clips before and after it, and test sets that the base knew."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from emoreason.errors import ConfigError
from emoreason.instructions.answers import label_of
from emoreason.instructions.collator import Source
from emoreason.instructions.observe_all import data_store, find, jobs_of, observe_all
from emoreason.instructions.readers import read
from emoreason.instructions.recipe import Recipe, load_recipe
from emoreason.instructions.record import Record
from emoreason.instructions.store import read_records
from emoreason.instructions.tasks import tasks_of
from emoreason.instructions.validate import data_root
from emoreason.labels.label_set import EMOTION_SET, LabelSet
from emoreason.model.checkpoint_files import checkpoint_folder
from emoreason.model.config import EmoReasonConfig
from emoreason.model.modeling import EmoReasonForConditionalGeneration
from emoreason.model.processing import EmoReasonProcessor
from emoreason.model.untrained import quiet_libraries
from emoreason.model.verdict import LANGUAGE, VerdictSettings, own_head
from emoreason.training.assess import Answers, Clip, answers, clips_of, native, settings_of
from emoreason.training.finetune import initial
from emoreason.training.mixtures import limited, tasks_of_part
from emoreason.training.run import Run
from emoreason.training.sft import MIXTURES

KNOWN = ("ferplus", "ravdess", "nemo", "meld")  # sets whose test split the shipped model is measured on
PER_SET = 24  # test samples of each, of every emotion equally many
Progress = Callable[[str, float, float | None], None]


@dataclass(frozen=True)
class Compared:
    """The same clips, asked before and after. alone: after it, by each source of the verdict alone."""

    name: str
    before: Answers
    after: Answers
    alone: Mapping[str, Answers]


@dataclass(frozen=True)
class Outcome:
    """own: None where no validation clip has a label of the model's set. known: of the canonical emotions. absent: why others of
    KNOWN were not asked."""

    labels: LabelSet
    own: Compared | None
    known: Sequence[Compared]
    absent: Sequence[str]


class Questions:
    """All clips that a model is asked about, before and after."""

    def __init__(self, run: Run, out: Path, roots: Mapping[str, Path], data: str | None, store: Path):
        self.run, self.out, self.roots, self.data, self.store = run, out, roots, data, store
        self.absent: list[str] = []
        config = EmoReasonConfig.from_pretrained(checkpoint_folder(run.init_from))
        canonical = config.label_set().canonical
        self.settings = VerdictSettings(**(config.verdict or {})) if canonical else None
        self.known = self._known() if canonical else []
        if not canonical:
            self.absent.append(f"the base answers in the words of '{config.scheme}', so no test set of the emotions was asked")

    def validation(self, labels: LabelSet) -> list[Clip]:
        """Of the last stage's parts."""
        name, stage = list(self.run.tuning().items())[-1]
        clips: list[Clip] = []
        for part, spec in stage.mixture.items():
            if spec.kind == "records":
                recipe = load_recipe(spec.data[0])
                records = list(read_records(self.out / MIXTURES / name / part / "valid"))
                tasks = {"": tasks_of_part(spec, {spec.data[0]: recipe}, spec.data[0])}
                source = Source(records, data_root(recipe, dict(self.roots), self.data), tasks, 1)
                clips += clips_of(source, labels, native(labels), data_store(self.store))
        return clips

    def remembered(self) -> dict[str, list[Clip]]:
        """Test set -> clips."""
        found = {}
        for recipe, root, records in self.known:
            source = Source(records, root, {"": tasks_of(recipe)}, 1)
            found[recipe.name] = clips_of(source, EMOTION_SET, _emotion(recipe), data_store(self.store))
        return found

    def _known(self) -> list[tuple[Recipe, Path, list[Record]]]:
        """Those whose data are there, some of their test records observed."""
        found = []
        for name in KNOWN:
            recipe = load_recipe(name)
            try:
                root = data_root(recipe, dict(self.roots), self.data)
            except ConfigError:
                root = None
            if root is None or not root.is_dir():
                self.absent.append(f"{name}: its data are not there")
                continue
            tested = [record for record in read(recipe, root) if isinstance(record, Record) and record.split == "test"]
            clear = [record for record in tested if _emotion(recipe)(record)]
            some = limited(clear, PER_SET, True, np.random.default_rng(0), _emotion(recipe))
            observe_all(jobs_of(some, root, words=False), self.store, workers=1)
            kept = data_store(self.store)
            seen = [one for one in some if one.media is None or find(one, root, kept, words=False) is not None]
            found.append((recipe, root, seen))
        return found


def outcome(run: Run, out: Path, questions: Questions, progress: Progress | None = None) -> Outcome:
    """Ask the base, then the checkpoint in `out`. Raises ConfigError where the run does not begin with a checkpoint."""
    if run.init_from is None:
        raise ConfigError(f"run {run.name} begins with a new model: there is no before")
    model, processor = initial(run)
    labels = model.config.label_set()
    clips, known = questions.validation(labels), questions.remembered()
    untaught = [own_head(labels.name)]
    before = answers(model, processor, clips, labels, settings_of(model, untaught), progress) if clips else None
    knew = {name: answers(model, processor, some, EMOTION_SET, questions.settings, progress) for name, some in known.items()}
    with quiet_libraries():
        model = EmoReasonForConditionalGeneration.from_pretrained(out)
    own = None
    if clips:
        after = answers(model, processor, clips, labels, settings_of(model), progress)
        own = Compared("validation", before, after, _alone(model, processor, clips, labels))
    knows = {name: answers(model, processor, some, EMOTION_SET, questions.settings, progress) for name, some in known.items()}
    return Outcome(labels, own, [Compared(name, knew[name], knows[name], {}) for name in known], questions.absent)


def _alone(
    model: EmoReasonForConditionalGeneration, processor: EmoReasonProcessor, clips: Sequence[Clip], labels: LabelSet
) -> dict[str, Answers]:
    """By the language model and by the head on own labels, where there is one."""
    names = [LANGUAGE, *([own_head(labels.name)] if own_head(labels.name) in model.heads else [])]
    told = settings_of(model)
    return {name: answers(model, processor, clips, labels, replace(told, weights={name: 1.0})) for name in names}


def _emotion(recipe: Recipe) -> Callable[[Record], str | None]:
    def canonical(record: Record) -> str | None:
        label = label_of(record, recipe.scheme.name)
        return recipe.scheme.crosswalk.get(label) if label else None

    return canonical
