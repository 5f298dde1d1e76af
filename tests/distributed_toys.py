"""Trainings for two processes that meet over gloo: of a plain net, and of a toy vision-language model with its adapter."""

import json
import multiprocessing
import os
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from model.families import FAMILIES, toy
from safetensors.torch import save_file
from torch import nn
from training_toys import ToyExamples, ToyOutput, collate

from emoreason.instructions.mixture import Draw, Mixture, Part
from emoreason.model.backbones import decoder_of
from emoreason.model.prompt import emotion_question
from emoreason.model.segment_input import SegmentInput
from emoreason.model.stages import apply_stage, load_stage, parameter_groups
from emoreason.training import checkpoint, division
from emoreason.training.fit import Fitted, Schedule, fit
from emoreason.training.sft import Tuning, save_memory

STEPS = 12
PLAN = dict(steps=STEPS, save_every_s=1e9, ema=0.9, precision="fp32", log_every=1)
TWO, ONE = dict(batch=2, accumulate=2), dict(batch=4, accumulate=2)  # eight samples a step, either way


class Plain(nn.Module):
    """Nothing in it is drawn by chance or depends on what else is in its batch. `old` is frozen."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.old, self.new = nn.Linear(4, 8).requires_grad_(False), nn.Sequential(nn.Tanh(), nn.Linear(8, 1))

    def forward(self, x, y):
        loss = (self.new(self.old(x))[:, 0] - y).square().mean()
        return ToyOutput(loss, loss.detach() * 2)


class Slow(ToyExamples):
    def example(self, draw: Draw) -> dict:
        time.sleep(0.01)
        return super().example(draw)


def plain(folder: Path, slow: bool = False, **changed) -> tuple[nn.Module, Fitted]:
    model = Plain()
    examples = Slow() if slow else ToyExamples()
    return model, fit(model, examples, collate, Schedule(**PLAN | changed), folder, evaluate=lambda: _valid(model))


def _valid(model: nn.Module) -> dict[str, float]:
    x = torch.linspace(-1, 1, 40).reshape(10, 4)
    return {"loss": float(model(x, x.sum(1)).loss)}


@dataclass
class Questions:
    """Prompts with a face's tokens or without. All answers are of one length: the mean over batches is that over tokens."""

    mixture: Mixture
    face_shape: tuple[int, int]

    def example(self, draw: Draw) -> tuple[SegmentInput, int]:
        rng = draw.rng()
        face = rng.normal(size=(1, *self.face_shape)).astype(np.float32)
        persons = ("p1",) if rng.random() < 0.7 else ()
        inputs = SegmentInput.of_tokens(emotion_question(("anger", "fear")), persons, (), face, None)
        return inputs, int(rng.integers(3))


def language(folder: Path, checkpointing: bool = False, **changed) -> tuple[nn.Module, Fitted]:
    """The toy Qwen2.5-VL with LoRA, connectors and the head on words."""
    processor, model = toy(FAMILIES["qwen2_5_vl"], lora={"r": 2})
    stage = load_stage("multitask")
    apply_stage(model, stage)
    tuning = Tuning(model, 0.2)
    if checkpointing:
        save_memory(model)
    for head in model.heads.values():
        head.drop.p = 0.0

    def together(examples):
        batch = processor([inputs for inputs, _ in examples], ["It appears as anger."] * len(examples))
        return {**batch, "sentiment": torch.tensor([sentiment for _, sentiment in examples])}

    examples = Questions(Mixture([Part("a", 20, 1)], 1), (processor.layout.face, model.config.face_config.dim))
    schedule = Schedule(**PLAN | {"steps": 4} | changed)
    asked = together([(SegmentInput.of_tokens(emotion_question(("anger", "fear")), (), (), None, None), n) for n in range(2)])

    def valid() -> dict[str, float]:
        return {"loss": float(tuning(**asked).loss)}

    fitted = fit(
        tuning, examples, together, schedule, folder, parameter_groups(model, stage), valid, decoder=decoder_of(model.backbone)
    )
    return tuning, fitted


def divided(folder: Path, offload: bool = False, **changed) -> tuple[nn.Module, Fitted]:
    """`language` with the frozen layers in shares: how large that of this process was goes to `folder/share-RANK.json`."""
    os.environ |= {"ACCELERATE_USE_FSDP": "true", "FSDP_VERSION": "2", "FSDP_OFFLOAD_PARAMS": str(offload).lower()}
    shares, divide = [], division.divide

    def watched(decoder: nn.Module, *rest):
        frozen = {name: p.numel() for name, p in decoder.layers.named_parameters() if not p.requires_grad}
        divide(decoder, *rest)
        held = sum(p.to_local().numel() for name, p in decoder.layers.named_parameters() if name in frozen)
        shares.append(held / sum(frozen.values()))

    division.divide = watched
    tuning, fitted = language(folder, **changed)
    (folder / f"share-{os.environ['RANK']}.json").write_text(json.dumps(shares))
    return tuning, fitted


def untouched(train: Callable) -> dict[str, torch.Tensor]:
    """What `plain` or `language` starts with."""
    return Plain().state_dict() if train is plain else merged(Tuning(toy(FAMILIES["qwen2_5_vl"], lora={"r": 2})[1], 0.0))


def merged(tuning: Tuning) -> dict[str, torch.Tensor]:
    """Weights of the language model with its adapter in them."""
    return tuning.model.backbone.merge_and_unload().state_dict()


def start(train: Callable, folder: Path, **options) -> list[multiprocessing.Process]:
    """Two processes that train together; each leaves its weights in `folder/RANK.safetensors`."""
    context = multiprocessing.get_context("forkserver")  # imports once, whatever is started
    context.set_forkserver_preload(["emoreason.training.sft", "accelerate"])
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    some = [context.Process(target=_one, args=(rank, port, train, folder, options)) for rank in range(2)]
    for process in some:
        process.start()
    return some


def _one(rank: int, port: int, train: Callable, folder: Path, options: dict) -> None:
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2",
                   "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}  # fmt: skip
    torch.set_num_threads(1)
    model, fitted = train(folder, **options)
    state = checkpoint.trained_state(model) if train is divided else merged(model) if train is language else model.state_dict()
    save_file({name: value.clone() for name, value in state.items()}, folder / f"{rank}.safetensors")
    np.save(folder / f"{rank}.npy", [fitted.steps, fitted.best.get("loss", 0.0)])
