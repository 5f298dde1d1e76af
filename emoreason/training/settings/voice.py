"""Settings of the stage kind `voice`: data sets of labelled speech, how copies of it are changed, and the phases that learn."""

from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field, model_validator

from emoreason.instructions.record import Strict
from emoreason.training.settings.base import Learned, PhasedSettings, PhaseSettings, Rate, Share, Weight


def _rising(value: tuple[float, float]) -> tuple[float, float]:
    if value[0] > value[1]:
        raise ValueError(f"a range goes from the smaller to the larger value, not from {value[0]} to {value[1]}")
    return value


Range = Annotated[tuple[float, float], AfterValidator(_rising)]


class VoiceDataSettings(Strict):
    """A data set of speech: its recipe, whose labels become emotions by the recipe's crosswalk. train: its splits that are
    learned from. copies: changed copies of each training clip beside the clip as it is."""

    recipe: str
    train: Learned = ["train"]
    copies: int = Field(0, ge=0)


class VoiceEffects(Strict):
    """What is done to the sound of changed copies; a share of 0 does it to none.

    Shares of the copies: crop (a stretch of at least `crop_keeps` of the clip and `crop_least_s` seconds is left), speed (by a
    factor within `speeds`: faster and higher together), silence (up to `silence_most_s` before and behind). Of the share
    `elsewhere`, the copies that are heard in another room or over another line: room (reverberation of `rt60_s` seconds), noise
    (white, pink or other voices, `snr_db` below the speech), microphone (a response with a deviation of `tilt_db` at octaves),
    line (band limits), codec (8-bit mu-law). level_db: root mean square of every copy against full scale.
    """

    crop: Share = 0.0
    crop_keeps: Share = 1.0
    crop_least_s: Weight = 0.0
    speed: Share = 0.0
    speeds: Range = (1.0, 1.0)
    silence: Share = 0.0
    silence_most_s: Weight = 0.0
    elsewhere: Share = 0.0
    room: Share = 0.0
    rt60_s: Range = (0.2, 0.2)
    noise: Share = 0.0
    snr_db: Range = (100.0, 100.0)
    microphone: Share = 0.0
    tilt_db: Weight = 0.0
    line: Share = 0.0
    codec: Share = 0.0
    level_db: Range

    @model_validator(mode="after")
    def _positive(self) -> "VoiceEffects":
        if self.speeds[0] <= 0 or self.rt60_s[0] <= 0:
            raise ValueError("speeds and rt60_s must be above 0")
        if self.silence and self.silence_most_s <= 0:
            raise ValueError("silence_most_s must be above 0 where `silence` is")
        return self


class VoiceAugment(Strict):
    """How the encoded clips are varied. shortest: of a clip, what a stretch of it keeps at least; masked: share of its states cut
    out in spans, at most; no_prosody: share of clips without measured prosody; mixing: mixup with Beta(mixing, mixing) (Verma et
    al. 2019, Manifold mixup), 0 = none."""

    shortest: float = Field(1.0, gt=0, le=1)
    masked: Share = 0.0
    no_prosody: Share = 0.0
    mixing: Weight = 0.0


class VoiceAdapterSettings(Strict):
    """Low-rank changes of Whisper's encoder (model.voice.VoiceAdapter): their rank, and the layers, counted from 0."""

    rank: int = Field(ge=1)
    layers: list[int] = Field(min_length=1)


class VoiceTuning(Strict):
    """A phase that trains the adapter, too, on the sound itself: every clip is encoded anew in each step, as long as it is.

    lr: of the adapter. changed: share of the clips that are drawn with `effects`, anew each time.
    """

    lr: Rate
    changed: Share


class VoiceLoss(Strict):
    """emotion: weight of the cross-entropy of the head; tokens: of the same from the tokens; smoothing: share of the target that
    is spread over all emotions. invariance: weight of a head that tells whose voice or which data set it is, and whose gradient
    is turned round for what it reads (Ganin & Lempitsky 2015, arXiv:1409.7495); invariant_to: which of the two."""

    emotion: Weight = 0.0
    tokens: Weight = 0.0
    smoothing: Share = 0.0
    invariance: Weight = 0.0
    invariant_to: Literal["data", "speaker"] = "data"

    @model_validator(mode="after")
    def _something(self) -> "VoiceLoss":
        if not (self.emotion or self.tokens):
            raise ValueError("no term has a weight: give one to emotion or tokens")
        return self


class VoicePhaseSettings(PhaseSettings):
    """dropout: of the heads. tuning: how the encoder's adapter is trained; not given: it stays as it is, and the states of the
    encoder are computed only once."""

    lr: Rate
    loss: VoiceLoss
    tuning: VoiceTuning | None = None
    augment: VoiceAugment = VoiceAugment()
    dropout: float = Field(0.0, ge=0, lt=1)


class VoiceSettings(PhasedSettings):
    """The stage kind `voice`: training.stages.voice. effects: what is done to changed copies. adapter: the one that phases with
    `tuning` train; phases without it must come before these."""

    makes_encoders: ClassVar[bool] = True

    kind: Literal["voice"]
    data: dict[str, VoiceDataSettings] = Field(min_length=1)
    effects: VoiceEffects | None = None
    adapter: VoiceAdapterSettings | None = None
    phases: list[VoicePhaseSettings] = Field(min_length=1)

    @model_validator(mode="after")
    def _copied(self) -> "VoiceSettings":
        for name in self.used():
            if self.data[name].copies and self.effects is None:
                raise ValueError(f"data.{name}.copies asks for changed copies: say with `effects` how they are changed")
        for phase in self.phases:
            if len({source.data for source in phase.sources}) < len(phase.sources):
                raise ValueError(f"sources: phase '{phase.name}' names a data set twice")
        return self

    @model_validator(mode="after")
    def _adapted(self) -> "VoiceSettings":
        tuned = [phase for phase in self.phases if phase.tuning]
        if bool(tuned) != bool(self.adapter):
            wanted = "say with `adapter` which layers it changes" if tuned else "give a phase `tuning`, or leave `adapter` out"
            raise ValueError(f"an adapter is trained by phases with `tuning`: {wanted}")
        if tuned and [phase for phase in self.phases[-len(tuned) :] if not phase.tuning]:
            raise ValueError("phases without `tuning` read the states of an encoder as it is: put them before those with it")
        if self.effects is None and any(phase.tuning.changed for phase in tuned):
            raise ValueError("`tuning.changed` asks for changed clips: say with `effects` how they are changed")
        return self
