"""A gallery on a Milvus server, for more pictures than one machine holds (or in a file, by milvus-lite)."""

import logging
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from hicmd_tf.addresses import go_direct
from hicmd_tf.errors import UserError
from hicmd_tf.search.entries import Contents, Entry, Hit, Info, Selection, checked, news, refuse_open, refuse_unfit

Array = np.ndarray[Any, Any]

ROWS = 1000  # of one request
MOST = 16_384  # hits that Milvus gives
FIELDS = list(Entry._fields)
PATH_LENGTH = 4096  # bytes
TEXTS = {"modality": 16, "digest": 80, "person": 1024, "device": 1024, "model": 64}  # bytes
TEXTS |= {"track": 1024, "track_folder": PATH_LENGTH}
LATER = ("track", "track_folder")
"""Fields that collections of an earlier version lack; of their pictures no track is known."""
ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"})


class MilvusGallery:
    """A collection of a server.

    Args:
        uri: http://host:19530, or a file that milvus-lite keeps.
        collection: its name.
        token: user:password, or key, for that server.
    """

    most = MOST

    def __init__(self, uri: str, collection: str, token: str = "") -> None:
        self._name, self._uri, self._token = collection, uri, token
        self._fields = FIELDS

    @classmethod
    def open(cls, uri: str, collection: str, token: str = "") -> "MilvusGallery":
        """An existing one. Raises UserError when there is none."""
        if "://" not in uri and not Path(uri).exists():
            raise UserError(f"{uri} is no server and no file: make it with hicmd search index")
        gallery = cls(uri, collection, token)
        if not gallery.info().length:
            raise UserError(f"{uri} has no collection {collection}: make it with hicmd search index")
        return gallery

    def info(self) -> Info:
        """As `Gallery.info`; length 0 where there is no collection yet. Raises UserError when it is of another kind."""
        if not self._ask("has_collection"):
            return Info("", 0, 0)
        told = self._ask("describe_collection")["fields"]
        names = {field["name"] for field in told}
        if not {"descriptor", "model", *FIELDS} <= names.union(LATER):
            raise UserError(f"collection {self._name} of {self._uri} is no gallery: name another one")
        self._fields = [name for name in FIELDS if name in names]
        (length,) = (int(field["params"]["dim"]) for field in told if field["name"] == "descriptor")
        (count,) = self._ask("query", filter="", output_fields=["count(*)"])
        first = self._ask("query", filter='path != ""', output_fields=["model"], limit=1)
        return Info(first[0]["model"] if first else "", length, int(count["count(*)"]))

    def held(self, paths: Sequence[str]) -> dict[str, Entry]:
        """Its entries, by path, of those of the paths that it has."""
        found: dict[str, Entry] = {}
        for start in range(0, len(paths) if self._ask("has_collection") else 0, ROWS):
            among = _condition(Selection(paths=paths[start : start + ROWS]))
            rows = self._ask("query", filter=among, output_fields=self._fields)
            found |= {row["path"]: _entry(row) for row in rows}
        return found

    def has(self, selection: Selection) -> bool:
        """Whether it has any of the selected pictures."""
        return bool(self._ask("query", filter=_condition(selection), output_fields=["path"], limit=1))

    def contents(self) -> Contents:
        """What it has, in numbers of pictures, request by request."""
        return Contents.of((entry, 1, entry.time, entry.time) for entry in map(_entry, self._read(self._fields)))

    def add(self, descriptors: Array, entries: Sequence[Entry], model: str) -> int:
        """As `Gallery.add`, request by request; the server has them when it returns."""
        info = self.info()
        refuse_unfit(info, model, descriptors, entries)
        fresh = news(entries, self.held([entry.path for entry in entries]))
        rows = checked(descriptors, info.length or np.shape(descriptors)[-1])
        if not info.length:
            self._make(rows.shape[1])
        elif not {*LATER} <= {*self._fields} and any(entries[row].track for row in fresh):
            raise UserError(
                f"collection {self._name} of {self._uri} was made by a version that knew no tracks: index into another"
            )
        for start in range(0, len(fresh), ROWS):
            some = fresh[start : start + ROWS]
            known = ({name: getattr(entries[row], name) for name in self._fields} for row in some)
            data = [
                {"descriptor": rows[row].tolist(), "model": model, **one} for row, one in zip(some, known, strict=True)
            ]
            self._ask("upsert", data)
        self._ask("flush")
        return len(fresh)

    def remove(self, selection: Selection) -> int:
        """Removes the selected pictures; says how many. Raises UserError when every field is open."""
        refuse_open(selection)
        before = self.info().rows
        self._ask("delete", filter=_condition(selection))
        self._ask("flush")
        return before - self.info().rows

    def search(self, queries: Array, k: int, selection: Selection) -> list[list[Hit]]:
        """As `Gallery.search`, with the server's similarities and order."""
        found = self._ask(
            "search",
            checked(queries, self.info().length).tolist(),
            filter=_condition(selection),
            limit=k,
            output_fields=self._fields,
            search_params={"metric_type": "IP"},
        )
        return [[Hit(float(hit["distance"]), _entry(hit["entity"])) for hit in hits] for hits in found]

    def selected(self, selection: Selection) -> tuple[Array, list[Entry]]:
        """As `Gallery.selected`, request by request, in the order of their paths."""
        found = [*self._read(["descriptor", *self._fields], selection)]
        found.sort(key=lambda row: row["path"])
        return np.array([row["descriptor"] for row in found], np.float32), [_entry(row) for row in found]

    def _read(self, fields: Sequence[str], selection: Selection = Selection()) -> Iterator[Any]:  # noqa: B008 (frozen)
        """Rows, part by part."""
        asked = self._ask("query_iterator", batch_size=ROWS, filter=_condition(selection), output_fields=[*fields])
        while part := asked.next():
            yield from part
        asked.close()

    def _make(self, length: int) -> None:
        from pymilvus import DataType, MilvusClient

        schema = MilvusClient.create_schema(auto_id=False, enable_dynamic_field=False)
        schema.add_field("path", DataType.VARCHAR, max_length=PATH_LENGTH, is_primary=True)
        schema.add_field("descriptor", DataType.FLOAT_VECTOR, dim=length)
        for name in ("identity", "camera"):
            schema.add_field(name, DataType.INT64)
        schema.add_field("time", DataType.DOUBLE)
        for name, most in TEXTS.items():
            schema.add_field(name, DataType.VARCHAR, max_length=most)
        index = MilvusClient.prepare_index_params()
        index.add_index("descriptor", index_type="FLAT", metric_type="IP")
        self._ask("create_collection", schema=schema, index_params=index, consistency_level="Strong")

    @cached_property
    def _client(self) -> Any:
        from pymilvus import MilvusClient

        logging.getLogger("pymilvus").setLevel(logging.CRITICAL)  # what fails is raised, and reported once
        go_direct()
        return MilvusClient(self._uri, token=self._token, timeout=20)

    def _ask(self, verb: str, *given: Any, **options: Any) -> Any:
        """The server's answer about the collection; its errors become one line."""
        from pymilvus import MilvusException

        try:
            return getattr(self._client, verb)(self._name, *given, **options)
        except (MilvusException, ValueError, OSError, RuntimeError) as error:
            reason = " ".join(str(getattr(error, "message", error)).split())[:200]
            raise UserError(f"{self._uri} can't answer ({reason}): is a Milvus server running there?") from error


def _entry(row: Any) -> Entry:
    return Entry(**{field: row[field] for field in FIELDS if field in row})


def _condition(selection: Selection) -> str:
    """Milvus' words for a selection; empty for everything."""
    among = (
        ("path", selection.paths),
        ("identity", selection.identities),
        ("camera", selection.cameras),
        ("track", selection.tracks),
    )
    terms = [f"{field} in [{', '.join(map(_literal, values))}]" for field, values in among if values is not None]
    if selection.modality is not None:
        terms.append(f'modality == "{selection.modality}"')
    if selection.not_cameras:
        terms.append(f"camera not in [{', '.join(map(str, selection.not_cameras))}]")
    if selection.after is not None:
        terms.append(f"time >= {selection.after!r}")
    if selection.before is not None:
        terms.append(f"time < {selection.before!r}")
    return " and ".join(terms)


def _literal(value: str | int) -> str:
    return f'"{value.translate(ESCAPES)}"' if isinstance(value, str) else str(value)
