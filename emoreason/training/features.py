"""Features: what the frozen encoders say of each face and each voice, computed once, so that no language-model step runs them.

Keyed by the file's hash, the seconds, and the hash of the encoder's weights and sizes: other weights, other folder. Shards of
safetensors, read memory-mapped; written whole, so a preparation that was killed goes on after its last shard.

Letters: P persons, N tokens of a person, Q tokens of a voice, D width.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open

from emoreason.instructions.collator import Place, face_of, voice_of
from emoreason.model.modeling import EmoReasonForConditionalGeneration
from emoreason.model.processing import EmoReasonProcessor
from emoreason.training.checkpoint import save_file_whole
from emoreason.training.fit import moved
from emoreason.training.parts import part_state

Progress = Callable[[str, float, float | None], None]
BATCH = 16
SHARD = 1024  # entries: a shard is lost when the preparation is killed


class Features:
    """Tokens of the places that were prepared. `face` gives [P, N, D], `voice` [Q, D]; None where nobody is seen or heard."""

    def __init__(self, model: EmoReasonForConditionalGeneration, processor: EmoReasonProcessor, folder: Path):
        self.model, self.processor = model, processor
        self.folders = {kind: folder / f"{kind}-{encoder_hash(model, kind)[:16]}" for kind in ("face", "voice")}
        self.index: dict[str, dict[str, Path]] = {kind: _index(place) for kind, place in self.folders.items()}
        self.open: dict[Path, object] = {}

    def face(self, place: Place) -> np.ndarray | None:
        return self._get("face", place.face_key)

    def voice(self, place: Place) -> np.ndarray | None:
        return self._get("voice", place.voice_key)

    def prepare(self, places: Iterable[Place], progress: Progress | None = None) -> None:
        """Compute what is not there yet. The model is put in eval mode. Raises MediaError for a file that cannot be read."""
        self.model.eval()
        wanted: dict[str, dict[str, Place]] = {"face": {}, "voice": {}}
        for place in places:
            for kind, key in (("face", place.face_key), ("voice", place.voice_key)):
                if key is not None and key not in self.index[kind]:
                    wanted[kind].setdefault(key, place)
        for kind, missing in ((kind, list(found.items())) for kind, found in wanted.items()):
            done = 0
            for shard in batched(missing, SHARD):
                tokens = {}
                for some in batched(shard, BATCH):
                    tokens |= dict(self._compute(kind, some))
                    done += len(some)
                    if progress is not None:
                        progress(f"{kind} tokens", done, len(missing))
                self._write(kind, tokens)

    @torch.no_grad()
    def _compute(self, kind: str, some: Sequence[tuple[str, Place]]) -> Iterator[tuple[str, torch.Tensor]]:
        config = self.processor.config
        cut = [(face_of if kind == "face" else voice_of)(place, config) for _, place in some]
        batch = self.processor(cut)
        device = self.model.face_connector.length.device
        if kind == "face":
            out = self.model.face(moved(batch["face"], device))
            for b, (key, _) in enumerate(some):
                yield key, out.tokens[b, : len(cut[b].persons)].cpu().half()  # [P, N, D]
        else:
            out = self.model.voice(moved(batch["voice"], device))
            for b, (key, _) in enumerate(some):
                yield key, out.tokens[b].cpu().half()  # [Q, D]

    def _write(self, kind: str, tokens: dict[str, torch.Tensor]) -> None:
        folder = self.folders[kind]
        folder.mkdir(parents=True, exist_ok=True)
        name = hashlib.sha256("".join(sorted(tokens)).encode()).hexdigest()[:24]
        save_file_whole(tokens, folder / f"{name}.safetensors")
        self.index[kind] |= dict.fromkeys(tokens, folder / f"{name}.safetensors")

    def _get(self, kind: str, key: str | None) -> np.ndarray | None:
        if key is None:
            return None
        file = self.index[kind][key]
        if file not in self.open:
            self.open[file] = safe_open(file, framework="np")
        return self.open[file].get_tensor(key).astype(np.float32)


def encoder_hash(model: EmoReasonForConditionalGeneration, kind: str) -> str:
    """sha256 of the encoder's weights and of the configuration that its input is cut by."""
    total = hashlib.sha256()
    config = model.config.face_config if kind == "face" else model.config.voice_config
    total.update(json.dumps(json.loads(config.to_json_string(use_diff=False)), sort_keys=True).encode())
    for part in ("face.trunk", "face") if kind == "face" else ("voice.encoder", "voice"):
        add_weights(total, part_state(model, part))
    return total.hexdigest()


def add_weights(total: "hashlib._Hash", state: Mapping[str, torch.Tensor]) -> None:
    """Names and values, in the order of the names."""
    for name, value in sorted(state.items()):
        total.update(name.encode())
        total.update(value.float().cpu().contiguous().numpy().tobytes())


def batched(items: Iterable, size: int) -> Iterator[tuple]:
    """As itertools.batched of Python 3.12."""
    stream = iter(items)
    while some := tuple(islice(stream, size)):
        yield some


def _index(folder: Path) -> dict[str, Path]:
    found = {}
    for file in sorted(folder.glob("*.safetensors")):
        if not file.name.startswith("."):
            with safe_open(file, framework="np") as shard:
                found |= dict.fromkeys(shard.keys(), file)
    return found
