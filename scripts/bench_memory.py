#!/usr/bin/env python3
"""Peak memory of analysing a long clip against a short one, made by looping a clip without re-encoding it.

    scripts/bench_memory.py [--minutes 1 60] [--fps 12] [FILE]

Each length is analysed by `emoreason analyze` in a process of its own; the difference of the peaks is what duration costs.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import av

from emoreason import assets


def loop(source: str, target: Path, minutes: float) -> None:
    """Copy the packets of `source` again and again, shifting their times, until `minutes` are full."""
    with av.open(str(target), "w") as out:
        streams, offset_s = {}, 0.0
        while offset_s < minutes * 60:
            with av.open(source) as container:
                wanted = [s for s in container.streams if s.type in ("video", "audio")]
                for stream in wanted:
                    if stream.index not in streams:
                        streams[stream.index] = out.add_stream_from_template(stream)
                end_s = container.duration / av.time_base
                for packet in container.demux(wanted):
                    if packet.dts is None:
                        continue
                    shift = round(offset_s / packet.time_base)
                    packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                    packet.stream = streams[packet.stream.index]
                    out.mux(packet)
            offset_s += end_s


def analyze(path: Path, out: Path, fps: float) -> tuple[float, float]:
    """Peak resident MB and seconds."""
    command = [sys.executable, "-m", "emoreason", "analyze", str(path), "--no-cache", "--fps", str(fps), "--out", str(out)]
    started = time.perf_counter()
    process = subprocess.Popen([*command, "--formats", "json,csv,parquet,html", "-q"], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"analyze of {path.name} failed with status {status}")
    return usage.ru_maxrss / 1024, time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", nargs="?", help="a video to loop (default: the pinned sample clip)")
    parser.add_argument("--minutes", type=float, nargs="+", default=[1, 60])
    parser.add_argument("--fps", type=float, default=12)
    arguments = parser.parse_args()
    source = arguments.file or str(next(assets.path("sample-clip").iterdir()))
    peaks = []
    with tempfile.TemporaryDirectory() as folder:
        for minutes in arguments.minutes:
            clip = Path(folder) / f"{minutes:g}min.mp4"
            loop(source, clip, minutes)
            peak, seconds = analyze(clip, Path(folder) / "out", arguments.fps)
            peaks.append(peak)
            print(f"{minutes:g} min: peak {peak:.0f} MB, {seconds:.0f} s ({minutes * 60 / seconds:.1f} x real time)", flush=True)
    print(f"longest - shortest: {peaks[-1] - peaks[0]:+.0f} MB   [aim <= 400]")


if __name__ == "__main__":
    main()
