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
from hicmd_tf.search.entries import UNKNOWN, Entry, Hit, Info, Selection, checked, same_model

Array = np.ndarray[Any, Any]

ROWS = 1000  # of one request
PATH_LENGTH = 4096  # bytes
MOST = 16_384  # hits that Milvus gives
FIELDS = ["path", "identity", "camera", "modality", "time"]


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
        from pymilvus import DataType

        gallery = cls(uri, collection, token)
        with gallery._asking() as client:
            if client.has_collection(collection):
                raise UserError(f"{uri} has a collection {collection} already: add to it, or name another one")
            schema = client.create_schema(auto_id=False, enable_dynamic_field=False)
            schema.add_field("number", DataType.INT64, is_primary=True)
            schema.add_field("descriptor", DataType.FLOAT_VECTOR, dim=length)
            schema.add_field("path", DataType.VARCHAR, max_length=PATH_LENGTH)
            schema.add_field("identity", DataType.INT64)
            schema.add_field("camera", DataType.INT64)
            schema.add_field("modality", DataType.VARCHAR, max_length=16)
            schema.add_field("time", DataType.DOUBLE)
            schema.add_field("model", DataType.VARCHAR, max_length=64)  # some servers keep no description
            index = client.prepare_index_params()
            index.add_index("descriptor", index_type="FLAT", metric_type="IP")
            client.create_collection(collection, schema=schema, index_params=index, consistency_level="Strong")
        return gallery

    def info(self) -> Info:
        """What it holds. Raises UserError when there is no such collection, or it is of another kind."""
        with self._asking() as client:
            if not client.has_collection(self._name):
                raise UserError(f"{self._uri} has no collection {self._name}: make it with hicmd_tf.search index")
            told = client.describe_collection(self._name)
            lengths = [int(f["params"]["dim"]) for f in told["fields"] if f["name"] == "descriptor"]
            if not lengths or not {"number", "model", *FIELDS} <= {f["name"] for f in told["fields"]}:
                raise UserError(f"collection {self._name} of {self._uri} is no gallery: name another one")
            (count,) = client.query(self._name, filter="", output_fields=["count(*)"])
            first = client.query(self._name, filter="number >= 0", output_fields=["model"], limit=1)
        return Info(first[0]["model"] if first else UNKNOWN, lengths[0], int(count["count(*)"]))

    def known(self, paths: Sequence[str]) -> set[str]:
        """Those of the paths that it has."""
        found: set[str] = set()
        with self._asking() as client:
            for start in range(0, len(paths), ROWS):
                among = f"path in {_literal(list(paths[start : start + ROWS]))}"
                found.update(row["path"] for row in client.query(self._name, filter=among, output_fields=["path"]))
        return found

    def add(self, descriptors: Array, entries: Sequence[Entry], model: str) -> int:
        """Adds (N, D) descriptors, request by request; the server has them when it returns. Says how many were new."""
        info = self.info()
        if info.rows:
            same_model(info.model, model)
        rows = checked(descriptors, info.length)
        if len(rows) != len(entries):
            raise UserError(f"there are {len(rows)} descriptors for {len(entries)} pictures, expected one each")
        for entry in entries:
            if len(entry.path.encode()) > PATH_LENGTH:
                raise UserError(f"{entry.path[:80]}.. is longer than the {PATH_LENGTH} bytes that a path may have")
        known = self.known([entry.path for entry in entries])
        first = {entry.path: i for i, entry in reversed(list(enumerate(entries))) if entry.path not in known}
        fresh, base = sorted(first.values()), time.time_ns() // 1000  # what was added first has the lower number
        with self._asking() as client:
            for start in range(0, len(fresh), ROWS):
                data = [
                    {"number": base + place, "descriptor": rows[i].tolist(), "model": model, **entries[i]._asdict()}
                    for place, i in enumerate(fresh[start : start + ROWS], start)
                ]
                client.insert(self._name, data)
            client.flush(self._name)
        return len(fresh)

    def remove(self, selection: Selection) -> int:
        """Removes the selected pictures; says how many."""
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
    return Hit(float(hit["distance"]), Entry(*(hit["entity"][field] for field in FIELDS)))


def _condition(selection: Selection) -> str:
    """Milvus' words for a selection; empty for everything."""

    def terms() -> Iterator[str]:
        for field, among in (
            ("path", selection.paths),
            ("identity", selection.identities),
            ("camera", selection.cameras),
        ):
            if among:
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
