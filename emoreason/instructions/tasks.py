"""Tasks: one object makes the questions and answers of a record and scores answers, so metric, reward and training agree.

All questions about one clip form one conversation. The first question goes into `model.prompt.user_text`, the others follow.
"""

import random
from collections.abc import Mapping, Sequence
from typing import Protocol

from emoreason.instructions import label_tasks, measured_tasks, probe_tasks
from emoreason.instructions.answers import Exchange, Score
from emoreason.instructions.label_tasks import Scheme, dialogue
from emoreason.instructions.recipe import Recipe
from emoreason.instructions.record import Record
from emoreason.instructions.templates import templates
from emoreason.model.prompt import Evidence, sanitize
from emoreason.perception.observation import Observation

VERDICT = 1  # order of the tasks that ask for the emotion


class Task(Protocol):
    """`turns` may be empty where `applies` is True but this record's cues carry no such question.

    `score` needs `asked`, the exchange a question came from, only where the question itself was drawn (probes, regions, the
    refused emotion); ValueError without it. An answer that cannot be read is scored as wrong, with `readable` False.
    """

    name: str
    order: int  # up to 0: may come first; 1 the verdict; 2 and later talk about a verdict that has been given

    def applies(self, record: Record, observation: Observation | None) -> bool: ...

    def turns(
        self, record: Record, observation: Observation | None, evidence: Sequence[Evidence], rng: random.Random
    ) -> list[Exchange]: ...

    def score(self, text: str, record: Record, asked: Exchange | None = None) -> Score: ...


def tasks_for(scheme: str, labels: Sequence[str], crosswalk: Mapping[str, str | None] | None = None) -> dict[str, Task]:
    """All tasks by name, for records labelled in `scheme` with the words `labels`. Which apply, each record tells.

    `crosswalk`: the canonical emotion each label stands for; words it does not list are taken at face value.
    """
    scheme_of = Scheme(scheme, tuple(labels), tuple((crosswalk or {}).items()))
    made: list[Task] = [
        measured_tasks.Region(), label_tasks.Emotion(scheme_of), label_tasks.Reasoning(scheme_of),
        label_tasks.Explained(scheme_of), label_tasks.Several(scheme_of), label_tasks.Description(scheme_of),
        label_tasks.OpenVocabulary(scheme_of), label_tasks.ActionUnits(scheme_of),
        label_tasks.Sentiment(), label_tasks.Compound(), label_tasks.ValenceArousal(), label_tasks.Causes(),
        measured_tasks.ModalityLimited(scheme_of), measured_tasks.WhyNot(scheme_of),
        probe_tasks.ProbeUnit(), probe_tasks.ProbeEmotion(scheme_of), probe_tasks.YesNo(),
    ]  # fmt: skip
    return {task.name: task for task in made}


def tasks_of(recipe: Recipe) -> dict[str, Task]:
    """The tasks of a data set: what its recipe offers as candidates, and what each of them means."""
    scheme = recipe.scheme
    return tasks_for(scheme.name, scheme.offered, scheme.crosswalk) if scheme else tasks_for("", ())


def conversation(
    record: Record,
    observation: Observation | None,
    evidence: Sequence[Evidence],
    tasks: Mapping[str, Task] | Sequence[Task],
    rng: random.Random,
    most: int | None = None,
) -> list[Exchange]:
    """One multi-turn conversation of everything that `tasks` can ask about a record, at most `most` questions.

    The turns of a task stay together: the first task keeps all of its own, a later one that does not fit is left out.

    The verdict comes before questions that presuppose it and is asked for once, with or without reasons; the rest is in random
    order. Words that were not measured stand before the first question.
    """
    pool = list(tasks.values() if isinstance(tasks, Mapping) else tasks)
    usable = [task for task in pool if task.applies(record, observation)]
    rng.shuffle(usable)
    spare = [task for task in usable if task.order == VERDICT][1:]
    asked = [task for task in usable if task not in spare]
    made: list[tuple[int, Exchange]] = []
    for task in asked:
        turns = [(task.order, exchange) for exchange in task.turns(record, observation, evidence, rng)]
        made += turns if most is None or not made or len(made) + len(turns) <= most else []
    exchanges = [exchange for _, exchange in sorted(made, key=lambda item: item[0])]  # stable within one order
    if exchanges and (words := context(record, observation, exchanges[0], rng)):
        exchanges[0] = exchanges[0]._replace(question=f"{words} {exchanges[0].question}")
    return exchanges


def in_words(record: Record, question: str) -> str:
    """The question, with the record's words before it where they are all that is known of it."""
    words = "" if record.media else context(record, None, Exchange(question, "", ()), random.Random(0))
    return f"{words} {question}".strip()


def context(record: Record, observation: Observation | None, first: Exchange, rng: random.Random) -> str:
    """The record's own words where the evidence has none, and which utterance is meant; no text twice."""
    words, parts = templates(), []
    text = dialogue(record) if record.turns else sanitize(record.transcript or "")
    if text and (observation is None or observation.words is None) and text not in first.question:
        parts.append(words.say("context", rng, text=text))
    if record.target_turn is not None and (parts or text in first.question):
        parts.append(words.say("about", rng, number=str(record.target_turn + 1)))
    return " ".join(parts)
