"""Floors: what simple, well-known classifiers reach on the same samples. A model that does not beat them has learnt nothing more.

Faces: logistic regression on blendshapes and the aligned mesh. Voices: logistic regression on mean and deviation of the
pre-trained encoder's states. Words: logistic regression on TF-IDF. And the most frequent training label, which needs no input.
"""

from collections.abc import Sequence

import numpy as np
import torch
from transformers.models.whisper.modeling_whisper import WhisperEncoder

from emoreason.errors import ConfigError, EnvironmentProblem
from emoreason.model.segment_input import mel_of
from emoreason.model.voice import hidden_states
from emoreason.perception.observation import FOUND, Observation, Person
from emoreason.perception.people import main_person
from emoreason.perception.regions import crop_matrix
from emoreason.perception.segments import Segment

try:
    from sklearn.dummy import DummyClassifier
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import Pipeline, make_pipeline
    from sklearn.preprocessing import StandardScaler
except ImportError as error:
    raise EnvironmentProblem("probes need scikit-learn: pip install 'emoreason[dev]'") from error

ITERATIONS = 2000
_WHOLE_PICTURE = FOUND.index("whole_picture")


def majority() -> DummyClassifier:
    """The floor of floors: always the commonest class."""
    return DummyClassifier(strategy="most_frequent")


def linear(strength: float = 0.01, balanced: bool = False) -> Pipeline:
    """Logistic regression on standardised features. `strength` is the inverse of the regularisation, sklearn's C.

    balanced: classes weigh equally, for recall averaged over classes.
    """
    weights = "balanced" if balanced else None
    return make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=ITERATIONS, class_weight=weights))


def words(balanced: bool = False) -> Pipeline:
    """Logistic regression on TF-IDF of words and word pairs that occur at least twice."""
    features = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True)
    weights = "balanced" if balanced else None
    return make_pipeline(features, LogisticRegression(C=10.0, max_iter=ITERATIONS, class_weight=weights))


def predict(probe: Pipeline | DummyClassifier, train, labels: Sequence[str], test) -> list[dict[str, float]]:
    """Fit on `train` and its labels; probabilities of the labels it has seen for each of `test`.

    A training set of one class predicts that class. Raises ConfigError for an empty training set, or one without labels for each
    sample.
    """
    if not len(labels) or len(train) != len(labels):
        raise ConfigError(f"a probe needs training samples with a label each, got {len(train)} samples and {len(labels)} labels")
    if not len(test):
        return []
    fitted = (probe if len(set(labels)) > 1 else majority()).fit(train, list(labels))
    return [dict(zip(fitted.classes_, map(float, row), strict=True)) for row in fitted.predict_proba(test)]


def predict_folds(probe: Pipeline, samples, labels: Sequence[str], folds: Sequence[int | str]) -> list[dict[str, float]]:
    """Each fold predicted by a probe of the others, in the order of the samples. Raises ConfigError for a single fold."""
    folds = np.asarray(folds)
    if len(np.unique(folds)) < 2:
        raise ConfigError("cross-validation needs samples of at least two folds")
    said: dict[int, dict[str, float]] = {}
    for fold in np.unique(folds):
        held, rest = np.flatnonzero(folds == fold), np.flatnonzero(folds != fold)
        found = predict(probe, [samples[i] for i in rest], [labels[i] for i in rest], [samples[i] for i in held])
        said |= dict(zip(held.tolist(), found, strict=True))
    return [said[i] for i in range(len(labels))]


def face_features(observation: Observation, size: int = 48, margin: float = 0.25) -> np.ndarray | None:
    """[52 + 956]: mean over the main person's frames of blendshapes and of the mesh aligned as the model's crops are (x, y).

    None where no frame has a mesh.
    """
    person = main_person(observation, Segment(0.0, observation.source.duration_s))
    if person is None:
        return None
    frames = np.flatnonzero(person.found != _WHOLE_PICTURE)
    if not len(frames):
        return None
    return np.concatenate([person.blendshapes[frames].mean(axis=0), _aligned(person, frames, size, margin).mean(axis=0)])


def _aligned(person: Person, frames: np.ndarray, size: int, margin: float) -> np.ndarray:
    """[t, 956] x and y of the mesh in units of the aligned crop."""
    out = []
    for mesh in person.landmarks(frames):
        matrix = crop_matrix(mesh, size, margin)
        out.append(((mesh[:, :2] @ matrix[:, :2].T + matrix[:, 2]) / size).ravel())
    return np.stack(out)


@torch.no_grad()
def voice_features(sound: np.ndarray, encoder: WhisperEncoder) -> np.ndarray:
    """[layers + 1, 2 D]: mean and deviation over time of the encoder's states of each layer. `sound`: float32 [n] at 16 kHz."""
    mel = torch.from_numpy(mel_of(sound, encoder.config.num_mel_bins))[None]  # [1, M, T]
    states, _ = hidden_states(encoder, mel, torch.ones(1, mel.shape[2], dtype=torch.bool))  # [1, L, S, D]
    return torch.cat([states.mean(2), states.std(2, correction=0)], dim=-1)[0].numpy()
