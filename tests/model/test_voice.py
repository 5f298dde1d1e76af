import dataclasses

import numpy as np
import pytest
import torch
from transformers import WhisperConfig, WhisperFeatureExtractor
from transformers.models.whisper.modeling_whisper import WhisperEncoder

from emoreason import assets
from emoreason.errors import AssetError
from emoreason.labels.voice_cues import VOICE_CUES
from emoreason.model.batch import VoiceBatch
from emoreason.model.voice import VoiceEncoder, hidden_states, listen
from emoreason.model.whisper import load_whisper_encoder, read_ctranslate2

B, MELS, T, Q = 3, 8, 40, 4


@pytest.fixture
def voice():
    torch.manual_seed(0)
    config = WhisperConfig(
        d_model=32, num_mel_bins=MELS, encoder_layers=2, encoder_attention_heads=4, encoder_ffn_dim=32, max_source_positions=30
    )
    return VoiceEncoder(WhisperEncoder(config), Q).eval()


@pytest.fixture
def batch():
    rng = torch.Generator().manual_seed(0)
    mask = torch.ones(B, T, dtype=torch.bool)
    mask[1, 24:], mask[2] = False, False
    prosody = torch.tensor([[kind.high for kind in VOICE_CUES.values()]]).repeat(B, 1)
    prosody[1, 0] = torch.nan
    return VoiceBatch(torch.randn(B, MELS, T, generator=rng), mask, prosody)


def test_shapes_and_silence(voice, batch):
    out = voice(batch)
    assert out.tokens.shape == (B, Q + 1, 32) and out.pooled.shape == (B, voice.pooled_width)
    assert out.mask.tolist() == [True, True, False]
    assert (out.tokens[2] == 0).all() and torch.isfinite(out.tokens).all()


def test_padding_changes_nothing(voice, batch):
    noisy = dataclasses.replace(batch, mel=torch.where(batch.mel_mask[:, None], batch.mel, torch.nan))
    torch.testing.assert_close(voice(noisy).tokens, voice(batch).tokens)
    short = VoiceBatch(batch.mel[1:2, :, :24], batch.mel_mask[1:2, :24], batch.prosody[1:2])
    torch.testing.assert_close(voice(short).tokens[0], voice(batch).tokens[1], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("part", ["mel", "prosody"])
def test_every_input_is_live(voice, batch, part):
    other = dataclasses.replace(batch, **{part: getattr(batch, part) * 0.5})  # contrast of the mel, not its level
    assert (voice(other).tokens[:2] - voice(batch).tokens[:2]).abs().max() > 1e-4


def test_the_level_of_the_recording_changes_nothing(voice, batch):
    louder = dataclasses.replace(batch, mel=batch.mel + 0.5)  # 20 dB
    torch.testing.assert_close(voice(louder).tokens, voice(batch).tokens, atol=1e-4, rtol=1e-4)


def test_pauses_are_not_pooled(voice, batch):
    mel = torch.zeros(1, MELS, T)
    mel[..., 16:32] = -1.0  # 40 dB
    states, mask = listen(voice.encoder, mel, batch.mel_mask[:1])
    assert states.shape == (1, 3, 10, 32)
    assert mask[0].tolist() == [True] * 4 + [False] * 4 + [True] * 2


def test_two_positions_make_one_and_padding_is_no_part_of_it(voice):
    mel, mask = torch.randn(1, MELS, 12), torch.ones(1, 12, dtype=torch.bool)
    mask[0, 10:] = False
    mel[..., 0] = 9  # the loudest, so that its level is known
    states, heard = listen(voice.encoder, mel, mask)
    single, _ = hidden_states(voice.encoder, mel - 8, mask)
    torch.testing.assert_close(states[0, :, 0], single[0, :, :2].mean(1))
    torch.testing.assert_close(states[0, :, 2], single[0, :, 4])
    assert heard.shape == (1, 3)


def test_moments_make_channels_comparable(voice, batch):
    states, mask = listen(voice.encoder, batch.mel, batch.mel_mask)
    before = voice.pool_states(states, mask, batch.prosody).pooled
    scale = torch.ones(3, 32)
    scale[1, 7] = 100.0
    voice.set_moments(torch.full((3, 32), 2.0) * scale, scale)
    after = voice.pool_states((states + 2.0) * scale[:, None], mask, batch.prosody).pooled
    torch.testing.assert_close(after, before, atol=1e-4, rtol=1e-4)


def test_gradient_reaches_every_layer_of_the_mix(voice, batch):
    voice(batch).tokens.square().sum().backward()
    assert (voice.mix.grad.abs() > 0).all()
    dead = [name for name, p in voice.named_parameters() if p.requires_grad and (p.grad is None or not p.grad.abs().sum() > 0)]
    assert not dead


def test_only_as_many_positions_as_audio(voice):
    states, mask = hidden_states(voice.encoder, torch.randn(1, MELS, 10), torch.ones(1, 10, dtype=torch.bool))
    assert states.shape == (1, 3, 5, 32) and mask.shape == (1, 5)
    with pytest.raises(ValueError, match="1.2 s of audio.*0.6|encoder takes"):
        hidden_states(voice.encoder, torch.randn(1, MELS, 62), torch.ones(1, 62, dtype=torch.bool))


def test_wrong_shapes_name_the_part(batch):
    with pytest.raises(ValueError, match="mel_mask must be"):
        dataclasses.replace(batch, mel_mask=batch.mel_mask[:, :3])
    with pytest.raises(ValueError, match="prosody must be"):
        dataclasses.replace(batch, prosody=batch.prosody[:, :2])


def test_converted_encoder_equals_ctranslate2(tmp_path):
    """The pinned file, run by CTranslate2 itself and by our conversion, on two seconds of a chirp and silence behind it."""
    import ctranslate2

    folder = assets.path("whisper-base")
    encoder = load_whisper_encoder(folder / "model.bin", tmp_path)
    seconds = np.arange(32_000) / 16_000
    sound = (0.3 * np.sin(2 * np.pi * (200 + 300 * seconds) * seconds)).astype(np.float32)
    extractor = WhisperFeatureExtractor(feature_size=encoder.config.num_mel_bins)
    mel = extractor(sound, sampling_rate=16_000, return_tensors="np").input_features
    theirs = ctranslate2.models.Whisper(str(folder), device="cpu", compute_type="float32", intra_threads=2).encode(
        ctranslate2.StorageView.from_array(np.ascontiguousarray(mel)), to_cpu=True
    )
    theirs = np.array(theirs)
    with torch.no_grad():
        states, mask = hidden_states(encoder, torch.from_numpy(mel), torch.ones(1, mel.shape[2], dtype=torch.bool))
        ours = states[:, -1].numpy()
        stock = encoder(torch.from_numpy(mel)).last_hidden_state.numpy()
    assert mask.all() and ours.shape == theirs.shape
    np.testing.assert_allclose(ours, stock, atol=2e-3, rtol=1e-3)
    np.testing.assert_allclose(ours, theirs, atol=2e-2, rtol=2e-2)
    assert np.corrcoef(ours.ravel(), theirs.ravel())[0, 1] > 0.99999
    assert (tmp_path / "encoder.safetensors").is_file()


def test_not_a_model_file_is_refused(tmp_path):
    (tmp_path / "model.bin").write_bytes(b"\x07\0\0\0 nothing")
    with pytest.raises(AssetError, match="binary version"):
        read_ctranslate2(tmp_path / "model.bin")
