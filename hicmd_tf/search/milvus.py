"""A gallery on a Milvus server, for more pictures than one machine holds (or in a file, by milvus-lite)."""

import logging
import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from hicmd_tf.addresses import is_this_machine
from hicmd_tf.errors import UserError
from hicmd_tf.search.entries import UNKNOWN, Entry, Hit, Info, Selection, checked, key, news, refuse_open, same_model

Array = np.ndarray[Any, Any]

ROWS = 1000  # of one request
PATH_LENGTH = 4096  # bytes
MOST = 16_384  # hits that Milvus gives
FIELDS = list(Entry._fields)
TEXTS = {  # bytes
    "key": PATH_LENGTH, "path": PATH_LENGTH, "modality": 16, "digest": 80, "person": 1024, "device": 1024, "model": 64
}  # fmt: skip


class MilvusGallery:
    """A collection of a server.

    Args:
        uri: http://host:19530, or a file that milvus-lite keeps.
        collection: its name.
        token: user:password, or key, for that server.
        make: whether such a file is made where it is missing.
    """

    most = MOST

    def __init__(self, uri: str, collection: str, token: str = "", make: bool = False) -> None:
        from pymilvus import MilvusClient, MilvusException

        if not make and _missing(uri):
            raise UserError(f"{uri} is no server and no file: make it with hicmd search index")
        logging.getLogger("pymilvus").setLevel(logging.CRITICAL)  # what fails is raised, and reported once
        self._name, self._uri, self._marker = collection, uri, f"{collection}_unfinished"
        self._errors = MilvusException
        try:
            self._client = MilvusClient(uri, token=token, timeout=20, grpc_options=_direct(uri))
        except (MilvusException, ValueError, OSError, RuntimeError) as error:
            raise self._failed(error, "can't be reached") from error

    @classmethod
    def begin(cls, uri: str, collection: str, model: str, length: int, token: str = "") -> "MilvusGallery":
        """As `Gallery.begin`."""
        cls.refuse_complete(uri, collection, token)
        gallery = cls(uri, collection, token, make=True)
        with gallery._asking() as client:
            if not client.has_collection(gallery._marker):
                client.create_collection(gallery._marker, dimension=2)
            if client.has_collection(collection):
                if client.get_collection_stats(collection)["row_count"]:
                    info = gallery.info()
                    if (info.model, info.length) != (model, length):
                        raise UserError(
                            f"{uri} has a collection {collection} with {info.rows} pictures of an index that was "
                            f"stopped, described by the model {info.model[:12]}, not by {model[:12]}: give that index "
                            f"command again, or drop the collection"
                        )
                    return gallery
                client.drop_collection(collection)  # whatever was made of it
        gallery._make(length)
        return gallery

    @classmethod
    def refuse_complete(cls, uri: str, collection: str, token: str = "") -> None:
        """Raises UserError when there is a collection that no index has to end."""
        if _missing(uri):
            return
        gallery = cls(uri, collection, token)
        with gallery._asking() as client:
            if client.has_collection(collection) and not client.has_collection(gallery._marker):
                raise UserError(f"{uri} has a collection {collection} already: add to it, or name another one")

    def complete(self) -> bool:
        """Whether the index that made it has ended."""
        with self._asking() as client:
            return not client.has_collection(self._marker)

    def finish(self) -> None:
        """Says that the index that made it has ended."""
        with self._asking() as client:
            client.drop_collection(self._marker)

    def _make(self, length: int) -> None:
        from pymilvus import DataType

        with self._asking() as client:
            schema = client.create_schema(auto_id=False, enable_dynamic_field=False)
            schema.add_field("number", DataType.INT64, is_primary=True)
            schema.add_field("descriptor", DataType.FLOAT_VECTOR, dim=length)
            for name in ("identity", "camera"):
                schema.add_field(name, DataType.INT64)
            schema.add_field("time", DataType.DOUBLE)
            for name, most in TEXTS.items():
                schema.add_field(name, DataType.VARCHAR, max_length=most)
            index = client.prepare_index_params()
            index.add_index("descriptor", index_type="FLAT", metric_type="IP")
            client.create_collection(self._name, schema=schema, index_params=index, consistency_level="Strong")

    def info(self) -> Info:
        """What it holds. Raises UserError when there is no such collection, or it is of another kind."""
        with self._asking() as client:
            if not client.has_collection(self._name):
                raise UserError(f"{self._uri} has no collection {self._name}: make it with hicmd search index")
            told = client.describe_collection(self._name)
            lengths = [int(f["params"]["dim"]) for f in told["fields"] if f["name"] == "descriptor"]
            if not lengths or not {"number", "key", "model", *FIELDS} <= {f["name"] for f in told["fields"]}:
                raise UserError(f"collection {self._name} of {self._uri} is no gallery: name another one")
            (count,) = client.query(self._name, filter="", output_fields=["count(*)"])
            first = client.query(self._name, filter="number >= 0", output_fields=["model"], limit=1)
        return Info(first[0]["model"] if first else UNKNOWN, lengths[0], int(count["count(*)"]))

    def held(self, paths: Sequence[str]) -> dict[str, Entry]:
        """What it holds of those of the paths that it has."""
        return {path: _entry(row) for path, row in self._rows(paths).items()}

    def _rows(self, paths: Sequence[str]) -> dict[str, Any]:
        wanted: dict[str, list[str]] = {}
        for path in paths:
            wanted.setdefault(key(path), []).append(path)
        found: dict[str, Any] = {}
        keys = list(wanted)
        with self._asking() as client:
            for start in range(0, len(keys), ROWS):
                among = f"key in {_literal(keys[start : start + ROWS])}"
                for row in client.query(self._name, filter=among, output_fields=["number", "key", *FIELDS]):
                    found |= dict.fromkeys(wanted[row["key"]], row)
        return found

    def add(self, descriptors: Array, entries: Sequence[Entry], model: str) -> int:
        """As `Gallery.add`, request by request; the server has them when it returns."""
        info = self.info()
        if info.rows:
            same_model(info.model, model)
        rows = checked(descriptors, info.length)
        for entry in entries:
            if len(entry.path.encode()) > PATH_LENGTH:
                raise UserError(f"{entry.path[:80]}.. is longer than the {PATH_LENGTH} bytes that a path may have")
        held = self._rows([entry.path for entry in entries])
        fresh = news(entries, len(rows), {path: _entry(row) for path, row in held.items()})
        base = time.time_ns() // 1000  # what was added first has the lower number
        with self._asking() as client:
            for start in range(0, len(fresh), ROWS):
                data = [
                    {
                        "number": held[entries[i].path]["number"] if entries[i].path in held else base + place,
                        "descriptor": rows[i].tolist(),
                        "model": model,
                        "key": key(entries[i].path),
                        **entries[i]._asdict(),
                    }
                    for place, i in enumerate(fresh[start : start + ROWS], start)
                ]
                client.upsert(self._name, data)
            client.flush(self._name)
        return len(fresh)

    def remove(self, selection: Selection) -> int:
        """Removes the selected pictures; says how many. Raises UserError when every field is open."""
        refuse_open(selection)
        if selection.nothing:
            return 0
        before = self.info().rows
        with self._asking() as client:
            client.delete(self._name, filter=_condition(selection) or "number >= 0")
            client.flush(self._name)
        return before - self.info().rows

    def search(self, queries: Array, k: int, selection: Selection) -> list[list[Hit]]:
        """As `Gallery.search`, with the server's similarities."""
        queries = checked(queries, self.info().length)
        if selection.nothing:
            return [[] for _ in queries]
        with self._asking() as client:
            found = client.search(
                self._name,
                queries.tolist(),
                filter=_condition(selection),
                limit=k,
                output_fields=["number", *FIELDS],
                search_params={"metric_type": "IP"},
            )
        ranked = (sorted(hits, key=lambda h: (-h["distance"], h["entity"]["number"])) for hits in found)
        return [[Hit(float(hit["distance"]), _entry(hit["entity"])) for hit in hits] for hits in ranked]

    @contextmanager
    def _asking(self) -> Iterator[Any]:
        """The client, whose errors become one line."""
        try:
            yield self._client
        except self._errors as error:
            raise self._failed(error, "can't answer") from error

    def _failed(self, error: Exception, what: str) -> UserError:
        reason = " ".join(str(getattr(error, "message", error)).split())[:200]
        return UserError(f"{self._uri} {what} ({reason}): is a Milvus server running there?")


def _missing(uri: str) -> bool:
    """Whether it would be a file of milvus-lite, which is not there."""
    return "://" not in uri and not Path(uri).exists()


def _direct(uri: str) -> dict[str, int]:
    """Options by which gRPC asks a server on this machine without a proxy."""
    try:
        host = urlsplit(uri).hostname
    except ValueError:  # no address at all, as the client will say
        host = None
    return {"grpc.enable_http_proxy": 0} if host and is_this_machine(host) else {}


def _entry(row: Any) -> Entry:
    return Entry(*(row[field] for field in FIELDS))


def _condition(selection: Selection) -> str:
    """Milvus' words for a selection; empty for everything."""

    def terms() -> Iterator[str]:
        for field, among in (
            ("key", selection.paths),
            ("identity", selection.identities),
            ("camera", selection.cameras),
        ):
            if among is not None:
                yield f"{field} in {_literal(list(among))}"
        if selection.modality is not None:
            yield f"modality == {_literal(selection.modality)}"
        for sign, moment in ((">=", selection.after), ("<", selection.before)):
            if moment is not None and math.isfinite(moment):
                yield f"time {sign} {moment!r}"

    return " and ".join(terms())


def _literal(value: Any) -> str:
    """A number, text or list of such in Milvus' filter language, whose escapes are not quite JSON's."""
    if isinstance(value, list):
        return f"[{', '.join(map(_literal, value))}]"
    if not isinstance(value, str):
        return repr(value)
    escaped = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}
    return '"' + "".join(escaped.get(character, character) for character in value) + '"'
