"""A gallery in a folder: Parquet parts that nobody changes, and a manifest that lists them.

A change writes its new parts, then the manifest, which takes the place of the former one by renaming: a kill leaves the
gallery as it was before or as it is after. Parts that the manifest does not list are deleted at the end of a change, at
the latest of the next one. pandas and DuckDB read the parts as they are.
"""

import os
import re
import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from hicmd_tf.errors import UserError
from hicmd_tf.files import alone, is_leftover, read_text, replacing, sweep, write_json
from hicmd_tf.notation import other
from hicmd_tf.search.entries import Contents, Entry, Hit, Info, Selection, checked, news, refuse_open, refuse_unfit
from hicmd_tf.search.nearest import FEWEST, Found, InvertedFile, Rows, nearest

Array = np.ndarray[Any, Any]
Made = TypeVar("Made")
Search = Callable[[Array, int], Found]
Known = dict[str, Any]
"""Of each part, by name and in order, its table without descriptors."""
Places = dict[str, Array]
"""Rows of parts, ascending; of no part none."""

MANIFEST, LOCK = "gallery.json", "lock"
PART = r"^part-[0-9]{6,18}-[0-9a-f]{8}\.parquet$"
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
    "track": pa.string(),
    "track_folder": pa.string(),
}
LATER = ("track", "track_folder")
"""Columns that parts of an earlier version lack; of their pictures no track is known."""


class Manifest(BaseModel):
    """model: SHA-256 of the weights that described. length: of a descriptor. changes: how many there were. parts: rows
    of each file, in order."""

    model_config = ConfigDict(strict=True, frozen=True)

    format: Literal[3, 4] = 4
    model: str = ""
    length: Annotated[int, Field(ge=0, le=LONGEST)] = 0
    changes: int = 0
    parts: dict[Annotated[str, StringConstraints(pattern=PART)], Annotated[int, Field(ge=1, le=ROWS)]] = {}


class Gallery:
    """A gallery's folder. Several processes may read it; one at a time may change it.

    Args:
        folder: where it is.
        inverted: approximate search; None: exact.
    """

    most = 1 << 31  # hits of a query

    def __init__(self, folder: Path | str, inverted: InvertedFile | None = None) -> None:
        self.folder, self.inverted = Path(folder), inverted
        self._known: Known = {}
        self._loaded: tuple[Any, Any, Search] | None = None

    @classmethod
    def open(cls, folder: Path | str, inverted: InvertedFile | None = None) -> "Gallery":
        """An existing gallery. Raises UserError when there is none."""
        if not (Path(folder) / MANIFEST).is_file():
            raise UserError(f"{folder} is no gallery: make one with hicmd search index")
        gallery = cls(folder, inverted)
        gallery.info()
        return gallery

    @classmethod
    def create(cls, folder: Path | str) -> "Gallery":
        """The gallery of a folder, or a new one, which is there when something is added. Raises UserError when the
        folder holds anything else."""
        folder = Path(folder)
        if (folder / MANIFEST).is_file():
            return cls.open(folder)
        ours = folder.is_dir() and all(file.name == LOCK or is_leftover(file) for file in folder.iterdir())
        if folder.exists() and not ours:
            raise UserError(f"{folder} exists already and is no gallery: name another folder")
        return cls(folder)

    def info(self) -> Info:
        """Its model, length of descriptors and number of pictures."""
        return _info(self._manifest())

    def held(self, paths: Sequence[str]) -> dict[str, Entry]:
        """Its entries, by path, of those of the paths that it has."""
        return self._reading(lambda manifest, known: _held(known, paths))

    def has(self, selection: Selection) -> bool:
        """Whether it has any of the selected pictures."""
        return self._reading(lambda manifest, known: bool(_meant(known, selection)))

    def contents(self) -> Contents:
        """What it has, in numbers of pictures."""

        def found(manifest: Manifest, known: Known) -> Contents:
            if not known:
                return Contents.of(())
            alike = [name for name in COLUMNS if name not in ("name", "time", "digest")]
            summed = [("time", "count"), ("time", "min"), ("time", "max")]
            groups = pa.concat_tables(known.values()).group_by(alike).aggregate(summed)
            made = groups.select([*alike, *(f"{name}_{verb}" for name, verb in summed)]).to_pydict().values()
            return Contents.of(
                (Entry("", identity, camera, modality, 0.0, "", *texts), count, first, last)
                for identity, camera, modality, *texts, count, first, last in zip(*made, strict=True)
            )

        return self._reading(found)

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
        with self._changing() as (manifest, known):
            refuse_unfit(_info(manifest), model, descriptors, entries)
            held = _held(known, [entry.path for entry in entries])
            fresh = news(entries, held)
            length = manifest.length if known else np.shape(descriptors)[-1]
            if fresh:
                chunks = (fresh[start : start + ROWS] for start in range(0, len(fresh), ROWS))
                tables = (
                    _table(checked(np.asarray(descriptors)[some], length), [entries[row] for row in some])
                    for some in chunks
                )
                gone = _meant(known, Selection(paths=[entries[row].path for row in fresh if entries[row].path in held]))
                manifest = manifest.model_copy(update={"model": model, "length": length})
                self._commit(manifest, known, gone, tables, len(fresh))
            return len(fresh)

    def remove(self, selection: Selection) -> int:
        """Removes the selected pictures, all or none; says how many. Raises UserError when every field is open."""
        refuse_open(selection)
        with self._changing() as (manifest, known):
            gone = _meant(known, selection)
            if gone:
                self._commit(manifest, known, gone, (), 0)
            return sum(map(len, gone.values()))

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
        if self.inverted is not None and replace(selection, modality=None):
            raise UserError(
                "an inverted file is of a whole gallery or of one modality: search exactly among chosen paths, people, "
                "cameras and times"
            )

        def found(manifest: Manifest, known: Known) -> list[list[Hit]]:
            if not known:
                return [[] for _ in queries]
            asked = checked(queries, manifest.length)
            chosen, search = self._searched(manifest, known, selection)
            tables = ((values, chosen.take(pa.array(rows, pa.int64()))) for values, rows in search(asked, k))
            return [[*map(Hit, values.tolist(), _as_entries(table))] for values, table in tables]

        return self._reading(found)

    def selected(self, selection: Selection) -> tuple[Array, list[Entry]]:
        """The descriptors (N, D) of the selected pictures, and their entries, in the order in which they were
        written."""

        def found(manifest: Manifest, known: Known) -> tuple[Array, list[Entry]]:
            places = _meant(known, selection)
            return self._rows(manifest, places).gathered(), _as_entries(_at(known, places))

        return self._reading(found)

    def _searched(self, manifest: Manifest, known: Known, selection: Selection) -> tuple[Any, Search]:
        """The entries of the selected pictures, and the function that searches them; kept until something changes."""
        state = manifest.parts, selection
        if self._loaded is None or self._loaded[0] != state:
            self._loaded = None  # not in memory beside the next ones
            places = _meant(known, selection)
            rows = self._rows(manifest, places)
            if self.inverted is not None and rows.total >= FEWEST:
                asking = Selection(modality=other(selection.modality)) if selection else Selection(paths=())  # type: ignore
                self.inverted.build(rows, self._rows(manifest, _meant(known, asking)))
                search: Search = self.inverted.search
            else:
                search = partial(nearest, rows.gathered())
            self._loaded = state, _at(known, places).combine_chunks(), search
        return self._loaded[1:]

    def _rows(self, manifest: Manifest, places: Places) -> Rows:
        def read(name: str, rows: Array) -> Array:
            column = self._part(name, manifest, ["descriptor"])["descriptor"].combine_chunks()
            found = column.flatten().to_numpy().reshape(len(column), -1)
            return np.asarray(found if len(rows) == len(found) else found[rows])

        return Rows(manifest.length, [*map(len, places.values())], [partial(read, *place) for place in places.items()])

    def _manifest(self) -> Manifest:
        file = self.folder / MANIFEST
        if not file.is_file():
            return Manifest()
        try:
            return Manifest.model_validate_json(read_text(file, "expected a gallery's manifest"))
        except ValidationError as error:
            raise _damaged(file, error) from error

    def _part(self, name: str, manifest: Manifest, columns: Sequence[str] | None = None) -> Any:
        """A part's table, or some columns of it. Raises UserError for one that is damaged, FileNotFoundError where it
        is missing."""
        path, rows = self.folder / name, manifest.parts[name]
        if not path.is_file():
            raise FileNotFoundError(f"{name} is missing")
        try:
            with pq.ParquetFile(path, page_checksum_verification=True, pre_buffer=False) as file:  # whose buffers stay
                whole = _schema(manifest.length)
                earlier = file.schema_arrow.equals(
                    pa.schema([whole.field(name) for name in whole.names if name not in LATER])
                )
                if file.metadata.num_rows != rows or not (earlier or file.schema_arrow.equals(whole)):
                    raise ValueError(f"it has {file.metadata.num_rows} rows of other columns than {rows} of a gallery")
                there = columns and [name for name in columns if name in file.schema_arrow.names]
                table = file.read(there, use_threads=False)
            for name in LATER if earlier else ():
                if columns is None or name in columns:
                    table = table.append_column(whole.field(name), pa.array([""] * rows, pa.string()))
            table.validate(full=True)
            return table
        except (FileNotFoundError, PermissionError):
            raise
        except (pa.ArrowException, OSError, ValueError) as error:
            raise _damaged(path, error) from error

    def _reading(self, work: Callable[[Manifest, Known], Made]) -> Made:
        """The result of `work` on the gallery, which another process may change meanwhile."""
        while True:
            manifest = self._manifest()
            try:
                self._known = {
                    name: self._known[name] if name in self._known else self._part(name, manifest, [*COLUMNS])
                    for name in manifest.parts
                }
                return work(manifest, self._known)
            except FileNotFoundError as error:
                if self._manifest() == manifest:
                    raise _damaged(self.folder, error) from error

    def _alone(self) -> AbstractContextManager[None]:
        """Alone among processes that change this gallery. Raises UserError when another one does."""
        return alone(self.folder / LOCK, f"{self.folder} is being changed by another process: wait until that ends")

    @contextmanager
    def _changing(self) -> Iterator[tuple[Manifest, Known]]:
        """The gallery for a change; at the end what is no part of it is deleted."""
        with self._alone():
            try:
                yield self._reading(lambda *both: both)
            finally:
                kept = self._manifest().parts
                for file in self.folder.iterdir():
                    if re.match(PART, file.name) and file.name not in kept:
                        file.unlink()
                sweep(self.folder)

    def _commit(self, former: Manifest, known: Known, gone: Places, fresh: Iterable[Any], count: int) -> None:
        """Makes the gallery's new state: its parts without the pictures that are gone, then fresh tables, which have so
        many rows."""
        manifest = former.model_copy(update={"format": 4, "changes": former.changes + 1, "parts": {}})

        def put(table: Any) -> None:
            name = f"part-{manifest.changes:06}-{secrets.token_hex(4)}.parquet"
            with replacing(self.folder / name) as file:
                zstd, some = {column: "zstd" for column in COLUMNS}, [*COLUMNS]
                pq.write_table(
                    table, file, compression=zstd, use_dictionary=some, write_statistics=some, write_page_checksum=True
                )
            manifest.parts[name] = len(table)

        left = {name: len(table) - len(gone.get(name, ())) for name, table in known.items()}
        merged = list(left)[len(left) - _small([*left.values()], count) :]
        before = []
        for name, rows in left.items():
            if name not in merged and name not in gone:
                manifest.parts[name] = rows
            elif rows:
                table = self._part(name, former)
                table = table.filter(pa.array(np.isin(np.arange(len(table)), gone.get(name, ()), invert=True)))
                before.append(table) if name in merged else put(table)
        for table in fresh:
            put(pa.concat_tables([*before, table]))
            before = []
        write_json(self.folder / MANIFEST, manifest.model_dump())
        folder = os.open(self.folder, os.O_RDONLY)
        try:
            os.fsync(folder)  # names of files
        finally:
            os.close(folder)


def _info(manifest: Manifest) -> Info:
    return Info(manifest.model, manifest.length, sum(manifest.parts.values()))


def _damaged(file: Path, reason: object) -> UserError:
    return UserError(f"{file} is damaged ({' '.join(str(reason).split())[:160]}): copy it from where it is whole")


def _schema(length: int) -> Any:
    descriptor = pa.list_(pa.field("element", pa.float32(), nullable=False), length)
    columns = {"descriptor": descriptor, **COLUMNS}
    return pa.schema([pa.field(name, kind, nullable=False) for name, kind in columns.items()])


def _table(rows: Array, entries: Sequence[Entry]) -> Any:
    """Rows (N, D) and their entries, as a part has them."""
    schema = _schema(rows.shape[1])
    descriptors = pa.FixedSizeListArray.from_arrays(pa.array(rows.reshape(-1)), type=schema.field("descriptor").type)
    columns = zip(zip(*entries, strict=True), COLUMNS.values(), strict=True)
    return pa.Table.from_arrays([descriptors, *(pa.array(values, kind) for values, kind in columns)], schema=schema)


def _held(known: Known, paths: Sequence[str]) -> dict[str, Entry]:
    """The entries of those of the paths that there are."""
    return {entry.path: entry for entry in _as_entries(_at(known, _meant(known, Selection(paths=paths))))}


def _at(known: Known, places: Places) -> Any:
    """The entries of the pictures in some places, as one table."""
    none = pa.schema([*_schema(1)][1:]).empty_table()
    return pa.concat_tables([none, *(known[name].take(pa.array(rows)) for name, rows in places.items())])


def _as_entries(table: Any) -> list[Entry]:
    return [Entry(*values) for values in zip(*table.to_pydict().values(), strict=True)]


def _meant(known: Known, selection: Selection) -> Places:
    """Where the selected pictures are."""
    terms = [
        pc.field(column).isin(pa.array(values, COLUMNS[column]))
        for column, values in (
            ("name", selection.paths),
            ("identity", selection.identities),
            ("camera", selection.cameras),
            ("track", selection.tracks),
            ("modality", selection.modality and [selection.modality]),
        )
        if values is not None
    ]
    if selection.not_cameras is not None:
        terms.append(~pc.field("camera").isin(pa.array(selection.not_cameras, pa.int64())))
    if selection.after is not None:
        terms.append(pc.field("time") >= selection.after)
    if selection.before is not None:
        terms.append(pc.field("time") < selection.before)
    places = {}
    for name, table in known.items():
        chosen = table.append_column("row", pa.array(np.arange(len(table))))
        for term in terms:
            chosen = chosen.filter(term)
        if len(chosen):
            places[name] = chosen["row"].to_numpy()
    return places


def _small(sizes: Sequence[int], rows: int) -> int:
    """How many of the last parts a new one of so many rows takes in, each no larger than what follows it: a million
    pictures that come by hundreds are then few parts, and written a few times."""
    count = 0
    for size in reversed(sizes):
        if size > rows or size + rows > ROWS:
            break
        count, rows = count + 1, rows + size
    return count
