"""Tasks that are answered with yes or no: is this unit, this emotion shown; and the questions that a data set brings itself."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from emoreason.instructions.answers import Exchange, Score, drawn, yes_no_score
from emoreason.instructions.chains import usable
from emoreason.instructions.label_tasks import Scheme, noun
from emoreason.instructions.measured_tasks import EXPRESSIVE, absent_units, looked_at
from emoreason.instructions.record import Record, Sentence
from emoreason.instructions.templates import templates
from emoreason.labels.action_units import ACTION_UNITS
from emoreason.model.prompt import Evidence, sanitize
from emoreason.perception.observation import Observation


@dataclass(frozen=True)
class ProbeUnit:
    """Yes or no: is this unit shown? From the coder's word where there is one, else from a reliable measurement."""

    name = "probe_unit"
    order = 0

    def applies(self, record: Record, observation: Observation | None) -> bool:
        return bool(record.action_units) or looked_at(record, observation) is not None

    def turns(
        self, record: Record, observation: Observation | None, evidence: Sequence[Evidence], rng: random.Random
    ) -> list[Exchange]:
        present, absent, source = self._known(record, observation, evidence)
        pool = (present, absent) if rng.random() < 0.5 else (absent, present)  # true and false equally often, where both exist
        units = pool[0] or pool[1]
        if not units:
            return []
        au = rng.choice(units)
        text = f"Yes, the face shows the {noun(au)} ({au})." if au in present else f"No, the face shows no {noun(au)} ({au})."
        sentence = Sentence(text=text, source=source)
        return [Exchange(templates().ask(self.name, rng, unit=noun(au), au=au), text, (sentence,))]

    @staticmethod
    def _known(record: Record, observation: Observation | None, evidence: Sequence[Evidence]):
        coded = [unit for unit in record.action_units if unit.au in ACTION_UNITS]
        if coded:
            return [u.au for u in coded if u.present], [u.au for u in coded if not u.present], coded[0].source
        person = looked_at(record, observation)
        if person is None or len(observation.people) > 1:  # "the face" must be the only one
            return [], [], "measured"
        told = {line.cue.cue for line in usable(observation, evidence)}  # an event outside the record's span is not told
        shown = [au for au in EXPRESSIVE if au in told]
        return shown, absent_units(observation, person, EXPRESSIVE), "measured"

    def score(self, text: str, record: Record, asked: Exchange | None = None) -> Score:
        return yes_no_score(text, drawn(asked, self.name).answer.startswith("Yes"))


@dataclass(frozen=True)
class ProbeEmotion:
    """Yes or no: is this emotion shown? True and false probes are equally frequent."""

    scheme: Scheme
    name = "probe_emotion"
    order = 2

    def applies(self, record: Record, observation: Observation | None) -> bool:
        return self.scheme.label(record) in self.scheme.labels and bool(self._others(record))

    def _others(self, record: Record) -> list[str]:
        return [word for word in self.scheme.labels if word not in (self.scheme.label(record), *self.scheme.several(record))]

    def turns(self, record: Record, observation, evidence, rng: random.Random) -> list[Exchange]:
        label = self.scheme.label(record)
        true = rng.random() < 0.5
        other = label if true else rng.choice(self._others(record))
        sentence = Sentence(text=f"{'Yes' if true else 'No'}, it is {label}.", source="composed")
        return [Exchange(templates().ask(self.name, rng, other=other), sentence.text, (sentence,))]

    def score(self, text: str, record: Record, asked: Exchange | None = None) -> Score:
        return yes_no_score(text, drawn(asked, self.name).answer.startswith("Yes"))


@dataclass(frozen=True)
class YesNo:
    """The data set's own question. A pair is right when both its members are: see `Record.probe`."""

    name = "yes_no"
    order = 0

    def applies(self, record: Record, observation: Observation | None) -> bool:
        return record.probe is not None

    def turns(self, record: Record, observation, evidence, rng: random.Random) -> list[Exchange]:
        sentence = Sentence(text=f"{record.probe.answer.capitalize()}.", source="human")
        return [Exchange(sanitize(record.probe.question), sentence.text, (sentence,))]

    def score(self, text: str, record: Record, asked: Exchange | None = None) -> Score:
        return yes_no_score(text, record.probe.answer == "yes")
