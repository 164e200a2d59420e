"""Queries with their ranked lists, right and wrong framed."""

import numpy as np

from hicmd_tf.pictures.decode import as_png
from hicmd_tf.pictures.sheet import GREY, RIGHT, WRONG, Cell, sheet
from hicmd_tf.retrieval.evaluation import by_direction
from hicmd_tf.retrieval.lists import RankedList, hardest, ranked_lists
from hicmd_tf.runs.opened import OpenedRun
from hicmd_tf.visualize.figure import WAYS, Figure

QUERIES, LENGTH = 5, 10
READING = (
    "Framed green with one line: the person asked for; red with two lines: somebody else. Beneath: rank, identity, "
    "camera and cosine distance."
)


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
        f"{len(lists)} queries, each with its {LENGTH} nearest gallery pictures, the first right for {hits}. "
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
