"""Which samples went most wrong, for a person to look at: with a picture, and the judge's whole report of each."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from emoreason.errors import EmoReasonError
from emoreason.evaluation.inputs import SampleInput
from emoreason.evaluation.results import SampleResult
from emoreason.evaluation.samples import SuiteSamples
from emoreason.evaluation.tasks import EvaluationTask
from emoreason.evaluation.verdicts import reports
from emoreason.inference.judges import Judge

MOST = 12
SIDE = 160  # px of a picture's longer side
FOLDER = "worst"


@dataclass(frozen=True)
class WorstSample:
    """`picture`: JPEG as base64, None of sound and words. `page`: of the whole report, relative to the result folder."""

    row: SampleResult
    words: str = ""
    picture: str | None = None
    page: str | None = None


def worst(task: EvaluationTask, rows: Sequence[SampleResult], most: int = MOST) -> list[SampleResult]:
    """The `most` largest mistakes; equal ones in the order of the samples. Samples without an answer are listed apart."""
    wrong = [(task.mistake(row.truth, row.prediction), row) for row in rows if row.prediction is not None]
    return [row for size, row in sorted(wrong, key=lambda pair: -pair[0]) if size > 0][:most]


def look(rows: Sequence[SampleResult], samples: SuiteSamples, judge: Judge, folder: Path, store: Path) -> list[WorstSample]:
    """Pictures and report pages of `rows`, below `folder`/worst. What cannot be read any more is shown without."""
    by_id = {sample.id: sample for sample in samples.samples}
    found = []
    for row in rows:
        try:
            one, page = samples.input_of(by_id[row.id], store, judge), None
            if one.observation is not None:
                (written,) = reports(judge, [one])[0].save(folder / FOLDER, formats=["html"])
                page = written.relative_to(folder).as_posix()
            found.append(WorstSample(row, _brief(one), picture(one), page))
        except (EmoReasonError, OSError) as error:
            found.append(WorstSample(row, f"({error})"))
    return found


def _brief(one: SampleInput) -> str:
    """The words that were judged: the utterance, or the dialogue where it is judged as a whole."""
    record = one.record
    lines = [record.transcript] if record.transcript else [f"({n}) {turn.text}" for n, turn in enumerate(record.turns, 1)]
    return " ".join(lines)


def picture(one: SampleInput) -> str | None:
    """The picture, or the middle frame of a video, as base64 of a JPEG. Raises MediaError."""
    if one.clip is None or not one.clip.has_video:
        return None
    frame = next(iter(one.clip.frames([one.clip.source.duration_s / 2], max_side=SIDE)), None)
    if frame is None:
        return None
    buffer = io.BytesIO()
    Image.fromarray(frame.image).save(buffer, "JPEG", quality=80)
    return base64.b64encode(buffer.getvalue()).decode()
