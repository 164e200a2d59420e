"""Pictures of 16 bits per pixel, as thermal cameras write them, to 256 grey levels.

All in whole numbers, so that an exported graph does the same to the last bit.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

LARGEST = 65535
PARTS = 1000  # of a per cent
EXPECTED = (
    "LO-HI in counts, such as 29000-31000, from 0 to 65535; LO%-HI%, each picture's own percentiles, such as "
    "1%-99%; or nothing, which refuses pictures of 16 bits"
)
_COUNTS = re.compile(r"(\d{1,5})-(\d{1,5})", re.ASCII)
_PERCENTILES = re.compile(r"(\d{1,3}(?:\.\d{1,3})?)%-(\d{1,3}(?:\.\d{1,3})?)%", re.ASCII)


@dataclass(frozen=True)
class Range:
    """Which counts become 0 and 255. low, high: counts, or, of each picture's own, thousandths of a per cent."""

    low: int
    high: int
    own: bool = False

    @staticmethod
    def place(part: Any, count: Any) -> Any:
        """Where among so many sorted counts a percentile stands, the nearest."""
        return (part * (count - 1) + 50 * PARTS) // (100 * PARTS)

    def shown(self, counts: Array) -> Array:
        """Counts (H, W) -> uint8, linear between the ends and rounded, the nearest beyond them."""
        low, high = self.low, self.high
        if self.own:
            places = [self.place(part, counts.size) for part in (low, high)]
            low, high = np.partition(counts.ravel(), places)[places].tolist()
        return np.clip(levels(counts.astype(np.int64), low, max(high - low, 1)), 0, 255).astype(np.uint8)


def levels(counts: Any, low: Any, span: Any) -> Any:
    """Counts as grey levels, not yet bounded: `low` is 0, and `low + span`, at least one above it, is 255."""
    return (510 * (counts - low) + span) // (2 * span)


@lru_cache
def range_of(setting: str) -> Range | None:
    """The range that `data.sixteen_bit` names; None where it is empty. Raises ValueError for anything else."""
    if not setting:
        return None
    if found := _COUNTS.fullmatch(setting):
        low, high = int(found[1]), int(found[2])
        if low < high <= LARGEST:
            return Range(low, high)
    elif found := _PERCENTILES.fullmatch(setting):
        low, high = (round(float(text) * PARTS) for text in found.groups())
        if low < high <= 100 * PARTS:
            return Range(low, high, own=True)
    raise ValueError(f"{setting!r} is no range, expected {EXPECTED}")


def is_setting(setting: str) -> bool:
    """Whether a range can be read out of it, or it is empty."""
    try:
        range_of(setting)
    except ValueError:
        return False
    return True
