"""The wording of questions and sentences: one YAML per language, checked when loaded, filled with sanitized values.

Which kinds there are and which slots each has is fixed here, so that a translation can neither forget a slot nor invent one.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from importlib.resources import files
from string import Formatter
from typing import Any

import yaml

from emoreason.errors import ConfigError
from emoreason.model.prompt import sanitize

LEAST_PHRASINGS = 8  # per question: fewer and a model learns the sentence instead of the question
QUESTIONS = {
    "emotion": {"labels"}, "why": set(), "reasoning": {"labels"}, "several": {"labels"}, "description": set(), "open": set(),
    "action_units": set(), "region": {"region", "person"}, "sentiment": {"labels"}, "compound": {"labels"},
    "causes": {"dialogue"}, "modality": {"modality", "labels"}, "why_not": {"other"}, "probe_unit": {"unit", "au"},
    "probe_emotion": {"other"}, "valence_arousal": set(),
}  # fmt: skip
SENTENCES = {
    "face": {"person", "cues"}, "voice": {"cues"}, "nothing": set(), "aside": {"listed"}, "for": {"ids", "emotion"},
    "against": {"ids"}, "undecided": {"emotion"}, "words_neutral": {"ids"}, "conflict": {"modality", "other"},
    "conclusion": {"emotion"}, "unclear": {"modality"}, "alone": {"modality", "emotion"}, "words": {"who", "quote", "when"},
    "context": {"text"}, "about": {"number"}, "several": {"emotions"},
    "impression": {"emotion"}, "mixed": set(),
}  # fmt: skip


@dataclass(frozen=True)
class Templates:
    """Phrasings by kind. The choice is the caller's random generator's, so equal seeds give equal texts."""

    questions: Mapping[str, tuple[str, ...]]
    sentences: Mapping[str, tuple[str, ...]]

    def ask(self, kind: str, rng: random.Random, **slots: str) -> str:
        """A question. Every value is sanitized: dialogue and labels come from files that nobody has vetted."""
        return rng.choice(self.questions[kind]).format(**{name: sanitize(value) for name, value in slots.items()})

    def say(self, kind: str, rng: random.Random, **slots: str) -> str:
        """A sentence or clause of an answer; values are put in as they are."""
        return rng.choice(self.sentences[kind]).format(**slots)


@lru_cache
def templates(language: str = "en") -> Templates:
    """The shipped wording of a language. Raises ConfigError naming those there are."""
    folder = files("emoreason.instructions").joinpath("phrasings")
    known = sorted(file.name.removesuffix(".yaml") for file in folder.iterdir() if file.name.endswith(".yaml"))
    if language not in known:
        raise ConfigError(f"no templates for language '{language}'; there are: {', '.join(known)}")
    name = f"{language}.yaml"
    return parse(yaml.safe_load(folder.joinpath(name).read_text("utf-8")), name)


def parse(content: Any, name: str) -> Templates:
    """Templates of a loaded YAML. Raises ConfigError naming file, kind and the phrasing that does not fit."""
    if not isinstance(content, dict) or set(content) != {"questions", "sentences"}:
        raise ConfigError(f"{name}: needs exactly the two keys questions and sentences")
    return Templates(
        _kinds(content["questions"], QUESTIONS, LEAST_PHRASINGS, f"{name}: questions"),
        _kinds(content["sentences"], SENTENCES, 2, f"{name}: sentences"),
    )


def _kinds(content: Any, wanted: Mapping[str, set[str]], least: int, where: str) -> dict[str, tuple[str, ...]]:
    for kind in content:
        if kind not in wanted:
            near = get_close_matches(str(kind), wanted, 1)
            raise ConfigError(f"{where}: unknown kind '{kind}'" + (f"; did you mean '{near[0]}'?" if near else ""))
    if missing := sorted(set(wanted) - set(content)):
        raise ConfigError(f"{where}: kind '{missing[0]}' is missing")
    return {kind: _phrasings(content[kind], slots, least, f"{where}: {kind}") for kind, slots in wanted.items()}


def _phrasings(phrasings: Any, slots: set[str], least: int, where: str) -> tuple[str, ...]:
    if not isinstance(phrasings, list) or not all(isinstance(text, str) and text.strip() for text in phrasings):
        raise ConfigError(f"{where}: must be a list of texts, none of them empty")
    if len(set(phrasings)) != len(phrasings) or len(phrasings) < least:
        raise ConfigError(f"{where}: {len(set(phrasings))} different phrasings of {len(phrasings)}; at least {least}, none twice")
    for text in phrasings:
        found = {field for _, field, _, _ in Formatter().parse(text) if field is not None}
        if found != slots:
            raise ConfigError(f"{where}: '{text}' has the slots {sorted(found)}, needs {sorted(slots)}")
    return tuple(phrasings)
