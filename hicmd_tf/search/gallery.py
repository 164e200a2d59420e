"""A gallery in a folder: one SQLite file, whose transactions make every change whole or absent.

Descriptors lie in chunks of up to `CHUNK` rows, so that a million are read in seconds and adding a few rewrites
nothing; every chunk has a checksum.
"""

import contextlib
import os
import sqlite3
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hicmd_tf.errors import UserError
from hicmd_tf.files import alone
from hicmd_tf.search.entries import Entry, Hit, Info, Selection, checked, same_model
from hicmd_tf.search.exact import nearest
from hicmd_tf.search.inverted import InvertedFile

Array = np.ndarray[Any, Any]

FILE = "gallery.sqlite"
LOCK = "lock"
INVERTED = "ivf.npz"
CHUNK = 4096
FORMAT = 1
LONGEST = 1 << 16  # entries of a descriptor
EARLIEST, LATEST = -6e10, 2.5e11  # seconds; a calendar has no more
VARIABLES = 500  # of one statement; SQLite takes 32766

SCHEMA = """
CREATE TABLE gallery (format INTEGER, model TEXT, length INTEGER, changes INTEGER);
CREATE TABLE chunk (id INTEGER PRIMARY KEY, descriptors BLOB NOT NULL, checksum INTEGER NOT NULL);
CREATE TABLE picture (
    id INTEGER PRIMARY KEY, chunk INTEGER NOT NULL, row INTEGER NOT NULL,
    path TEXT NOT NULL UNIQUE, identity INTEGER NOT NULL, camera INTEGER NOT NULL, modality TEXT NOT NULL,
    time REAL NOT NULL
);
CREATE INDEX by_chunk ON picture (chunk, row);
"""


class Damaged(Exception):  # noqa: N818 (told to the user in the words of `Gallery._reading`)
    """What a gallery's file holds can't be what was written."""


class Gallery:
    """A gallery's folder. Several may read it; one at a time may change it.

    inverted: probes of an inverted file to search with instead of exactly, see `InvertedFile`; None: exactly.
    """

    def __init__(self, folder: Path, inverted: "InvertedFile | None" = None) -> None:
        self.folder = folder
        self.inverted = inverted
        self._loaded: tuple[tuple[int, Selection], Array, Array] | None = None

    @classmethod
    def create(cls, folder: Path, model: str, length: int) -> "Gallery":
        """A new, empty gallery for descriptors of a length. Raises UserError when the folder holds anything."""
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise UserError(f"{folder} exists already: add to it, or name another folder")
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(
                f"{folder} can't be made ({error.strerror}): name a folder that you may write to"
            ) from error
        gallery = cls(folder)
        partial = folder / f"{FILE}.tmp"
        with gallery._writing(), contextlib.closing(_connected(partial)) as connection:
            connection.executescript(SCHEMA)
            connection.execute("INSERT INTO gallery VALUES (?, ?, ?, 0)", (FORMAT, model, length))
            connection.commit()
        os.replace(partial, folder / FILE)
        return gallery

    @classmethod
    def open(cls, folder: Path, inverted: "InvertedFile | None" = None) -> "Gallery":
        """An existing gallery. Raises UserError when there is none, or a damaged one."""
        gallery = cls(folder, inverted)
        gallery.info()
        return gallery

    def info(self) -> Info:
        """What it holds."""
        with self._reading() as connection:
            _, model, length, _ = _header(connection)
            (rows,) = connection.execute("SELECT count(*) FROM picture").fetchone()
        return Info(model, length, rows)

    def known(self, paths: Sequence[str]) -> set[str]:
        """Those of the paths that it has."""
        with self._reading() as connection:
            return _known(connection, paths)

    def add(self, descriptors: Array, entries: Sequence[Entry], model: str) -> int:
        """Adds (N, D) descriptors in one transaction; on disk when it returns. Says how many paths were new."""
        with self._writing(), self._changing() as connection:
            _, expected, length, _ = _header(connection)
            same_model(expected, model)
            rows = checked(descriptors, length)
            if len(rows) != len(entries):
                raise UserError(f"there are {len(rows)} descriptors for {len(entries)} pictures, expected one each")
            known = _known(connection, [entry.path for entry in entries])
            first = {entry.path: i for i, entry in reversed(list(enumerate(entries))) if entry.path not in known}
            fresh = sorted(first.values())
            for start in range(0, len(fresh), CHUNK):
                chosen = fresh[start : start + CHUNK]
                chunk = _write_chunk(connection, rows[chosen])
                connection.executemany(
                    "INSERT INTO picture (chunk, row, path, identity, camera, modality, time) VALUES (?,?,?,?,?,?,?)",
                    [(chunk, row, *entries[i]) for row, i in enumerate(chosen)],
                )
            return len(fresh)

    def remove(self, selection: Selection) -> int:
        """Removes the selected pictures in one transaction; says how many."""
        with self._writing(), self._changing() as connection:
            removed = 0
            for part in _parts(selection):
                where, values = _where(part)
                chunks = connection.execute(f"SELECT DISTINCT chunk FROM picture{where}", values).fetchall()
                removed += connection.execute(f"DELETE FROM picture{where}", values).rowcount
                for (chunk,) in chunks:
                    self._shrink(connection, chunk)
            return removed

    def search(self, queries: Array, k: int, selection: Selection = Selection()) -> list[list[Hit]]:  # noqa: B008
        """The k most similar pictures for each of the queries (Q, D), best first; see `Store.search`."""
        with self._reading() as connection:
            _, _, length, changes = _header(connection)
            queries = checked(queries, length)
            ids, rows = self._rows(connection, changes, selection)
            if self.inverted is not None and not selection and len(rows):
                found = self.inverted.search(self.folder / INVERTED, changes, rows, queries, k)
            else:
                found = nearest(rows, queries, k)
            wanted = sorted({int(ids[row]) for _, best in found for row in best})
            entries = _entries(connection, wanted)
        return [
            [Hit(float(value), entries[int(ids[row])]) for value, row in zip(values, best, strict=True)]
            for values, best in found
        ]

    def descriptors(self, selection: Selection = Selection()) -> Array:  # noqa: B008
        """(N, D) float32 in the order in which they were added."""
        with self._reading() as connection:
            return self._rows(connection, _header(connection)[3], selection)[1]

    def _rows(self, connection: sqlite3.Connection, changes: int, selection: Selection) -> tuple[Array, Array]:
        """(N,) numbers and (N, D) descriptors of the selected pictures, by number; kept until something changes."""
        key = (changes, selection)
        if self._loaded is None or self._loaded[0] != key:
            self._loaded = (key, *self._read(connection, selection))
        return self._loaded[1:]

    def _read(self, connection: sqlite3.Connection, selection: Selection) -> tuple[Array, Array]:
        where, values = _where(selection)
        pictures = connection.execute(f"SELECT id, chunk, row FROM picture{where} ORDER BY id", values).fetchall()
        if not all(isinstance(number, int) for picture in pictures for number in picture):
            raise Damaged("a picture's place is no number")
        ids, chunks, rows = np.array(pictures, np.int64).reshape(-1, 3).T
        found = np.empty((len(ids), _header(connection)[2]), np.float32)
        order = np.argsort(chunks, kind="stable")
        ends = np.flatnonzero(np.diff(chunks[order])) + 1
        for group in np.split(order, ends) if len(order) else []:
            content, wanted = self._chunk(connection, int(chunks[group[0]]), found.shape[1]), rows[group]
            if not 0 <= wanted.min() <= wanted.max() < len(content):
                raise Damaged(f"descriptors {chunks[group[0]]} are fewer than pictures say")
            found[group] = content[wanted]
        return ids, found

    def _chunk(self, connection: sqlite3.Connection, chunk: int, length: int) -> Array:
        stored = connection.execute("SELECT descriptors, checksum FROM chunk WHERE id = ?", (chunk,)).fetchone()
        content = stored[0] if stored and isinstance(stored[0], bytes) else b""
        if not content or len(content) % (4 * length) or zlib.crc32(content) != stored[1]:
            raise Damaged(f"descriptors {chunk} are not what was written")
        return np.frombuffer(content, np.float32).reshape(-1, length)

    def _shrink(self, connection: sqlite3.Connection, chunk: int) -> None:
        """Drops rows that no picture has any more."""
        left = connection.execute("SELECT id, row FROM picture WHERE chunk = ? ORDER BY row", (chunk,)).fetchall()
        if left:
            kept = self._chunk(connection, chunk, _header(connection)[2])[[row for _, row in left]]
            content = kept.tobytes()
            connection.execute(
                "UPDATE chunk SET descriptors = ?, checksum = ? WHERE id = ?", (content, zlib.crc32(content), chunk)
            )
            moved = [(row, number) for row, (number, _) in enumerate(left)]
            connection.executemany("UPDATE picture SET row = ? WHERE id = ?", moved)
        else:
            connection.execute("DELETE FROM chunk WHERE id = ?", (chunk,))

    def _writing(self) -> contextlib.AbstractContextManager[None]:
        """Alone among processes that change this gallery. Raises UserError when another one does."""
        return alone(self.folder / LOCK, f"{self.folder} is being changed by another process: wait until that ends")

    @contextlib.contextmanager
    def _changing(self) -> Iterator[sqlite3.Connection]:
        """A transaction: all of it is on disk at the end, or nothing."""
        with self._reading() as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("UPDATE gallery SET changes = changes + 1")
            connection.commit()

    @contextlib.contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        file = self.folder / FILE
        if not file.is_file():
            raise UserError(f"{self.folder} is no gallery: make one with python -m hicmd_tf.search index")
        try:
            with contextlib.closing(_connected(file)) as connection:
                _refuse_code(connection)
                yield connection
        except Damaged as error:
            raise UserError(f"{file} is damaged ({error}): copy it from where it is whole") from error
        except sqlite3.Error as error:
            raise UserError(f"{file} can't be used ({error}): free space, or copy it from where it is whole") from error


def _connected(file: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(file, timeout=10, isolation_level=None)
    connection.execute("PRAGMA synchronous = FULL")  # a commit returns when the disk has it
    connection.execute("PRAGMA trusted_schema = OFF")  # nothing in a file of untrusted hands calls functions
    return connection


def _refuse_code(connection: sqlite3.Connection) -> None:
    """Views and triggers are SQL that a file brings along, and that asking it would run."""
    found = connection.execute("SELECT name FROM sqlite_master WHERE type IN ('view', 'trigger')").fetchone()
    if found is not None:
        raise Damaged(f"it holds {found[0]}, a view or trigger, which no gallery has")


def _header(connection: sqlite3.Connection) -> tuple[int, str, int, int]:
    header: tuple[int, str, int, int] | None = connection.execute("SELECT * FROM gallery").fetchone()
    if header is None or header[0] != FORMAT:
        raise UserError(f"the gallery is not of format {FORMAT}: make it again with python -m hicmd_tf.search index")
    kinds = [type(value) for value in header]
    if kinds != [int, str, int, int] or not 1 <= header[2] <= LONGEST:
        raise Damaged(f"its descriptors are said to have the length {str(header[2])[:20]}")
    return header


def _write_chunk(connection: sqlite3.Connection, rows: Array) -> int:
    content = rows.tobytes()
    cursor = connection.execute(
        "INSERT INTO chunk (descriptors, checksum) VALUES (?, ?)", (content, zlib.crc32(content))
    )
    return int(cursor.lastrowid or 0)


def _known(connection: sqlite3.Connection, paths: Sequence[str]) -> set[str]:
    found: set[str] = set()
    for start in range(0, len(paths), VARIABLES):
        part = list(paths[start : start + VARIABLES])
        marks = ",".join("?" * len(part))
        found.update(path for (path,) in connection.execute(f"SELECT path FROM picture WHERE path IN ({marks})", part))
    return found


def _entries(connection: sqlite3.Connection, numbers: Sequence[int]) -> dict[int, Entry]:
    found: dict[int, Entry] = {}
    for start in range(0, len(numbers), VARIABLES):
        part = list(numbers[start : start + VARIABLES])
        marks = ",".join("?" * len(part))
        columns = "id, path, identity, camera, modality, time"
        for number, *rest in connection.execute(f"SELECT {columns} FROM picture WHERE id IN ({marks})", part):
            entry = Entry(*rest)
            kinds = [type(value) for value in entry]
            if kinds != [str, int, int, str, float] or not EARLIEST < entry.time < LATEST:
                raise Damaged(f"what it says of picture {number} can't be")
            found[number] = entry
    return found


def _parts(selection: Selection) -> Iterator[Selection]:
    """The same in selections of few enough paths for a statement."""
    paths = list(selection.paths)
    for start in range(0, max(len(paths), 1), VARIABLES):
        yield Selection(
            paths[start : start + VARIABLES],
            selection.identities,
            selection.cameras,
            selection.modality,
            selection.after,
            selection.before,
        )


def _where(selection: Selection) -> tuple[str, list[Any]]:
    """A condition of SQL with its values."""
    terms: list[str] = []
    values: list[Any] = []
    for column, among in (("path", selection.paths), ("identity", selection.identities), ("camera", selection.cameras)):
        if among:
            terms.append(f"{column} IN ({','.join('?' * len(among))})")
            values += among
    for term, value in (
        ("modality = ?", selection.modality),
        ("time >= ?", selection.after),
        ("time < ?", selection.before),
    ):
        if value is not None:
            terms.append(term)
            values.append(value)
    return (f" WHERE {' AND '.join(terms)}" if terms else ""), values
