"""A row and the recipe's templates -> a Record. What does not fit raises ValueError; nothing gets a default label."""

import re
from collections import Counter
from difflib import get_close_matches
from hashlib import sha256
from pathlib import Path

from emoreason.instructions.readers.row import Row, fill, seconds
from emoreason.instructions.recipe import ActionUnits, Probed, Recipe, Scheme, Splits, Votes
from emoreason.instructions.record import AuLabel, ClosedLabel, Media, Probe, Record, Sentence, Span, Turn

_CODED = re.compile(r"([LR])?(?:AU)?(\d{1,2})([A-E])?", re.IGNORECASE)
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|(?<=[。！？；])")
_SIDES = {"L": "left", "R": "right"}


def record_of(row: Row, recipe: Recipe, root: Path) -> Record:
    """The record of one row."""
    columns = dict(row.columns)
    for column, words in recipe.values.items():
        columns[column] = words.get(columns.get(column, "").strip(), columns.get(column, ""))
    fields, scheme = recipe.fields, recipe.scheme

    def text(template: str | None) -> str | None:
        value = fill(template, columns) if template else ""
        return None if value in recipe.missing or not value else value

    def number(name: str) -> float | None:
        value = text(getattr(fields, name))
        return None if value is None else _polar(float(value), recipe.ranges.get(name, (-1, 1)))

    start, end = text(fields.start_s), text(fields.end_s)
    labels = _labels(text(fields.label), fields.label_separator, scheme) if fields.label else []
    labels += [_voted(fields.votes, columns, scheme)] if fields.votes else []
    return Record(
        id=text(fields.id) or _absent("id"),
        dataset=recipe.name,
        split=_split(recipe.splits, columns),
        group=text(fields.group) or _absent("group"),
        licence=recipe.licence,
        media=_media(recipe, columns, root),
        span=Span(start_s=seconds(start), end_s=seconds(end)) if start and end else None,
        person=text(fields.person),
        cropped_face=recipe.faces == "cropped",
        labels=labels,
        open_labels=_listed(text(fields.open_labels)),
        compound=text(fields.compound),
        sentiment=text(fields.sentiment),
        sentiment_score=number("sentiment_score"),
        valence=number("valence"),
        arousal=number("arousal"),
        action_units=_units(fields.action_units, columns, recipe.missing) if fields.action_units else [],
        transcript=text(fields.transcript),
        transcribe=recipe.transcribe,
        language=text(fields.language),
        turns=[_turn(turn, scheme) for turn in row.turns],
        target_turn=row.target_turn,
        causes=[c.model_copy(update={"emotion": _known(c.emotion, scheme)}) if c.emotion else c for c in row.causes],
        probe=_probe(fields.probe, columns) if fields.probe else None,
        notes={name: value for name, template in fields.notes.items() if (value := text(template)) is not None},
        explanation=[
            Sentence(text=sentence.strip(), source=fields.explanation_source)
            for sentence in _SENTENCE_END.split(text(fields.explanation) or "")
            if sentence.strip()
        ],
    )


def _absent(what: str) -> str:
    raise ValueError(f"the {what} is empty")


def _probe(probe: Probed, columns: dict[str, str]) -> Probe:
    pair = fill(probe.pair, columns) if probe.pair else None
    return Probe(question=fill(probe.question, columns), answer=fill(probe.answer, columns), pair=pair)


def _polar(value: float, span: tuple[float, float]) -> float:
    low, high = span
    if not low <= value <= high:
        raise ValueError(f"{value} is outside {low} .. {high}")
    return 2 * (value - low) / (high - low) - 1


def _split(splits: Splits, columns: dict[str, str]) -> str:
    if splits.rest and not splits.members:
        return splits.rest  # the set has no splits
    name = fill(splits.of, columns)
    if splits.folds:
        name = str(int(sha256(name.encode()).hexdigest(), 16) % splits.folds)
    for split, members in splits.members.items():
        if name in members:
            return split
    if splits.rest:
        return splits.rest
    if splits.members:
        raise ValueError(f"'{name}' belongs to no split of the recipe")
    return name or _absent("split")


def _known(word: str, scheme: Scheme | None) -> str:
    """The scheme's label for what the file writes."""
    if scheme is None:
        raise ValueError(f"label '{word}', but the recipe has no scheme")
    label = scheme.words.get(word, word)
    if label not in scheme.labels:
        near = get_close_matches(label, scheme.labels, 1)
        hint = f"did it mean '{near[0]}'?" if near else f"labels: {', '.join(scheme.labels)}"
        raise ValueError(f"unknown label '{word}' in scheme '{scheme.name}'; {hint}")
    return label


def _labels(cell: str | None, separator: str | None, scheme: Scheme) -> list[ClosedLabel]:
    if cell is None:
        return []
    values = [_known(word.strip(), scheme) for word in (cell.split(separator) if separator else [cell])]
    if len(values) == 1 and values[0] in scheme.offered:
        return [ClosedLabel(scheme=scheme.name, value=values[0])]
    return [ClosedLabel(scheme=scheme.name, shares={value: n / len(values) for value, n in Counter(values).items()})]


def _voted(votes: Votes, columns: dict[str, str], scheme: Scheme) -> ClosedLabel:
    """Shares of the votes above the floor; a value only where one label has the majority."""
    raw = {label: float(fill(f"{{{column}}}", columns)) for label, column in votes.columns.items()}
    kept = {label: n if n > votes.floor else 0 for label, n in raw.items()}
    counted = kept if any(kept.values()) else raw  # single votes are noise beside others, but all there is where alone
    total = sum(counted.values())
    if total <= 0:
        raise ValueError("nobody voted")
    shares = {label: n / total for label, n in counted.items() if n > 0}
    first = max(shares, key=shares.__getitem__)
    tie = sum(n == shares[first] for n in shares.values()) > 1
    clear = counted is kept and not tie and shares[first] > votes.majority and first in scheme.offered
    return ClosedLabel(scheme=scheme.name, value=first if clear else None, shares=shares)


def _units(coding: ActionUnits, columns: dict[str, str], missing: list[str]) -> list[AuLabel]:
    if coding.text:
        return _units_in(fill(coding.text, columns), missing)
    if coding.pairs:
        return _units_of(fill(coding.pairs, columns).split(), coding.scale)
    units, rest = [], any(columns.get(column, "").strip() in values for column, values in coding.at_rest.items())
    for column, cell in columns.items():
        match = re.fullmatch(coding.columns, column)
        if match and rest:
            units.append(AuLabel(au=f"AU{int(match[1]):02d}", present=False))
        elif match and cell.strip() not in missing:
            value = float(cell)
            intensity = min(value / coding.scale, 1) if coding.scale > 1 else None
            units.append(AuLabel(au=f"AU{int(match[1]):02d}", present=value >= coding.present_from, intensity=intensity))
    return units


def _units_in(text: str, missing: list[str]) -> list[AuLabel]:
    """ "R12B+14" -> AU12 on the right at B of A..E, AU14."""
    units = []
    for part in re.split(r"[+_,;\s]+", text.strip()) if text not in missing else ():
        match = _CODED.fullmatch(part)
        if not match:
            raise ValueError(f"'{part}' in '{text}' is no action unit")
        side, number, letter = match.groups()
        intensity = ("ABCDE".index(letter.upper()) + 1) / 5 if letter else None
        units.append(AuLabel(au=f"AU{int(number):02d}", intensity=intensity, side=_SIDES[side.upper()] if side else None))
    return units


def _units_of(numbers: list[str], scale: float) -> list[AuLabel]:
    """ "9 0 17 5" -> AU09, present but not graded, and AU17 at its strongest."""
    graded = [(int(float(unit)), float(level)) for unit, level in zip(numbers[::2], numbers[1::2], strict=True)]
    return [AuLabel(au=f"AU{unit:02d}", intensity=level / scale if level else None) for unit, level in graded]


def _natural(path: Path) -> list[str | int]:
    """frame2 before frame10."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", path.as_posix())]


def _listed(text: str | None) -> list[str]:
    """Words of "a, b; c" or of a list written out as ['a', 'b']."""
    if not text:
        return []
    return [word for part in re.split(r"[,;/、，]", text.strip("[]")) if (word := part.strip(" '\""))]


def _media(recipe: Recipe, columns: dict[str, str], root: Path) -> Media | None:
    """Paths under the root. A missing file stays named, so that validation finds it, unless the recipe calls media optional."""
    fields, paths = recipe.fields, {}
    for kind in ("image", "video", "audio"):
        template = getattr(fields, kind)
        candidates = [fill(one, columns) for one in ([template] if isinstance(template, str) else template or ())]
        there = next((path for path in candidates if (root / path).is_file()), None)
        if there or (candidates and not recipe.media_optional):
            paths[kind] = there or candidates[0]
    if fields.frames:
        pattern = fill(fields.frames, columns)
        paths["frames"] = [path.relative_to(root).as_posix() for path in sorted(root.glob(pattern), key=_natural)]
        if not paths["frames"] and not recipe.media_optional:
            raise ValueError(f"no frames at {pattern}")
    return Media(**paths, frame_rate=fields.frame_rate) if any(paths.values()) else None


def _turn(turn: Turn, scheme: Scheme | None) -> Turn:
    return turn.model_copy(update={"emotion": _known(turn.emotion, scheme)}) if turn.emotion else turn
