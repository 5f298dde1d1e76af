#!/usr/bin/env python3
"""How fast perception is beside the bare libraries it stands on: frames per second on the sample clip, all in one run.

    scripts/bench_perception.py [--rounds 3] [FILE]

(a) decord decoding every frame; (b) a bare MediaPipe video loop over the already decoded sampled frames; (c) our perception
without words, decoding included; (d) a whole `analyze`. (b) and (c) are given as frames *sampled* per second, so their ratio
compares like with like. Rounds alternate, medians are printed: machines are noisy, ratios less so.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from emoreason import assets
from emoreason.media import Clip
from emoreason.perception.observe import observe
from emoreason.perception.settings import PerceptionSettings


def decode_everything(path: str) -> float:
    """Frames per second of decord on its own."""
    import decord

    started = time.perf_counter()
    reader = decord.VideoReader(path, num_threads=2)
    count = sum(1 for frame in range(len(reader)) if reader.next().shape)
    return count / (time.perf_counter() - started)


def bare_loop(frames: list[tuple[float, np.ndarray]]) -> float:
    """Sampled frames per second of MediaPipe's own video mode, one face, blendshapes and transformation matrix on."""
    import mediapipe as mp
    from mediapipe.tasks import python as tasks
    from mediapipe.tasks.python import vision

    options = vision.FaceLandmarkerOptions(
        base_options=tasks.BaseOptions(model_asset_path=str(assets.path("face-landmarker") / "face_landmarker_v2.task")),
        running_mode=vision.RunningMode.VIDEO,
        output_face_blendshapes=True,
        output_facial_transformation_matrixes=True,
    )
    started = time.perf_counter()
    with vision.FaceLandmarker.create_from_options(options) as landmarker:
        for time_s, image in frames:
            landmarker.detect_for_video(mp.Image(image_format=mp.ImageFormat.SRGB, data=image), int(time_s * 1000))
    return len(frames) / (time.perf_counter() - started)


def our_perception(path: str) -> float:
    started = time.perf_counter()
    observation = observe(Clip(path), PerceptionSettings(words=False))
    return len(observation.sample_times_s) / (time.perf_counter() - started)


def whole_analysis(path: str) -> tuple[float, float]:
    """Seconds and peak resident MB of `emoreason analyze` as a process of its own, start of Python included."""
    with tempfile.TemporaryDirectory() as out:
        command = [sys.executable, "-m", "emoreason", "analyze", path, "--no-cache", "--out", out, "--formats", "json,html", "-q"]
        # By way of a small process: a child's peak counts from what its parent held when it was started.
        timed = (
            "import resource, subprocess, sys, time; started = time.perf_counter(); "
            "subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL); "
            "print(time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)"
        )
        done = subprocess.run([sys.executable, "-c", timed, *command], check=True, capture_output=True, text=True)
        seconds, megabytes = map(float, done.stdout.split())
        return seconds, megabytes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", nargs="?", help="a video (default: the pinned sample clip)")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    path = arguments.file or str(next(assets.path("sample-clip").iterdir()))
    clip = Clip(path)
    frames = [(frame.time_s, frame.image) for frame in clip.sample(PerceptionSettings().fps)]
    rounds = []
    for _ in range(arguments.rounds):
        a, b, c = decode_everything(path), bare_loop(frames), our_perception(path)
        d, memory_mb = whole_analysis(path)
        rounds.append({"a": a, "b": b, "c": c, "c_over_b": c / b, "d_s": d, "mb": memory_mb})
    median = {name: statistics.median(r[name] for r in rounds) for name in rounds[0]}
    length_s = clip.source.duration_s
    print(f"{clip.source.width}x{clip.source.height}, {length_s:.1f} s, {len(frames)} sampled frames, {os.cpu_count()} cores")
    print(f"(a) bare decord decode           {median['a']:8.1f} frames/s")
    print(f"(b) bare MediaPipe video loop    {median['b']:8.1f} sampled frames/s")
    print(f"(c) our perception, no words     {median['c']:8.1f} sampled frames/s   = {median['c_over_b']:.2f} x (b)  [aim 0.85]")
    print(f"(d) emoreason analyze            {median['d_s']:8.1f} s  = {median['d_s'] / length_s:.2f} x real time  [aim < 1]")
    print(f"    its peak resident memory     {median['mb']:8.0f} MB")
    print(json.dumps({"file": Path(path).name, "rounds": rounds}))


if __name__ == "__main__":
    main()
