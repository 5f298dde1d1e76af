"""A toy model as a judge, and a made clip with what was measured on it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from builders import even_times, write_media
from model.families import FAMILIES, emoreason_config
from observations import make_observation

from emoreason.inference.judges.model import ModelJudge
from emoreason.media import Clip
from emoreason.model.engines.transformers import TransformersEngine
from emoreason.model.modeling import EmoReasonForConditionalGeneration
from emoreason.model.processing import EmoReasonProcessor
from emoreason.perception.observation import Observation
from emoreason.report.judgement import Judged

SMILE = {"AU12": [(2.0, 3.0, 4.0, 0.9, "both")]}


def make_judge(path="soft", **options) -> ModelJudge:
    family = FAMILIES["llama"]
    config = emoreason_config(family, **options)
    config.voice_config.whisper_config.max_source_positions = 600  # a segment's ten seconds
    processor = EmoReasonProcessor(config, family.tokenizer())
    torch.manual_seed(0)
    model = EmoReasonForConditionalGeneration(config).eval()
    for head in model.heads.values():
        torch.nn.init.normal_(head.out.weight)
    return ModelJudge(processor, TransformersEngine(model, processor.tokenizer), "toy", path)


def judged(judge, observation, clip, on_text=None) -> Judged:
    """What a judge says about one clip."""
    return judge.judge([(observation, clip)], on_text)[0]


def noise_clip(folder: Path) -> Clip:
    """30 s of noise with sound, at 4 pictures a second."""
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 256, (72, 128, 3), dtype=np.uint8) for _ in range(120)]
    sound = 0.1 * rng.standard_normal(30 * 16_000).astype(np.float32)
    return Clip(write_media(folder / "clip.mp4", even_times(120, 4.0), pictures, sound))


def observed(clip: Clip, people=({"au": SMILE},), **options) -> Observation:
    """What was measured on the clip, told instead of measured."""
    observation = make_observation(30.0, 4.0, people, size=(128, 72), **options)
    series = [person.action_units for person in observation.people]
    out = replace(observation, source=clip.source)
    for person, known in zip(out.people, series, strict=True):
        person.__dict__["action_units"] = known
    return out
