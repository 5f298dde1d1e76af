"""A whole toy run on disk: model file with tiny sources, data sets in their official layouts, and their observations."""

import wave
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import torch
from model.families import FAMILIES
from observations import make_observation
from safetensors.numpy import save_file
from transformers import LlamaForCausalLM, WhisperConfig, WhisperModel

from emoreason.config import resolve
from emoreason.instructions.observe_all import Measured, Tally, data_store, files_of, settings_of
from emoreason.instructions.readers import read
from emoreason.instructions.recipe import load_recipe
from emoreason.labels.action_units import BLENDSHAPES
from emoreason.media import Clip
from emoreason.perception.geometry import MEASURES

EMOTIONS = "neutral happiness surprise sadness anger disgust fear contempt unknown nf".split()
FACES, VOICES = ("ferplus", "ckplus48", "ckplus_neutral_peak", "lfw_emotion"), ("ravdess", "nemo")
SETS = (*FACES, *VOICES, "meld")
SPLITS = {"Train": 12, "Valid": 4, "Test": 4}


def make_run(folder: Path) -> Path:
    """`run.yaml` below `folder`, the smoke run with a toy model; data go to `folder/data`, observations to `folder/store`."""
    make_model(folder)
    make_data(folder / "data")
    write_faces(folder / "data" / "ckplus48")
    write_portraits(folder / "data" / "lfw_emotion")
    write_sentences(folder / "data" / "nemo_polish")
    observe(folder / "data", folder / "store")
    file = folder / "run.yaml"
    shipped = resolve("runs", "tiny-smoke").read_text(encoding="utf-8")
    file.write_text(shipped.replace("model: tiny\n", f"model: {folder / 'toy.yaml'}\n"), encoding="utf-8")
    return file


def make_model(folder: Path) -> Path:
    """A model file whose language model and Whisper are folders with random weights."""
    family = FAMILIES["llama"]
    torch.manual_seed(0)
    family.tokenizer().save_pretrained(folder / "language")
    LlamaForCausalLM(family.language_config()).save_pretrained(folder / "language")
    sizes = dict(d_model=16, encoder_layers=1, encoder_attention_heads=2, encoder_ffn_dim=16, num_mel_bins=8)
    decoder = dict(decoder_layers=1, decoder_attention_heads=2, decoder_ffn_dim=16, vocab_size=60, max_source_positions=200)
    special = dict(pad_token_id=0, bos_token_id=1, eos_token_id=2, decoder_start_token_id=1)
    WhisperModel(WhisperConfig(**sizes, **decoder, **special)).save_pretrained(folder / "whisper")
    file = folder / "toy.yaml"
    file.write_text(
        f"verified: structure only\nfamily: llama\nbackbone: {{path: {folder / 'language'}}}\n"
        "face: {image_size: 48, trunk_dim: 96, dim: 24, heads: 2, layers: 1, dynamics: 2}\n"
        f"voice: {{path: {folder / 'whisper'}, tokens: 2}}\nlora: {{r: 2}}\n"
    )
    return file


def make_data(folder: Path) -> None:
    """FER+, RAVDESS and MELD, a handful of samples each."""
    rng = np.random.default_rng(0)
    number = 0
    for split, count in SPLITS.items():
        place = folder / f"fer2013_ferplus/data/FER2013{split}"
        place.mkdir(parents=True)
        lines = []
        for n in range(count):
            cv2.imwrite(str(place / f"fer{number:07d}.png"), rng.integers(0, 256, (48, 48), dtype=np.uint8))
            votes = [10 if k == n % 8 else 0 for k in range(len(EMOTIONS))]
            lines.append(f'fer{number:07d}.png,"(0, 0, 48, 48)",' + ",".join(map(str, votes)))
            number += 1
        (place / "label.csv").write_text("\n".join(lines) + "\n")
    for actor in (1, 2, 15, 17):
        place = folder / f"ravdess_speech/Actor_{actor:02d}"
        place.mkdir(parents=True)
        for emotion in (1, 3, 4, 5, 6, 7, 8) if actor == 1 else (1, 3, 4, 5):
            write_sound(place / f"03-01-{emotion:02d}-01-01-01-{actor:02d}.wav", 200 + 10 * actor + emotion)
    write_dialogues(folder / "meld_text")


def write_faces(folder: Path) -> None:
    """Ten subjects with a sequence each: its last two frames, its first and its last one; happy ones have AU12."""
    lines, rng = ["image,sequence,AU4,AU12"], np.random.default_rng(1)
    for n in range(10):
        emotion, sequence, happy = ("happy", "anger")[n % 2], f"S{n:03d}_001", n % 2 == 0
        for frame in (8, 9):
            lines.append(f"CK+48/{emotion}/{sequence}_{frame:08d}.png,{sequence},{int(not happy)},{int(happy)}")
        again = f"neutral_peak/{'happiness' if happy else emotion}/{sequence}_{9:08d}.png"
        paths = [line.split(",")[0] for line in lines[-2:]] + [again, f"neutral_peak/neutral/{sequence}_{1:08d}.png"]
        for path in paths:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(folder / path), rng.integers(0, 256, (48, 48), dtype=np.uint8))
    (folder / "au_labels.csv").write_text("\n".join(lines) + "\n")


def write_portraits(folder: Path) -> None:
    """Two photographs of each of eight people; two of them are in the validation split."""
    lines, rng = ["image,person,emotion,smile,split"], np.random.default_rng(2)
    (folder / "images").mkdir(parents=True)
    for n in range(8):
        for take, emotion in enumerate(("happiness", "neutral")):
            name = f"images/p{n:04d}_{take}.jpg"
            cv2.imwrite(str(folder / name), rng.integers(0, 256, (64, 64), dtype=np.uint8))
            lines.append(f"{name},p{n:04d},{emotion},{('smile', 'no_smile', '')[n % 3]},{'valid' if n > 5 else 'train'}")
    (folder / "labels.csv").write_text("\n".join(lines) + "\n")


def write_sentences(folder: Path) -> None:
    (folder / "samples").mkdir(parents=True)
    lines = ["file_id\temotion\traw_text\tspeaker_id"]
    for s, speaker in enumerate(("AA0", "KD0", "MP0")):
        for e, emotion in enumerate(("anger", "happiness", "sadness", "neutral")):
            name = f"{speaker}_{emotion}.wav"
            lines.append(f"{name}\t{emotion}\tzdanie\t{speaker}")
            write_sound(folder / "samples" / name, 500 + 40 * s + 7 * e)
    (folder / "data.tsv").write_text("\n".join(lines) + "\n")


def write_sound(path: Path, hz: float, seconds: float = 1.5) -> None:
    samples = (12000 * np.sin(2 * np.pi * hz * np.arange(int(16000 * seconds)) / 16000)).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16000)
        file.writeframes(samples.tobytes())


def write_dialogues(folder: Path) -> None:
    folder.mkdir(parents=True)
    head = "Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID,Season,Episode,StartTime,EndTime"
    kinds = (("joy", "positive"), ("anger", "negative"), ("neutral", "neutral"))
    for name, count in (("train", 4), ("dev", 2), ("test", 2)):
        lines = [head]
        for dialogue in range(count):
            for turn, (emotion, sentiment) in enumerate(kinds):
                text = f"this is what {name} says in scene {dialogue} as line {turn}"
                if (name, dialogue) in (("train", 0), ("test", 0)):
                    text = f"a line that the test has as well {turn}"
                lines.append(f"{len(lines)},{text},A{turn},{emotion},{sentiment},{dialogue},{turn},1,1,0,0")
        (folder / f"{name}_sent_emo.csv").write_text("\n".join(lines) + "\n")


def observe(data: Path, store: Path, sets: Sequence[str] = (*FACES, *VOICES)) -> None:
    """What measuring the media would give, made up: each face smiles or frowns, each voice is loud or not."""
    kept = data_store(store)
    for name in sets:
        recipe = load_recipe(name)
        root = data / recipe.folder
        for n, record in enumerate(read(recipe, root)):
            people = [{}] if name in FACES else []
            voice = None if people else {"loudness": (60.0 + n, "high"), "pitch": (200.0, "typical")}
            seconds = 0.08 if people else 1.5
            seen = make_observation(seconds, people=people, voice=voice, has_video=bool(people), size=(48, 48))
            source = Clip(files_of(record, root)[0]).source
            settings = settings_of(record, False, "picture" if people else "sound").to_dict()
            keep(kept, replace(seen, source=source, settings=settings), n)


def observe_sounds(jobs, store: Path, workers: int = 1, failures: Path | None = None, progress=None) -> Tally:
    """Stands for `observe_all`: each sound is a voice, made up."""
    tally, kept = Tally(), data_store(store)
    for n, job in enumerate(jobs):
        source = job.clip().source
        seen = make_observation(1.5, people=[], voice={"loudness": (60.0 + n, "high")}, has_video=False, size=(48, 48))
        if kept.find(source, job.settings.to_dict()) is None:
            keep(kept, replace(seen, source=source, settings=job.settings.to_dict()), n)
        tally.add(Measured(job.path, cached=False, faces=0, sound_s=1.5))
    return tally


def keep(store, observation, n: int) -> None:
    """A smile for every other one, else a lowered brow."""
    shown = ("mouthSmileLeft", "mouthSmileRight") if n % 2 else ("browDownLeft", "browDownRight")
    scratch = store.scratch()
    for number, shard in enumerate(observation.faces.shards):
        arrays = {name: np.array(values) for name, values in shard.items()}
        arrays["blendshapes"][:, [BLENDSHAPES.index(name) for name in shown]] = 0.9
        arrays["geometry"] = np.zeros((len(arrays["sample"]), len(MEASURES)), np.float32)
        save_file(arrays, scratch / f"faces-{number:05d}.safetensors")
    store.keep(scratch, observation)
