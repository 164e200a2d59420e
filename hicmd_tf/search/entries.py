"""What a gallery knows of a picture, which pictures are meant, and what a search finds."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np

from hicmd_tf.errors import UserError

Array = np.ndarray[Any, Any]

UNKNOWN = ""  # a model that nobody named


class Entry(NamedTuple):
    """path: of the picture, unique in a gallery. identity: a number, -1 where unknown. time: seconds since 1970."""

    path: str
    identity: int
    camera: int
    modality: str
    time: float


class Hit(NamedTuple):
    """similarity: the cosine, -1 to 1."""

    similarity: float
    entry: Entry


@dataclass(frozen=True)
class Selection:
    """Which pictures are meant: those of any of the paths, identities and cameras, of the modality and in the time, as
    far as they are given. after is the earliest time, before the first that is too late."""

    paths: Sequence[str] = ()
    identities: Sequence[int] = ()
    cameras: Sequence[int] = ()
    modality: str | None = None
    after: float | None = None
    before: float | None = None

    def __bool__(self) -> bool:
        """Whether anything is left out."""
        return self != Selection()


class Info(NamedTuple):
    """model: SHA-256 of the weights that described, or `UNKNOWN`. length: of a descriptor. rows: how many pictures."""

    model: str
    length: int
    rows: int


class Store(Protocol):
    """A gallery, wherever it is kept."""

    def info(self) -> Info:
        """What it holds."""

    def known(self, paths: Sequence[str]) -> set[str]:
        """Those of the paths that it has."""

    def add(self, descriptors: Array, entries: Sequence[Entry], model: str) -> int:
        """Adds (N, D) descriptors; they are safe when it returns. Paths that it has are left as they are."""

    def remove(self, selection: Selection) -> int:
        """Removes all at once; says how many."""

    def search(self, queries: Array, k: int, selection: Selection) -> list[list[Hit]]:
        """The k most similar of the selected pictures for each of the queries (Q, D), best first; of equally similar
        ones the one that was added first."""


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


def same_model(gallery: str, given: str) -> None:
    """Raises UserError when descriptors come from another model than the gallery's."""
    if gallery != given:
        raise UserError(
            f"the gallery was described by {_named(gallery)}, these pictures by {_named(given)}, whose descriptors "
            f"can't be compared: take the gallery's model, or make a gallery of its own"
        )


def _named(model: str) -> str:
    return f"the model {model[:12]}" if model else "a model that is not named"
