"""Settings of the stage kind `face`: data sets of labelled pictures, and the phases that learn from them."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Discriminator, Field, Tag, model_validator

from emoreason.instructions.recipe import Pattern
from emoreason.instructions.record import Strict
from emoreason.labels.emotions import EMOTIONS
from emoreason.model.config_file import check_keys, nearest
from emoreason.perception.degraded import Damage
from emoreason.training.settings.base import (
    Learned,
    One,
    PhasedSettings,
    PhaseSettings,
    Rate,
    Share,
    SourceSettings,
    Weight,
)


def _emotion(value: str) -> str:
    if value not in EMOTIONS:
        raise ValueError(f"'{value}' is not an emotion{nearest(value, EMOTIONS)}")
    return value


Emotion = Annotated[str, AfterValidator(_emotion)]
Metric = Literal["accuracy", "uar", "accuracy_even", "uar_even"]  # of face.training.scores


class FaceDoubt(Strict):
    """Labels that a second opinion contradicts. note: where a record has that opinion (`notes` of its recipe). where: emotion ->
    what the note says when it doubts that emotion; such a label is shared equally among the emotions named here."""

    note: str
    where: dict[Emotion, str] = Field(min_length=2)


class FaceDataSettings(Strict):
    """A data set of pictures: its recipe, whose labels become emotions by the recipe's crosswalk.

    train: its splits that are learned from. votes: the target is the shares of the votes, where the recipe has any; else the
    label alone. smooth: share of each training target that is spread over all emotions, for labels that are often wrong. doubt:
    which training labels are doubted. sequence: regular expression whose first group, found in a record's id, names the film that
    a picture is a frame of; its frames are in the order of their ids, `frame_rate` of them a second.
    """

    recipe: str
    train: Learned = ["train"]
    votes: bool = True
    smooth: Share = 0.0
    doubt: FaceDoubt | None = None
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

    Shares of what cameras and hands do (face.damage): side_light, dark, blur, small (few pixels), jpeg, cover (a mask, a hand,
    glasses), no_picture (noise in its place: mesh and signals must do). points_hurt: how much further the landmarks of such a
    picture are off, in crop sides.
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
    side_light: Share = 0.0
    dark: Share = 0.0
    blur: Share = 0.0
    small: Share = 0.0
    jpeg: Share = 0.0
    cover: Share = 0.0
    no_picture: Share = 0.0
    points_hurt: Weight = 0.0


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

    positive: how much a coded unit counts where it is shown, beside one that is not; balanced: as much as it is rarer than not
    shown, 1 to 8 times. logit_adjust: the power of the prior that is added to the emotion logits in training, so that rare
    emotions need a wider margin (Menon et al. 2021, arXiv:2007.07314); 1 trains for equal frequencies. focus: the power by which
    emotions that are already recognised count less (Lin et al. 2017, arXiv:1708.02002, focal loss).
    """

    emotion: Weight = 0.0
    coded: Weight = 0.0
    measured: Weight = 0.0
    tokens: Weight = 0.0
    units: Weight = 0.0
    series: Weight = 0.0
    trust: FaceTrust = FaceTrust()
    positive: Rate | Literal["balanced"] = 1.0
    logit_adjust: Weight = 0.0
    focus: Weight = 0.0

    @model_validator(mode="after")
    def _something(self) -> "FaceLoss":
        if not any(self.terms().values()):
            raise ValueError(f"no term has a weight: give one to {', '.join(self.terms())}")
        return self

    def terms(self) -> dict[str, float]:
        """Term -> weight."""
        return self.model_dump(exclude={"trust", "positive", "logit_adjust", "focus"})


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


class FaceTeacher(Strict):
    """Targets are mixed with what earlier nets of the same shape say of the picture as it is (distillation, Hinton et al. 2015,
    arXiv:1503.02531).

    checkpoints: folders of finished phases, or files of weights: names of other phases of this stage, or paths. share: of the
    targets. data: the data sets that are taught; all that the phase draws from when not given.
    """

    checkpoints: Annotated[list[str], One, Field(min_length=1)]
    share: Share
    data: Annotated[list[str], One] = []


class FaceValidation(Strict):
    """One entry of a score by which weights are chosen: the mean of its metrics, on pictures with a clear emotion.

    splits: those that are judged; none may be learned from in the same phase. emotions: only pictures of these count. among:
    only these may be chosen. metric: of face.training.scores, averaged. damaged: every picture is spoilt in these ways and
    measured anew (perception.degraded), and the entry is the mean over them; empty: pictures as they are. most: so many pictures
    of each damage, drawn by their ids.
    """

    data: str
    splits: Learned = ["valid"]
    emotions: list[Emotion] = Field(list(EMOTIONS), min_length=1)
    among: list[Emotion] = Field(list(EMOTIONS), min_length=2)
    metric: Annotated[list[Metric], One, Field(min_length=1)] = ["accuracy", "uar"]
    damaged: Annotated[list[Damage], One] = []
    most: int | None = Field(None, ge=1)

    @property
    def sets(self) -> list[str]:
        """Names of the prepared pictures that it judges: of the data set, or of its damaged copies."""
        return [copy_name(self.data, damage) for damage in self.damaged] or [self.data]


def copy_name(data: str, damage: Damage) -> str:
    """What the damaged copy of a data set is called."""
    return f"{data}-{damage}"


# Told apart by what they are, so that an error is about the entry that was meant.
Chooser = Annotated[
    Annotated[str, Tag("name")] | Annotated[FaceValidation, Tag("entry")],
    Discriminator(lambda value: "name" if isinstance(value, str) else "entry"),
]


class FacePhaseSettings(PhaseSettings):
    """prior: data set whose frequencies of emotions, as its stills are drawn, the emotion head expects.

    validation: names of data sets, whose pictures choose together, or entries, whose mean does. start: weights to begin with
    (as in FaceTeacher.checkpoints), in place of those of the phase before; with 0 steps they are taken as they are.
    """

    sources: list[FaceSourceSettings] = Field(min_length=1)
    validation: Annotated[list[Chooser], One, Field(min_length=1)]
    start: str | None = None
    teacher: FaceTeacher | None = None
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
        if 0 < len(self.entries) < len(self.validation):
            raise ValueError(f"validation: phase '{self.name}' mixes names of data sets with entries; write only entries")
        return self

    @property
    def least_steps(self) -> int:
        return 0 if self.start else 1

    @property
    def entries(self) -> list[FaceValidation]:
        """The entries of `validation`; none where it names data sets."""
        return [one for one in self.validation if isinstance(one, FaceValidation)]

    def chosen_by(self) -> list[str]:
        return [one.data if isinstance(one, FaceValidation) else one for one in self.validation]


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
            if phase.teacher and (strange := [name for name in phase.teacher.data if name not in self.data]):
                raise ValueError(f"phase '{phase.name}' teaches the data set '{strange[0]}'{nearest(strange[0], self.data)}")
        return self

    def learned_in(self, phase: FacePhaseSettings, name: str) -> bool:
        """Whether a validation entry of the data set would judge what the phase learns from."""
        drawn = any(source.data == name for source in phase.sources)
        judged = {split for entry in phase.entries if entry.data == name for split in entry.splits}
        judged |= {"valid"} if name in phase.validation else set()
        return bool(judged & {*self.data[name].train}) and (drawn or name in phase.validation)

    @classmethod
    def current(cls, values: Mapping[str, Any]) -> dict[str, Any]:
        """Version 0.1: `alone` and `joint`, each a schedule."""
        old = {name: values[name] for name in ("alone", "joint") if name in values}
        rest = {key: value for key, value in values.items() if key not in old}
        if not old:
            return rest
        check_keys(rest, ("kind", "stage"), "beside `alone` and `joint` (now phases.NAME.schedule)")
        return rest | {"phases": {name: {"schedule": schedule} for name, schedule in old.items()}}
