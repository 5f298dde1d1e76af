"""A toy regression for the training loop: small, with dropout, running statistics and a frozen part."""

import time
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from emoreason.instructions.mixture import Draw, Mixture, Part
from emoreason.training.fit import Schedule, fit

STEPS = 24
PLAN = dict(steps=STEPS, batch=4, accumulate=2, save_every_s=1e9, ema=0.9, window=3, precision="fp32", log_every=1)


class ToyExamples:
    """Two parts; a sample's numbers are drawn from its draw. `size` lets batches be put together by it."""

    def __init__(self, seed: int = 3, bad_item: int | None = None):
        self.mixture = Mixture([Part("a", 50, 3), Part("b", 20, 1)], seed)
        self.bad_item, self.asked = bad_item, []

    def example(self, draw: Draw) -> dict:
        self.asked.append(draw.index)
        x = draw.rng().normal(size=4).astype(np.float32)
        y = np.float32(np.nan if draw.item == self.bad_item else x.sum())
        return {"x": x, "y": y, "length": int(draw.item)}

    @staticmethod
    def size(example: dict) -> int:
        return example["length"]


def collate(examples: list[dict]) -> dict:
    return {name: torch.from_numpy(np.stack([example[name] for example in examples])) for name in ("x", "y")}


@dataclass
class ToyOutput:
    loss: torch.Tensor
    other: torch.Tensor


class Toy(nn.Module):
    """`old` is frozen and has dropout; `new` trains, with dropout and batch statistics."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.old = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.5))
        self.new = nn.Sequential(nn.Linear(8, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, 1))
        self.old.requires_grad_(False)
        self.training_seen = []

    def forward(self, x, y):
        self.training_seen.append((self.old[1].training, self.new[3].training))
        loss = (self.new(self.old(x))[:, 0] - y).square().mean()
        return ToyOutput(loss, loss.detach() * 2)


def validate(model):
    with torch.no_grad():
        x = torch.linspace(-1, 1, 40).reshape(10, 4)
        return {"loss": model(x, x.sum(1)).loss}


def train_slowly(folder: str):
    """In a process of its own, to be killed: a step takes long enough to be hit between checkpoints."""

    class Slow(ToyExamples):
        def example(self, draw):
            time.sleep(0.002)
            return super().example(draw)

    model = Toy()
    schedule = Schedule(**PLAN | {"save_every_s": 0.1})
    fit(model, Slow(), collate, schedule, folder, evaluate=lambda: validate(model))
