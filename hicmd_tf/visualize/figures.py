"""Every kind of figure by its name, and all of them for a report."""

import importlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from tqdm import tqdm

from hicmd_tf.config.kinds import HICMD

if TYPE_CHECKING:
    from hicmd_tf.runs.opened import OpenedRun
    from hicmd_tf.visualize.figure import Figure


class Kind(NamedTuple):
    """module: of this package, with a function of the kind's name. shows: what is in its figures. seeded: whether a
    seed says whose pictures are shown, or they are of everyone. generation: whether they are of generated pictures,
    which embedding networks don't make."""

    module: str
    shows: str
    seeded: bool = True
    generation: bool = False


KINDS = {
    "curves": Kind("curves", "losses, alpha, scores, rank-1 and mAP over the steps; CMC", seeded=False),
    "ranked": Kind("ranked", "queries with their ranked lists, random and hardest, right and wrong framed"),
    "swap": Kind(
        "swaps", "ID-excluded attributes exchanged keeping the identity, and the reverse (Fig. 6)", generation=True
    ),
    "illumination": Kind(
        "swaps", "only the illumination code exchanged, and only the pose code (Fig. 7)", generation=True
    ),
    "interpolate": Kind("swaps", "from one picture's ID-excluded attributes to another's (Fig. 8)", generation=True),
    "distances": Kind("distances", "within and between people, before and after training (Fig. 5)", seeded=False),
    "verification": Kind("verification", "ROC of pairs; reliability of calibrated similarities", seeded=False),
    "embedding": Kind("embedding", "descriptors and every code in the plane by t-SNE"),
    "attention": Kind("attention", "where the descriptor looks"),
}


def figures_of(name: str, run: "OpenedRun", seed: int) -> "list[Figure]":
    """The figures of one kind."""
    kind = KINDS[name]
    make = getattr(importlib.import_module(f"hicmd_tf.visualize.{kind.module}"), name)
    return make(run, seed) if kind.seeded else make(run)


def all_figures(run: "OpenedRun", seed: int = 0) -> "Iterator[Figure]":
    """The figures of every kind that the run's method has."""
    generates = run.config.method == HICMD
    names = [name for name, kind in KINDS.items() if generates or not kind.generation]
    for name in tqdm(names, desc="figures", unit="kind", leave=False):
        yield from figures_of(name, run, seed)
