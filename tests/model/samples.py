"""Random segments of the right shapes, small: what a SegmentInput holds without a clip behind it."""

import numpy as np

from emoreason.labels.emotions import EMOTIONS
from emoreason.labels.voice_cues import VOICE_CUES
from emoreason.model.prompt import Evidence, emotion_question
from emoreason.model.segment_input import SegmentInput
from emoreason.perception.observation import Cue

SIZE, BINS = 16, 8  # crop side, mel bins
SMILE = Cue("face", "AU12", "p1", "strong", "both", 0.8, None, 1.0, 1.5, 2.0, "high", 0.8)


def segment(seed: int = 0, persons: int = 1, frames: int = 3, mel_frames: int | None = 20, scenes: int = 0) -> SegmentInput:
    rng = np.random.default_rng(seed)
    lead = (persons, frames)
    mesh = np.ones(lead, bool)
    mesh[:, -1:] = False  # one frame with a face but no landmarks

    def normal(*shape: int) -> np.ndarray:
        return rng.normal(size=shape).astype(np.float32)

    return SegmentInput(
        question=emotion_question(EMOTIONS),
        persons=tuple(f"p{n + 1}" for n in range(persons)),
        evidence=(Evidence("f1", SMILE),),
        crops=rng.integers(0, 256, (*lead, 3, SIZE, SIZE), dtype=np.uint8),
        landmarks=rng.random((*lead, 478, 3), np.float32),
        blendshapes=rng.random((*lead, 52), np.float32),
        pose=10 * normal(*lead, 3),
        gaze=10 * normal(*lead, 2),
        times_s=np.sort(4 * rng.random(lead, np.float32)),
        frame_mask=np.ones(lead, bool),
        mesh_mask=mesh,
        quality=rng.random(lead, np.float32),
        mel=None if mel_frames is None else normal(BINS, mel_frames),
        prosody=np.array([(kind.low + kind.high) / 2 for kind in VOICE_CUES.values()], np.float32),
        scenes=tuple(rng.integers(0, 256, (60, 80, 3), dtype=np.uint8) for _ in range(scenes)),
    )
