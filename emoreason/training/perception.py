"""Stage 0 as a run calls it: faces and voices from the run's folders to the parts that later stages start from."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from transformers.models.whisper.modeling_whisper import WhisperEncoder

from emoreason.errors import ConfigError
from emoreason.instructions.recipe import load_recipe
from emoreason.instructions.validate import data_root
from emoreason.model.config_file import check_keys, load_config
from emoreason.model.modeling import load_whisper
from emoreason.training import face_protocols, face_stage, voice_data, voice_protocols, voice_stage
from emoreason.training.fit import Schedule
from emoreason.training.parts import INDEX, save_parts
from emoreason.training.run import Run

FINAL = "final"
FACES, VOICES = face_stage.DATASETS, ("ravdess", "nemo")
COPIES = {"ravdess": 3, "nemo": 1}  # augmented, of each training clip: nEMO has three times as many
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
    """OUT/voice/final: voice encoder and its head. Key: `schedule`. As `train_face`."""
    settings, folder = run.stages["voice"], out / "voice"
    check_keys(settings, ("schedule",), f"run {run.name}", "stages.voice")
    phase = _phase(voice_stage.PHASE, settings.get("schedule"))
    encoder, tokens = voice_source(run)
    corpora = voice_corpora(encoder, folder, roots, data, store, ("train", "valid"), progress)
    model = voice_stage.new_training(encoder, tokens, phase.strength, phase.schedule.seed)
    clips = voice_stage.VoiceClips(list(corpora.values()), phase.strength, phase.schedule.seed)
    valid = {name: corpus.voices.of_split("valid") for name, corpus in corpora.items()}
    fitted = voice_stage.train(model, clips, valid, phase, folder / FINAL, progress)
    if fitted.finished:
        save_parts(model, voice_stage.PARTS, folder / FINAL, info={"valid": fitted.best})
    return fitted.finished


def voice_source(run: Run) -> tuple[WhisperEncoder, int]:
    """The pretrained encoder of the run's model, and how many tokens it is pooled to."""
    config = load_config(run.model)
    if config.voice is None:
        raise ConfigError(f"model {run.model} names no source of its voice encoder: there is nothing pretrained to read")
    return load_whisper(config.voice), config.voice_config.tokens


def voice_corpora(
    encoder: WhisperEncoder, folder: Path, roots: Mapping[str, Path], data: str | None, store: Path,
    splits: Sequence[str], progress: Progress | None = None,
) -> dict[str, voice_stage.Corpus]:  # fmt: skip
    """The voices of stage 0 with their encoder states, kept in `folder`; training clips have augmented copies as well."""
    corpora = {}
    for name, place in places(VOICES, roots, data).items():
        voices = voice_data.load_voices(name, place, store, folder / "data", progress)
        wanted = [(0, voices.of_split(*splits)), *((copy, voices.of_split("train")) for copy in range(1, COPIES[name] + 1))]
        states = [voice_data.encode(voices, clips, copy, encoder, folder / "states", progress=progress) for copy, clips in wanted]
        corpora[name] = voice_stage.Corpus(voices, tuple(states))
    return corpora


def protocol(
    name: str, run: Run, out: Path, roots: Mapping[str, Path], data: str | None, store: Path, progress: Progress | None = None
) -> dict[str, Any]:
    """Figures of stage 0, not of the shipped weights: leave:ckplus48, leave:nemo, or cv for both faces and voices."""
    figures = {}
    if name in ("cv", "leave:ckplus48"):
        faces = face_stage.prepare(places(FACES, roots, data), store, out / "face" / "data", progress)
        config = load_config(run.model).face_config
        figures["face"] = face_protocols.run_protocol(name, config, faces, out / "face", progress=progress)
    if name in ("cv", "leave:nemo"):
        encoder, tokens = voice_source(run)
        corpora = voice_corpora(encoder, out / "voice", roots, data, store, ("train", "valid", "test"), progress)
        figures["voice"] = voice_protocols.run_protocol(name, encoder, tokens, corpora, out / "voice", progress=progress)
    if not figures:
        raise ConfigError(f"no protocol is called '{name}': cv, leave:ckplus48, leave:nemo")
    return figures


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
