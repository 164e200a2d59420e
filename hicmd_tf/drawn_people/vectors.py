"""Vectors of three Python floats: for a few dozen joints they are quicker than arrays."""

import math

Vector = tuple[float, float, float]


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
