"""Counts of a data set, split by split and modality by modality."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from hicmd_tf.data.labels import named
from hicmd_tf.data.samples import SPLITS, DataSplits, Samples
from hicmd_tf.notation import MODALITIES, Modality
from hicmd_tf.pictures.bounds import size_of

Array = np.ndarray[Any, Any]

LISTED_CAMERAS = 9  # more are counted


class Spread(NamedTuple):
    """Least, middle and greatest of some numbers."""

    least: float
    median: float
    greatest: float

    @classmethod
    def of(cls, values: Array) -> "Spread":
        """That of one number or more."""
        return cls(float(np.min(values)), float(np.median(values)), float(np.max(values)))

    def shown(self, digits: int = 0) -> str:
        """All three with so many decimals, a median of whole numbers as it is; one where all are equal."""
        values = self[:1] if self.least == self.greatest else self
        return " / ".join(f"{value:z.{digits}f}" if digits else f"{value:g}" for value in values)


class Part(NamedTuple):
    """The pictures of one split and modality.

    cameras: their numbers, or how many there are. each: pictures of one person. heights, widths: of the stored pictures
    in pixels; None when none of them can be read. size: bytes of all, encoded. factors: of drawn people, by name.
    """

    split: str
    modality: Modality
    identities: int
    pictures: int
    cameras: str
    each: Spread
    heights: Spread | None
    widths: Spread | None
    size: int
    factors: dict[str, Spread]


def statistics(data: DataSplits) -> list[Part]:
    """Every split and modality that has pictures, those that can't be used among them."""
    parts = ((SPLITS[split], m, samples.of(m)) for split, samples in data.unchecked.items() for m in MODALITIES)
    return [_part(*part) for part in parts if len(part[-1])]


def _part(split: str, modality: Modality, samples: Samples) -> Part:
    people, each = np.unique(samples.identities[samples.known], return_counts=True)
    cameras = np.unique(samples.cameras)
    sizes = _sizes(samples.encoded)
    return Part(
        split,
        modality,
        len(people),
        len(samples),
        ", ".join(named(cameras, samples.texts).values())
        if len(cameras) <= LISTED_CAMERAS
        else f"{len(cameras)} cameras",
        Spread.of(each if len(each) else np.zeros(1)),
        Spread.of(sizes[:, 1]) if len(sizes) else None,
        Spread.of(sizes[:, 0]) if len(sizes) else None,
        sum(map(len, samples.encoded)),
        {name: Spread.of(values) for name, values in samples.factors.items()},
    )


def _sizes(encoded: Iterable[bytes]) -> Array:
    """Widths and heights (M, 2) by the heads of the files, of those that can be read."""
    sizes = [size for size in map(size_of, encoded) if size is not None]
    return np.array(sizes, np.int64).reshape(-1, 2)
