"""What a gallery knows of a picture, which pictures are meant, and what a search finds."""

import math
import os
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

from hicmd_tf.data.labels import shown
from hicmd_tf.errors import UserError
from hicmd_tf.notation import MODALITIES

Array = np.ndarray[Any, Any]

UNKNOWN = ""  # a model that nobody named
EARLIEST, LATEST = -6e10, 2.5e11  # seconds; a calendar has no more


class Entry(NamedTuple):
    """path: of the picture; a gallery has one entry for each `key` of a path. identity, camera: numbers; an identity
    below 0 is unknown. time: seconds since 1970. digest: SHA-256 of the picture's file, or of its descriptor where only
    that is known; empty: unknown. person, device: what identity and camera are called, where that is not a number."""

    path: str
    identity: int
    camera: int
    modality: str
    time: float
    digest: str = ""
    person: str = ""
    device: str = ""

    @property
    def who(self) -> str:
        """The identity as people read it."""
        return shown(self.identity, {self.identity: self.person} if self.person else {})

    @property
    def taken_by(self) -> str:
        """The camera as people read it."""
        return shown(self.camera, {self.camera: self.device} if self.device else {})

    def like(self, other: "Entry") -> bool:
        """Whether both say the same of one picture, whose path may be in two Unicode forms."""
        return self._replace(path=key(self.path)) == other._replace(path=key(other.path))


def key(path: str) -> str:
    """By which a gallery knows a path: composed and decomposed Unicode forms (NFC, NFD) are one path."""
    return unicodedata.normalize("NFC", path)


def real(path: Path) -> str:
    """A picture's file as a gallery keeps it: absolute, without links and `..`, so that it has one name however it was
    reached. Raises UserError for a name that is no text."""
    found = os.path.realpath(path)
    try:
        found.encode()
    except UnicodeEncodeError as error:
        raise UserError(f"{found!r} has a name that is no text in UTF-8: rename it") from error
    return found


class Hit(NamedTuple):
    """similarity: the cosine, -1 to 1."""

    similarity: float
    entry: Entry


@dataclass(frozen=True)
class Selection:
    """Which pictures are meant: those of any of the paths, identities and cameras, of the modality and in the time.
    None leaves a field open; an empty sequence means no picture. after is the earliest time, before the first that is
    too late. Raises UserError for another modality and for a time that is NaN."""

    paths: Sequence[str] | None = None
    identities: Sequence[int] | None = None
    cameras: Sequence[int] | None = None
    modality: str | None = None
    after: float | None = None
    before: float | None = None

    def __post_init__(self) -> None:
        for name, plain in (("paths", key), ("identities", int), ("cameras", int)):
            among = getattr(self, name)
            if isinstance(among, str):
                raise UserError(f"{name} is {among!r}, expected a sequence, or None for all")
            if among is not None:
                object.__setattr__(self, name, tuple(dict.fromkeys(map(plain, among))))  # type: ignore[arg-type]
        if self.modality is not None and self.modality not in MODALITIES:
            raise UserError(f"modality is {self.modality!r}, expected {' or '.join(map(repr, MODALITIES))}, or None")
        if any(moment is not None and math.isnan(moment) for moment in (self.after, self.before)):
            raise UserError("after or before is NaN, expected a time, or None")

    def __bool__(self) -> bool:
        """Whether any field is given."""
        return self != Selection()

    @property
    def nothing(self) -> bool:
        """Whether no picture can be meant."""
        return () in (self.paths, self.identities, self.cameras) or self.after == math.inf or self.before == -math.inf


class Info(NamedTuple):
    """model: SHA-256 of the weights that described, or `UNKNOWN`. length: of a descriptor. rows: how many pictures."""

    model: str
    length: int
    rows: int


class Store(Protocol):
    """A gallery, wherever it is kept."""

    def info(self) -> Info:
        """What it holds."""

    def complete(self) -> bool:
        """Whether the index that made it has ended."""

    def finish(self) -> None:
        """Says that the index that made it has ended."""

    def held(self, paths: Sequence[str]) -> dict[str, Entry]:
        """What it holds of those of the paths that it has."""

    def add(self, descriptors: Array, entries: Sequence[Entry], model: str) -> int:
        """Adds (N, D) descriptors; they are safe when it returns. A picture that it has takes the place of its former
        state; where nothing that is known of it has changed, it is left as it is. Says how many were written."""

    def remove(self, selection: Selection) -> int:
        """Removes all at once; says how many. Raises UserError for a selection that leaves every field open."""

    def search(self, queries: Array, k: int, selection: Selection) -> list[list[Hit]]:
        """The k most similar of the selected pictures for each of the queries (Q, D), best first; of equally similar
        ones the one that was added first. It knows nothing of the queries: `look_up` leaves out what people don't look
        for."""


def checked(descriptors: Array, length: int | None = None) -> Array:
    """Descriptors (N, D) as float32 rows of length 1. Raises UserError when they are nothing of the kind."""
    found = np.asarray(descriptors)
    if found.ndim != 2 or not np.issubdtype(found.dtype, np.floating):
        raise UserError(f"descriptors are {found.dtype} {found.shape}, expected floats (N, D)")
    if length is not None and found.shape[1] != length:
        raise UserError(
            f"descriptors have length {found.shape[1]}, those of the gallery {length}: describe with its model"
        )
    if not np.isfinite(found).all():
        raise UserError("descriptors hold values that are not finite numbers, expected none")
    norms = np.linalg.norm(found.astype(np.float64), axis=1, keepdims=True)
    if (norms == 0).any():
        raise UserError(f"descriptor {int(np.argmin(norms))} is zero, expected a direction: describe its picture again")
    return np.ascontiguousarray(found / norms, np.float32)


def news(entries: Sequence[Entry], rows: int, held: Mapping[str, Entry]) -> list[int]:
    """Which of the entries, one for each of the rows, a gallery is to write: of each picture the first, where what is
    held of it is not the same. Raises UserError for entries that no gallery can keep."""
    if rows != len(entries):
        raise UserError(f"there are {rows} descriptors for {len(entries)} pictures, expected one each")
    for entry in entries:
        if entry.modality not in MODALITIES or not EARLIEST < entry.time < LATEST:
            raise UserError(
                f"{entry.path[:80]} is {entry.modality!r} at {entry.time:g}: expected {' or '.join(MODALITIES)}, and "
                f"seconds since 1970"
            )
    first = {key(entry.path): i for i, entry in reversed(list(enumerate(entries)))}
    return sorted(i for i in first.values() if not _same(held.get(entries[i].path), entries[i]))


def _same(held: Entry | None, entry: Entry) -> bool:
    return held is not None and held.like(entry)


def same_model(gallery: str, given: str) -> None:
    """Raises UserError when descriptors come from another model than the gallery's."""
    if gallery != given:
        raise UserError(
            f"the gallery was described by {_named(gallery)}, these pictures by {_named(given)}, whose descriptors "
            f"can't be compared: take the gallery's model, or make a gallery of its own"
        )


def refuse_unfinished(store: Store, place: str) -> None:
    """Raises UserError for a gallery whose index was stopped: to be added to it must be whole."""
    if not store.complete():
        raise UserError(
            f"the index of {place} was stopped, or goes on, at {store.info().rows} pictures: give the same index "
            f"command again, which goes on where it stopped, then add"
        )


def refuse_open(selection: Selection) -> None:
    """Raises UserError for a selection of everything, where pictures are to be removed."""
    if not selection:
        raise UserError("the selection leaves every field open: say which pictures are to be removed")


def _named(model: str) -> str:
    return f"the model {model[:12]}" if model else "a model that is not named"
