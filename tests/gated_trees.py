"""Tiny trees in the official layouts of data sets that cannot be had freely, and the records each must give.

Contents are made up; only names, columns and codes follow the sets. `PICTURE`, `SOUND` and `CLIP` stand for media files.
An expected line is what `line` prints of a record:

    split | group | media | labels, then what else the record says
"""

import wave
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from xml.sax.saxutils import escape

import numpy as np
from PIL import Image

from emoreason.instructions.record import AuLabel, Record

PICTURE, SOUND, CLIP = object(), object(), object()


@dataclass(frozen=True)
class Npy:
    """A single string in a numpy file."""

    text: str


@dataclass(frozen=True)
class Sheet:
    """A workbook of one sheet: a line a row, cells between commas, numbers as numbers."""

    text: str


@dataclass(frozen=True)
class Tree:
    """`files`: relative path -> text, `Npy`, `Sheet` or a medium; `failures`: the reasons of what must be left out."""

    files: dict[str, object]
    lines: list[str]
    failures: list[str] = field(default_factory=list)

    def write(self, root: Path) -> Path:
        for shade, (name, content) in enumerate(self.files.items()):
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            _write(path, content, shade)
        return root


def _write(path: Path, content: object, shade: int) -> None:
    if content is PICTURE:
        Image.new("RGB", (8, 8), (shade * 7 % 256, shade % 256, 90)).save(path)
    elif content is SOUND:
        with wave.open(str(path), "wb") as sound:
            sound.setnchannels(1)
            sound.setsampwidth(2)
            sound.setframerate(16000)
            sound.writeframes(np.full(1600, shade, dtype="<i2").tobytes())
    elif content is CLIP:
        path.write_bytes(b"clip %d" % shade)  # readers name media, they do not open them
    elif isinstance(content, Npy):
        np.save(path, np.array(content.text), allow_pickle=False)  # AffectNet keeps its numbers as strings
    elif isinstance(content, Sheet):
        write_sheet(path, [row.split(",") for row in content.text.splitlines()])
    else:
        assert isinstance(content, str)
        path.write_text(content, encoding="utf-8", newline="")


def write_sheet(path: Path, rows: list[list[str]]) -> None:
    """The least that is an xlsx file (ECMA-376): one sheet, text inside the cells."""
    office = "http://schemas.openxmlformats.org"
    main, package = f"{office}/spreadsheetml/2006/main", f"{office}/package/2006"
    links = f"{office}/officeDocument/2006/relationships"
    kinds = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    cells = ("".join(_cell(column, number, text) for column, text in enumerate(row)) for number, row in enumerate(rows, 1))
    lines = "".join(f'<row r="{number}">{row}</row>' for number, row in enumerate(cells, 1))
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{package}/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{kinds}.sheet.main+xml"/>'
        f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{kinds}.worksheet+xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{package}/relationships">'
        f'<Relationship Id="r1" Type="{links}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{links}">'
        '<sheets><sheet name="one" sheetId="1" r:id="r1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{package}/relationships">'
        f'<Relationship Id="r1" Type="{links}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{main}"><sheetData>{lines}</sheetData></worksheet>',
    }
    with zipfile.ZipFile(path, "w") as file:
        for name, content in parts.items():
            file.writestr(name, f'<?xml version="1.0" encoding="UTF-8"?>{content}')


def _cell(column: int, row: int, text: str) -> str:
    place = f"{chr(ord('A') + column)}{row}"
    if text.isdigit() and not text.startswith("0"):
        return f'<c r="{place}"><v>{text}</v></c>'
    return f'<c r="{place}" t="inlineStr"><is><t>{escape(text)}</t></is></c>' if text else ""


def line(record: Record) -> str:
    """What a record says, on one line."""
    labels = [label.value or _shares(label.shares or {}) for label in record.labels]
    said = [record.compound, record.sentiment, *(_unit(unit) for unit in record.action_units)]
    said += [f"{name}={value:g}" for name, value in _numbers(record).items() if value is not None]
    said += [f"open:{word}" for word in record.open_labels] + [f"because:{s.text}" for s in record.explanation]
    said += [f"turn {record.target_turn} of {len(record.turns)}"] if record.turns and record.target_turn is not None else []
    said += [f"{c.effect}<-{c.cause}:{c.emotion}" for c in record.causes]
    said += [f"'{record.transcript}'"] if record.transcript else []
    said += [f"{record.probe.question} {record.probe.answer} of {record.probe.pair}"] if record.probe else []
    said += [f"@{record.span.start_s:g}-{record.span.end_s:g}"] if record.span else []
    return " | ".join((record.split, record.group, _media(record), " ".join([*labels, *filter(None, said)])))


def _shares(shares: dict[str, float]) -> str:
    return "+".join(f"{name}:{share:g}" for name, share in shares.items() if share)


def _unit(unit: AuLabel) -> str:
    side = unit.side[0].upper() if unit.side and unit.side != "both" else ""
    level = f":{unit.intensity:g}" if unit.intensity is not None else ""
    return f"{'' if unit.present else '-'}{side}{unit.au}{level}"


def _numbers(record: Record) -> dict[str, float | None]:
    return {"score": record.sentiment_score, "v": record.valence, "a": record.arousal}


def _media(record: Record) -> str:
    media = record.media
    if media is None:
        return "-"
    frames = f"{media.frames[0]}+{len(media.frames) - 1}" if media.frames else None
    return ",".join(name for name in (media.video, media.image, media.audio, frames) if name)
