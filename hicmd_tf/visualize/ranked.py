"""Queries with their ranked lists, right and wrong framed."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from hicmd_tf.data.labels import same
from hicmd_tf.data.samples import Samples
from hicmd_tf.data.searches import Search, protocol
from hicmd_tf.errors import counted
from hicmd_tf.pictures.decode import as_png
from hicmd_tf.pictures.sheet import GREY, RIGHT, WRONG, Cell, sheet
from hicmd_tf.retrieval.evaluation import by_direction
from hicmd_tf.retrieval.ranking import hidden
from hicmd_tf.runs.opened import OpenedRun
from hicmd_tf.visualize.figure import WAYS, Figure

Array = np.ndarray[Any, Any]

QUERIES, LENGTH = 5, 10
READING = (
    "Framed green with one line: the person asked for; red with two lines: somebody else. Beneath: rank, identity, "
    "camera and cosine distance."
)


class RankedList(NamedTuple):
    """query: row of the samples. gallery: rows (G,) that it may see, nearest first. distances: cosine distances (G,), 0
    to 2. right: (G,) bool. first: rank of the first right one, 0 where there is none. precision: AP, likewise 0."""

    query: int
    gallery: Array
    distances: Array
    right: Array
    first: int
    precision: float


def ranked_lists(descriptors: Array, samples: Samples, search: Search) -> list[RankedList]:
    """The whole list of every query of a search, in its first gallery.

    descriptors: (N, E) of length 1, one for each sample. Equal distances keep the gallery's order.
    """
    gallery, rules = search.galleries[0], protocol(search.protocol)
    ids, cameras = samples.identities, samples.cameras
    found = []
    for query in search.queries.tolist():
        seen = gallery[~hidden(rules, ids[query], cameras[query], ids[gallery], cameras[gallery])]
        distances = 1 - descriptors[seen] @ descriptors[query]
        order = np.argsort(distances, kind="stable")
        right = same(ids[query], ids[seen[order]])
        ranks = np.flatnonzero(right) + 1
        first, precision = (
            (int(ranks[0]), float(np.mean(np.arange(1, len(ranks) + 1) / ranks))) if len(ranks) else (0, 0.0)
        )
        found.append(RankedList(query, seen[order], distances[order], right, first, precision))
    return found


def hardest(lists: Sequence[RankedList], count: int) -> list[RankedList]:
    """The lists whose first right picture comes latest, of different queries, the worst first; among equals the lower
    AP. Queries without a right picture in the gallery are left out."""
    found = [found for found in lists if found.first]
    return sorted(found, key=lambda one: (-one.first, one.precision, one.query))[:count]


def ranked(run: OpenedRun, seed: int) -> list[Figure]:
    """Lists of queries drawn by the seed, and those that fail most, one figure a direction."""
    random, hard = [], []
    for way, search in sorted(by_direction(run.searches).items(), reverse=True):
        lists = ranked_lists(run.descriptors, run.samples, search)
        some = [lists[number] for number in np.random.default_rng(seed).permutation(len(lists))[:QUERIES]]
        random.append(_figure(run, f"ranked_{way}", f"Ranked lists, {WAYS[way]}", "Queries drawn at random.", some))
        worst, caption = hardest(lists, QUERIES), "The queries whose first right picture comes latest."
        hard.append(_figure(run, f"hardest_{way}", f"Hardest queries, {WAYS[way]}", caption, worst))
    return random + hard


def _figure(run: OpenedRun, name: str, title: str, caption: str, lists: list[RankedList]) -> Figure:
    hits = sum(one.first == 1 for one in lists)
    said = [
        f"Identity {run.samples.identity(one.query)}: "
        f"{f'first right at rank {one.first}' if one.first else 'no right one in the gallery'}."
        for one in lists
    ]
    return Figure(
        name,
        title,
        f"{caption} {READING}",
        f"{counted(len(lists), 'query')}, each with its {LENGTH} nearest gallery pictures, the first right for {hits}. "
        + " ".join(said),
        as_png(sheet([_row(run, one) for one in lists], height=128)),
    )


def _row(run: OpenedRun, found: RankedList) -> list[Cell]:
    samples, shown = run.samples, found.gallery[:LENGTH]
    pictures = run.pictures(np.array([found.query, *shown]))
    first = f"first at {found.first}" if found.first else "none there"
    query = Cell(pictures[0], [f"id {samples.identity(found.query)}", f"AP {found.precision:.2f}", first], GREY)
    cells = [query, Cell(lines=[" "])]
    for number, (row, picture) in enumerate(zip(shown, pictures[1:], strict=True)):
        right = bool(found.right[number])
        lines = [
            f"{number + 1}  {'right' if right else 'wrong'}",
            f"id {samples.identity(row)}",
            f"cam {samples.camera(row)}  {found.distances[number]:.2f}",
        ]
        cells.append(Cell(picture, lines, RIGHT if right else WRONG, ring=not right))
    return cells
