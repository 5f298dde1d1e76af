"""What the stage `face` trains: the encoder, its two heads, and auxiliary heads that make the tokens tell what the frames show.

Letters: C clips of a batch, T frames, R regions, Q dynamics tokens, D width, E emotions, A action units.

The language model will see nothing of a face but the tokens, so each of them has to carry emotion and its region's units by
itself. The auxiliary heads are dropped after this stage.
"""

import torch
from torch import Tensor, nn

from emoreason.labels.action_units import ACTION_UNITS, AUS, BLENDSHAPES, RELIABILITY
from emoreason.labels.emotions import EMOTIONS
from emoreason.model.batch import REGION_NAMES, FaceBatch, FaceOutput
from emoreason.model.face import FaceRegionEncoder, SecondsEncoding
from emoreason.model.heads import Head
from emoreason.training.settings.face import FaceLoss

_REGIONS_OF = {
    "brow": ("left_brow", "right_brow"),
    "eye": ("left_eye", "right_eye"),
    "nose": ("nose_cheeks",),
    "cheek": ("nose_cheeks", "left_eye", "right_eye"),
    "mouth": ("mouth",),
    "jaw": ("chin_jaw", "mouth"),
    "gaze": ("head_gaze", "left_eye", "right_eye"),
}


class FaceTraining(nn.Module):
    """`forward` takes a batch of `face.batches.Collate` and gives the loss and its terms."""

    def __init__(self, face: FaceRegionEncoder, emotion: Head, units: Head, loss: FaceLoss):
        super().__init__()
        self.face, self.loss = face, loss  # face and heads are called as in the whole model, for training.parts
        self.heads = nn.ModuleDict({"emotion": emotion, "action_units": units})
        dim, self.regions = face.dim, len(REGION_NAMES)
        self.of_regions, self.of_dynamics = nn.Linear(dim, len(EMOTIONS)), nn.Linear(dim, len(EMOTIONS))
        self.of_units = nn.Linear(dim, self.regions * len(AUS))
        self.seconds = SecondsEncoding(dim)
        told = len(face.summary) - self.regions + 1  # dynamics tokens and the time
        self.of_series = nn.Sequential(nn.Linear(told * dim, 2 * dim), nn.SiLU(), nn.Linear(2 * dim, len(BLENDSHAPES)))
        own = [[region in _REGIONS_OF[ACTION_UNITS[au].region] for au in AUS] for region in REGION_NAMES]
        self.register_buffer("own", torch.tensor(own), persistent=False)  # [R, A] which region tells of which unit
        self.register_buffer("positive", torch.ones(len(AUS)), persistent=False)  # [A] weight of a coded unit that is shown
        self.register_buffer("margin", torch.zeros(len(EMOTIONS)), persistent=False)  # [E] added to emotion logits in training

    def expect(self, loss: FaceLoss, prior: Tensor, positive: Tensor | None = None) -> None:
        """What a phase trains for: its loss, the shares [E] of the emotions as they are drawn, and the weights [A] of coded units
        where they are shown. The head keeps as its prior what adjusted logits leave of it."""
        self.loss = loss
        log_prior = (prior / prior.sum()).log()
        self.margin.copy_(loss.logit_adjust * log_prior)
        self.emotion.set_prior(((1 - loss.logit_adjust) * log_prior).exp())
        self.positive.copy_(torch.ones_like(self.positive) if positive is None else positive)

    @property
    def emotion(self) -> Head:
        return self.heads["emotion"]

    @property
    def units(self) -> Head:
        return self.heads["action_units"]

    @property
    def trust(self) -> Tensor:
        """[A] how much each unit's measurement counts."""
        trust = self.loss.trust.model_dump()
        return torch.tensor([trust[RELIABILITY[au]] for au in AUS], device=self.own.device)

    def forward(self, face: FaceBatch, emotion: Tensor, aus: Tensor, measured: Tensor, series: Tensor) -> dict[str, Tensor]:
        """face [C, 1, T]; emotion [C, T, E], aus and measured [C, T, A], series [C, T, 52], NaN where nothing is known."""
        seen = self.face(face)
        frames, mask = seen.frames[:, 0], face.frame_mask[:, 0]  # [C, T, D], [C, T]
        terms = {"emotion": self._emotion(self.emotion(frames).float() + self.margin, emotion, mask)}
        logits = self.units(frames).float()  # [C, T, A]
        terms["coded"] = self.units.loss(logits, aus, mask, torch.where(aus == 1, self.positive, 1.0))
        terms["measured"] = self.units.loss(logits, self._measured(aus, measured), mask, self.trust)
        terms["tokens"] = self._tokens(seen, emotion)
        terms["units"] = self._regions(seen, aus, measured)
        terms["series"] = self._series(seen, face, series)
        weights = self.loss.terms()
        return {"loss": sum(weights[name] * term for name, term in terms.items())} | {k: v.detach() for k, v in terms.items()}

    def _emotion(self, logits: Tensor, target: Tensor, mask: Tensor) -> Tensor:
        """logits, target [C, T, E]; of what is recognised already little is left to learn, as far as `focus` says."""
        unsure = (1 - logits.detach().softmax(-1)) ** self.loss.focus if self.loss.focus else None
        return self.emotion.loss(logits, target, mask, unsure)

    def _measured(self, aus: Tensor, measured: Tensor) -> Tensor:
        """Soft targets where nobody coded: a shown intensity of 0.5 and more is surely there, one of ACTIVE is a toss-up. A blink
        in a still picture is a closed eye."""
        measured = measured.clone()
        measured[..., AUS.index("AU45")] = measured[..., AUS.index("AU43")]
        return torch.where(aus.isnan(), (2 * measured).clamp(max=1), torch.nan)

    def _tokens(self, seen: FaceOutput, emotion: Tensor) -> Tensor:
        """The clip's mean emotion, from the mean over the tokens of one kind, and from one of them drawn at random."""
        target = emotion.nanmean(1)  # [C, E]
        tokens = seen.tokens[:, 0]  # [C, R + Q, D]
        groups = ((self.of_regions, tokens[:, : self.regions]), (self.of_dynamics, tokens[:, self.regions :]))
        total = torch.zeros((), device=tokens.device)
        for head, some in groups:
            one = some[torch.arange(len(some)), torch.randint(some.shape[1], (len(some),))]  # [C, D]
            for read, weight in ((some.mean(1), 0.5), (one, 0.25)):
                total = total + weight * self.emotion.loss(head(read).float(), target)
        return total

    def _regions(self, seen: FaceOutput, aus: Tensor, measured: Tensor) -> Tensor:
        """The units shown anywhere in the clip, each from every one of its own regions."""
        target = torch.where(aus.isnan(), self._measured(aus, measured), aus)  # [C, T, A]
        target = target.nan_to_num(-1).amax(1)  # [C, A]
        target = torch.where(target < 0, torch.nan, target)[:, None]
        weight = self.of_units.weight.view(self.regions, -1, self.face.dim)  # [R, A, D]
        bias = self.of_units.bias.view(self.regions, -1)
        logits = torch.einsum("crd,rad->cra", seen.tokens[:, 0, : self.regions], weight) + bias  # [C, R, A]
        target = torch.where(self.own, target, torch.nan)  # [C, R, A]
        return self.units.loss(logits.float(), target)

    def _series(self, seen: FaceOutput, face: FaceBatch, series: Tensor) -> Tensor:
        """Blendshapes of every frame, those the encoder was not shown included, from the dynamics tokens and the time."""
        moving = seen.tokens[:, 0, self.regions :].flatten(1)  # [C, Q * D]
        when = self.seconds(face.times_s[:, 0], face.frame_mask[:, 0])  # [C, T, D]
        told = self.of_series(torch.cat([moving[:, None].expand(-1, when.shape[1], -1), when], dim=-1)).float()  # [C, T, 52]
        known = ~series.isnan()
        error = (told - series.nan_to_num(0)).square() * known
        return 20 * error.sum() / known.sum().clamp_min(1)  # a shape's variance is about 0.05
