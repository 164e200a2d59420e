"""Two runs of one configuration side by side: losses, weights and figures, equal to the bit or by how much not."""

import math
from collections.abc import Iterator, Mapping
from itertools import zip_longest
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from hicmd_tf.files import read_json
from hicmd_tf.runs.folder import RunFolder
from hicmd_tf.tables import as_text

Array = np.ndarray[Any, Any]

NEAR = 0.01
"""Figures, which are fractions, that differ by no more count as reproduced, though not to the bit."""

ABSENT = "absent"


class Compared(NamedTuple):
    """What was compared. difference: the largest there is, 0 for equal bits and inf where there is no number for it.
    words: how far it is equal, for people."""

    what: str
    difference: float
    words: str


class Comparison(NamedTuple):
    """losses: of losses.csv. weights: of the newest checkpoints, with optimisers. figures: all of metrics.json."""

    losses: Compared
    weights: Compared
    figures: list[Compared]

    @property
    def exact(self) -> bool:
        """Whether everything is equal bit for bit."""
        return not any(one.difference for one in (self.losses, self.weights, *self.figures))

    @property
    def verdict(self) -> str:
        """In one line."""
        if self.exact:
            return "reproduced to the bit"
        furthest = max(self.figures, key=lambda figure: figure.difference)
        if furthest.difference > NEAR or math.isinf(self.weights.difference):
            worst = self.weights if math.isinf(self.weights.difference) else furthest
            return f"not reproduced: {worst.what}: {worst.words}"
        return (
            f"reproduced within {furthest.difference:.2g} of every figure and {self.weights.difference:.2g} of every "
            f"weight, not to the bit"
        )

    def as_text(self) -> str:
        """A table: one line each for losses and weights, one for every figure that differs, one for all that don't."""
        unlike = [figure for figure in self.figures if figure.difference]
        equal = Compared("figures", 0.0, f"{len(self.figures) - len(unlike)} of {len(self.figures)} equal")
        rows = [self.losses, self.weights, *unlike, equal]
        return as_text([[row.what, row.words] for row in rows], "<")

    def as_json(self) -> dict[str, Any]:
        """As reproduction.json has it; a non-finite difference stands as text."""
        rows = {"losses": self.losses, "weights": self.weights, **{figure.what: figure for figure in self.figures}}
        found = {name: {"difference": _in_json(row.difference), "words": row.words} for name, row in rows.items()}
        return {"verdict": self.verdict, "exact": self.exact, **found}


def compare(then: RunFolder, now: RunFolder) -> Comparison:
    """A run and its repetition. Raises UserError when one of them lacks its checkpoint or its metrics.json."""
    figures = compare_figures(read_json(then.metrics), read_json(now.metrics))
    weights = compare_weights(then.checkpoint().arrays, now.checkpoint().arrays)
    return Comparison(compare_losses(then.losses, now.losses), weights, figures)


def compare_losses(then: Path, now: Path) -> Compared:
    """Two losses.csv: the first step and term in which they differ, and the largest difference of all."""
    before, after = (file.read_bytes() if file.is_file() else b"" for file in (then, now))
    if before == after:
        return Compared(then.name, 0.0, f"equal to the byte, {len(_rows(before))} lines")
    found = list(_unlike_cells(_rows(before), _rows(after)))
    if not found:
        return Compared(then.name, math.inf, "the same numbers in other bytes")
    step, term, old, new = found[0]
    largest = max(_distance(_number(was), _number(is_now)) for _, _, was, is_now in found)
    return Compared(then.name, largest, f"first at step {step}, {term}: {old} was, {new} is; by {largest:.2g} at most")


def _rows(content: bytes) -> list[list[str]]:
    return [line.split(",") for line in content.decode("utf-8", "replace").splitlines()]


def _unlike_cells(before: list[list[str]], after: list[list[str]]) -> Iterator[tuple[str, str, str, str]]:
    """(step, term, old, new) of every cell that is not the same text."""
    terms = (before or after)[0]
    nothing: list[str] = []
    for row, other in zip_longest(before, after, fillvalue=nothing):
        for number, (old, new) in enumerate(zip_longest(row, other, fillvalue=ABSENT)):
            if old != new:
                term = terms[number] if number < len(terms) else f"column {number + 1}"
                yield (row or other)[0], term, old, new


def compare_weights(then: Mapping[str, Array], now: Mapping[str, Array]) -> Compared:
    """Every array of two checkpoints, weights, running statistics and optimisers, bit for bit."""
    what = "weights and optimisers"
    alone = sorted({*then} ^ {*now})
    if alone:
        return Compared(what, math.inf, f"{len(alone)} tensors are in one of both only, as {alone[0]}")
    unlike = {name: _furthest(then[name], now[name]) for name in then if not _same_bits(then[name], now[name])}
    if not unlike:
        return Compared(what, 0.0, f"equal bit for bit, {len(then)} tensors")
    worst = max(unlike, key=lambda name: unlike[name])
    of = f"{len(unlike)} of {len(then)} tensors differ"
    return Compared(what, unlike[worst], f"{of}, most {worst}, by {unlike[worst]:.2g}")


def _same_bits(one: Array, other: Array) -> bool:
    return (one.shape, one.dtype, one.tobytes()) == (other.shape, other.dtype, other.tobytes())


def _furthest(old: Array, new: Array) -> float:
    """The largest difference of two tensors, as floats; inf when shapes or kinds differ, or something is NaN.

    Bits that differ in the sign of a zero only count as the least that there is.
    """
    if old.shape != new.shape or old.dtype != new.dtype:
        return math.inf
    with np.errstate(invalid="ignore", over="ignore"):
        distance = np.abs(old.astype(np.float64) - new.astype(np.float64))
    return max(float(distance.max()), math.ulp(0.0)) if np.isfinite(distance).all() else math.inf


def compare_figures(then: Any, now: Any) -> list[Compared]:
    """Everything that two metrics.json say, but where it comes from."""
    before, after = dict(_leaves(then)), dict(_leaves(now))
    return [_figure(name, before.get(name, ABSENT), after.get(name, ABSENT)) for name in {**before, **after}]


def _leaves(tree: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """(dotted name, value) of everything in metrics.json."""
    if isinstance(tree, dict) and tree:
        for name, value in tree.items():
            if prefix or name != "provenance":
                yield from _leaves(value, f"{prefix}{name}.")
    elif isinstance(tree, list) and tree:
        for number, value in enumerate(tree):
            yield from _leaves(value, f"{prefix}{number}.")
    else:
        yield prefix.removesuffix("."), tree


def _figure(name: str, old: Any, new: Any) -> Compared:
    if old == new and type(old) is type(new):
        return Compared(name, 0.0, f"{old}, equal")
    return Compared(name, _distance(old, new), f"{old} was, {new} is")


def _distance(old: Any, new: Any) -> float:
    """Of two numbers; inf when one of them is none."""
    if any(isinstance(value, bool) or not isinstance(value, int | float) for value in (old, new)):
        return math.inf
    try:
        distance = abs(float(old) - float(new))
    except OverflowError:  # JSON has whole numbers of any length
        return math.inf
    return max(distance, math.ulp(0.0)) if math.isfinite(distance) else math.inf


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _in_json(difference: float) -> float | str:
    return difference if math.isfinite(difference) else "no number"
