"""Two small corpora of tones: each emotion is a melody, each speaker a pitch, and a toy Whisper hears them."""

import numpy as np
import pytest
import torch
from transformers import WhisperConfig
from transformers.models.whisper.modeling_whisper import WhisperEncoder

from emoreason.labels.voice_cues import VOICE_CUES
from emoreason.media.audio import RATE
from emoreason.model.config import VOICE_EMOTIONS
from emoreason.training.voice.data import read_voices, save_voices

SPLITS = {"s0": "train", "s1": "train", "s2": "train", "s3": "valid", "s4": "test"}


def write_corpus(folder, dataset, emotions, clips=2):
    """A prepared data set, as `load_voices` finds it: five speakers, each emotion `clips` times."""
    rng, rows = np.random.default_rng(len(dataset)), []
    for s, speaker in enumerate(SPLITS):
        for emotion in emotions:
            for take in range(clips):
                name, place = f"{speaker}-{emotion}-{take}", VOICE_EMOTIONS.index(emotion)
                rows.append((name, speaker, SPLITS[speaker], place, melody(emotion, s, rng)))
    names = {key: [row[k] for row in rows] for k, key in enumerate(("ids", "speakers", "splits"))}
    sounds = [row[4] for row in rows]
    prosody = torch.tensor([[kind.high for kind in VOICE_CUES.values()]]).repeat(len(rows), 1)
    prosody[:, list(VOICE_CUES).index("pauses")] = torch.nan
    arrays = {
        "emotion": torch.tensor([row[3] for row in rows]), "speech": torch.tensor([[0.3, 1.5]]).repeat(len(rows), 1),
        "prosody": prosody, "samples": torch.from_numpy(np.concatenate(sounds)),
        "starts": torch.tensor(np.cumsum([0, *map(len, sounds)])),
    }  # fmt: skip
    save_voices(names | {"source": dataset}, arrays, folder / f"{dataset}.safetensors")
    return read_voices(folder / f"{dataset}.safetensors")


def melody(emotion, speaker, rng):
    """int16 [n]: 1.2 s of a tone that the emotion moves, between quiet ends."""
    seconds = np.arange(round(1.2 * RATE)) / RATE
    kind = VOICE_EMOTIONS.index(emotion)
    hz = (150 + 15 * speaker) * (1 + kind) * (1 + 0.05 * np.sin(2 * np.pi * kind * seconds))
    tone = 0.2 * np.sin(2 * np.pi * np.cumsum(hz) / RATE) + 0.002 * rng.normal(size=len(seconds))
    return (np.pad(tone, round(0.3 * RATE)) * 32768).astype(np.int16)


@pytest.fixture(scope="session")
def whisper():
    torch.manual_seed(0)
    config = WhisperConfig(d_model=32, num_mel_bins=80, encoder_layers=2, encoder_attention_heads=4, encoder_ffn_dim=64,
                           max_source_positions=200)  # fmt: skip
    return WhisperEncoder(config).eval()
