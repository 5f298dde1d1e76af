"""The manifest: what is known of every file of a run, in one SQLite file that survives a kill at any moment.

It is bookkeeping, not the result: a file counts as done only while its report is there, too.
"""

import os
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from emoreason.errors import ConfigError
from emoreason.inference.batch.discover import Found

FILE = "manifest.sqlite"
PENDING, DONE, FAILED = "pending", "done", "failed"
VERSION = 1
_COLUMNS = "path, size, mtime_ns, sha256, id, state, config, tries, stage, error, message, seconds"
_TABLE = """
CREATE TABLE IF NOT EXISTS files (
    path BLOB PRIMARY KEY, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, sha256 TEXT, id TEXT, state TEXT NOT NULL,
    config TEXT, tries INTEGER NOT NULL DEFAULT 0, stage TEXT, error TEXT, message TEXT, seconds REAL, seen INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS by_state ON files (state);
"""


@dataclass(frozen=True)
class Entry:
    """One file. `config`: digest of the settings its report was made with. stage, error, message: of its last failure."""

    path: str
    size: int
    mtime_ns: int
    sha256: str | None = None
    id: str | None = None
    state: str = PENDING
    config: str | None = None
    tries: int = 0
    stage: str | None = None
    error: str | None = None
    message: str | None = None
    seconds: float | None = None


class Manifest:
    """Entries by path. Each change is on disk when the call returns; readers in other processes see whole changes only."""

    def __init__(self, folder: Path, readonly: bool = False):
        """Raises ConfigError when there is none to read, or it is damaged or of another version."""
        self.file = folder / FILE
        if readonly and not self.file.is_file():
            raise ConfigError(f"{folder}: holds no batch run ({FILE} is missing)")
        try:
            self.base = sqlite3.connect(f"file:{_quoted(self.file)}?mode={'ro' if readonly else 'rwc'}", uri=True, timeout=60)
            if not readonly:
                self.base.executescript(_TABLE)
                if not self.base.execute("PRAGMA user_version").fetchone()[0]:
                    self.base.execute(f"PRAGMA user_version = {VERSION}")
            version = self.base.execute("PRAGMA user_version").fetchone()[0]
        except sqlite3.DatabaseError as error:
            raise ConfigError(f"{self.file}: cannot be used ({error}); --restart begins a new one") from error
        if version != VERSION:
            raise ConfigError(f"{self.file}: is of version {version}, this program writes {VERSION}; --restart begins a new one")

    def close(self) -> None:
        self.base.close()

    def __enter__(self) -> "Manifest":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # taking stock

    def update(self, found: Iterable[Found]) -> None:
        """Make the files found the current ones, with all their tries before them. New or changed ones become pending.

        A changed file keeps its old report's id until the new report is there.
        """
        with self.base:
            self.base.execute("UPDATE files SET seen = 0, tries = 0")
            self.base.executemany(
                f"""INSERT INTO files (path, size, mtime_ns, state, seen) VALUES (?, ?, ?, '{PENDING}', 1)
                ON CONFLICT (path) DO UPDATE SET seen = 1,
                state = CASE WHEN size = excluded.size AND mtime_ns = excluded.mtime_ns THEN state ELSE '{PENDING}' END,
                size = excluded.size, mtime_ns = excluded.mtime_ns""",
                ((os.fsencode(file.path), file.size, file.mtime_ns) for file in found),
            )

    # reading

    def entries(self, *states: str, current: bool = True) -> Iterator[Entry]:
        """In order of path, those of this run's folder only unless `current` is False."""
        where = [*(["seen = 1"] if current else []), *([f"state IN ({','.join('?' * len(states))})"] if states else [])]
        query = f"SELECT {_COLUMNS} FROM files {'WHERE ' + ' AND '.join(where) if where else ''} ORDER BY path"
        for path, *rest in self.base.execute(query, states):
            yield Entry(os.fsdecode(path), *rest)

    def find(self, path: str) -> Entry | None:
        row = self.base.execute(f"SELECT {_COLUMNS} FROM files WHERE path = ?", (os.fsencode(path),)).fetchone()
        return None if row is None else Entry(os.fsdecode(row[0]), *row[1:])

    def counts(self) -> Counter[str]:
        """Current files by state."""
        return Counter(dict(self.base.execute("SELECT state, count(*) FROM files WHERE seen = 1 GROUP BY state")))

    def gone(self) -> int:
        """Files that were analysed once and are no longer in the folder; their reports stay."""
        return self.base.execute(f"SELECT count(*) FROM files WHERE seen = 0 AND state = '{DONE}'").fetchone()[0]

    # writing

    def done(self, path: str, sha256: str, identity: str, config: str, seconds: float) -> None:
        with self.base:
            self.base.execute(
                f"""UPDATE files SET state = '{DONE}', sha256 = ?, id = ?, config = ?, seconds = ?, tries = tries + 1,
                stage = NULL, error = NULL, message = NULL WHERE path = ?""",
                (sha256, identity, config, seconds, os.fsencode(path)),
            )

    def failed(self, path: str, stage: str, error: str, message: str, final: bool) -> None:
        """`final=False`: it will be tried again in this run, or in the next one if this is killed before."""
        message = message.encode(errors="backslashreplace").decode()  # it may name a file, whose name need not be text
        with self.base:
            self.base.execute(
                "UPDATE files SET state = ?, tries = tries + 1, stage = ?, error = ?, message = ? WHERE path = ?",
                (FAILED if final else PENDING, stage, error, message, os.fsencode(path)),
            )

    def add(self, entries: Iterable[Entry]) -> None:
        """Take entries as they are, for merging. An entry that is there already is left alone."""
        with self.base:
            self.base.executemany(
                f"INSERT OR IGNORE INTO files ({_COLUMNS}, seen) VALUES ({','.join('?' * 12)}, 1)",
                ((os.fsencode(e.path), *(getattr(e, name) for name in _COLUMNS.split(", ")[1:])) for e in entries),
            )


def _quoted(file: Path) -> str:
    """For an SQLite URI."""
    return str(file.absolute()).replace("%", "%25").replace("?", "%3f").replace("#", "%23")
