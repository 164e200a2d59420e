"""Every kind of figure by its name, and all of them for a report."""

import importlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from tqdm import tqdm

if TYPE_CHECKING:
    from hicmd_tf.runs.opened import OpenedRun
    from hicmd_tf.visualize.figure import Figure


class Kind(NamedTuple):
    """module: of this package, with a function of the kind's name. shows: what is in its figures. seeded: whether a
    seed says whose pictures are shown, or they are of everyone."""

    module: str
    shows: str
    seeded: bool = True


KINDS = {
    "curves": Kind("curves", "losses, alpha, scores, rank-1 and mAP over the steps; CMC", seeded=False),
    "ranked": Kind("ranked", "queries with their ranked lists, random and hardest, right and wrong framed"),
    "swap": Kind("swaps", "ID-excluded attributes exchanged keeping the identity, and the reverse (Fig. 6)"),
    "illumination": Kind("swaps", "only the illumination code exchanged, and only the pose code (Fig. 7)"),
    "interpolate": Kind("swaps", "from one picture's ID-excluded attributes to another's (Fig. 8)"),
    "distances": Kind("distances", "within and between people, before and after training (Fig. 5)", seeded=False),
    "verification": Kind("verification", "ROC of pairs; reliability of calibrated similarities", seeded=False),
    "embedding": Kind("embedding", "descriptors and every code in the plane by t-SNE"),
    "attention": Kind("attention", "where the descriptor looks"),
}


def figures_of(name: str, run: "OpenedRun", seed: int) -> "list[Figure]":
    """The figures of one kind."""
    module, _, seeded = KINDS[name]
    make = getattr(importlib.import_module(f"hicmd_tf.visualize.{module}"), name)
    return make(run, seed) if seeded else make(run)


def all_figures(run: "OpenedRun", seed: int = 0) -> "Iterator[Figure]":
    """The figures of every kind."""
    for name in tqdm(KINDS, desc="figures", unit="kind", leave=False):
        yield from figures_of(name, run, seed)
