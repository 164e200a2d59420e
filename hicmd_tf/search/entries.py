"""What a gallery knows of a picture, which pictures are meant, and what a search finds."""

import math
import os
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from hicmd_tf.data.labels import shown
from hicmd_tf.errors import UserError
from hicmd_tf.notation import MODALITIES

Array = np.ndarray[Any, Any]

UNKNOWN = ""  # a model that nobody named
EARLIEST, LATEST = -6e10, 2.5e11  # seconds; a calendar has no more


class Entry(NamedTuple):
    """What is known of a picture.

    Args:
        path: of the file, or its name in a file of descriptors; a gallery has one entry for each `key` of a path.
        identity: number of the person; below 0: unknown.
        camera: number of the camera.
        modality: visible or infrared.
        time: seconds since 1970.
        digest: SHA-256 of the picture's file, or of its descriptor where only that is known; empty: unknown.
        person, device: names of identity and camera, where these are not numbers.
    """

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
    """A picture's file as a gallery keeps it: absolute, without links and `..`. Raises UserError for a name that is no
    text."""
    found = os.path.realpath(path)
    try:
        found.encode()
    except UnicodeEncodeError as error:
        raise UserError(f"{found!r} has a name that is no text in UTF-8: rename it") from error
    return found


class Hit(NamedTuple):
    """A picture that was found. similarity: the cosine, -1 to 1."""

    similarity: float
    entry: Entry


@dataclass(frozen=True)
class Selection:
    """Which pictures are meant: those that fit all fields that are given. None leaves a field open, an empty sequence
    means no picture.

    Args:
        paths, identities, cameras: any of these.
        modality: visible or infrared.
        after: the earliest time.
        before: the first time that is too late.

    Raises:
        UserError: for another modality, a time that is NaN, or a text instead of several.
    """

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


def lengths(descriptors: Array, length: int) -> Array:
    """Lengths (N, 1) of descriptors (N, D), which a gallery can keep.

    Raises:
        UserError: where they have another length than D = `length`, or are not floats, finite and other than 0.
    """
    if descriptors.ndim != 2 or not np.issubdtype(descriptors.dtype, np.floating):
        raise UserError(f"descriptors are {descriptors.dtype} {descriptors.shape}, expected floats (N, D)")
    if descriptors.shape[1] != length:
        raise UserError(
            f"descriptors have length {descriptors.shape[1]}, those of the gallery {length}: describe with its model"
        )
    found = np.sqrt(np.einsum("ij,ij->i", descriptors, descriptors, dtype=np.float64))[:, None]
    if not np.isfinite(found).all():
        raise UserError("descriptors hold values that are not finite numbers, expected none")
    if not found.all():
        raise UserError(f"descriptor {int(np.argmin(found))} is zero, expected a direction: describe its picture again")
    return found


def unit(descriptors: Array, scales: Array) -> Array:
    """Descriptors (N, D) divided by their lengths (N, 1), float32."""
    return np.divide(descriptors, scales, out=np.empty(descriptors.shape, np.float32), casting="same_kind")


def checked(descriptors: Array, length: int) -> Array:
    """Descriptors (N, D) as float32 rows of length 1. Raises UserError as `lengths` does."""
    found = np.asarray(descriptors)
    return unit(found, lengths(found, length))


def news(entries: Sequence[Entry], rows: int, held: Mapping[str, Entry]) -> list[int]:
    """Which entries a gallery is to write: of each picture the first, where what is held of it is not the same.

    Args:
        entries: one for each of the `rows` descriptors.
        held: by path, what the gallery has.

    Raises:
        UserError: for entries that no gallery can keep.
    """
    if rows != len(entries):
        raise UserError(f"there are {rows} descriptors for {len(entries)} pictures, expected one each")
    for entry in entries:
        if entry.modality not in MODALITIES or not EARLIEST < entry.time < LATEST:
            raise UserError(
                f"{entry.path[:80]} is {entry.modality!r} at {entry.time:g}: expected {' or '.join(MODALITIES)}, and "
                f"seconds since 1970"
            )
    first = {key(entry.path): i for i, entry in reversed(list(enumerate(entries)))}
    before = ((i, held.get(entries[i].path)) for i in first.values())
    return sorted(i for i, former in before if former is None or not former.like(entries[i]))


def same_model(gallery: str, given: str) -> None:
    """Raises UserError when descriptors come from another model than the gallery's."""
    if gallery != given:
        raise UserError(
            f"the gallery was described by {_named(gallery)}, these pictures by {_named(given)}, whose descriptors "
            f"can't be compared: take the gallery's model, or make a gallery of its own"
        )


def _named(model: str) -> str:
    return f"the model {model[:12]}" if model else "a model that is not named"


def refuse_open(selection: Selection) -> None:
    """Raises UserError for a selection of everything, where pictures are to be removed."""
    if not selection:
        raise UserError("the selection leaves every field open: say which pictures are to be removed")
