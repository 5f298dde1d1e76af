"""Preview: one self-contained page that shows what the model is shown and taught, for a few records of a data set.

Everything from outside is escaped by the template; the page's own style is allowed by its hash, pictures are part of the page,
and nothing else is loaded.
"""

import base64
import hashlib
import io
import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from itertools import zip_longest
from pathlib import Path

import jinja2
import numpy as np
from markupsafe import Markup
from PIL import Image

from emoreason.errors import EmoReasonError
from emoreason.instructions.collator import Source
from emoreason.instructions.conversation import Conversation, converse, passages
from emoreason.instructions.observe_all import Roots, clip_jobs, data_store, find, jobs_of, observe_all
from emoreason.instructions.recipe import Recipe
from emoreason.instructions.record import Record
from emoreason.instructions.tasks import tasks_of
from emoreason.media import Clip

MOST_FRAMES, MAX_SIDE, LEAST_SIDE, QUALITY = 6, 240, 144, 85
BINS = 240  # of the waveform
_FIELDS = (
    "dataset", "split", "group", "licence", "compound", "sentiment", "sentiment_score", "valence", "arousal", "person",
)  # fmt: skip


@dataclass(frozen=True)
class Picture:
    """One frame as the page holds it."""

    time_s: float
    jpeg: str  # base64
    width: int
    height: int


@dataclass(frozen=True)
class Shown:
    """One record on the page. `wave`: the loudest sample of each of BINS stretches, 0..1. `problems`: what could not be read."""

    conversation: Conversation
    pictures: tuple[Picture, ...]
    wave: tuple[float, ...]
    seconds: float
    problems: tuple[str, ...]


def show(conversation: Conversation, roots: Roots) -> Shown:
    """Frames and waveform of a record, read from its files within the conversation's seconds; a file that cannot be read is
    named on the page."""
    pictures: list[Picture] = []
    wave: tuple[float, ...] = ()
    problems, segment, seconds = [], conversation.segment, 0.0
    for job in clip_jobs(conversation.record, roots):
        try:
            clip = job.clip()
            end_s = min(segment.end_s, clip.duration_s) if segment.end_s > segment.start_s else clip.duration_s
            if clip.has_video and len(pictures) < MOST_FRAMES:
                pictures += _pictures(clip, segment.start_s, end_s)
            if clip.has_audio:
                wave, seconds = waveform(clip.audio(segment.start_s, end_s)), end_s - segment.start_s
        except (EmoReasonError, OSError) as error:
            problems.append(str(error))
    return Shown(conversation, tuple(pictures), wave, seconds, tuple(problems))


def few(records: Sequence[Record], count: int, rng: random.Random) -> list[Record]:
    """Up to `count` records of as many different labels as there are, in their own order."""
    by_label: dict[str, list[Record]] = {}
    for record in records:
        by_label.setdefault(record.labels[0].value or "" if record.labels else "", []).append(record)
    piles = [rng.sample(pile, min(count, len(pile))) for _, pile in sorted(by_label.items())]
    rng.shuffle(piles)
    taken = [record for row in zip_longest(*piles) for record in row if record is not None][:count]
    places = {record.id: place for place, record in enumerate(records)}
    return sorted(taken, key=lambda record: places[record.id])


def source_of(recipe: Recipe, root: Path, records: Sequence[Record], words: bool = True) -> Source:
    """A data set by itself: everything is asked that its labels allow."""
    return Source(records, root, {recipe.name: tasks_of(recipe)}, questions=None, words=words)


def preview(records: Sequence[Record], source: Source, title: str, store: Path, seed: int = 0) -> str:
    """The page of `records`, some of the source's, measured now if they were not yet. Records of which nothing is asked are left
    out."""
    observe_all(jobs_of(records, source.roots, source.words), store, workers=1)
    kept, shown = data_store(store), []
    for record in records:
        seen = find(record, source.roots, kept, source.words)
        made = converse(record, seen, source.tasks_for(record), random.Random(f"{seed} {record.id}"), source.questions)
        shown += [show(made, source.roots)] if made is not None else []
    return page(shown, title)


def _pictures(clip: Clip, start_s: float, end_s: float) -> list[Picture]:
    count = 1 if clip.kind == "picture" else MOST_FRAMES
    times_s = np.linspace(start_s, max(start_s, end_s), count + 2)[1:-1]  # neither the very first frame nor the last
    return [picture(frame.time_s, frame.image) for frame in clip.frames(times_s, max_side=MAX_SIDE)]


def picture(time_s: float, image: np.ndarray) -> Picture:
    """Small pictures are enlarged, pixels kept as squares: that is how little there is to see."""
    height, width = image.shape[:2]
    times = max(1, LEAST_SIDE // max(height, width))
    out = io.BytesIO()
    large = Image.fromarray(image).resize((width * times, height * times), Image.Resampling.NEAREST)
    large.save(out, "JPEG", quality=QUALITY)
    return Picture(time_s, base64.b64encode(out.getvalue()).decode(), *large.size)


def waveform(sound: np.ndarray) -> tuple[float, ...]:
    """float32 [n] -> at most BINS peaks, 0..1 of the loudest."""
    if not len(sound):
        return ()
    edges = np.linspace(0, len(sound), min(BINS, len(sound)) + 1).astype(int)
    peaks = np.array([np.abs(sound[start:stop]).max() for start, stop in zip(edges, edges[1:], strict=False)])
    return tuple(float(value) for value in peaks / max(peaks.max(), 1e-9))


def page(shown: Sequence[Shown], title: str) -> str:
    """One HTML document without any outside reference."""
    css = resources.files(__package__).joinpath("preview.css").read_text("utf-8")
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    policy = f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    return _template().render(
        shown=shown, title=title, css=Markup(css), policy=policy, passages=passages, labels=labels, facts=facts, bins=BINS
    )


def labels(conversation: Conversation) -> list[str]:
    """The record's labels in its own words: what the answers are made from, and what the prompts must not tell."""
    record = conversation.record
    said = []
    for label in record.labels:
        shares = sorted((label.shares or {}).items(), key=lambda item: -item[1])
        votes = ", ".join(f"{word} {share:.2f}" for word, share in shares if share > 0)
        said.append(f"{label.scheme}: {label.value or 'no single label'}" + (f" ({votes})" if votes else ""))
    said += [f"open: {', '.join(record.open_labels)}"] if record.open_labels else []
    units = [unit.au for unit in record.action_units if unit.present]
    said += [f"action units: {' '.join(units) or 'none of those coded'}"] if record.action_units else []
    return said


def facts(conversation: Conversation) -> list[tuple[str, str]]:
    """What else is known of the record."""
    record = conversation.record
    known = [(name.replace("_", " "), str(value)) for name in _FIELDS if (value := getattr(record, name)) is not None]
    bare = record.media is None and not (record.turns or record.transcript)
    known += [("media", "not at hand: asked as if they were shown")] if bare else []
    known += [("seconds", f"{record.span.start_s:.2f}–{record.span.end_s:.2f}")] if record.span else []
    return known + ([("made of", ", ".join(record.synthetic))] if record.synthetic else [])


@cache
def _template() -> jinja2.Template:
    loader = jinja2.PackageLoader(__package__, "")
    blocks = {"trim_blocks": True, "lstrip_blocks": True}
    environment = jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, **blocks)
    return environment.get_template("preview.html.j2")
