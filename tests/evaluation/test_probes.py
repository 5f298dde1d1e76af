"""Floors: they learn what is plain, never see the held-out fold, and measure what their names say."""

import numpy as np
import pytest
import torch
from observations import make_observation
from transformers import WhisperConfig
from transformers.models.whisper.modeling_whisper import WhisperEncoder

from emoreason.errors import ConfigError
from emoreason.evaluation import probes
from emoreason.media.audio import RATE


def clouds(n=60, width=5, seed=0):
    rng = np.random.default_rng(seed)
    labels = [("low", "high")[k % 2] for k in range(n)]
    return np.stack([rng.normal(3.0 * (label == "high"), 1.0, width) for label in labels]), labels


def named(said):
    return [max(p, key=p.get) for p in said]


def test_a_linear_probe_separates_what_is_separable_and_the_majority_does_not():
    (train, labels), (test, truth) = clouds(), clouds(seed=1)
    right = np.mean(np.array(named(probes.predict(probes.linear(), train, labels, test))) == truth)
    assert right > 0.9
    assert set(named(probes.predict(probes.majority(), train, ["low"] * 40 + ["high"] * 20, test))) == {"low"}


def test_words_that_occur_once_carry_nothing():
    texts = ["what a lovely day", "lovely, thank you", "a lovely song", "how awful", "awful noise here", "this is awful"]
    labels = ["joy"] * 3 + ["disgust"] * 3
    assert named(probes.predict(probes.words(), texts, labels, ["lovely weather", "awful weather"])) == ["joy", "disgust"]


def test_a_fold_is_predicted_by_the_others_only():
    """Labels that only a fold's own samples know: whoever sees them is right, whoever does not is wrong."""
    folds = np.repeat([0, 1, 2], 4)
    features = np.eye(3)[folds]
    labels = [f"label {fold}" for fold in folds]
    said = named(probes.predict_folds(probes.linear(), features, labels, folds))
    assert not any(one == truth for one, truth in zip(said, labels, strict=True))


def test_refuses_what_cannot_be_learnt_from():
    with pytest.raises(ConfigError, match="label each"):
        probes.predict(probes.linear(), [], [], [[1.0]])
    with pytest.raises(ConfigError, match="two folds"):
        probes.predict_folds(probes.linear(), [[1.0]], ["a"], [0])
    assert probes.predict(probes.linear(), [[1.0], [2.0]], ["a", "a"], [[9.0]]) == [{"a": 1.0}]
    assert probes.predict(probes.linear(), [[1.0], [2.0]], ["a", "b"], []) == []


def test_face_features_do_not_depend_on_where_the_face_is():
    near, far = (make_observation(people=[{}], size=size) for size in ((640, 360), (1280, 720)))
    assert probes.face_features(near).shape == (52 + 2 * 478,)
    np.testing.assert_allclose(probes.face_features(near), probes.face_features(far), atol=2e-3)
    assert probes.face_features(make_observation()) is None


def test_voice_features_are_moments_of_each_layer():
    config = WhisperConfig(d_model=8, encoder_layers=2, encoder_attention_heads=2, encoder_ffn_dim=16, num_mel_bins=80)
    torch.manual_seed(0)
    encoder = WhisperEncoder(config).eval()
    rng = np.random.default_rng(0)
    sound = rng.standard_normal(RATE).astype(np.float32)
    features = probes.voice_features(sound, encoder)
    assert features.shape == (3, 16) and (features[:, 8:] >= 0).all()
    assert not np.allclose(features, probes.voice_features(sound[::-1].copy(), encoder))
