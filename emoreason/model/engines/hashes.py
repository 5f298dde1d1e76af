"""Hashes of large files, remembered: a file is read again only when its size or its time of change is another."""

import hashlib
import json
import os
import tempfile
from pathlib import Path

from emoreason import assets

FILE = "hashes.json"  # in the cache: {path: [size, time of change in ns, sha256]}


def sha256_of(file: Path) -> str:
    """Raises OSError when the file cannot be read. Two processes at once may forget each other's result, never mix them up."""
    known, path, stat = _known(), str(file.resolve()), file.stat()
    stamp = [stat.st_size, stat.st_mtime_ns]
    if path in known and known[path][:2] == stamp:
        return known[path][2]
    with file.open("rb") as content:
        found = hashlib.file_digest(content, "sha256").hexdigest()
    _remember({**{name: entry for name, entry in known.items() if os.path.exists(name)}, path: [*stamp, found]})
    return found


def _known() -> dict[str, list]:
    try:
        return json.loads((assets.home() / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):  # none yet, or cut short by a full disk: everything is hashed again
        return {}


def _remember(known: dict[str, list]) -> None:
    """Where the cache cannot be written, nothing is remembered and every run hashes."""
    try:
        assets.home().mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=assets.home(), prefix=f".{FILE}-", delete=False, encoding="utf-8") as file:
            json.dump(known, file)
        os.replace(file.name, assets.home() / FILE)
    except OSError:
        return
