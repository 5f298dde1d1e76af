"""Tasks: one object makes the questions and answers of a record and scores answers, so metric, reward and training agree.

All questions about one clip form one conversation. The first question goes into `model.prompt.user_text`, the others follow.
"""

import random
from collections.abc import Mapping, Sequence
from typing import Protocol

from emoreason.instructions import label_tasks, measured_tasks
from emoreason.instructions.answers import Exchange, Score
from emoreason.instructions.record import Record
from emoreason.model.prompt import Evidence
from emoreason.perception.observation import Observation


class Task(Protocol):
    """`turns` may be empty where `applies` is True but this record's cues carry no such question.

    `score` needs `asked`, the exchange a question came from, only where the question itself was drawn (probes, regions, the
    refused emotion); ValueError without it. An answer that cannot be read is scored as wrong, with `readable` False.
    """

    name: str
    order: int  # 0 may come first; 1 the verdict; 2 and later talk about a verdict that has been given

    def applies(self, record: Record, observation: Observation | None) -> bool: ...

    def turns(
        self, record: Record, observation: Observation | None, evidence: Sequence[Evidence], rng: random.Random
    ) -> list[Exchange]: ...

    def score(self, text: str, record: Record, asked: Exchange | None = None) -> Score: ...


def tasks_for(scheme: str, labels: Sequence[str]) -> dict[str, Task]:
    """All tasks by name, for records labelled in `scheme` with the words `labels`. Which apply, each record tells."""
    made: list[Task] = [
        measured_tasks.Region(), label_tasks.Emotion(scheme, tuple(labels)), label_tasks.Reasoning(scheme, tuple(labels)),
        label_tasks.OpenVocabulary(scheme, tuple(labels)), label_tasks.ActionUnits(scheme, tuple(labels)),
        label_tasks.Sentiment(), label_tasks.Compound(), label_tasks.ValenceArousal(), label_tasks.Causes(),
        measured_tasks.ModalityLimited(scheme, tuple(labels)), measured_tasks.WhyNot(scheme, tuple(labels)),
        measured_tasks.ProbeUnit(), label_tasks.ProbeEmotion(scheme, tuple(labels)),
    ]  # fmt: skip
    return {task.name: task for task in made}


def conversation(
    record: Record,
    observation: Observation | None,
    evidence: Sequence[Evidence],
    tasks: Mapping[str, Task] | Sequence[Task],
    rng: random.Random,
    most: int | None = None,
) -> list[Exchange]:
    """One multi-turn conversation of everything that `tasks` can ask about a record, at most `most` questions.

    Within a conversation the verdict comes before questions that presuppose it; the rest is in random order.
    """
    pool = list(tasks.values() if isinstance(tasks, Mapping) else tasks)
    usable = [task for task in pool if task.applies(record, observation)]
    rng.shuffle(usable)
    made = [(task.order, exchange) for task in usable for exchange in task.turns(record, observation, evidence, rng)]
    kept = sorted(made[:most], key=lambda item: item[0])  # stable: random within one order
    return [exchange for _, exchange in kept]
