"""A query and what was found for it, as a picture: right framed green, wrong red with two lines, unknown grey."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from hicmd_tf.errors import UserError
from hicmd_tf.pictures.decode import opened
from hicmd_tf.pictures.sheet import GREY, RIGHT, WRONG, Cell, save_png, sheet
from hicmd_tf.search.entries import Entry, Hit

Array = np.ndarray[Any, Any]

WIDTH, HEIGHT = 96, 192
MISSING = (225, 225, 225)
QUERY = "query"


def draw(file: Path, queries: Sequence[Entry], found: Sequence[Sequence[Hit]], sixteen_bit: str = "") -> None:
    """One row per query: the query, then its ranked list, each with person and camera, hits with their similarity.

    sixteen_bit: as the setting.
    """
    rows = []
    for query, hits in zip(queries, found, strict=True):
        cells = [_cell(query, QUERY, GREY, sixteen_bit), Cell(lines=[" "])]
        for rank, (similarity, entry) in enumerate(hits, 1):
            unknown = min(query.identity, entry.identity) < 0
            frame = GREY if unknown else RIGHT if query.identity == entry.identity else WRONG
            cells.append(_cell(entry, f"{rank}: {similarity:.3f}", frame, sixteen_bit))
        rows.append(cells)
    save_png(sheet(rows, HEIGHT), file)


def _cell(entry: Entry, words: str, frame: tuple[int, int, int], sixteen_bit: str) -> Cell:
    picture, missing = _picture(entry.path, sixteen_bit)
    known = words != QUERY or entry.camera  # a single picture has 0: nobody said by which camera it is
    camera = f", cam {entry.taken_by}" if known else ""
    lines = [words, f"id {entry.who}", f"{entry.modality}{camera}"]
    return Cell(picture, [*lines, "missing"] if missing else lines, frame, ring=frame == WRONG)


def _picture(path: str, sixteen_bit: str) -> tuple[Array, bool]:
    """A picture in the cell's size, and whether it is gone, or no picture any more; then it is grey."""
    try:
        return np.asarray(opened(Path(path), sixteen_bit).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)), False
    except (UserError, OSError, ValueError):  # the others are of a path that is none
        return np.full((HEIGHT, WIDTH, 3), MISSING, np.uint8), True
