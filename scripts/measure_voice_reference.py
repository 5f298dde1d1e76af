#!/usr/bin/env python3
"""Bounds of the typical range of each vocal cue, and how the cues differ between emotions. Prints; writes nothing.

    scripts/measure_voice_reference.py [DATA]

DATA (default: $EMOREASON_DATA) holds `ravdess_speech` and `nemo_polish`. Used are RAVDESS actors 1-16 (17-20 stay unseen) and
every third nEMO utterance of all speakers but MP0 (who stays unseen). Bounds are percentiles over neutral and calm speech of
normal intensity, each corpus weighing the same; the shares tell how often speech of each emotion leaves the typical range.
"""

import argparse
import csv
import os
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from emoreason.labels.voice_cues import VOICE_CUES
from emoreason.media import Clip
from emoreason.perception.settings import PerceptionSettings
from emoreason.perception.voice import read_voice

RAVDESS = dict(zip(("01", "02", "03", "04", "05", "06", "07", "08"),
                   ("neutral", "neutral", "happy", "sad", "angry", "fearful", "disgust", "surprised"), strict=True))
NEMO = {"fear": "fearful", "anger": "angry", "happiness": "happy", "sadness": "sad"}
HELD_OUT_SPEAKER, LAST_ACTOR = "MP0", 16
PERCENTILES = {"pitch": (5, 95)}  # the others: 10, 90


def utterances(data: Path) -> Iterator[tuple[str, str, bool, Path]]:
    """(corpus, emotion, reference speech, file)."""
    for path in sorted(data.glob("ravdess_speech/Actor_*/*.*")):
        _, _, emotion, intensity, _, _, actor = path.stem.split("-")
        if int(actor) <= LAST_ACTOR:
            yield "ravdess", RAVDESS[emotion], emotion in ("01", "02") and intensity == "01", path
    with open(data / "nemo_polish/data.tsv", encoding="utf-8") as file:
        for number, row in enumerate(csv.DictReader(file, delimiter="\t")):
            if number % 3 == 0 and row["speaker_id"] != HELD_OUT_SPEAKER:
                emotion = NEMO.get(row["emotion"], row["emotion"])
                yield "nemo", emotion, emotion == "neutral", data / "nemo_polish/samples" / row["file_id"]


def weighted_percentile(values: dict[str, list[float]], percent: float) -> float:
    """Percentile over the pooled corpora, each with the same weight."""
    pooled = np.concatenate([np.asarray(part) for part in values.values()])
    weights = np.concatenate([np.full(len(part), 1 / len(part)) for part in values.values()])
    order = np.argsort(pooled)
    return float(np.interp(percent / 100, (np.cumsum(weights[order]) - weights[order] / 2) / weights.sum(), pooled[order]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="?", default=os.environ.get("EMOREASON_DATA"))
    data = parser.parse_args().data
    if data is None or not Path(data).is_dir():
        parser.error("give the folder that holds ravdess_speech and nemo_polish")
    reference = {cue: defaultdict(list) for cue in VOICE_CUES}  # cue -> corpus -> values
    values = {cue: defaultdict(list) for cue in VOICE_CUES}  # cue -> (corpus, emotion) -> values
    silent = defaultdict(int)
    settings = PerceptionSettings()
    for corpus, emotion, neutral, path in utterances(Path(data)):
        voice, _ = read_voice(Clip(path), settings)
        silent[corpus] += voice is None
        for cue in voice.cues if voice else ():
            if (cue.start_s, cue.end_s) != (voice.spans[0][0], voice.spans[-1][1]):
                break  # only the cues of all speech
            values[cue.cue][corpus, emotion].append(cue.value)
            if neutral:
                reference[cue.cue][corpus].append(cue.value)
    print("no speech found:", dict(silent))
    for cue in VOICE_CUES:
        report(cue, reference[cue], values[cue])


def report(cue: str, reference: dict[str, list[float]], values: dict[tuple[str, str], list[float]]) -> None:
    print(f"\n{cue}: n = { {corpus: len(part) for corpus, part in reference.items()} }")
    if not reference:
        return
    low, high = (weighted_percentile(reference, percent) for percent in PERCENTILES.get(cue, (10, 90)))
    print(f"  low {low:.2f}  high {high:.2f}")
    for (corpus, emotion), part in sorted(values.items()):
        part = np.asarray(part)
        below, above = np.mean(part < low), np.mean(part > high)
        print(f"  {corpus:8} {emotion:10} median {np.median(part):7.2f}   low {below:4.0%}   high {above:4.0%}   n {len(part)}")


if __name__ == "__main__":
    main()
