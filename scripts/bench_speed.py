"""Measures how fast an analysis is: its start, the model, perception, a whole clip, a batch; both engines in one run.

    python scripts/bench_speed.py [--rounds 3] [--clips 64] [--page docs/benchmarks/speed.md]

Every part runs in a process of its own. What belongs together is measured in turn, so that a machine that is disturbed disturbs
both; medians are told. Where the package `xllamacpp` is installed, llama.cpp reads and writes a prompt of the same length.
Needs the sample clip, the weights and the graph of the default model (`emoreason assets pull`).
"""

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from copy import deepcopy
from datetime import date
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

import psutil

ENGINES = ("onnx", "torch")
TOKENS = 120
CLIP_S = 4.0  # of those in the batch


def start(engine: str) -> dict[str, float]:
    """Seconds of a bare process until the package is there and until the model is; its memory then."""
    begun = time.time() - psutil.Process().create_time()
    started = time.perf_counter()
    from emoreason import EmotionReasoner
    from emoreason.inference.judges.loading import load_model
    from emoreason.perception.observe import observe

    assert EmotionReasoner and observe
    imported = time.perf_counter()
    load_model("tiny", runtime=engine)
    loaded = time.perf_counter()
    return {"python": begun, "import": imported - started, "load": loaded - imported, "memory": _peak_mb()}


def model(engine: str) -> dict[str, float]:
    """Seconds of each thing that is asked of an engine, for the sample clip's two segments and for one of them."""
    from emoreason.inference.judges.loading import load_model
    from emoreason.labels.emotions import EMOTIONS
    from emoreason.model.engines.phrases import Phrases
    from emoreason.model.prompt import WHY, answer_text, emotion_question
    from emoreason.model.verdict import label_scores
    from emoreason.perception.segments import segments

    judge = load_model("tiny", runtime=engine)
    observation, clip = _sample()
    observation = judge.refine(observation, clip)
    given = [judge.prepare(observation, span, clip, emotion_question(EMOTIONS)) for span in segments(observation)]
    found: dict[str, float] = {}
    for rows in (1, 2, 8):
        inputs = (given * 8)[:rows]
        batch = judge.processor(inputs, return_tensors="np")
        asked = [judge.processor.next_turn(one, answer_text("", "", "happiness"), WHY) for one in inputs]
        prompt, found[f"read {rows}"] = _timed(lambda batch=batch: judge.engine.read(batch))
        _, found[f"score {rows}"] = _timed(lambda prompt=prompt: label_scores(judge.engine, prompt, EMOTIONS))
        told, found[f"follow {rows}"] = _timed(lambda prompt=prompt, asked=asked: judge.engine.follow(prompt, asked))
        phrases = getattr(judge.engine, "phrases", None)
        for guessing in ("", " guessing") if rows == 1 and phrases is not None else ("",):
            def write(told=told, guessing=guessing, phrases=phrases):
                if phrases is not None:  # as they were: what is written is remembered, and would be guessed the next time
                    judge.engine.phrases = deepcopy(phrases) if guessing else Phrases()
                return judge.engine.write(told, TOKENS, until_answer=False)

            texts, seconds = _timed(write)
            written = sum(len(judge.processor.tokenizer(text)["input_ids"]) for text in texts)
            found[f"tokens/s {rows}{guessing}"] = written / seconds
    found["prompt tokens"] = int(judge.processor([given[0]], return_tensors="np")["attention_mask"].sum())
    return found


def clip(engine: str) -> dict[str, float]:
    """Seconds of the sample clip, warm and without a cache, and until the first words and the first provisional verdict."""
    from emoreason import EmotionReasoner

    reasoner = EmotionReasoner.from_pretrained("tiny", runtime=engine, cache=False)
    path, found = _sample_file(), {}
    reasoner(path)  # what is made once is made
    rounds = []
    for _ in range(2):
        first: dict[str, float] = {}
        started = time.perf_counter()

        def note(name: str, first: dict = first, started: float = started) -> None:
            first.setdefault(name, time.perf_counter() - started)

        report = reasoner(path, on_text=lambda *_: note("first words"), on_segment=lambda _: note("first verdict"))
        rounds.append({**first, "clip": time.perf_counter() - started, **report.timings_s.model_dump()})
    for name in ("clip", "first words", "first verdict", "faces", "model"):
        found[name] = min(one[name] for one in rounds)
    found["memory"] = _peak_mb()
    return found


def command(engine: str) -> dict[str, float]:
    """Seconds and memory of the whole command."""
    with tempfile.TemporaryDirectory() as out:
        line = [
            sys.executable,
            "-m",
            "emoreason",
            "analyze",
            str(_sample_file()),
            "--no-cache",
            "--out",
            out,
            "--runtime",
            engine,
        ]
        started = time.perf_counter()
        subprocess.run(line, check=True, stdout=subprocess.DEVNULL)
        return {"command": time.perf_counter() - started, "memory": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024}


def perception(_: str) -> dict[str, float]:
    """Sampled frames a second: MediaPipe's bare video loop on decoded frames, and all of perception but words."""
    from bench_perception import bare_loop, our_perception

    from emoreason.media import Clip
    from emoreason.perception.settings import PerceptionSettings

    path = str(_sample_file())
    frames = [(frame.time_s, frame.image) for frame in Clip(path).sample(PerceptionSettings().fps)]
    our_perception(path)
    turns = [(bare_loop(frames), our_perception(path)) for _ in range(3)]
    return {"bare": median(bare for bare, _ in turns), "ours": median(ours for _, ours in turns),
            "ratio": median(ours / bare for bare, ours in turns)}  # fmt: skip


def batch(engine: str, clips: int) -> dict[str, float]:
    """Seconds a clip that was measured before, judged with others."""
    from emoreason import EmotionReasoner
    from emoreason.perception.observe import observe
    from emoreason.perception.settings import PerceptionSettings

    settings = PerceptionSettings(words=False, fps=4)
    reasoner = EmotionReasoner.from_pretrained("tiny", settings=settings, runtime=engine, cache=False)
    with tempfile.TemporaryDirectory() as folder:
        measured = [observe(one, settings) for one in _pieces(Path(folder), clips)]
        reasoner.report(measured[0])
        started = time.perf_counter()
        assert len(list(reasoner.report_many(measured))) == clips
        return {"judged": (time.perf_counter() - started) / clips}


def llama(_: str) -> dict[str, float]:
    """llama.cpp on the same weights in 4 bits: a prompt of the same length read, and as many tokens written."""
    import xllamacpp

    from emoreason import assets

    params = xllamacpp.CommonParams()
    params.model.path = str(next(assets.path("smollm2-135m").glob("*.gguf")))
    params.n_ctx, params.cpuparams.n_threads, params.cpuparams_batch.n_threads = 1024, os.cpu_count(), os.cpu_count()
    server = xllamacpp.Server(params)
    found = []
    for turn in range(3):
        asked = {"prompt": [17 + turn, *range(1000, 1400)], "n_predict": TOKENS, "temperature": 0, "ignore_eos": True}
        found.append(server.handle_completions({**asked, "cache_prompt": False})["timings"])
    return {
        "read": median(one["prompt_ms"] for one in found) / 1000,
        "tokens/s 1": median(one["predicted_per_second"] for one in found),
    }


PARTS: dict[str, Callable[..., dict[str, float]]] = {
    "start": start, "model": model, "clip": clip, "command": command, "perception": perception, "batch": batch, "llama": llama
}  # fmt: skip


def _timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """The quicker of two turns."""
    best = float("inf")
    for _ in range(2):
        started = time.perf_counter()
        result = work()
        best = min(best, time.perf_counter() - started)
    return result, best


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _sample_file() -> Path:
    from emoreason import assets

    return next(assets.path("sample-clip").glob("*.mp4"))


def _sample() -> tuple[Any, Any]:
    from emoreason.media import Clip
    from emoreason.perception.observe import observe

    sample = Clip(_sample_file())
    return observe(sample), sample


def _pieces(folder: Path, count: int) -> list[Any]:
    """Overlapping pieces of the sample clip as films of their own."""
    from bench_batch import cut

    from emoreason.media import Clip

    cut([_sample_file()], folder, count)
    return [Clip(file) for file in sorted(folder.glob("*.mp4"))[:count]]


def _measured(part: str, engine: str, given: argparse.Namespace) -> dict[str, float]:
    """In a process of its own."""
    line = [sys.executable, __file__, "--part", part, "--engine", engine, "--clips", str(given.clips)]
    done = subprocess.run(line, check=True, stdout=subprocess.PIPE, text=True)
    print(part, engine, done.stdout.strip().splitlines()[-1], flush=True)
    return json.loads(done.stdout.strip().splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--clips", type=int, default=64, help="in the batch; 0 leaves it out")
    parser.add_argument("--page", type=Path)
    parser.add_argument("--only", nargs="*", choices=list(PARTS))
    parser.add_argument("--part", choices=list(PARTS), help=argparse.SUPPRESS)
    parser.add_argument("--engine", choices=ENGINES, default="onnx", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.part:
        print(json.dumps(PARTS[given.part](given.engine, *([given.clips] if given.part == "batch" else []))))
        return
    asked = given.only or [part for part in PARTS if part != "llama" or find_spec("xllamacpp")]
    found: dict[tuple[str, str], list[dict[str, float]]] = {}
    for round_ in range(given.rounds):
        for part in asked:
            if part == "batch" and (round_ or not given.clips):
                continue  # once: it takes minutes
            for engine in ENGINES if part not in ("perception", "llama") else ("onnx",):
                found.setdefault((part, engine), []).append(_measured(part, engine, given))
    text = page({key: {name: median(one[name] for one in rounds) for name in rounds[0]} for key, rounds in found.items()}, given)
    print(text)
    if given.page:
        given.page.write_text(text, encoding="utf-8")


ROWS = (  # part, measure, what it is, digits
    ("command", "command", "whole command, s", 1),
    ("start", "import", "import, s", 1),
    ("start", "load", "load the model, s", 1),
    ("clip", "clip", "sample clip (19.7 s), warm, s", 1),
    ("clip", "faces", "- of which reading faces, s", 1),
    ("clip", "model", "- of which the model, s", 1),
    ("clip", "first verdict", "- first provisional verdict after, s", 1),
    ("clip", "first words", "- first words of the explanation after, s", 1),
    ("model", "read 2", "read 2 prompts, s", 2),
    ("model", "score 2", "score 8 labels for each, s", 2),
    ("model", "follow 2", "follow with the answer and the next question, s", 2),
    ("model", "tokens/s 1", "write, 1 row, tokens/s", 1),
    ("model", "tokens/s 1 guessing", "write, 1 row, guessing ahead, tokens/s", 1),
    ("model", "tokens/s 2", "write, 2 rows, tokens/s", 1),
    ("model", "tokens/s 8", "write, 8 rows, tokens/s", 1),
    ("batch", "judged", "a measured clip, judged among {clips}, s", 2),
    ("start", "memory", "peak memory once loaded, MB", 0),
    ("command", "memory", "peak memory of the command, MB", 0),
)


def page(found: dict[tuple[str, str], dict[str, float]], given: argparse.Namespace) -> str:
    from emoreason import __version__

    machine = f"{os.cpu_count()} cores, {psutil.virtual_memory().total / 2**30:.0f} GiB, {platform.machine()}, no GPU"
    lines = [
        "# Speed",
        "",
        f"emoreason {__version__}, {date.today()}, Python {platform.python_version()}, {machine}. `scripts/bench_speed.py`, "
        f"medians of {given.rounds} turns, the model is tiny. Ratios: torch / onnx in time, onnx / torch in tokens and memory.",
        "",
        "| measure | onnx | torch | ratio |",
        "|---|---|---|---|",
    ]
    for part, name, what, digits in ROWS:
        ours, theirs = (found.get((part, engine), {}).get(name) for engine in ENGINES)
        if ours is None:
            continue
        ratio = "" if not theirs else f"{ours / theirs if 'tokens' in name or name == 'memory' else theirs / ours:.2f}"
        shown = "-" if theirs is None else f"{theirs:.{digits}f}"
        lines.append(f"| {what.format(clips=given.clips)} | {ours:.{digits}f} | {shown} | {ratio} |")
    if seen := found.get(("perception", "onnx")):
        beside = f"a bare loop over MediaPipe {seen['bare']:.0f}: **{seen['ratio']:.2f}** of it"
        lines += ["", f"Perception without words: {seen['ours']:.0f} sampled frames a second, {beside}."]
    if other := found.get(("llama", "onnx")):
        own = found.get(("model", "onnx"), {}).get("tokens/s 1 guessing")
        beside = f": we write {own / other['tokens/s 1']:.2f} times as fast" if own else ""
        pace = f"reads 401 tokens in {other['read']:.2f} s, writes {other['tokens/s 1']:.0f} tokens/s"
        lines += ["", f"llama.cpp (Q4_1, one row): {pace}{beside}."]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
