"""Every kind of figure by its name, and all of them for a report."""

from collections.abc import Callable, Iterator

from tqdm import tqdm

from hicmd_tf.runs.opened import OpenedRun
from hicmd_tf.visualize.attention import attention
from hicmd_tf.visualize.curves import cmc, curves
from hicmd_tf.visualize.distances import distances
from hicmd_tf.visualize.embedding import embedding
from hicmd_tf.visualize.figure import Figure
from hicmd_tf.visualize.ranked import hardest_queries, ranked
from hicmd_tf.visualize.swaps import illumination, interpolate, swap

KINDS: dict[str, Callable[[OpenedRun, int], list[Figure]]] = {
    "curves": lambda run, seed: curves(run),
    "ranked": lambda run, seed: [*ranked(run, seed), *hardest_queries(run)],
    "swap": lambda run, seed: swap(run.known, seed),
    "illumination": lambda run, seed: illumination(run.known, seed),
    "interpolate": lambda run, seed: interpolate(run.known, seed),
    "distances": lambda run, seed: distances(run.known),
    "embedding": embedding,
    "attention": lambda run, seed: attention(run.known, seed),
}
"""What makes the figures of a kind, from a run and a seed that says whose pictures are shown."""


def all_figures(run: OpenedRun, seed: int = 0) -> Iterator[Figure]:
    """The figures of every kind. Of a run without a table of losses, such as a converted one, only the CMC's curves."""
    for name, make in tqdm(KINDS.items(), desc="figures", unit="kind", leave=False):
        yield from [cmc(run)] if name == "curves" and not run.folder.losses.is_file() else make(run, seed)
