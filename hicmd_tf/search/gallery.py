"""A gallery in a folder: Parquet parts that nobody changes, and a manifest that lists them.

A change writes its new parts, then the manifest, which takes the place of the former one by renaming: a kill leaves the
gallery as it was before or as it is after. Parts that the manifest does not list are deleted at the end of a change, at
the latest of the next one. pandas and DuckDB read the parts as they are.
"""

import os
import re
import secrets
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from hicmd_tf.errors import UserError
from hicmd_tf.files import alone, is_leftover, read_json, replacing, sweep, write_json
from hicmd_tf.notation import MODALITIES, other
from hicmd_tf.search.entries import (
    EARLIEST,
    LATEST,
    Entry,
    Hit,
    Info,
    Selection,
    checked,
    key,
    lengths,
    news,
    refuse_open,
    same_model,
    unit,
)
from hicmd_tf.search.nearest import InvertedFile, Rows, nearest

Array = np.ndarray[Any, Any]

MANIFEST, LOCK = "gallery.json", "lock"
FORMER = "gallery.sqlite"  # of galleries before this form
PART = re.compile(r"part-\d{6,18}-[0-9a-f]{8}\.parquet", re.ASCII)
FORMAT = 3
ROWS = 1 << 15  # of a part, at most
LONGEST = 1 << 16  # numbers of a descriptor

COLUMNS = {  # the fields of an Entry, as `hicmd extract` calls them
    "name": pa.string(),
    "identity": pa.int64(),
    "camera": pa.int64(),
    "modality": pa.string(),
    "time": pa.float64(),
    "digest": pa.string(),
    "identity_text": pa.string(),
    "camera_text": pa.string(),
}


class Manifest(NamedTuple):
    """model: SHA-256 of the weights that described. length: of a descriptor. complete: whether the index that made the
    gallery has ended. changes: how many there were. parts: rows of each file, in order."""

    model: str
    length: int
    complete: bool
    changes: int
    parts: dict[str, int]


class Part(NamedTuple):
    """An open file, which can be read even when another process has deleted it. known: all columns but descriptors, and
    the `key` of each name."""

    path: Path
    file: Any
    known: Any

    def table(self, columns: Sequence[str] | None = None) -> Any:
        """All columns, or some."""
        with _whole(self.path):
            return self.file.read(columns, use_threads=False)

    def descriptors(self) -> Array:
        """(N, D) float32."""
        column = self.table(["descriptor"])["descriptor"].combine_chunks()
        return np.asarray(column.flatten().to_numpy().reshape(len(column), -1))


class Gallery:
    """A gallery's folder. Several processes may read it; one at a time may change it.

    Args:
        folder: where it is.
        inverted: approximate search; None: exact.
    """

    most = 1 << 31  # hits of a query

    def __init__(self, folder: Path, inverted: InvertedFile | None = None) -> None:
        self.folder, self.inverted = folder, inverted
        self._opened: dict[str, Part] = {}
        self._loaded: tuple[Any, Any, Rows, Array | None] | None = None

    @classmethod
    def begin(cls, folder: Path, model: str, length: int) -> "Gallery":
        """A gallery for an index to fill and then to `finish`: a new one, or what a stopped index has left.

        Args:
            folder: where; it is made.
            model: SHA-256 of the weights that describe.
            length: of a descriptor.

        Raises:
            UserError: as `refuse_complete` does, and where the stopped index was of another model.
        """
        cls.refuse_complete(folder)
        gallery, manifest = cls(folder), Manifest(model, length, False, 0, {})
        with gallery._alone():
            if (folder / MANIFEST).is_file():
                info, manifest = gallery.info(), gallery._manifest()._replace(model=model, length=length)
                if info.rows and (info.model, info.length) != (model, length):
                    raise UserError(
                        f"{folder} holds {info.rows} pictures of an index that was stopped, described by the model "
                        f"{info.model[:12]}, not by {model[:12]}: give that index command again, or delete the folder"
                    )
            gallery._write(manifest)
        return gallery

    @classmethod
    def refuse_complete(cls, folder: Path) -> None:
        """Raises UserError when there is anything but what a stopped or killed index has left."""
        _refuse_former(folder)
        if (folder / MANIFEST).is_file():
            taken = cls(folder).complete()
        else:
            taken = folder.exists() and (
                not folder.is_dir() or any(file.name != LOCK and not is_leftover(file) for file in folder.iterdir())
            )
        if taken:
            raise UserError(f"{folder} exists already: add to it, or name another folder")

    @classmethod
    def open(cls, folder: Path, inverted: InvertedFile | None = None) -> "Gallery":
        """An existing gallery. Raises UserError when there is none."""
        gallery = cls(folder, inverted)
        gallery.info()
        return gallery

    def info(self) -> Info:
        """What it holds."""
        manifest = self._manifest()
        return Info(manifest.model, manifest.length, sum(manifest.parts.values()))

    def complete(self) -> bool:
        """Whether the index that made it has ended."""
        return self._manifest().complete

    def finish(self) -> None:
        """Says that the index that made it has ended."""
        with self._alone():
            self._write(self._manifest()._replace(complete=True))

    def held(self, paths: Sequence[str]) -> dict[str, Entry]:
        """What it holds of those of the paths that it has."""
        return _held(_known(self._read()[1]), paths)

    def add(self, descriptors: Array, entries: Sequence[Entry], model: str) -> int:
        """Adds pictures, all or none; they are on disk when it returns.

        A picture that the gallery has replaces its former state; where nothing that is known of it has changed, it is
        left as it is.

        Args:
            descriptors: (N, D).
            entries: what is known of each picture.
            model: SHA-256 of the weights that described.

        Returns:
            How many were written.

        Raises:
            UserError: for descriptors of another model or length, and for what can't be kept.
        """
        with self._changing() as (manifest, parts):
            same_model(manifest.model, model)
            descriptors = np.asarray(descriptors)
            scales, known = lengths(descriptors, manifest.length), _known(parts)
            held = _held(known, [entry.path for entry in entries])
            fresh = news(entries, len(scales), held)
            former = [entries[i].path for i in fresh if entries[i].path in held]

            def tables() -> Iterator[Any]:
                for start in range(0, len(fresh), ROWS):
                    some = fresh[start : start + ROWS]
                    yield _table(unit(descriptors[some], scales[some]), [entries[i] for i in some])

            if fresh:
                self._commit(manifest, parts, _meant(known, Selection(paths=former)), tables(), len(fresh))
            return len(fresh)

    def remove(self, selection: Selection) -> int:
        """Removes the selected pictures, all or none; says how many. Raises UserError when every field is open."""
        refuse_open(selection)
        with self._changing() as (manifest, parts):
            gone = _meant(_known(parts), selection)
            if len(gone):
                self._commit(manifest, parts, gone, (), 0)
            return len(gone)

    def search(self, queries: Array, k: int, selection: Selection = Selection()) -> list[list[Hit]]:  # noqa: B008
        """The most similar of the selected pictures for each query.

        It knows nothing of the queries: `look_up` leaves out what people don't look for.

        Args:
            queries: (Q, D).
            k: how many to find.
            selection: which pictures are searched.

        Returns:
            For each query its hits, best first; of equally similar ones the one that was written first.
        """
        manifest, parts = self._read()
        queries = checked(queries, manifest.length)
        state = manifest.parts, selection
        if self._loaded is None or self._loaded[0] != state:
            self._loaded = None  # not in memory beside the next ones
            chosen, rows = _rows(parts, selection, manifest.length)
            self._loaded = state, chosen.combine_chunks(), rows, rows.gathered() if self.inverted is None else None
        _, chosen, rows, gathered = self._loaded
        if self.inverted is None:
            found = nearest(gathered, queries, k)  # type: ignore[arg-type]
        elif replace(selection, modality=None):
            raise UserError(
                "an inverted file is of a whole gallery or of one modality: search exactly among chosen paths, people, "
                "cameras and times"
            )
        else:
            asking = Selection(modality=other(selection.modality)) if selection else Selection(paths=())  # type: ignore
            found = self.inverted.search(state, rows, lambda: _rows(parts, asking, manifest.length)[1], queries, k)
        return [
            [*map(Hit, values.tolist(), _as_entries(chosen.take(pa.array(rows, pa.int64()))))] for values, rows in found
        ]

    def _manifest(self) -> Manifest:
        file = self.folder / MANIFEST
        _refuse_former(self.folder)
        if not file.is_file():
            raise UserError(f"{self.folder} is no gallery: make one with hicmd search index")
        try:
            given = read_json(file)
            form, manifest = given.pop("format"), Manifest(**given)
            fits = [*map(type, manifest)] == [str, int, bool, int, dict] and 1 <= manifest.length <= LONGEST
            for name, rows in manifest.parts.items():
                fits &= PART.fullmatch(name) is not None and 1 <= rows <= ROWS
        except (UserError, AttributeError, KeyError, TypeError) as error:
            raise _damaged(file, error) from error
        if form != FORMAT or not fits:
            raise _damaged(file, f"it is not of form {FORMAT}")
        return manifest

    def _write(self, manifest: Manifest) -> None:
        """Puts a manifest in the place of the former one; on disk when it returns."""
        write_json(self.folder / MANIFEST, {"format": FORMAT, **manifest._asdict()})
        folder = os.open(self.folder, os.O_RDONLY)
        try:
            os.fsync(folder)  # names of files
        finally:
            os.close(folder)

    def _read(self) -> tuple[Manifest, list[Part]]:
        """The manifest and its parts."""
        while True:
            manifest = self._manifest()
            try:
                self._opened = {
                    name: self._opened.get(name) or _open(self.folder / name, rows, manifest.length)
                    for name, rows in manifest.parts.items()
                }
                return manifest, [*self._opened.values()]
            except FileNotFoundError as error:
                if self._manifest() == manifest:  # else another process has changed it meanwhile
                    raise _damaged(self.folder, error) from error

    def _alone(self) -> AbstractContextManager[None]:
        """Alone among processes that change this gallery. Raises UserError when another one does."""
        return alone(self.folder / LOCK, f"{self.folder} is being changed by another process: wait until that ends")

    @contextmanager
    def _changing(self) -> Iterator[tuple[Manifest, list[Part]]]:
        """The gallery for a change; at the end what is no part of it is deleted."""
        with self._alone():
            try:
                yield self._read()
            finally:
                kept = self._manifest().parts
                for file in self.folder.iterdir():
                    if PART.fullmatch(file.name) and file.name not in kept:
                        file.unlink()
                sweep(self.folder)

    def _commit(self, manifest: Manifest, parts: Sequence[Part], gone: Any, fresh: Iterable[Any], count: int) -> None:
        """Makes the gallery's new state: its parts without the pictures that are gone (of `_known`), then fresh tables,
        which have so many rows."""
        manifest = manifest._replace(changes=manifest.changes + 1, parts={})

        def put(table: Any) -> None:
            name = f"part-{manifest.changes:06}-{secrets.token_hex(4)}.parquet"
            with replacing(self.folder / name) as file:
                zstd, some = {column: "zstd" for column in COLUMNS}, [*COLUMNS]
                pq.write_table(
                    table, file, compression=zstd, use_dictionary=some, write_statistics=some, write_page_checksum=True
                )
            manifest.parts[name] = len(table)

        places = _places(gone)
        left = [len(part.known) - len(places.get(number, ())) for number, part in enumerate(parts)]
        merged = len(parts) - _small(left, count)
        before = []
        for number, part in enumerate(parts):
            if number < merged and number not in places:
                manifest.parts[part.path.name] = left[number]
            elif left[number]:
                stays = np.isin(np.arange(len(part.known)), places.get(number, ()), invert=True)
                table = part.table().filter(pa.array(stays))
                before.append(table) if number >= merged else put(table)
        for table in fresh:
            put(pa.concat_tables([*before, table]))
            before = []
        self._write(manifest)


def _damaged(file: Path, reason: object) -> UserError:
    return UserError(f"{file} is damaged ({' '.join(str(reason).split())[:160]}): copy it from where it is whole")


def _refuse_former(folder: Path) -> None:
    if (folder / FORMER).is_file():
        raise UserError(
            f"{folder} is a gallery of a former version ({FORMER}): delete the folder, then make it again with hicmd "
            f"search index"
        )


@contextmanager
def _whole(file: Path) -> Iterator[None]:
    """Raises UserError for what pyarrow, and the checksums, find to be damaged."""
    try:
        yield
    except PermissionError:
        raise
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{file.name} is missing") from error
    except (pa.ArrowException, OSError, ValueError) as error:
        raise _damaged(file, error) from error


def _schema(length: int) -> Any:
    descriptor = pa.list_(pa.field("element", pa.float32(), nullable=False), length)
    columns = {"descriptor": descriptor, **COLUMNS}
    return pa.schema([pa.field(name, kind, nullable=False) for name, kind in columns.items()])


def _table(rows: Array, entries: Sequence[Entry]) -> Any:
    """Rows (N, D) and what is known of them, as a part has them."""
    schema = _schema(rows.shape[1])
    descriptors = pa.FixedSizeListArray.from_arrays(pa.array(rows.reshape(-1)), type=schema.field("descriptor").type)
    columns = zip(zip(*entries, strict=True), COLUMNS.values(), strict=True)
    return pa.Table.from_arrays([descriptors, *(pa.array(values, kind) for values, kind in columns)], schema=schema)


def _open(path: Path, rows: int, length: int) -> Part:
    """A part. Raises UserError for one that is damaged, FileNotFoundError where it is missing."""
    with _whole(path):
        file = pq.ParquetFile(path, page_checksum_verification=True, pre_buffer=False)  # whose buffers stay
        if file.metadata.num_rows != rows or not file.schema_arrow.equals(_schema(length)):
            raise ValueError(f"it has {file.metadata.num_rows} rows of other columns than {rows} of a gallery")
        known = file.read([*COLUMNS], use_threads=False)
        known.validate(full=True)
        times, modalities = known["time"].to_numpy(), {*known["modality"].unique().to_pylist()}
        if not ((times > EARLIEST) & (times < LATEST)).all() or not modalities <= {*MODALITIES}:
            raise ValueError("times or modalities that can't be")
    return Part(path, file, known.append_column("key", pc.utf8_normalize(known["name"], "NFC")))


def _known(parts: Sequence[Part]) -> Any:
    """What is known of all pictures: columns, key, part and row."""
    empty = pa.schema([*_schema(1)][1:]).empty_table().append_column("key", pa.array([], pa.string()))
    sizes = [len(part.known) for part in parts]
    numbers = np.repeat(np.arange(len(parts)), sizes)
    rows = np.concatenate([np.empty(0, np.int64), *map(np.arange, sizes)])
    every = pa.concat_tables([empty, *(part.known for part in parts)])
    return every.append_column("part", pa.array(numbers)).append_column("row", pa.array(rows))


def _held(known: Any, paths: Sequence[str]) -> dict[str, Entry]:
    """The entries of those of the paths that there are."""
    wanted = {path: key(path) for path in paths}
    rows = known.filter(pc.field("key").isin(pa.array([*{*wanted.values()}], pa.string())))
    found = dict(zip(rows["key"].to_pylist(), _as_entries(rows), strict=True))
    return {path: found[one] for path, one in wanted.items() if one in found}


def _as_entries(rows: Any) -> list[Entry]:
    return [Entry(*values) for values in zip(*rows.select([*COLUMNS]).to_pydict().values(), strict=True)]


def _meant(known: Any, selection: Selection) -> Any:
    """The selected pictures, as `_known` gives them."""
    terms = [
        pc.field(column).isin(pa.array(values, kind))
        for column, values, kind in (
            ("key", selection.paths, pa.string()),
            ("identity", selection.identities, pa.int64()),
            ("camera", selection.cameras, pa.int64()),
            ("modality", selection.modality and [selection.modality], pa.string()),
        )
        if values is not None
    ]
    if selection.after is not None:
        terms.append(pc.field("time") >= selection.after)
    if selection.before is not None:
        terms.append(pc.field("time") < selection.before)
    for term in [pc.scalar(False)] if selection.nothing else terms:
        known = known.filter(term)
    return known


def _places(known: Any) -> dict[int, Array]:
    """Rows of pictures by the number of their part."""
    numbers, rows = known["part"].to_numpy(), known["row"].to_numpy()
    return {number: rows[numbers == number] for number in np.unique(numbers).tolist()}


def _rows(parts: Sequence[Part], selection: Selection, length: int) -> tuple[Any, Rows]:
    """The selected pictures, as `_known` gives them, and their descriptors."""
    chosen = _meant(_known(parts), selection)
    places = _places(chosen)

    def read(part: Part, rows: Array) -> Array:
        found = part.descriptors()
        return found if len(rows) == len(found) else found[rows]

    reads = [partial(read, parts[number], rows) for number, rows in places.items()]
    return chosen, Rows(length, [*map(len, places.values())], reads)


def _small(sizes: Sequence[int], rows: int) -> int:
    """How many of the last parts a new one of so many rows takes in, each no larger than what follows it: a million
    pictures that come by hundreds are then few parts, and written a few times."""
    count = 0
    for size in reversed(sizes):
        if size > rows or size + rows > ROWS:
            break
        count, rows = count + 1, rows + size
    return count
