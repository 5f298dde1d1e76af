"""Which samples went most wrong, for a person to look at: with a picture, and the judge's whole report of each."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from emoreason.errors import EmoReasonError
from emoreason.evaluation.results import Row
from emoreason.evaluation.samples import Samples
from emoreason.evaluation.scores import named_units
from emoreason.evaluation.shown import Shown, show
from emoreason.evaluation.suite import Suite
from emoreason.evaluation.verdicts import reports
from emoreason.inference.judges import Judge
from emoreason.media import Clip

MOST = 12
SIDE = 160  # px of a picture's longer side
FOLDER = "worst"


@dataclass(frozen=True)
class Worst:
    """`picture`: JPEG as base64, None of sound and words. `page`: of the whole report, relative to the result folder."""

    row: Row
    words: str = ""
    picture: str | None = None
    page: str | None = None


def mistake(suite: Suite, row: Row) -> float:
    """How wrong an answer is, larger is worse, 0 is right; surest mistakes first. Samples without an answer are listed apart."""
    if row.prediction is None:
        return 0.0
    return _MISTAKE[suite.kind](row.truth, row.prediction)


def worst(suite: Suite, rows: Sequence[Row], most: int = MOST) -> list[Row]:
    """The `most` largest mistakes; equal ones in the order of the samples."""
    wrong = [(mistake(suite, row), row) for row in rows]
    return [row for size, row in sorted(wrong, key=lambda pair: -pair[0]) if size > 0][:most]


def look(rows: Sequence[Row], samples: Samples, predictor: Judge, folder: Path, store: Path) -> list[Worst]:
    """Pictures and report pages of `rows`, below `folder`/worst. What cannot be read any more is shown without."""
    by_id = {sample.id: sample for sample in samples.samples}
    found = []
    for row in rows:
        try:
            shown = show(by_id[row.id], samples, store, predictor)
            page = _page(predictor, shown, folder) if shown.observation is not None else None
            found.append(Worst(row, _brief(shown), picture(shown), page))
        except (EmoReasonError, OSError) as error:
            found.append(Worst(row, f"({error})"))
    return found


def _page(predictor: Judge, shown: Shown, folder: Path) -> str:
    (written,) = reports(predictor, [shown])[0].save(folder / FOLDER, formats=["html"])
    return written.relative_to(folder).as_posix()


def _brief(shown: Shown) -> str:
    """The words that were judged: the utterance, or the dialogue where it is judged as a whole."""
    record = shown.record
    lines = [record.transcript] if record.transcript else [f"({n}) {turn.text}" for n, turn in enumerate(record.turns, 1)]
    return " ".join(lines)


def picture(shown: Shown) -> str | None:
    """The picture, or the middle frame of a video. Raises MediaError."""
    if shown.clip is None or not shown.clip.has_video:
        return None
    middle = shown.clip.source.duration_s / 2
    return _jpeg(shown.clip, middle)


def _jpeg(clip: Clip, time_s: float) -> str | None:
    frame = next(iter(clip.frames([time_s], max_side=SIDE)), None)
    if frame is None:
        return None
    buffer = io.BytesIO()
    Image.fromarray(frame.image).save(buffer, "JPEG", quality=80)
    return base64.b64encode(buffer.getvalue()).decode()


def _label(truth: dict, said: dict) -> float:
    return said["confidence"] if said["label"] != truth["label"] else 0.0


def _units(truth: dict, said: dict) -> float:
    named = named_units(said)
    return sum((au in named) != on for au, on in truth["units"].items())


def _sentiment(truth: dict, said: dict) -> float:
    if truth["score"] is not None:
        return abs(said["score"] - truth["score"])
    return abs(said["score"]) + 0.01 if said["label"] != truth["label"] else 0.0


def _affect(truth: dict, said: dict) -> float:
    return sum(abs(truth[name] - said[name]) for name in ("valence", "arousal"))


def _words(truth: dict, said: dict) -> float:
    return float(len(set(said["words"]) - set(truth["words"])))


def _reasoning(truth: dict, said: dict) -> float:
    """Contradicted claims first; then texts that choose the cues to mention badly."""
    wrong, _ = said["counts"].get("contradicted_rate", (0, 0))
    chosen, of = said["counts"].get("chosen_cue_f1", (0, 0))
    return wrong + 1 - (chosen / of if of else 1.0)


def _pairs(truth: dict, said: dict) -> float:
    return float(len({tuple(pair) for pair in truth["pairs"]} ^ {tuple(pair) for pair in said["pairs"]}))


def _answer(truth: dict, said: dict) -> float:
    return float(truth["answer"] != said["answer"])


_MISTAKE = {
    "emotion": _label, "action_units": _units, "sentiment": _sentiment, "valence_arousal": _affect, "open_vocabulary": _words,
    "reasoning": _reasoning, "causes": _pairs, "hallucination": _answer,
}  # fmt: skip
