"""A gallery on a Milvus server, for more pictures than one machine holds (or in a file, by milvus-lite)."""

import logging
import math
import time
from collections.abc import Iterator, Sequence
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
UNFINISHED = "{}_unfinished"
"""A collection beside one whose index has not ended: not every server keeps descriptions or properties."""


class MilvusGallery:
    """A collection of a server. uri: http://host:19530, or a file that milvus-lite keeps."""

    def __init__(self, uri: str, collection: str, token: str = "") -> None:
        from pymilvus import MilvusClient, MilvusException

        logging.getLogger("pymilvus").setLevel(logging.CRITICAL)  # what fails is raised, and said once
        self._errors = MilvusException
        self._name, self._uri = collection, uri
        try:
            self._client = MilvusClient(uri, token=token, timeout=20, grpc_options=_direct(uri))
        except (MilvusException, ValueError, OSError, RuntimeError) as error:
            raise self._failed(error, "can't be reached") from error

    @classmethod
    def create(cls, uri: str, collection: str, length: int, token: str = "") -> "MilvusGallery":
        """A new, empty collection; its model is that of what is added first. Raises UserError when it exists."""
        gallery = cls(uri, collection, token)
        with gallery._asking() as client:
            if client.has_collection(collection):
                raise gallery._existing()
        gallery._make(length)
        return gallery

    @classmethod
    def begin(cls, uri: str, collection: str, model: str, length: int, token: str = "") -> "MilvusGallery":
        """As `Gallery.begin`."""
        gallery = cls(uri, collection, token)
        gallery.refuse_complete()
        marker = UNFINISHED.format(collection)
        with gallery._asking() as client:
            if not client.has_collection(marker):
                client.create_collection(marker, dimension=2)
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

    def refuse_complete(self) -> None:
        """Raises UserError when there is a collection that no index has to end."""
        with self._asking() as client:
            if client.has_collection(self._name) and not client.has_collection(UNFINISHED.format(self._name)):
                raise self._existing()

    def complete(self) -> bool:
        """Whether the index that made it has ended."""
        with self._asking() as client:
            return not client.has_collection(UNFINISHED.format(self._name))

    def finish(self) -> None:
        """Says that the index that made it has ended."""
        with self._asking() as client:
            client.drop_collection(UNFINISHED.format(self._name))

    def _existing(self) -> UserError:
        return UserError(f"{self._uri} has a collection {self._name} already: add to it, or name another one")

    def _make(self, length: int) -> None:
        from pymilvus import DataType

        with self._asking() as client:
            schema = client.create_schema(auto_id=False, enable_dynamic_field=False)
            schema.add_field("number", DataType.INT64, is_primary=True)
            schema.add_field("descriptor", DataType.FLOAT_VECTOR, dim=length)
            for name in ("key", "path"):
                schema.add_field(name, DataType.VARCHAR, max_length=PATH_LENGTH)
            for name in ("identity", "camera"):
                schema.add_field(name, DataType.INT64)
            schema.add_field("time", DataType.DOUBLE)
            for name, most in (("modality", 16), ("digest", 80), ("person", 1024), ("device", 1024), ("model", 64)):
                schema.add_field(name, DataType.VARCHAR, max_length=most)
            index = client.prepare_index_params()
            index.add_index("descriptor", index_type="FLAT", metric_type="IP")
            client.create_collection(self._name, schema=schema, index_params=index, consistency_level="Strong")

    def info(self) -> Info:
        """What it holds. Raises UserError when there is no such collection, or it is of another kind."""
        with self._asking() as client:
            if not client.has_collection(self._name):
                raise UserError(f"{self._uri} has no collection {self._name}: make it with hicmd_tf.search index")
            told = client.describe_collection(self._name)
            lengths = [int(f["params"]["dim"]) for f in told["fields"] if f["name"] == "descriptor"]
            if not lengths or not {"number", "key", "model", *FIELDS} <= {f["name"] for f in told["fields"]}:
                raise UserError(f"collection {self._name} of {self._uri} is no gallery: name another one")
            (count,) = client.query(self._name, filter="", output_fields=["count(*)"])
            first = client.query(self._name, filter="number >= 0", output_fields=["model"], limit=1)
        return Info(first[0]["model"] if first else UNKNOWN, lengths[0], int(count["count(*)"]))

    def known(self, paths: Sequence[str]) -> set[str]:
        """Those of the paths that it has."""
        return set(self.held(paths))

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
        """Adds (N, D) descriptors, request by request; the server has them when it returns. See `Store.add`."""
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
        """Removes the selected pictures; says how many. Raises UserError when all fields are open."""
        refuse_open(selection)
        if selection.nothing:
            return 0
        before = self.info().rows
        with self._asking() as client:
            client.delete(self._name, filter=_condition(selection) or "number >= 0")
            client.flush(self._name)
        return before - self.info().rows

    def search(self, queries: Array, k: int, selection: Selection) -> list[list[Hit]]:
        """The k most similar pictures for each of the queries (Q, D), best first, as the server compares."""
        queries = checked(queries, self.info().length)
        if k > MOST:
            raise UserError(f"{k} hits are more than the {MOST} that Milvus gives: ask for fewer")
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
        return [[_hit(hit) for hit in sorted(hits, key=lambda h: (-h["distance"], _number(h)))] for hits in found]

    def _asking(self) -> "_Asking":
        return _Asking(self)

    def _failed(self, error: Exception, what: str) -> UserError:
        reason = " ".join(str(getattr(error, "message", error)).split())[:200]
        return UserError(f"{self._uri} {what} ({reason}): is a Milvus server running there?")


class _Asking:
    """The client, whose errors become one line."""

    def __init__(self, gallery: MilvusGallery) -> None:
        self._gallery = gallery

    def __enter__(self) -> Any:
        return self._gallery._client

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, self._gallery._errors):
            raise self._gallery._failed(error, "can't answer") from error


def _direct(uri: str) -> dict[str, int]:
    """Options by which gRPC asks a server on this machine without a proxy."""
    try:
        host = urlsplit(uri).hostname
    except ValueError:  # no address at all, as the client will say
        host = None
    return {"grpc.enable_http_proxy": 0} if host and is_this_machine(host) else {}


def _number(hit: Any) -> int:
    return int(hit["entity"]["number"])


def _hit(hit: Any) -> Hit:
    return Hit(float(hit["distance"]), _entry(hit["entity"]))


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
