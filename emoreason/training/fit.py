"""The one training loop, for every stage, on transformers' Trainer: it brings devices, accumulation and data parallelism.

Ours are batches that depend on their number alone, all chance of a step drawn from (seed, step), checkpoints by the clock as
safetensors and JSON, an average of the weights, validation with patience, and a stop with the batch saved when a loss is not
finite. A run that was killed and is started again gives the weights it would have given. Several processes (`accelerate launch`)
each take their share of every step's samples; the main one writes.
"""

import json
import math
import signal
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader
from transformers import Trainer, TrainerCallback, TrainingArguments, get_cosine_schedule_with_warmup, set_seed
from transformers.trainer_callback import PrinterCallback

from emoreason.errors import ConfigError, TrainingError
from emoreason.model.precision import fast_bf16
from emoreason.training import checkpoint, division, processes
from emoreason.training.batches import Batches, Collate, Examples
from emoreason.training.log import TRACKERS, Log

Progress = Callable[[str, float, float | None], None]
Evaluate = Callable[[], Mapping[str, float]]
BEST = "best.safetensors"


@dataclass(frozen=True)
class Schedule:
    """How long and how a stage trains. `batch` is of one process; `warmup` is a share of the steps; `evaluate_every` counts steps
    (None: at the end only), `patience` validations without a better one; `ema` is the decay of the averaged weights; `window` and
    `workers`: see Batches.

    precision "auto" is bf16 autocast where the hardware multiplies it (AMX or AVX512-BF16, recent GPUs), else float32. `track`:
    experiment trackers that get the log's numbers, too (TRACKERS); none by default.
    """

    steps: int
    batch: int
    accumulate: int = 1
    warmup: float = 0.05
    weight_decay: float = 0.05
    clip: float = 1.0
    save_every_s: float = 180.0
    evaluate_every: int | None = None
    patience: int | None = None
    ema: float | None = None
    precision: Literal["auto", "bf16", "fp32"] = "auto"
    seed: int = 0
    window: int = 1
    workers: int = 0
    log_every: int = 10
    track: Sequence[str] = ()

    def __post_init__(self) -> None:
        for name, least in {"steps": 0, "batch": 1, "accumulate": 1, "window": 1, "log_every": 1}.items():
            if getattr(self, name) < least:
                raise ConfigError(f"schedule: {name} is {getattr(self, name)}, it must be at least {least}")
        if not 0 <= self.warmup < 1 or (self.ema is not None and not 0 < self.ema < 1):
            raise ConfigError(f"schedule: warmup {self.warmup} and ema {self.ema} are shares between 0 and 1")
        if self.precision not in ("auto", "bf16", "fp32"):
            raise ConfigError(f"schedule: precision is '{self.precision}', known are auto, bf16, fp32")
        if isinstance(self.track, str) or not {*self.track} <= {*TRACKERS}:
            raise ConfigError(f"schedule: track is {self.track!r}, it takes a list of {', '.join(TRACKERS)}")

    def bf16(self, device: torch.device) -> bool:
        if self.precision != "auto":
            return self.precision == "bf16"
        return fast_bf16(device)


@dataclass(frozen=True)
class Fitted:
    """`best`: the metrics of the weights that the model now has (empty without `evaluate`). `finished` is False after SIGTERM."""

    steps: int
    best: dict[str, float]
    history: list[dict[str, float]]
    finished: bool

    def check_finished(self) -> None:
        """Raises TrainingError where it was stopped: for those who would go on to judge by these weights."""
        if not self.finished:
            raise TrainingError(f"stopped at step {self.steps}; what was trained is saved: start again to go on")


def fit(
    model: nn.Module,
    examples: Examples,
    collate: Collate,
    schedule: Schedule,
    folder: str | Path,
    groups: list[dict] | None = None,
    evaluate: Evaluate | None = None,
    best: str = "loss",
    progress: Progress | None = None,
    decoder: nn.Module | None = None,
) -> Fitted:
    """Train what requires gradients; `model(**batch)` gives `loss` and any other scalars, which are logged beside it.

    Goes on from the newest checkpoint in `folder`, if there is one. The model ends with its best weights by `evaluate()[best]`
    (lower is better for names with "loss", else higher), else with the averaged ones, else with the last. SIGTERM and the first
    Ctrl-C save and stop. groups: dicts of name, params, lr. decoder: holds the `layers` of a language model inside `model`, whose
    frozen weights are divided over the processes where the launcher asks for it, and stay so.
    Raises TrainingError (not finite), EnvironmentProblem (disk full), ConfigError (a checkpoint of another run; a launcher's wish
    that is not supported).
    """
    divided = division.check(decoder) if division.is_wanted() else None
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    run = _Run(model, examples, schedule, folder, groups, evaluate, best, progress)
    if not run.finished:
        run.divided = divided
        with _signals(run), division.unseen():
            _Trainer(run, collate).train()
    return run.result()


class _Run(TrainerCallback):
    """State of one training between the Trainer's steps: what is evaluated, logged, averaged, saved and when it ends."""

    def __init__(self, model, examples, schedule, folder, groups, evaluate, best, progress):
        self.model, self.examples, self.schedule, self.folder = model, examples, schedule, folder
        self.processes = processes.joined()
        self.main, self.device = self.processes.is_main_process, self.processes.device
        self.evaluate, self.metric, self.progress = evaluate, best, progress if self.main else None
        model.to(self.device)
        if not any(parameter.requires_grad for parameter in model.parameters()):
            raise ConfigError("nothing in the model trains: apply a stage first")
        self.optimizer = torch.optim.AdamW(_decayed(groups or _one_group(model), schedule.weight_decay))
        warm = math.ceil(schedule.warmup * schedule.steps)
        self.scheduler = get_cosine_schedule_with_warmup(self.optimizer, warm, schedule.steps)
        self.averaged = {n: v.clone() for n, v in self.state.items() if v.is_floating_point()} if schedule.ema else {}
        self.step, self.best, self.waited, self.done, self.stop = 0, {}, 0, False, False
        self.frozen = [m for m in model.modules() if _frozen(m)]
        self.parts: dict[str, list[float]] = defaultdict(list)
        self.divided: nn.Module | None = None  # decoder of which this process holds a share
        self._resume()
        self.log = Log(folder, self.step, self.main, schedule.track)
        self.saved_at = time.monotonic()

    @property
    def state(self) -> dict[str, Tensor]:
        """Views of what trains, taken anew: wrapping the model for several processes may have moved its parameters."""
        return checkpoint.trained_state(self.model)

    @property
    def finished(self) -> bool:
        return self.done or self.step >= self.schedule.steps

    def identity(self) -> dict[str, Any]:
        """What a checkpoint must agree with to be gone on from: the same batches, the same course of the learning rate."""
        same = {name: getattr(self.schedule, name) for name in ("steps", "batch", "accumulate", "warmup", "seed", "window")}
        mixture = self.examples.mixture
        return {"schedule": same, "sizes": {part.name: part.size for part in mixture.parts}, "mixture_seed": mixture.seed,
                "weights": [part.weight for part in mixture.parts], "processes": self.processes.num_processes}  # fmt: skip

    def _resume(self) -> None:
        found = checkpoint.latest(self.folder)
        if found is None:
            return
        tensors, state = checkpoint.load(found)
        mine, its = self.identity(), {"processes": 1} | state["identity"]
        if wrong := [key for key in mine if its.get(key) != mine[key]]:
            was, now = its.get(wrong[0]), mine[wrong[0]]
            raise ConfigError(f"{found} is of another run: {wrong[0]} was {was}, is {now}; train into another folder")
        checkpoint.load_state(self.model, tensors["weights"])
        checkpoint.fill_optimizer(self.optimizer, tensors["optimizer"])
        for name, value in tensors.get("averaged", {}).items():
            self.averaged[name].copy_(value)
        self.step, self.best, self.waited, self.done = state["step"], state["best"], state["waited"], state["done"]
        self.scheduler.last_epoch = self.step
        for group, base, share in zip(
            self.optimizer.param_groups, self.scheduler.base_lrs, self.scheduler.lr_lambdas, strict=True
        ):
            group["lr"] = base * share(self.step)

    # called by the Trainer

    def on_train_begin(self, args, state, control, **_):
        state.global_step = self.step  # the batches start there, too
        if self.divided is not None:
            division.divide(self.divided, self.device, self.processes.num_processes)

    def on_step_begin(self, args, state, control, **_):
        set_seed((self.schedule.seed * 1_000_003 + state.global_step * 97 + args.process_index) % 2**32)

    def on_step_end(self, args, state, control, **_):
        self.step, self.stop = state.global_step, processes.any_of(self.stop)
        here = self.state if self.averaged else {}
        for name, value in self.averaged.items():
            value.lerp_(here[name], 1 - min(self.schedule.ema, (1 + self.step) / (10 + self.step)))
        last, every = self.step >= self.schedule.steps, self.schedule.evaluate_every
        if self.evaluate is not None and not self.stop and (last or (every and self.step % every == 0)):
            self._evaluate()
        if last or self.step % self.schedule.log_every == 0:
            self._write_log()
        ends = last or self.done or self.stop
        if ends or time.monotonic() - self.saved_at >= self.schedule.save_every_s:
            if self.main:
                self._save()
            self.saved_at = time.monotonic()
        control.should_training_stop |= ends
        if self.progress is not None:
            self.progress(f"training, loss {self.log.loss:.3f}", self.step, self.schedule.steps)

    # its pieces

    def _evaluate(self) -> None:
        with self._averaged_weights():
            self.model.eval()
            with torch.no_grad():
                metrics = processes.mean({name: float(value) for name, value in self.evaluate().items()})
            if self.metric not in metrics:
                raise ConfigError(f"validation gives {', '.join(metrics)}; '{self.metric}' is to be the best of and is not there")
            self.waited += 1
            if _better(metrics, self.best, self.metric):
                self.best, self.waited = metrics | {"step": self.step}, 0
                if self.main:
                    checkpoint.save_file_whole(self.state, self.folder / BEST)
        self.done = self.schedule.patience is not None and self.waited >= self.schedule.patience
        self.log.write(self.step, {f"valid_{name}": value for name, value in metrics.items()})

    @contextmanager
    def _averaged_weights(self) -> Iterator[None]:
        here = self.state
        own = {name: here[name].clone() for name in self.averaged}
        self._put(self.averaged)
        try:
            yield
        finally:
            self._put(own)

    @torch.no_grad()
    def _put(self, values: Mapping[str, Tensor]) -> None:
        here = self.state
        for name, value in values.items():
            here[name].copy_(value)

    def _write_log(self) -> None:
        means = processes.mean({name: sum(values) / len(values) for name, values in self.parts.items()})
        rates = {f"lr_{group.get('name', 'all')}": group["lr"] for group in self.optimizer.param_groups}
        self.log.write(self.step, means | rates)
        self.parts.clear()

    def _save(self) -> None:
        tensors = {"weights": self.state, "optimizer": checkpoint.flat_optimizer(self.optimizer)}
        if self.averaged:
            tensors["averaged"] = self.averaged
        state = {"step": self.step, "best": self.best, "waited": self.waited, "done": self.done, "identity": self.identity()}
        checkpoint.save(self.folder, self.step, tensors, state | {"schedule": asdict(self.schedule)})

    def result(self) -> Fitted:
        self.processes.wait_for_everyone()  # the main one has written the best weights
        if self.finished:
            self._put(self.averaged)
            if self.best:
                checkpoint.load_state(self.model, checkpoint.load_file(self.folder / BEST))
        self.model.eval()
        return Fitted(self.step, self.best, self.log.close(), self.finished)


class _Trainer(Trainer):
    """Our batches, autocast and checks in transformers' loop."""

    def __init__(self, run: _Run, collate: Collate):
        schedule = run.schedule
        arguments = TrainingArguments(
            output_dir=str(run.folder), max_steps=schedule.steps, per_device_train_batch_size=schedule.batch,
            gradient_accumulation_steps=schedule.accumulate, max_grad_norm=schedule.clip, seed=schedule.seed,
            save_strategy="no", logging_strategy="no", eval_strategy="no", report_to="none", disable_tqdm=True,
            remove_unused_columns=False, use_cpu=run.device.type == "cpu", logging_nan_inf_filter=False,
        )  # fmt: skip
        super().__init__(model=run.model, args=arguments, optimizers=(run.optimizer, run.scheduler), callbacks=[run])
        self.remove_callback(PrinterCallback)
        self.run, self.collate = run, collate
        self.model_accepts_loss_kwargs = False  # a step's loss is the mean over its batches

    def get_train_dataloader(self) -> DataLoader:
        run, schedule, args = self.run, self.run.schedule, self.args
        start = run.step * schedule.accumulate
        batches = Batches(run.examples, self.collate, schedule.batch, start, schedule.window, args.process_index, args.world_size)
        return DataLoader(batches, batch_size=None, collate_fn=_named, num_workers=schedule.workers)

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        for module in self.run.frozen:
            module.eval()  # the Trainer has just put everything in training mode: frozen parts would drop out
        draws = inputs["draws"]
        batch = {name: moved(value, self.args.device) for name, value in inputs.items() if name != "draws"}
        with torch.autocast(self.args.device.type, torch.bfloat16, enabled=self.run.schedule.bf16(self.args.device)):
            outputs = model(**batch)
        named = dict(outputs.items()) if hasattr(outputs, "items") else vars(outputs)
        loss = named["loss"].float()
        if not torch.isfinite(loss):
            raise self._not_finite(f"the loss is {loss.item()}", draws, batch)
        scalars = {name: value for name, value in named.items() if isinstance(value, Tensor) and value.dim() == 0}
        for name, value in scalars.items():
            self.run.parts[name].append(value.item())
        self.last = draws, batch
        return (loss, outputs) if return_outputs else loss

    def _clip_grad_norm(self, model):
        norm = super()._clip_grad_norm(model)
        if not math.isfinite(float(norm)):
            raise self._not_finite(f"the gradient's norm is {float(norm)}", *self.last)
        self.run.parts["grad_norm"].append(float(norm))
        return norm

    def floating_point_ops(self, inputs) -> int:
        return 0  # not asked for, and counted by walking all parameters each step

    def _not_finite(self, what: str, draws, batch) -> TrainingError:
        own = f"-{self.args.process_index}" if self.args.world_size > 1 else ""
        file = self.run.folder / f"not-finite-{self.state.global_step:08d}{own}.safetensors"
        tensors = dict(_tensors(batch))
        checkpoint.save_file_whole(tensors, file)
        file.with_suffix(".json").write_text(json.dumps([asdict(draw) for draw in draws], indent=1), encoding="utf-8")
        kept = checkpoint.latest(self.run.folder)
        where = f"; the last checkpoint is {kept}" if kept else ""
        return TrainingError(f"step {self.state.global_step}: {what}; its batch is in {file}{where}; lower the learning rate")


def _named(item: tuple) -> dict[str, Any]:
    draws, batch = item
    return {"draws": draws, **batch}


def moved(value: Any, device: torch.device) -> Any:
    """Batches hold tensors, and dataclasses of tensors."""
    if isinstance(value, Tensor):
        return value.to(device)
    if is_dataclass(value) and not isinstance(value, type):
        return type(value)(**{field.name: moved(getattr(value, field.name), device) for field in fields(value)})
    return value


def _tensors(value: Any, name: str = "") -> Iterator[tuple[str, Tensor]]:
    """All tensors of a batch with dotted names."""
    if isinstance(value, Tensor):
        yield name, value.detach().clone()
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _tensors(inner, f"{name}.{key}" if name else str(key))
    elif is_dataclass(value) and not isinstance(value, type):
        yield from _tensors({field.name: getattr(value, field.name) for field in fields(value)}, name)


def _frozen(module: nn.Module) -> bool:
    own = [parameter.requires_grad for parameter in module.parameters()]
    return bool(own) and not any(own)


def _one_group(model: nn.Module) -> list[dict]:
    return [{"name": "all", "params": [p for p in model.parameters() if p.requires_grad], "lr": 1e-3}]


def _decayed(groups: list[dict], weight_decay: float) -> list[dict]:
    """Norms, biases and single numbers are not pulled towards zero."""
    out = []
    for group in groups:
        rest = {name: value for name, value in group.items() if name != "params"}
        many, few = ([p for p in group["params"] if (p.dim() > 1) == large] for large in (True, False))
        out += [rest | {"params": some, "weight_decay": decay} for some, decay in ((many, weight_decay), (few, 0.0)) if some]
    return out


def _better(now: Mapping[str, float], before: Mapping[str, float], metric: str) -> bool:
    if not before:
        return True
    return now[metric] < before[metric] if "loss" in metric else now[metric] > before[metric]


@contextmanager
def _signals(run: _Run) -> Iterator[None]:
    """The first SIGTERM or Ctrl-C asks for an end after this step; only the main thread may listen."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def ask(number, _):
        if run.stop and number == signal.SIGINT:
            raise KeyboardInterrupt
        run.stop = True

    before = {number: signal.signal(number, ask) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
