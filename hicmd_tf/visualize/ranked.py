"""Queries with their ranked lists, right and wrong framed."""

from collections.abc import Callable, Sequence

import numpy as np

from hicmd_tf.pictures.sheet import GREY, RIGHT, WRONG, Cell, sheet
from hicmd_tf.retrieval.lists import RankedList, hardest, ranked_lists
from hicmd_tf.retrieval.report import DIRECTIONS
from hicmd_tf.runs.opened import OpenedRun
from hicmd_tf.visualize.figure import Figure, png_of

QUERIES, LENGTH = 5, 10
READING = (
    "Framed green with one line: the person asked for; red with two lines: somebody else. Beneath: rank, identity, "
    "camera and cosine distance."
)


def ranked(run: OpenedRun, seed: int) -> list[Figure]:
    """Lists of queries drawn by the seed, one figure a direction."""

    def some(lists: Sequence[RankedList]) -> list[RankedList]:
        order = np.random.default_rng(seed).permutation(len(lists))[:QUERIES]
        return [lists[number] for number in order]

    return _figures(run, "ranked", "Ranked lists", f"{QUERIES} queries drawn at random. {READING}", some)


def hardest_queries(run: OpenedRun) -> list[Figure]:
    """The lists that fail most, one figure a direction."""
    caption = f"The queries whose first right picture comes latest. {READING}"
    return _figures(run, "hardest", "Hardest queries", caption, lambda lists: hardest(lists, QUERIES))


def _figures(
    run: OpenedRun, name: str, title: str, caption: str, choose: Callable[[Sequence[RankedList]], list[RankedList]]
) -> list[Figure]:
    first = {str(search.direction): search for search in reversed(run.searches)}
    figures = []
    for direction, search in sorted(first.items(), reverse=True):
        lists = choose(ranked_lists(run.descriptors, run.samples, search))
        hits = sum(one.first == 1 for one in lists)
        figures.append(
            Figure(
                f"{name}_{direction}",
                f"{title}, {DIRECTIONS[direction].replace('->', 'to')}",
                caption,
                f"{len(lists)} queries, each with its {LENGTH} nearest gallery pictures, the first right for {hits}. "
                + " ".join(_words(run, one) for one in lists),
                png_of(sheet([_row(run, one) for one in lists], height=128)),
            )
        )
    return figures


def _words(run: OpenedRun, found: RankedList) -> str:
    first = f"first right at rank {found.first}" if found.first else "no right one in the gallery"
    return f"Identity {run.samples.identity(found.query)}: {first}."


def _row(run: OpenedRun, found: RankedList) -> list[Cell]:
    samples, shown = run.samples, found.gallery[:LENGTH]
    pictures = run.pictures(np.array([found.query, *shown]))
    first = f"first at {found.first}" if found.first else "none there"
    query = Cell(pictures[0], [f"id {samples.identity(found.query)}", f"AP {found.precision:.2f}", first], GREY)
    cells = [query, Cell(lines=[" "])]
    for rank, (row, picture) in enumerate(zip(shown, pictures[1:], strict=True), 1):
        right = bool(found.right[rank - 1])
        lines = [
            f"{rank}  {'right' if right else 'wrong'}",
            f"id {samples.identity(row)}",
            f"cam {samples.camera(row)}  {found.distances[rank - 1]:.2f}",
        ]
        cells.append(Cell(picture, lines, RIGHT if right else WRONG, ring=not right))
    return cells
