"""Measures the batch runner on clips cut from films at hand; every ratio comes from one run on one machine.

    python scripts/bench_batch.py FILM... --work DIR [--clips 200] [--faults 30] [--page docs/benchmarks/batch.md]

Needs a folder with some gigabytes of room. Nothing is taken from the films but what lies in DIR, which is yours to delete.
What was measured is kept there: started again, the script goes on with the rest; --only measures these anew.
"""

import argparse
import json
import os
import platform
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from datetime import date
from fractions import Fraction
from pathlib import Path
from statistics import median

import av
import pandas as pd
import psutil

from emoreason import EmotionReasoner, __version__
from emoreason.config import DEFAULT_MODEL
from emoreason.inference.batch import results
from emoreason.inference.batch.discover import discover
from emoreason.inference.batch.manifest import Manifest
from emoreason.inference.batch.options import Options
from emoreason.inference.batch.runner import run
from emoreason.media import Clip
from emoreason.perception.observe import observe
from emoreason.perception.settings import PerceptionSettings
from emoreason.perception.store import ObservationStore

FAST = Options(model="composer", perception=PerceptionSettings(words=False, fps=4), cache=False)
CLIP_S = 2.0
RATE = 25  # pictures a second
SPARSE = 100 << 20
ROUNDS = 3  # of what is compared by time: the quickest counts, the others tell how much the machine was disturbed
COLUMNS = ["id", "path", "emotion", "confidence", "supported", "contradicted", "explanation"]


def main() -> None:
    """Run what was asked for and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("films", nargs="+", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--clips", type=int, default=200)
    parser.add_argument("--faults", type=int, default=30)
    parser.add_argument("--judged-faults", type=int, default=1, help="kills of a run with the trained model")
    parser.add_argument("--ray-faults", type=int, default=3, help="runs on two Ray nodes of which one is lost")
    parser.add_argument("--judged", type=int, default=64, help="clips that the trained model judges, one by one and together")
    parser.add_argument("--only", nargs="*", choices=list(PARTS), help="these measures")
    parser.add_argument("--page", type=Path)
    given = parser.parse_args()
    folder = given.work / "clips"
    cut(given.films, folder, given.clips)
    kept = given.work / "measured.json"  # of parts that came to their end, should a later one not
    lines = json.loads(kept.read_text(encoding="utf-8")) if kept.is_file() else {}
    for name in given.only or [name for name in PARTS if name not in lines]:
        lines[name] = PARTS[name](folder, given)
        kept.write_text(json.dumps(lines, indent=1), encoding="utf-8")
        print(*lines[name], sep="\n", flush=True)
    text = page(given, [line for name in PARTS for line in lines.get(name, [])])
    if waiting := [name for name in PARTS if name not in lines]:
        text += f"\nNot measured here yet: {', '.join(waiting)}.\n"
    if given.page:
        given.page.parent.mkdir(parents=True, exist_ok=True)
        given.page.write_text(text, encoding="utf-8")


def cut(films: list[Path], folder: Path, count: int) -> None:
    """`count` pieces of CLIP_S, re-encoded, from all over the films; made once."""
    folder.mkdir(parents=True, exist_ok=True)
    if len(list(folder.glob("*.mp4"))) >= count:
        return
    lengths = {film: av.open(str(film)).duration / 1e6 for film in films}
    chance = random.Random(0)
    for number in range(count):
        film = films[number % len(films)]
        start = chance.uniform(0, max(lengths[film] - CLIP_S, 0))
        _piece(film, start, folder / f"{number:04}.mp4", 20 + number % 9)
        _told("cutting", number + 1, count)


def _piece(film: Path, start_s: float, path: Path, crf: int) -> None:
    with av.open(str(film)) as source, av.open(str(path), "w") as out:
        pictures = source.streams.video[0]
        stream = out.add_stream("libx264", rate=RATE, options={"crf": str(crf), "preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = pictures.width // 2 * 2, pictures.height // 2 * 2, "yuv420p"
        shown = 0
        for frame in source.decode(pictures):
            if frame.time < start_s:
                continue
            if frame.time >= start_s + CLIP_S:
                break
            picture = frame.reformat(stream.width, stream.height, "yuv420p")
            picture.pts, picture.time_base, shown = shown, Fraction(1, RATE), shown + 1
            out.mux(stream.encode(picture))
        out.mux(stream.encode(None))


def timed(folder: Path, out: Path, options: Options, limit: int | None = None) -> tuple[float, int]:
    """(seconds, clips) of a run from nothing."""
    shutil.rmtree(out, ignore_errors=True)
    started = time.perf_counter()
    done = run(folder, out, options, limit=limit)
    return time.perf_counter() - started, done.done + done.failed


def workers(folder: Path, given: argparse.Namespace) -> list[str]:
    """One worker against two in turns, each with one thread per library."""
    paces, wholes = {1: [], 2: []}, {1: [], 2: []}
    for count in (1, 2) * ROUNDS:
        ends: list[float] = []

        def watch(event, _, ends=ends) -> None:
            if event.kind in ("done", "failed"):
                ends.append(time.perf_counter())

        shutil.rmtree(given.work / "out", ignore_errors=True)
        started = time.perf_counter()
        run(folder, given.work / "out", replace(FAST, workers=count, threads=1), watch)
        wholes[count].append(time.perf_counter() - started)
        paces[count].append((ends[-1] - ends[9]) / (len(ends) - 10))  # all networks are loaded by then
    ratios, whole = (_ratios(seconds) for seconds in (paces, wholes))
    pace = f"{min(paces[1]):.2f} s, {min(paces[2]):.2f} s a clip"
    return [
        f"| two workers / one, from the tenth clip on, {len(ends)} clips | {ratios} ({pace}) | >= 1.7 |",
        f"| the same, start-up and tables included | {whole} ({min(wholes[1]):.0f} s, {min(wholes[2]):.0f} s) | – |",
    ]


def _ratios(seconds: dict[int, list[float]]) -> str:
    """Of one worker to two: of the quickest turns, which other work on the machine disturbed least, and of each turn."""
    turns = ", ".join(f"{one / two:.2f}" for one, two in zip(seconds[1], seconds[2], strict=True))
    return f"{min(seconds[1]) / min(seconds[2]):.2f} x; by turn {turns}"


def overhead(folder: Path, given: argparse.Namespace) -> list[str]:
    """A run with one worker against a bare loop that writes the same files, in turns: machines have moods."""
    work = given.work
    reasoner = EmotionReasoner.from_pretrained("composer", settings=replace(FAST.perception, threads=1), cache=False)
    files = sorted(folder.glob("*.mp4"))[:60]
    reasoner(files[0])  # the networks are loaded
    (work / "bare" / results.REPORTS).mkdir(parents=True, exist_ok=True)
    bare, ours = [], []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        for file in files:
            results.write(reasoner(file), work / "bare", file.stem, FAST)
        bare.append(time.perf_counter() - started)
        first, _ = timed(folder, work / "out", replace(FAST, workers=1, threads=1), limit=1)
        whole, _ = timed(folder, work / "out", replace(FAST, workers=1, threads=1), limit=1 + len(files))
        ours.append(whole - first)
    turns = ", ".join(f"{100 * (run / loop - 1):+.1f}" for run, loop in zip(ours, bare, strict=True))
    share = min(ours) / min(bare) - 1
    return [f"| runner over a bare loop, {len(files)} clips, no start-up | {100 * share:+.1f} %; by turn {turns} | <= 5 % |"]


def memory(folder: Path, given: argparse.Namespace) -> list[str]:
    """Resident memory of runner and worker after every clip of a run with one worker."""
    work, seen = given.work, []

    def watch(event, _) -> None:
        if event.kind in ("done", "failed"):
            own = psutil.Process()
            seen.append(sum(process.memory_info().rss for process in [own, *own.children(recursive=True)]) / 2**20)

    shutil.rmtree(work / "out", ignore_errors=True)
    run(folder, work / "out", replace(FAST, workers=1, threads=1), watch)
    steady = seen[20:]
    part = len(steady) // 4
    middle, first, last = (median(some) for some in (steady, steady[:part], steady[-part:]))
    low, high = (100 * (value / middle - 1) for value in (min(steady), max(steady)))
    return [
        f"| memory from clip 20 to {len(seen)}: last quarter to first | {100 * (last / first - 1):+.0f} % | +- 10 % |",
        f"| the same: median; least and most after any clip | {middle:.0f} MiB; {low:+.0f} %, {high:+.0f} % | +- 10 % |",
    ]


def restart(folder: Path, given: argparse.Namespace) -> list[str]:
    """A finished run of 1,000 sparse files is started again."""
    work = given.work
    if not (work / "out/reports").is_dir():
        timed(folder, work / "out", FAST, limit=1)
    folder, out = work / "sparse", work / "sparse-out"
    for path in (folder, out):
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir(parents=True)
    report = next((work / "out/reports").glob("*.json")).read_text(encoding="utf-8")
    for number in range(1000):
        with (folder / f"{number:04}.mp4").open("wb") as file:
            file.truncate(SPARSE)
    (out / results.REPORTS).mkdir()
    with Manifest(out) as known:
        known.update(discover(folder))
        for entry in list(known.entries()):
            known.done(entry.path, "00", results.identity(entry.path, "00"), FAST.digest(), 1.0)
            results.report_file(out, results.identity(entry.path, "00")).write_text(report, encoding="utf-8")
    run(folder, out, FAST)  # makes the tables
    started = time.perf_counter()
    done = run(folder, out, FAST)
    seconds = time.perf_counter() - started
    assert done.skipped == 1000
    return [f"| restart of a finished run, 1,000 files of 100 MB (sparse) | {seconds:.2f} s | < 5 s |"]


def manifest(_: Path, given: argparse.Namespace) -> list[str]:
    """Taking stock of 10,000 and of 100,000 files."""
    from emoreason.inference.batch.discover import Found

    seconds = {}
    for count in (10_000, 100_000):
        place = given.work / f"manifest-{count}"
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        found = [Found(f"{n // 100:04}/{n:06}.mp4", n, n) for n in range(count)]
        started = time.perf_counter()
        with Manifest(place) as known:
            known.update(found)
            known.update(found)
            assert sum(1 for _ in known.entries()) == count
        seconds[count] = time.perf_counter() - started
    ratio = seconds[100_000] / seconds[10_000]
    return [f"| manifest of 100,000 against 10,000 files | {ratio:.1f} x ({seconds[100_000]:.1f} s) | about 10 x |"]


def together(folder: Path, given: argparse.Namespace) -> list[str]:
    """The trained model over measurements at hand: clip by clip, then the segments of all clips in common batches."""
    settings = replace(FAST.perception, threads=1)
    reasoner = EmotionReasoner.from_pretrained(DEFAULT_MODEL, settings=settings, cache=False)
    store = ObservationStore(given.work / "measured", limit_bytes=None)
    measured = [observe(Clip(file), settings, store) for file in sorted(folder.glob("*.mp4"))[: given.judged]]
    reasoner.report(measured[0])  # what is made once is made
    started = time.perf_counter()
    alone = [reasoner.report(one) for one in measured]
    middle = time.perf_counter()
    joint = list(reasoner.report_many(measured))
    ended = time.perf_counter()
    ratio = (middle - started) / (ended - middle)
    labels = sum(one.verdict.emotion == other.verdict.emotion for one, other in zip(alone, joint, strict=True))
    texts = sum(one.explanation.text == other.explanation.text for one, other in zip(alone, joint, strict=True))
    pace = f"{(middle - started) / len(alone):.1f} s, {(ended - middle) / len(alone):.1f} s a clip"
    return [
        f"| {DEFAULT_MODEL}: judged together / clip by clip, {len(alone)} clips | {ratio:.2f} x ({pace}) | >= 3 |",
        f"| the same: equal verdicts, equal texts | {labels}, {texts} of {len(alone)} | all; > 99.5 % |",
    ]


# Arguments: folder, results, model.
RUN = """
import sys
from pathlib import Path
from emoreason.inference.batch.options import Options
from emoreason.inference.batch.runner import run
from emoreason.perception.settings import PerceptionSettings
if __name__ == "__main__":
    options = Options(model=sys.argv[3], perception=PerceptionSettings(words=False, fps=4), cache=False, workers=2, retries=3)
    run(Path(sys.argv[1]), Path(sys.argv[2]), options)
"""


def faults(folder: Path, given: argparse.Namespace) -> list[str]:
    """Runner or worker is killed at a random moment, again and again; the tables end as those of an undisturbed run."""
    return _faults(folder, given.work, "composer", given.faults) if given.faults else []


def judged_faults(folder: Path, given: argparse.Namespace) -> list[str]:
    """The same with the trained model, which takes minutes a run."""
    return _faults(folder, given.work, DEFAULT_MODEL, given.judged_faults) if given.judged_faults else []


def _faults(folder: Path, work: Path, model: str, count: int) -> list[str]:
    some, out, script = work / "forty", work / "faulty", work / "run.py"
    script.write_text(RUN, encoding="utf-8")
    shutil.rmtree(some, ignore_errors=True)
    some.mkdir()
    for file in sorted(folder.glob("*.mp4"))[:40]:
        (some / file.name).symlink_to(file.absolute())
    options = Options(model=model, perception=FAST.perception, cache=False, workers=2, retries=3)
    timed(some, work / "calm", options)
    calm = rows(work / "calm")
    chance, kills, rounds, other = random.Random(1), 0, 0, 0
    while kills < count:
        shutil.rmtree(out, ignore_errors=True)
        rounds += 1
        kills += _disturbed([str(script), str(some), str(out), model], chance, count - kills)
        run(some, out, options)
        told = rows(out)
        other += int((told.explanation != calm.explanation).sum())
        pd.testing.assert_frame_equal(told.drop(columns="explanation"), calm.drop(columns="explanation"), atol=1e-3)
        assert not list(out.rglob("*.part"))
        _told("kills", kills, count)
    what = f"{model}: kills of runner or worker at random moments over 40 clips ({rounds} runs), tables as undisturbed"
    texts = f"; {other} of {40 * rounds} texts differ"
    return [f"| {what} | {kills} of {kills}{texts} | all |"]


def lost_nodes(folder: Path, given: argparse.Namespace) -> list[str]:
    """Two Ray nodes on this machine, one of them gone at a random moment of the run; the tables end as those of a local run."""
    if not given.ray_faults:
        return []
    import ray
    from ray.cluster_utils import Cluster

    from emoreason.inference.batch.ray_engine import RayEngine

    options, chance = replace(FAST, workers=2, retries=3), random.Random(2)
    timed(folder, given.work / "calm", options, limit=40)
    calm = rows(given.work / "calm")
    for number in range(given.ray_faults):
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
        second = cluster.add_node(num_cpus=1)
        cluster.wait_for_nodes()
        out, at = given.work / "ray", chance.randint(2, 30)
        shutil.rmtree(out, ignore_errors=True)

        def lose(out=out, at=at, cluster=cluster, second=second) -> None:
            while len(list((out / results.REPORTS).glob("*.json"))) < at:
                time.sleep(0.05)
            cluster.remove_node(second, allow_graceful=False)

        thread = threading.Thread(target=lose, daemon=True)
        thread.start()
        run(folder, out, options, engine=RayEngine(options, address=cluster.address), limit=40)
        thread.join()
        pd.testing.assert_frame_equal(rows(out), calm, atol=1e-3)
        ray.shutdown()
        cluster.shutdown()
        _told("lost nodes", number + 1, given.ray_faults)
    return [f"| Ray: runs over 40 clips that lost one of two nodes, tables as of a local run | {given.ray_faults} | all |"]


def _disturbed(arguments: list[str], chance: random.Random, most: int) -> int:
    """Kills until a run, started again after each of its own, ends by itself, or until there were `most`."""
    kills = 0
    while kills < most:
        process = subprocess.Popen([sys.executable, *arguments])
        while kills < most:
            time.sleep(chance.uniform(1, 6))
            if process.poll() is not None:
                break
            children = [p for p in psutil.Process(process.pid).children() if "spawn_main" in " ".join(p.cmdline())]
            kills += 1
            if children and chance.random() < 0.5:
                chance.choice(children).send_signal(signal.SIGKILL)
            else:
                process.send_signal(signal.SIGKILL)
                break
        code = process.wait()
        if code == 0:
            break
        if code != -signal.SIGKILL:
            raise RuntimeError(f"a disturbed run ended with {code}")
    return kills


def rows(out: Path) -> pd.DataFrame:
    return pd.read_parquet(out / "summary.parquet")[COLUMNS]


def page(given: argparse.Namespace, lines: list[str]) -> str:
    """Markdown."""
    machine = f"{os.cpu_count()} cores, {psutil.virtual_memory().total / 2**30:.0f} GiB, {platform.machine()}, no GPU"
    return "\n".join(
        [
            "# Batch runner",
            "",
            f"emoreason {__version__}, {date.today()}, Python {platform.python_version()}, {machine}. `scripts/bench_batch.py`, "
            f"{given.clips} clips of {CLIP_S:g} s cut from {len(given.films)} films and re-encoded; the composer where nothing "
            "else is said, 4 faces per second, no words, no cache.",
            "",
            "| measure | result | aim |",
            "|---|---|---|",
            *lines,
            "",
        ]
    )


def _told(what: str, done: int, total: int) -> None:
    print(f"\r{what} {done}/{total}", end="" if done < total else "\n", file=sys.stderr, flush=True)


PARTS = {
    "workers": workers, "overhead": overhead, "memory": memory, "restart": restart, "manifest": manifest, "together": together,
    "faults": faults, "judged_faults": judged_faults, "ray": lost_nodes,
}  # fmt: skip

if __name__ == "__main__":
    main()
