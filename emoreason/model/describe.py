"""What a model is made of and what it costs: parts, parameters, tokens, FLOPs. Everything here is counted on the built model.

python -m emoreason.model.describe configs/models/tiny.yaml [--stage align]
"""

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from emoreason.errors import EmoReasonError
from emoreason.labels.action_units import AUS, SIDED_AUS
from emoreason.labels.emotions import EMOTIONS
from emoreason.labels.voice_cues import VOICE_CUES
from emoreason.media.audio import RATE
from emoreason.model.modeling import EmoReasonForConditionalGeneration
from emoreason.model.processing import EmoReasonProcessor
from emoreason.model.prompt import MOST_LINES, Evidence, emotion_question
from emoreason.model.segment_input import SegmentInput, mel_of
from emoreason.model.stages import PARTS, REST, PartRow, StageSpec, apply_stage, load_stage, part_of
from emoreason.model.untrained import quiet_libraries, untrained
from emoreason.perception.observation import Cue

SECONDS = 5.0  # of the stated segment
SCENE = (360, 640)  # height and width of a scene picture, pixels


@dataclass(frozen=True)
class Description:
    """`parts` in the order of PARTS; token counts of one prompt; FLOPs of one forward over the stated segment, per part."""

    parts: list[PartRow]
    face_tokens: int
    voice_tokens: int
    scene_tokens: int | None  # None: the backbone takes no pictures
    line_tokens: tuple[float, int]  # mean and most of an evidence line
    prompt_tokens: int
    context: int
    seconds: float
    frames: int
    flops: dict[str, int]

    def lines(self) -> list[str]:
        total, trainable = sum(row.total for row in self.parts), sum(row.trainable for row in self.parts)
        rows = [f"{row.part:15}{row.total:>16,}{row.trainable:>14,}  {row.mode:8}{row.lr or ''}".rstrip() for row in self.parts]
        height, width = SCENE
        scene = "none (no vision tower)" if self.scene_tokens is None else f"{self.scene_tokens} per picture of {width}x{height}"
        mean, most = self.line_tokens
        flops = ", ".join(f"{name} {count / 1e9:.2f}" for name, count in self.flops.items())
        segment = f"{self.seconds:g} s, 1 person in {self.frames} frames, voice, {MOST_LINES} lines of evidence"
        return [
            f"{'part':15}{'parameters':>16}{'trainable':>14}  mode    lr",
            *rows,
            f"{'all':15}{total:>16,}{trainable:>14,}",
            f"soft tokens     {self.face_tokens} per person, {self.voice_tokens} for the voice; scene: {scene}",
            f"evidence line   {mean:.1f} tokens on average, {most} at most",
            f"prompt          {self.prompt_tokens} tokens ({segment}); context {self.context}",
            f"GFLOPs          {sum(self.flops.values()) / 1e9:.2f} to read that prompt once: {flops}",
        ]


def describe(
    model: EmoReasonForConditionalGeneration,
    processor: EmoReasonProcessor,
    stage: StageSpec | None = None,
    seconds: float = SECONDS,
) -> Description:
    """Count. With a stage it is applied; without, nothing counts as trainable."""
    inputs = stated_segment(processor, seconds)
    batch = processor([inputs])
    return Description(
        parts=apply_stage(model, stage) if stage else _parts(model),
        face_tokens=processor.layout.face,
        voice_tokens=processor.layout.voice,
        scene_tokens=None if processor.pictures is None else _scene_tokens(processor, inputs),
        line_tokens=evidence_tokens(processor),
        prompt_tokens=batch["input_ids"].shape[1],
        context=model.config.language_config.get_text_config().max_position_embeddings,
        seconds=seconds,
        frames=inputs.crops.shape[1],
        flops=count_flops(model, batch),
    )


def example_lines() -> list[Evidence]:
    """A line for every action unit and voice cue, at every level and side it can have."""
    found = [(au, level, side) for au in AUS for level in ("slight", "marked", "strong")
             for side in (("both", "left", "right") if au in SIDED_AUS else ("both",))]  # fmt: skip
    faces = [Cue("face", au, "p1", level, side, 0.5, None, 12.3, 13.0, 14.8, "high", 0.5) for au, level, side in found]
    voices = [
        Cue("voice", name, "p1", level, None, 0.0, kind.unit, 12.3, 13.0, 14.8, kind.reliability, 0.5)
        for name, kind in VOICE_CUES.items()
        for level in ("low", "high")
    ]
    return [Evidence(f"{cue.modality[0]}{n % MOST_LINES + 1}", cue) for n, cue in enumerate([*faces, *voices])]  # ids repeat


def evidence_tokens(processor: EmoReasonProcessor) -> tuple[float, int]:
    """Mean and most tokens of the example lines, each with the line break that ends it."""
    counts = [len(processor.tokenizer(f"{line.text}\n", add_special_tokens=False)["input_ids"]) for line in example_lines()]
    return float(np.mean(counts)), max(counts)


def stated_segment(processor: EmoReasonProcessor, seconds: float = SECONDS) -> SegmentInput:
    """One person in as many frames as the model takes, voice throughout, twelve lines of evidence. Noise: only shapes matter."""
    rng, face = np.random.default_rng(0), processor.config.face_config
    bins = processor.config.voice_config.whisper_config.num_mel_bins
    lead, size = (1, face.max_frames), face.image_size
    examples = example_lines()
    spread = examples[:: len(examples) // MOST_LINES][:MOST_LINES]
    return SegmentInput(
        question=emotion_question(EMOTIONS),
        persons=("p1",),
        evidence=tuple(Evidence(f"{line.cue.modality[0]}{n}", line.cue) for n, line in enumerate(spread, start=1)),
        crops=rng.integers(0, 256, (*lead, 3, size, size), np.uint8),
        landmarks=rng.random((*lead, 478, 3), np.float32),
        **{name: np.zeros((*lead, width), np.float32) for name, width in (("blendshapes", 52), ("pose", 3), ("gaze", 2))},
        times_s=np.linspace(0, seconds, face.max_frames, dtype=np.float32)[None],
        frame_mask=np.ones(lead, bool),
        mesh_mask=np.ones(lead, bool),
        quality=np.ones(lead, np.float32),
        mel=mel_of(rng.normal(size=int(seconds * RATE)).astype(np.float32), bins),
        prosody=np.array([(kind.low + kind.high) / 2 for kind in VOICE_CUES.values()], np.float32),
    )


@torch.no_grad()
def count_flops(model: EmoReasonForConditionalGeneration, batch: dict[str, Any]) -> dict[str, int]:
    """FLOPs (2 per multiply-add) of matrix products and convolutions, encoder by encoder, to read the prompt once."""
    inputs = dict(batch)
    face, voice, _ = inputs.pop("face"), inputs.pop("voice"), inputs.pop("words")
    with _countable(model):
        out = {"face": _count(lambda: model.encode(face, None)), "voice": _count(lambda: model.encode(None, voice))}
        with model.soft_tokens(inputs["input_ids"], *model.encode(face, voice)):
            out["language"] = _count(lambda: model.backbone(**inputs))
    return out


def _count(run: Callable[[], Any]) -> int:
    with FlopCounterMode(display=False) as counter:
        run()
    return counter.get_total_flops()


@contextmanager
def _countable(model: nn.Module) -> Iterator[None]:
    """Plain matrix products: torch 2.13 does not count the fused attention and encoder layers of a CPU, and its counter trips
    over parameters that train."""
    fast, trains = torch.backends.mha.get_fastpath_enabled(), [p for p in model.parameters() if p.requires_grad]
    torch.backends.mha.set_fastpath_enabled(False)
    for parameter in trains:
        parameter.requires_grad_(False)
    try:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
        for parameter in trains:
            parameter.requires_grad_(True)


def _parts(model: EmoReasonForConditionalGeneration) -> list[PartRow]:
    totals = dict.fromkeys((*PARTS, REST), 0)
    for name, parameter in model.named_parameters():
        totals[part_of(name, model.config.language_config.model_type)[0]] += parameter.numel()
    return [PartRow(part, "", 0, total, None) for part, total in totals.items()]


def _scene_tokens(processor: EmoReasonProcessor, bare: SegmentInput) -> int:
    """Tokens that one picture adds to a prompt, its marks included."""
    seen = replace(bare, scenes=(np.zeros((*SCENE, 3), np.uint8),))
    return processor([seen])["input_ids"].shape[1] - processor([bare])["input_ids"].shape[1]


def main(arguments: list[str] | None = None) -> list[str]:
    """The lines to print."""
    parser = argparse.ArgumentParser(prog="python -m emoreason.model.describe", description="Parts, tokens and FLOPs of a model.")
    parser.add_argument("model", help="model file, or the name of a shipped one")
    parser.add_argument("--stage", help="stage file, or the name of a shipped one: count what it trains")
    options = parser.parse_args(arguments)
    stage = load_stage(options.stage) if options.stage else None
    with quiet_libraries():
        model, processor = untrained(options.model)
    return describe(model, processor, stage).lines()


if __name__ == "__main__":
    try:
        print("\n".join(main()))
    except EmoReasonError as error:
        sys.exit(str(error))
