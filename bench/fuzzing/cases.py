"""What one input is: to whom it goes, what is broken in it, and how its files are made."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.strategies import SearchStrategy

LARGEST_TARGETS = 1000

Verdict = Literal["refused", "accepted", "wrong"]


class Material(NamedTuple):
    """Whole things that are broken one at a time; no case may change them.

    run: run folder with a checkpoint of initial weights. data: folder of its prepared pictures. trees: folders of data
    sets by name. descriptors: .npz of the run's test pictures. gallery: folder of `hicmd_tf.search`. saved_model:
    folder of version 1. onnx: folder of ONNX files. permutations: a small rand_perm_cam.mat.
    """

    run: Path
    data: Path
    trees: dict[str, Path]
    descriptors: Path
    gallery: Path
    saved_model: Path
    onnx: Path
    permutations: Path


Build = Callable[[Material, Path], Any]
"""(whole things, an empty folder of this case) -> what is handed to the entry point, such as its arguments."""


class Input(NamedTuple):
    """story: what is wrong, in words that let one make it again. build: makes its files."""

    story: str
    build: Build


class Target(NamedTuple):
    """Inputs of one kind for one entry point. share: how many of all inputs, relative to other targets. always: those
    of a list by hand, which every run has; inputs: those that are drawn."""

    entry: str
    kind: str
    share: float
    inputs: SearchStrategy[Input]
    always: Sequence[Input] = ()


class Case(NamedTuple):
    """One numbered input."""

    number: int
    entry: str
    kind: str
    input: Input


class Outcome(NamedTuple):
    """said: the line, or what was wrong with the answer. seconds: until it came."""

    number: int
    entry: str
    kind: str
    story: str
    verdict: Verdict
    said: str
    seconds: float


def drawn(targets: Sequence[Target], inputs: int, number: int) -> list[Case]:
    """At least so many cases, the same for the same seed `number`: the lists by hand, and what is drawn by share."""
    left = inputs - sum(len(target.always) for target in targets)
    shares = sum(target.share for target in targets)
    found: list[tuple[Target, Input]] = []
    for place, target in enumerate(targets):  # each with draws of its own
        found += [(target, one) for one in target.always]
        count = math.ceil(max(0, left) * target.share / shares) if shares else 0
        found += [(target, one) for one in _drawn(target.inputs, count, LARGEST_TARGETS * number + place)]
    return [Case(i, target.entry, target.kind, one) for i, (target, one) in enumerate(found)]


def _drawn(strategy: SearchStrategy[Input], count: int, number: int) -> list[Input]:
    found: list[Input] = []
    if not count:
        return found

    @seed(number)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def collect(one: Input) -> None:
        found.append(one)

    collect()
    return found
