"""Stage 0 as a run calls it: faces and voices from the run's folders to the parts that later stages start from."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from emoreason.errors import ConfigError
from emoreason.instructions.recipe import load_recipe
from emoreason.instructions.validate import data_root
from emoreason.model.config_file import check_keys, load_config
from emoreason.model.modeling import load_whisper
from emoreason.training import face_stage, voice_data, voice_stage
from emoreason.training.fit import Schedule
from emoreason.training.parts import INDEX, save_parts
from emoreason.training.run import Run

FINAL = "final"
FACES, VOICES = face_stage.DATASETS, ("ravdess", "nemo")
COPIES = 4  # augmented, of each training clip
Progress = Callable[[str, float, float | None], None]


def train_face(
    run: Run, out: Path, roots: Mapping[str, Path], data: str | None, store: Path, progress: Progress | None = None
) -> bool:
    """OUT/face/alone: FER+ only (this is leave:ckplus48); OUT/face/final: with CK+. Keys: `alone`, `joint`, each a schedule.

    Returns whether it is finished: SIGTERM leaves a checkpoint to be gone on from.
    """
    settings, folder = run.stages["face"], out / "face"
    check_keys(settings, ("alone", "joint"), f"run {run.name}", "stages.face")
    config = load_config(run.model).face_config
    alone, joint = _phase(face_stage.ALONE, settings.get("alone")), _phase(face_stage.JOINT, settings.get("joint"))
    faces = face_stage.prepare(places(FACES, roots, data), store, folder / "data", progress)
    start = face_stage.alone(config, faces, folder / "alone", alone, progress)
    if not (folder / "alone" / INDEX).is_file():
        return False
    face_stage.joint(start, faces, folder / FINAL, phase=joint, progress=progress)
    return (folder / FINAL / INDEX).is_file()


def train_voice(
    run: Run, out: Path, roots: Mapping[str, Path], data: str | None, store: Path, progress: Progress | None = None
) -> bool:
    """OUT/voice/final: voice encoder and its head. Keys: `copies` (augmented ones of each clip), `schedule`. As `train_face`."""
    settings, folder = run.stages["voice"], out / "voice"
    check_keys(settings, ("copies", "schedule"), f"run {run.name}", "stages.voice")
    config, phase = load_config(run.model), _phase(voice_stage.PHASE, settings.get("schedule"))
    if config.voice is None:
        raise ConfigError(f"model {run.model} names no source of its voice encoder: there is nothing pretrained to read")
    encoder, corpora, valid = load_whisper(config.voice), [], {}
    for name, place in places(VOICES, roots, data).items():
        voices = voice_data.load_voices(name, place, store, folder / "data", progress)
        states = folder / "states"
        own = [voice_data.encode(voices, voices.of_split("train", "valid"), 0, encoder, states, run.seed, progress)]
        for copy in range(1, int(settings.get("copies", COPIES)) + 1):
            own.append(voice_data.encode(voices, voices.of_split("train"), copy, encoder, states, run.seed, progress))
        corpora.append(voice_stage.Corpus(voices, tuple(own)))
        valid[name] = voices.of_split("valid")
    model = voice_stage.new_training(encoder, config.voice_config.tokens, phase.strength, phase.schedule.seed)
    clips = voice_stage.VoiceClips(corpora, phase.strength, phase.schedule.seed)
    fitted = voice_stage.train(model, clips, valid, phase, folder / FINAL, progress)
    if fitted.finished:
        save_parts(model, voice_stage.PARTS, folder / FINAL, info={"valid": fitted.best})
    return fitted.finished


def check_places(name: str, roots: Mapping[str, Path], data: str | None) -> None:
    """Raises ConfigError for data sets of the stage that are not there."""
    places(FACES if name == "face" else VOICES, roots, data)


def places(names: Sequence[str], roots: Mapping[str, Path], data: str | None) -> dict[str, Path]:
    """Root of each data set. Raises ConfigError naming every one that is not there."""
    found = {name: data_root(load_recipe(name), dict(roots), data) for name in names}
    if missing := [f"{name} is not at {place}: say --root {name}=DIR" for name, place in found.items() if not place.is_dir()]:
        raise ConfigError("; ".join(missing))
    return found


def _phase(phase: Any, changed: Mapping[str, Any] | None) -> Any:
    check_keys(changed or {}, [field.name for field in fields(Schedule)], "schedule")
    return replace(phase, schedule=replace(phase.schedule, **(changed or {})))
