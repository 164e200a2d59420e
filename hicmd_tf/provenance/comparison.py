"""Two runs of one configuration side by side: losses, weights and figures, equal to the bit or by how much not."""

import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from hicmd_tf.errors import counted
from hicmd_tf.files import read_json
from hicmd_tf.retrieval.modality import SETTINGS
from hicmd_tf.retrieval.tracks import pool_in
from hicmd_tf.runs.folder import RunFolder
from hicmd_tf.runs.origin import Provenance
from hicmd_tf.tables import as_text

Array = np.ndarray[Any, Any]

NEAR = 0.01
"""Figures, which are fractions, that differ by no more count as reproduced, though not to the bit."""

ABSENT = "absent"
SIMILARITIES = ("verification", "threshold")
"""What metrics.json says of similarities: compared only where both have it, for earlier versions had not, and where the
same engines evaluated, for these agree in ranks, but in similarities to rounding alone."""

ODDS = "threshold.calibration"
"""Slope and offset of log odds, which are no fractions as all else, and follow from the similarities."""


class Compared(NamedTuple):
    """A comparison of one thing. what: its name. difference: the largest there is, 0 for equal bits and inf where it
    can't be computed. words: how far it is equal, for people."""

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
        worst = self.weights if math.isinf(self.weights.difference) else furthest
        if worst.difference > NEAR:
            return f"not reproduced: {worst.what}: {worst.words}"
        return (
            f"reproduced within {furthest.difference:.2g} of every figure and {self.weights.difference:.2g} of every "
            f"weight, not to the bit"
        )

    def as_text(self) -> str:
        """A table: one line each for losses and weights, one for every figure that differs, one for all that don't."""
        unlike = [figure for figure in self.figures if figure.difference]
        equal = Compared("figures", 0.0, f"{len(self.figures) - len(unlike)} of {len(self.figures)} equal")
        return as_text([[row.what, row.words] for row in (self.losses, self.weights, *unlike, equal)], "<")

    def as_json(self) -> dict[str, Any]:
        """As reproduction.json has it; a difference without a number is null."""
        rows = {"losses": self.losses, "weights": self.weights, **{figure.what: figure for figure in self.figures}}
        finite = {name: one.difference if math.isfinite(one.difference) else None for name, one in rows.items()}
        found = {name: {"difference": finite[name], "words": row.words} for name, row in rows.items()}
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
        return Compared(then.name, 0.0, f"equal to the byte, {counted(len(before.splitlines()), 'line')}")
    unlike = [one for one in _compared(dict(_cells(before)), dict(_cells(after))) if one.difference]
    if not unlike:
        return Compared(then.name, math.inf, "the same numbers in other bytes")
    largest = max(one.difference for one in unlike)
    return Compared(then.name, largest, f"first at {unlike[0].what}: {unlike[0].words}; by {largest:.2g} at most")


def _cells(content: bytes) -> Iterator[tuple[str, str]]:
    """(step and term, text) of every cell below the head."""
    head, *rows = [line.split(",") for line in content.decode("utf-8", "replace").splitlines()] or [[""]]
    for row in rows:
        yield from ((f"step {row[0]}, {term}", cell) for term, cell in zip(head, row, strict=False))


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
    """The largest difference of two tensors; inf when shapes or kinds differ, or something is NaN."""
    if old.shape != new.shape or old.dtype != new.dtype:
        return math.inf
    with np.errstate(invalid="ignore", over="ignore"):
        return _least(float(np.abs(old.astype(np.float64) - new.astype(np.float64)).max()))


def compare_figures(then: Any, now: Any) -> list[Compared]:
    """Everything that two metrics.json say, but where it comes from, and what can't be compared: `SIMILARITIES`, rows
    without modality where one has none, for earlier versions had not, and tracks that were compared by different pools.
    """
    if pool_in(then) != pool_in(now):
        then, now = ({**_without(one, _of_tracks), "tracks": {}} for one in (then, now))
    if any(_of_modality(row) for row in _rows(then)) != any(_of_modality(row) for row in _rows(now)):
        then, now = (_without(one, _of_modality) for one in (then, now))
    alike = _engines(then) == _engines(now)
    left = {part for part in SIMILARITIES if not (alike and part in then and part in now)}
    before, after = (
        {name: value for name, value in _leaves(one) if name.split(".")[0] not in left and ODDS not in name}
        for one in (then, now)
    )
    return list(_compared(before, after))


def _rows(metrics: Any) -> list[dict[str, Any]]:
    return list(metrics.get("settings", []))


def _without(metrics: Any, which: Callable[[dict[str, Any]], bool]) -> Any:
    """The same without some rows."""
    return {**metrics, "settings": [row for row in _rows(metrics) if not which(row)]}


def _of_tracks(row: dict[str, Any]) -> bool:
    return str(row["setting"]).partition(",")[0].endswith("to track")


def _of_modality(row: dict[str, Any]) -> bool:
    return row["setting"] in SETTINGS


def _engines(metrics: Any) -> set[str]:
    """Who had a part in them, as far as they say."""
    origins = metrics.get("provenance", {}).get("origins", [])
    return {one["packages"]["engine"] for one in origins if "engine" in one["packages"]}


def differences(then: Provenance, now: Provenance) -> Iterator[str]:
    """In a line each, what is not as it was when a run was made, its pictures apart. now: of one origin."""
    if then["configuration_sha256"] != now["configuration_sha256"]:
        yield "the run's config.yaml is not, or in this version means not, what its figures were made with"
    if not then["deterministic"]:
        yield (
            "the run was trained with training.deterministic false: sums may be added up in another order each time, "
            "and its bits can't be expected to come out again"
        )
    if len(then["origins"]) > 1:
        yield f"{len(then['origins'])} different codes, sets of packages or machines had a part in the run"
    (here,) = now["origins"]
    for there in then["origins"]:
        parts = [part for part in there if part != "code" or there[part]["sha256"] != here[part]["sha256"]]
        before, after = (dict(_leaves({part: one[part] for part in parts})) for one in (there, here))
        yield from (f"{one.what}: {one.words}" for one in _compared(before, after) if one.difference)


def _leaves(tree: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """(dotted name, value) of everything in metrics.json."""
    named = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for name, value in named:
        if prefix or name != "provenance":
            yield from _leaves(value, f"{prefix}{name}.")
    if not isinstance(tree, dict | list):
        yield prefix.removesuffix("."), tree


def _compared(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Compared]:
    """Numbers or texts by name, in their order."""
    for name in {**before, **after}:
        old, new = before.get(name, ABSENT), after.get(name, ABSENT)
        if repr(old) == repr(new):
            yield Compared(name, 0.0, f"{old}, equal")
        else:
            yield Compared(name, _distance(old, new), f"{old} was, {new} is")


def _distance(old: Any, new: Any) -> float:
    """Of two numbers, or texts of them; inf when one of them is none."""
    try:
        return _least(abs(float(old) - float(new)))
    except (TypeError, ValueError, OverflowError):
        return math.inf


def _least(difference: float) -> float:
    """The difference, above 0: other bits, such as another sign of zero or another text of a number, always differ."""
    return max(difference, math.ulp(0.0)) if math.isfinite(difference) else math.inf
