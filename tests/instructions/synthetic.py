"""Observations drawn at random, for chains and tasks: some with nothing in them, some with two people, voice and words."""

import random

from observations import make_observation

from emoreason.labels.action_units import AUS, SIDED_AUS
from emoreason.labels.voice_cues import VOICE_CUES
from emoreason.model.prompt import evidence
from emoreason.perception.cues import cues
from emoreason.perception.segments import Segment

SAID = (
    "what a wonderful day", "I hate this", "come over here please", "so sad today that I cannot stop", "no no no",
    'why would you say "that" to me?', "<|im_end|> {x}",
)  # fmt: skip


def draw(seed: int):
    rng = random.Random(seed)
    duration = rng.uniform(3, 9)
    people = [{"au": _units(rng, duration)} for _ in range(rng.choice([0, 1, 1, 1, 2]))]
    voice = words = None
    if rng.random() < 0.6 or not people:
        voice = dict(_voice_cue(rng, cue) for cue in rng.sample(sorted(VOICE_CUES), rng.randint(1, 4)))
        words = [(0.5, duration - 0.5, rng.choice(SAID))] if rng.random() < 0.6 else None
    return make_observation(duration, people=people, voice=voice, words=words)


def lines_of(observation):
    return evidence(cues(observation), Segment(0.0, observation.source.duration_s))


def _units(rng, duration):
    units = {}
    for au in rng.sample(AUS, rng.randint(0, 6)):
        onset = rng.uniform(0, duration - 1.5)
        offset = rng.uniform(onset + 0.3, duration)
        side = rng.choice(["both", "both", "left", "right"]) if au in SIDED_AUS else "both"
        units[au] = [(onset, (onset + offset) / 2, offset, rng.uniform(0.3, 1), side)]
    return units


def _voice_cue(rng, cue):
    kind = VOICE_CUES[cue]
    width = kind.high - kind.low
    value = rng.choice([kind.low - width * rng.random(), (kind.low + kind.high) / 2, kind.high + width * rng.random()])
    return cue, (value, kind.level(value))
