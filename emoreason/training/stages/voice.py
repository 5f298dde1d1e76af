"""The stage kind `voice`: the voice encoder and its head, from speech with labels of emotion."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from transformers.models.whisper.modeling_whisper import WhisperEncoder

from emoreason.errors import ConfigError
from emoreason.model.config import EmoReasonConfig
from emoreason.model.config_file import load_config
from emoreason.model.modeling import load_whisper
from emoreason.training.data_sets import sha256_of
from emoreason.training.phases import places_of
from emoreason.training.settings.voice import VoicePhaseSettings, VoiceSettings
from emoreason.training.stages.phased import PhasedStage
from emoreason.training.stages.stage import Progress
from emoreason.training.voice import protocols
from emoreason.training.voice.data import States, Voices, encode, load_voices
from emoreason.training.voice.model import VoiceTraining
from emoreason.training.voice.training import Corpus, new_training, train_voice


class VoiceStage(PhasedStage[VoiceSettings]):
    """As PhasedStage; OUT/STAGE/states: what the frozen encoder makes of the sounds and of their changed copies."""

    settings_type = VoiceSettings

    @cached_property
    def config(self) -> EmoReasonConfig:
        return load_config(self.work.run.model)

    def run(self, progress: Progress | None) -> bool:
        encoder, tokens = self.source()
        corpora = self.corpora(encoder, ("valid",), progress)
        model = new_training(encoder, tokens, self.settings.phases[0], self.seed, self.settings.adapter)
        folders = places_of(self.settings.phases, self.folder)
        return train_voice(model, self.settings.phases, corpora, self.seed, folders, progress=progress)

    def protocol(self, name: str, settings: VoiceSettings, progress: Progress | None = None) -> dict[str, Any]:
        """Figures that are not those of the trained weights, by settings that may differ from the stage's: voice.protocols."""
        encoder, tokens = self.source()

        def new(phase: VoicePhaseSettings) -> VoiceTraining:
            return new_training(encoder, tokens, phase, self.seed, settings.adapter)

        corpora = self.corpora(encoder, ("train", "valid", "test"), progress)
        return protocols.run_protocol(name, settings, new, corpora, self.seed, self.folder, progress)

    def source(self) -> tuple[WhisperEncoder, int]:
        """The pretrained encoder of the run's model, and how many tokens it is pooled to."""
        if self.config.voice is None:
            model = self.work.run.model
            raise ConfigError(f"model {model} names no source of its voice encoder: there is nothing pretrained to read")
        return load_whisper(self.config.voice), self.config.voice_config.tokens

    def corpora(self, encoder: WhisperEncoder, splits: Sequence[str], progress: Progress | None) -> dict[str, Corpus]:
        """The data sets that phases take, by name, with the encoder's states of what is learned from and of `splits`, and with
        changed copies of what is learned from."""
        data = {name: self.settings.data[name] for name in self.settings.used()}
        found = self.places()
        corpora = {}
        for name, one in data.items():
            voices = load_voices(name, one, found[one.recipe], self.work.store, self.folder / "data", progress)
            train = voices.of_split(*one.train)
            clips = [voices.of_split(*one.train, *splits), *[train] * one.copies]  # of each copy; the first is as recorded
            states = [self._states(voices, some, copy, encoder, progress) for copy, some in enumerate(clips)]
            corpora[name] = Corpus(voices, tuple(states), tuple(train), self.settings.effects)
        return corpora

    def _states(self, voices: Voices, clips: list[int], copy: int, encoder: WhisperEncoder, progress: Progress | None) -> States:
        """Of one copy, in a folder that goes by all that they depend on."""
        changes = (self.settings.effects, self.seed) if copy else ()
        folder = self.folder / "states" / sha256_of(self.config.voice, voices.source, *changes)[:16]
        return encode(voices, clips, copy, encoder, folder, self.settings.effects, self.seed, progress)
