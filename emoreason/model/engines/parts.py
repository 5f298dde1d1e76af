"""Encoders, connectors and heads without torch: the encoders as ONNX graphs, a head, which is one matrix, in NumPy.

Letters: B batch, P persons, T frames, F valid frames of the batch, N persons of the batch, R regions, D width, H width of the
language model, K classes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import onnxruntime
from safetensors.numpy import load_file

from emoreason.model.batch import POOLED_FRAMES, FaceBatch, VoiceBatch, WordsBatch
from emoreason.model.engines.graph_session import Graph, open_session
from emoreason.model.engines.layout import EMBEDDINGS, FRAMES, PARTS, PEOPLE, VOICE, WORDS
from emoreason.model.head_spec import HeadCalibration, HeadSpec

_EPSILON = 1e-5  # of torch's LayerNorm


@dataclass(frozen=True)
class Seen:
    """What the face encoder says. features [B, P, T, D]; tokens [persons in order, R + Q, H], for the language model."""

    features: np.ndarray
    tokens: np.ndarray


@dataclass(frozen=True)
class Heard:
    """What the voice encoder says. features [B, D]; tokens [voices in order, Q + 1, H]."""

    features: np.ndarray
    tokens: np.ndarray


class Parts:
    """Of the graph in `folder`. The encoder of voices and the reader of utterances are opened when they are first needed."""

    def __init__(self, folder: Path, heads: Sequence[HeadSpec], threads: int):
        self.folder, self.threads, self.specs = folder, threads, heads
        self._weights = load_file(folder / PARTS)
        self.table = self._weights.pop(EMBEDDINGS)  # [V, H]
        self._frames, self._people = (open_session(folder / name, threads) for name in (FRAMES, PEOPLE))

    @cached_property
    def _voice(self) -> onnxruntime.InferenceSession:
        return open_session(self.folder / VOICE, self.threads)

    @cached_property
    def _words(self) -> Graph | None:
        return Graph(self.folder / WORDS, self.threads) if (self.folder / WORDS).is_file() else None

    @cached_property
    def heads(self) -> Mapping[str, HeadCalibration]:
        return {
            spec.name: HeadCalibration(
                spec, self._weights[f"{spec.name}.log_prior"], float(self._weights[f"{spec.name}.temperature"])
            )
            for spec in self.specs
        }

    def see(self, face: FaceBatch | None) -> Seen | None:
        """Raises ValueError for tokens that were cached, which only training has."""
        if face is None:
            return None
        if not isinstance(face, FaceBatch):
            raise ValueError("the engine on a graph runs the encoders itself: it takes no tokens that were cached")
        mask = face.frame_mask  # [B, P, T]
        people, time = mask.shape[:2], mask.shape[2]
        crops = face.crops[mask]  # [F, 3, H, W]
        pictures = crops.astype(np.float32) / (255 if crops.dtype == np.uint8 else 1)
        given = {"pictures": pictures, "mesh": face.mesh_mask[mask]}
        given |= {name: getattr(face, name)[mask] for name in ("landmarks", "blendshapes", "pose", "gaze")}
        (found,) = self._frames.run(None, given)  # [F, R, D]
        regional = np.zeros((*mask.shape, *found.shape[1:]), np.float32)
        regional[mask] = found
        seen = mask.any(-1)  # [B, P]
        given = {"regional": regional[seen], "times_s": face.times_s[seen].astype(np.float32), "mask": mask[seen]}
        frames, tokens = self._people.run(None, given)  # [N, T, D], [N, R + Q, H]
        features = np.zeros((*people, time, frames.shape[-1]), np.float32)
        features[seen] = frames
        return Seen(features, tokens)

    def hear(self, voice: VoiceBatch | None) -> Heard | None:
        """Raises ValueError for tokens that were cached, which only training has."""
        if voice is None:
            return None
        if not isinstance(voice, VoiceBatch):
            raise ValueError("the engine on a graph runs the encoders itself: it takes no tokens that were cached")
        missing = -voice.mel.shape[2] % POOLED_FRAMES
        given = {
            "mel": np.pad(voice.mel, ((0, 0), (0, 0), (0, missing))),
            "mel_mask": np.pad(voice.mel_mask, ((0, 0), (0, missing))),
            "prosody": voice.prosody.astype(np.float32),
        }
        features, tokens = self._voice.run(None, given)  # [B, D], [B, Q + 1, H]
        return Heard(features, tokens[voice.mel_mask.any(1)])

    def read(self, words: WordsBatch | None) -> np.ndarray | None:
        """[B, 2 H] mean of the utterance's states, and the last of them; zeros for a row without words. None without any, and for
        a model without a head on utterances."""
        if words is None or self._words is None:
            return None
        out = np.zeros((len(words.input_ids), 2 * self.table.shape[1]), np.float32)
        for row, ids, mask, said in zip(out, words.input_ids, words.mask, words.said, strict=True):
            if said.any():
                embedded = self.table[ids[mask]][None]  # [1, S, H]
                cache = self._words.cache(1, embedded.shape[1])
                states = self._words.run(embedded, cache, [embedded.shape[1]], "hidden_states")[0]  # [S, H]
                uttered = states[said[mask]]
                row[:] = np.concatenate([uttered.mean(0), uttered[-1]])
        return out

    def logits(
        self, seen: Seen | None, heard: Heard | None, ends: np.ndarray | None = None, utterance: np.ndarray | None = None
    ) -> dict[str, np.ndarray]:
        """Name -> [..., K] of the heads whose part there is. ends [B, H]: states at the end of each prompt."""
        features = {"face": seen and seen.features, "voice": heard and heard.features, "words": ends, "utterance": utterance}
        live = [spec for spec in self.specs if features.get(spec.part) is not None]
        return {spec.name: self._head(spec.name, features[spec.part]) for spec in live}

    def _head(self, name: str, x: np.ndarray) -> np.ndarray:
        """Layer norm, then a linear layer, as `heads.Head`."""
        norm, shift, weight, bias = (
            self._weights[f"{name}.{key}"] for key in ("norm.weight", "norm.bias", "out.weight", "out.bias")
        )
        centred = x - x.mean(-1, keepdims=True)
        normed = centred / np.sqrt(np.square(centred).mean(-1, keepdims=True) + _EPSILON)
        return (normed * norm + shift) @ weight.T + bias
