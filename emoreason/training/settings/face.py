"""Settings of the stage kind `face`: data sets of labelled pictures, and the phases that learn from them."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator

from emoreason.instructions.recipe import Pattern
from emoreason.instructions.record import Strict
from emoreason.model.config_file import check_keys
from emoreason.training.settings.base import Learned, PhasedSettings, PhaseSettings, Rate, Share, SourceSettings, Weight


class FaceDataSettings(Strict):
    """A data set of pictures: its recipe, whose labels become emotions by the recipe's crosswalk.

    train: its splits that are learned from. votes: the target is the shares of the votes, where the recipe has any; else the
    label alone. sequence: regular expression whose first group, found in a record's id, names the film that a picture is a frame
    of; its frames are in the order of their ids, `frame_rate` of them a second.
    """

    recipe: str
    train: Learned = ["train"]
    votes: bool = True
    sequence: Pattern | None = None
    frame_rate: Rate | None = None


class FaceSourceSettings(SourceSettings):
    """clip: what is made of the pictures: still (one picture), turns (some frames of one or two pictures), course (from a neutral
    frame of a sequence to its last one), last (the frames of a sequence as they are)."""

    clip: Literal["still", "turns", "course", "last"]


class FaceRates(Strict):
    """Learning rates: of the network that sees the crops, and of everything else."""

    trunk: Rate
    rest: Rate


class FaceAugment(Strict):
    """How much pictures are changed; 0 leaves them as they are. Of the same clip all frames change alike, but for `jitter`.

    Shares (of clips, of frames for `no_mesh`): mirror; light, soften, erase: something done to the picture; no_mesh, no_signals:
    inputs left out; mixed: stills blended with another one (Zhang et al. 2018, mixup), by up to half.
    Standard deviations: turn_deg; scale and stretch, of the logarithm of the crop's size and of its width against its height;
    shift and points, of the crop and of each landmark, in crop sides; gamma, of its logarithm; of `light` its slope over the
    crop, its gain (logarithm) and its offset. jitter: of a frame against its clip, times the above. loose: how much more a crop
    moves that no mesh aligned. noise: the most, of a brightness of 0 to 1. erase_from and erase_span: the least side of what is
    erased and how much longer it may be, in crop sides.
    """

    mirror: Share = 0.0
    turn_deg: Weight = 0.0
    scale: Weight = 0.0
    stretch: Weight = 0.0
    shift: Weight = 0.0
    jitter: Weight = 0.0
    loose: Weight = 1.0
    gamma: Weight = 0.0
    light: Share = 0.0
    light_slope: Weight = 0.0
    light_gain: Weight = 0.0
    light_offset: Weight = 0.0
    soften: Share = 0.0
    noise: Weight = 0.0
    erase: Share = 0.0
    erase_from: Share = 0.0
    erase_span: Share = 0.0
    points: Weight = 0.0
    no_mesh: Share = 0.0
    no_signals: Share = 0.0
    mixed: Share = 0.0


class FaceTrust(Strict):
    """How much a measured intensity counts beside people's coding, by the reliability of its measurement."""

    high: Weight = 1.0
    medium: Weight = 1.0
    low: Weight = 1.0


class FaceLoss(Strict):
    """Weights of the terms of the loss; a term of weight 0 is not learned.

    emotion: shares of the emotions on every frame; coded: units that people coded; measured: units as the package measures them,
    where nobody coded any, weighed by `trust`; tokens: emotion from region and from dynamics tokens; units: units from the tokens
    of their regions; series: blendshapes at every frame's time from the dynamics tokens.
    """

    emotion: Weight = 0.0
    coded: Weight = 0.0
    measured: Weight = 0.0
    tokens: Weight = 0.0
    units: Weight = 0.0
    series: Weight = 0.0
    trust: FaceTrust = FaceTrust()

    @model_validator(mode="after")
    def _something(self) -> "FaceLoss":
        if not any(self.terms().values()):
            raise ValueError(f"no term has a weight: give one to {', '.join(self.terms())}")
        return self

    def terms(self) -> dict[str, float]:
        """Term -> weight."""
        return self.model_dump(exclude={"trust"})


class FaceClipSettings(Strict):
    """How clips are made of pictures. frames: the most of a clip.

    turns: `another` is the share of those in which a second face follows. course: `back` is the share of those that go from peak
    to neutral; on the way from 0 (neutral) to 1 (peak) no unit is active up to `onset` and all of the peak's are from `apex` on,
    unknown between; the emotion grows from `emotion_from` on over `emotion_over`.
    """

    frames: int = Field(ge=2)
    another: Share
    back: Share
    onset: Share
    apex: Share
    emotion_from: Share
    emotion_over: float = Field(gt=0, le=1)


class FaceBalance(Strict):
    """Pictures of rare emotions are drawn several times: (how much rarer they are) ** power, `most` times at most. Pictures whose
    emotions have less than `least_votes` of the votes are left out."""

    power: float = Field(ge=0, le=1)
    most: float = Field(ge=1)
    least_votes: Share


class FacePhaseSettings(PhaseSettings):
    """prior: data set whose frequencies of emotions, as its stills are drawn, the emotion head expects."""

    sources: list[FaceSourceSettings] = Field(min_length=1)
    prior: str
    lr: FaceRates
    loss: FaceLoss
    augment: FaceAugment = FaceAugment()
    clips: FaceClipSettings
    balance: FaceBalance

    @model_validator(mode="after")
    def _different(self) -> "FacePhaseSettings":
        kinds = [(source.data, source.clip) for source in self.sources]
        if len(set(kinds)) < len(kinds):
            raise ValueError(f"sources: phase '{self.name}' names the same clips of a data set twice")
        return self


class FaceSettings(PhasedSettings):
    """The stage kind `face`: training.stages.face."""

    makes_encoders: ClassVar[bool] = True

    kind: Literal["face"]
    data: dict[str, FaceDataSettings] = Field(min_length=1)
    phases: list[FacePhaseSettings] = Field(min_length=1)

    @model_validator(mode="after")
    def _drawn(self) -> "FaceSettings":
        for phase in self.phases:
            if not any(source.data == phase.prior and source.clip == "still" for source in phase.sources):
                raise ValueError(f"phase '{phase.name}' draws no stills of '{phase.prior}', which `prior` names")
            for source in phase.sources:
                known = self.data[source.data]
                if source.clip in ("course", "last") and known.sequence is None:
                    raise ValueError(f"data.{source.data}.sequence is missing: clips '{source.clip}' are made of sequences")
                if source.clip == "last" and known.frame_rate is None:
                    raise ValueError(f"data.{source.data}.frame_rate is missing: how many frames are there a second?")
        return self

    @classmethod
    def current(cls, values: Mapping[str, Any]) -> dict[str, Any]:
        """Version 0.1: `alone` and `joint`, each a schedule."""
        old = {name: values[name] for name in ("alone", "joint") if name in values}
        rest = {key: value for key, value in values.items() if key not in old}
        if not old:
            return rest
        check_keys(rest, ("kind", "stage"), "beside `alone` and `joint` (now phases.NAME.schedule)")
        return rest | {"phases": {name: {"schedule": schedule} for name, schedule in old.items()}}
