"""Arithmetic that gives the same bits on every machine.

IEEE 754 fixes the result of + - * / and sqrt, of comparisons and of integer operations. It does not fix sine, exp or
the order of a sum: NumPy picks vector routines by processor for those, and BLAS may fuse products. So the drawing uses
per pixel only the exact operations, in a written-out order. Angles of limbs are few: they go through `math` and are
rounded to a grid far coarser than any libm's error. Random numbers are the raw words of PCG64, the one stream that
NumPy promises never to change (`Generator` may).
"""

import math
from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np

Array = np.ndarray[Any, Any]
Choice = TypeVar("Choice")
Vector = tuple[float, float, float]
"""Of Python floats: for a few dozen joints they are quicker than arrays."""

GRID = 2.0**30
BYTES_SUMMED = 4
BELL_DEVIATION = math.sqrt(BYTES_SUMMED * (256**2 - 1) / 12)
"""Standard deviation of `Draws.bell`."""


def sin(angle: float) -> float:
    """Sine of an angle in radians, a multiple of 2**-30."""
    return round(math.sin(angle) * GRID) / GRID


def cos(angle: float) -> float:
    """Cosine of an angle in radians, a multiple of 2**-30."""
    return round(math.cos(angle) * GRID) / GRID


def turns(side: Array, front: Array) -> Array:
    """Angle from `front` towards `side` in turns, -0.5 to 0.5, same shape: atan2 by a polynomial, error below 2e-6."""
    wide, deep = np.abs(side), np.abs(front)
    ratio = np.minimum(wide, deep) / np.maximum(np.maximum(wide, deep), 1e-12)
    square = ratio * ratio
    # arctan on [0, 1], Abramowitz and Stegun 4.4.49, divided by 2 pi below
    series = ((0.0208351 * square - 0.0851330) * square + 0.1801410) * square - 0.3302995
    eighth = (series * square + 0.9998660) * ratio * 0.15915494
    quarter = np.where(wide > deep, 0.25 - eighth, eighth)
    half = np.where(front < 0, 0.5 - quarter, quarter)
    return np.where(side < 0, -half, half)


class Draws:
    """Random draws for one person or one picture, from its own key."""

    def __init__(self, *key: int) -> None:
        self._bits = np.random.PCG64(np.random.SeedSequence(key))

    def uniform(self, low: float = 0.0, high: float = 1.0) -> float:
        """A number between `low` and `high`, from 53 random bits."""
        return low + (high - low) * ((int(self._bits.random_raw()) >> 11) * 2.0**-53)

    def chance(self, probability: float) -> bool:
        """True with the given probability."""
        return self.uniform() < probability

    def choose(self, choices: Sequence[Choice]) -> Choice:
        """One of the choices; repeat one to make it likelier."""
        return choices[int(self.uniform(0, len(choices)))]

    def sign(self) -> float:
        """-1.0 or 1.0."""
        return -1.0 if self.chance(0.5) else 1.0

    def shuffled(self, count: int) -> list[int]:
        """A permutation of 0 to count - 1 (Fisher and Yates)."""
        order = list(range(count))
        for last in range(count - 1, 0, -1):
            other = int(self.uniform(0, last + 1))
            order[last], order[other] = order[other], order[last]
        return order

    def bell(self, *shape: int) -> Array:
        """Bell-shaped noise, float32 of the given shape: sums of four bytes, mean 0, deviation `BELL_DEVIATION`."""
        count = math.prod(shape)
        words = self._bits.random_raw((count * BYTES_SUMMED + 7) // 8).astype("<u8")
        summands = words.view(np.uint8)[: count * BYTES_SUMMED].reshape(BYTES_SUMMED, count).astype(np.int16)
        total = summands[0] + summands[1] + summands[2] + summands[3]
        centred: Array = total.reshape(shape).astype(np.float32) - np.float32(BYTES_SUMMED * 127.5)
        return centred


def add(a: Vector, b: Vector, times: float = 1.0) -> Vector:
    """a + times b."""
    return a[0] + times * b[0], a[1] + times * b[1], a[2] + times * b[2]


def dot(a: Vector, b: Vector) -> float:
    """Scalar product."""
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def cross(a: Vector, b: Vector) -> Vector:
    """Vector product."""
    return a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]


def length(a: Vector) -> float:
    """Euclidean length."""
    return math.sqrt(dot(a, a))


def unit(a: Vector) -> Vector:
    """a scaled to length 1."""
    size = length(a)
    return a[0] / size, a[1] / size, a[2] / size
