"""A gallery in a folder: one SQLite file, whose transactions make every change whole or absent.

Descriptors lie in chunks of up to `CHUNK` rows, so that a million are read in seconds and adding a few rewrites
nothing; every chunk has a checksum.
"""

import contextlib
import json
import os
import sqlite3
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from hicmd_tf.errors import UserError
from hicmd_tf.files import alone
from hicmd_tf.notation import other
from hicmd_tf.search.entries import (
    EARLIEST,
    LATEST,
    Entry,
    Hit,
    Info,
    Selection,
    checked,
    key,
    news,
    refuse_open,
    same_model,
)
from hicmd_tf.search.exact import Found, nearest
from hicmd_tf.search.inverted import InvertedFile

Array = np.ndarray[Any, Any]

FILE = "gallery.sqlite"
LOCK = "lock"
PARTIAL = f"{FILE}.tmp"
INVERTED = "ivf{}.npz"
CHUNK = 4096
FORMAT = 2
LONGEST = 1 << 16  # entries of a descriptor
VARIABLES = 500  # of one statement; SQLite takes 32766

SCHEMA = """
CREATE TABLE gallery (format INTEGER, model TEXT, length INTEGER, changes INTEGER, complete INTEGER);
CREATE TABLE chunk (id INTEGER PRIMARY KEY, descriptors BLOB NOT NULL, checksum INTEGER NOT NULL);
CREATE TABLE picture (
    id INTEGER PRIMARY KEY, chunk INTEGER NOT NULL, row INTEGER NOT NULL, key TEXT NOT NULL UNIQUE,
    path TEXT NOT NULL, identity INTEGER NOT NULL, camera INTEGER NOT NULL, modality TEXT NOT NULL, time REAL NOT NULL,
    digest TEXT NOT NULL, person TEXT NOT NULL, device TEXT NOT NULL
);
CREATE INDEX by_chunk ON picture (chunk, row);
"""
KINDS = (str, int, int, str, float, str, str, str)
COLUMNS = ", ".join(Entry._fields)
STORE = f"""
INSERT INTO picture (chunk, row, key, {COLUMNS}) VALUES (?, ?, ?, {", ".join("?" * len(Entry._fields))})
ON CONFLICT (key) DO UPDATE SET
{", ".join(f"{name} = excluded.{name}" for name in ("chunk", "row", *Entry._fields))}
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
    def create(cls, folder: Path, model: str, length: int, complete: bool = True) -> "Gallery":
        """A new, empty gallery for descriptors of a length. complete: whether no index is to fill it first.

        Raises UserError when the folder holds anything but what a killed process has left of this.
        """
        gallery = cls(folder)
        left = {LOCK, PARTIAL}
        if folder.exists() and (not folder.is_dir() or {file.name for file in folder.iterdir()} - left):
            raise UserError(f"{folder} exists already: add to it, or name another folder")
        gallery._make(model, length, complete)
        return gallery

    @classmethod
    def begin(cls, folder: Path, model: str, length: int) -> "Gallery":
        """A gallery for an index to fill and then to `finish`: a new one, or what a stopped index has left.

        Raises UserError when the folder holds a gallery that is complete, pictures of another model, or anything else.
        """
        if not (folder / FILE).is_file():
            return cls.create(folder, model, length, complete=False)
        cls.refuse_complete(folder)
        gallery = cls.open(folder)
        info = gallery.info()
        if not info.rows:
            gallery._make(model, length, complete=False)
        elif (info.model, info.length) != (model, length):
            raise UserError(
                f"{folder} holds {info.rows} pictures of an index that was stopped, described by the model "
                f"{info.model[:12]}, not by {model[:12]}: give that index command again, or delete the folder"
            )
        return gallery

    @classmethod
    def refuse_complete(cls, folder: Path) -> None:
        """Raises UserError when there is a gallery that no index has to end."""
        if (folder / FILE).is_file() and cls.open(folder).complete():
            raise UserError(f"{folder} exists already: add to it, or name another folder")

    def _make(self, model: str, length: int, complete: bool) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(
                f"{self.folder} can't be made ({error.strerror}): name a folder that you may write to"
            ) from error
        partial = self.folder / PARTIAL
        with self._writing():
            partial.unlink(missing_ok=True)
            with contextlib.closing(_connected(partial)) as connection:
                connection.execute("PRAGMA journal_mode = MEMORY")  # a kill leaves nothing but this one file
                connection.executescript(SCHEMA)
                connection.execute("INSERT INTO gallery VALUES (?, ?, ?, 0, ?)", (FORMAT, model, length, complete))
                connection.commit()
            os.replace(partial, self.folder / FILE)

    @classmethod
    def open(cls, folder: Path, inverted: "InvertedFile | None" = None) -> "Gallery":
        """An existing gallery. Raises UserError when there is none, or a damaged one."""
        gallery = cls(folder, inverted)
        gallery.info()
        return gallery

    def info(self) -> Info:
        """What it holds."""
        with self._reading() as connection:
            header = _header(connection)
            (rows,) = connection.execute("SELECT count(*) FROM picture").fetchone()
        return Info(header.model, header.length, rows)

    def complete(self) -> bool:
        """Whether the index that made it has ended."""
        with self._reading() as connection:
            return bool(_header(connection).complete)

    def finish(self) -> None:
        """Says that the index that made it has ended."""
        with self._writing(), self._changing() as connection:
            connection.execute("UPDATE gallery SET complete = 1")

    def known(self, paths: Sequence[str]) -> set[str]:
        """Those of the paths that it has."""
        return set(self.held(paths))

    def held(self, paths: Sequence[str]) -> dict[str, Entry]:
        """What it holds of those of the paths that it has."""
        with self._reading() as connection:
            return _held(connection, paths)

    def add(self, descriptors: Array, entries: Sequence[Entry], model: str) -> int:
        """Adds (N, D) descriptors in one transaction; on disk when it returns. See `Store.add`."""
        with self._writing(), self._changing() as connection:
            header = _header(connection)
            same_model(header.model, model)
            rows = checked(descriptors, header.length)
            held = _held(connection, [entry.path for entry in entries])
            fresh = news(entries, len(rows), held)
            former = _chunks_of(connection, [entries[i].path for i in fresh if entries[i].path in held])
            for start in range(0, len(fresh), CHUNK):
                chosen = fresh[start : start + CHUNK]
                chunk = _write_chunk(connection, rows[chosen])
                connection.executemany(
                    STORE, [(chunk, row, key(entries[i].path), *entries[i]) for row, i in enumerate(chosen)]
                )
            for chunk in former:
                self._shrink(connection, chunk)
            return len(fresh)

    def remove(self, selection: Selection) -> int:
        """Removes the selected pictures in one transaction; says how many. Raises UserError when no field is given."""
        refuse_open(selection)
        if selection.nothing:
            return 0
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
            header = _header(connection)
            queries = checked(queries, header.length)
            ids, rows = self._rows(connection, header.changes, selection)
            if self.inverted is not None:
                found = self._search_inverted(connection, selection, rows, queries, k)
            else:
                found = nearest(rows, queries, k)
            wanted = sorted({int(ids[row]) for _, best in found for row in best})
            entries = _entries(connection, wanted)
        return [
            [Hit(float(value), entries[int(ids[row])]) for value, row in zip(values, best, strict=True)]
            for values, best in found
        ]

    def _search_inverted(
        self, connection: sqlite3.Connection, selection: Selection, rows: Array, queries: Array, k: int
    ) -> Found:
        """By the inverted file of a modality, or of all, whose recall is that of pictures of the other modality."""
        assert self.inverted is not None
        modality = selection.modality
        if replace(selection, modality=None):
            raise UserError(
                "an inverted file is of a whole gallery or of one modality: search exactly among chosen paths, people, "
                "cameras and times"
            )

        if not len(rows):
            return nearest(rows, queries, k)

        def asking() -> Array:
            return self._read(connection, Selection(modality=other(modality)))[1]  # type: ignore[arg-type]

        file = self.folder / INVERTED.format(f"-{modality}" if modality else "")
        changes = _header(connection).changes
        return self.inverted.search(file, changes, rows, queries, k, asking if modality else None)

    def descriptors(self, selection: Selection = Selection()) -> Array:  # noqa: B008
        """(N, D) float32 in the order in which they were added."""
        with self._reading() as connection:
            return self._rows(connection, _header(connection).changes, selection)[1]

    def _rows(self, connection: sqlite3.Connection, changes: int, selection: Selection) -> tuple[Array, Array]:
        """(N,) numbers and (N, D) descriptors of the selected pictures, by number; kept until something changes."""
        key = (changes, selection)
        if self._loaded is None or self._loaded[0] != key:
            self._loaded = (key, *self._read(connection, selection))
        return self._loaded[1:]

    def _read(self, connection: sqlite3.Connection, selection: Selection) -> tuple[Array, Array]:
        pictures: list[tuple[int, int, int]] = []
        for part in [] if selection.nothing else _parts(selection):
            where, values = _where(part)
            pictures += connection.execute(f"SELECT id, chunk, row FROM picture{where}", values)
        pictures.sort(key=lambda picture: picture[0])
        if not all(isinstance(number, int) for picture in pictures for number in picture):
            raise Damaged("a picture's place is no number")
        ids, chunks, rows = np.array(pictures, np.int64).reshape(-1, 3).T
        found = np.empty((len(ids), _header(connection).length), np.float32)
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
            kept = self._chunk(connection, chunk, _header(connection).length)[[row for _, row in left]]
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
            raise UserError(f"{self.folder} is no gallery: make one with hicmd search index")
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


class _Header(NamedTuple):
    """The one row of the table gallery."""

    format: int
    model: str
    length: int
    changes: int
    complete: int


def _header(connection: sqlite3.Connection) -> _Header:
    found = connection.execute("SELECT * FROM gallery").fetchone()
    if found is None or found[0] != FORMAT:
        raise UserError(
            f"the gallery is not of format {FORMAT}, as those of other versions: delete its folder, then make it again "
            f"with hicmd search index"
        )
    if [type(value) for value in found] != [int, str, int, int, int] or not 1 <= found[2] <= LONGEST:
        raise Damaged(f"its descriptors are said to have the length {str(found[2])[:20]}")
    return _Header(*found)


def _write_chunk(connection: sqlite3.Connection, rows: Array) -> int:
    content = rows.tobytes()
    cursor = connection.execute(
        "INSERT INTO chunk (descriptors, checksum) VALUES (?, ?)", (content, zlib.crc32(content))
    )
    return int(cursor.lastrowid or 0)


def _held(connection: sqlite3.Connection, paths: Sequence[str]) -> dict[str, Entry]:
    wanted: dict[str, list[str]] = {}
    for path in paths:
        wanted.setdefault(key(path), []).append(path)
    found = _among(connection, f"key, {COLUMNS}", "key", list(wanted))
    return {path: _entry(name, rest) for name, *rest in found for path in wanted[name]}


def _chunks_of(connection: sqlite3.Connection, paths: Sequence[str]) -> set[int]:
    return {chunk for (chunk,) in _among(connection, "chunk", "key", [key(path) for path in paths])}


def _entries(connection: sqlite3.Connection, numbers: Sequence[int]) -> dict[int, Entry]:
    return {number: _entry(number, rest) for number, *rest in _among(connection, f"id, {COLUMNS}", "id", numbers)}


def _entry(name: str | int, values: Sequence[Any]) -> Entry:
    entry = Entry(*values)
    if tuple(map(type, entry)) != KINDS or not EARLIEST < entry.time < LATEST:
        raise Damaged(f"what it says of picture {name} can't be")
    return entry


def _among(connection: sqlite3.Connection, columns: str, name: str, values: Sequence[Any]) -> list[Any]:
    """Columns of the pictures whose column of a name has one of the values."""
    found: list[Any] = []
    for start in range(0, len(values), VARIABLES):
        part = list(values[start : start + VARIABLES])
        marks = ",".join("?" * len(part))
        found += connection.execute(f"SELECT {columns} FROM picture WHERE {name} IN ({marks})", part)
    return found


def _parts(selection: Selection) -> Iterator[Selection]:
    """The same in selections of few enough paths for a statement."""
    if selection.paths is None:
        yield selection
        return
    for start in range(0, len(selection.paths), VARIABLES):
        yield replace(selection, paths=selection.paths[start : start + VARIABLES])


def _where(selection: Selection) -> tuple[str, list[Any]]:
    """A condition of SQL with its values."""
    terms: list[str] = []
    values: list[Any] = []
    if selection.paths is not None:
        terms.append(f"key IN ({','.join('?' * len(selection.paths))})")
        values += selection.paths
    for column, among in (("identity", selection.identities), ("camera", selection.cameras)):
        if among is not None:
            terms.append(f"{column} IN (SELECT value FROM json_each(?))")
            values.append(json.dumps(among))
    for term, value in (
        ("modality = ?", selection.modality),
        ("time >= ?", selection.after),
        ("time < ?", selection.before),
    ):
        if value is not None:
            terms.append(term)
            values.append(value)
    return (f" WHERE {' AND '.join(terms)}" if terms else ""), values
