"""A query and what was found for it, as a picture: right framed green, wrong red with two lines, unknown grey."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from hicmd_tf.errors import UserError
from hicmd_tf.pictures.decode import opened
from hicmd_tf.pictures.sheet import GREY, RIGHT, WRONG, Cell, save_png, sheet
from hicmd_tf.search.entries import Entry, Hit

WIDTH, HEIGHT = 96, 192
MISSING = (225, 225, 225)
QUERY = "query"
RANGE = "1%-99%"  # of pictures of 16 bits


def draw(file: Path, queries: Sequence[Entry], found: Sequence[Sequence[Hit]]) -> None:
    """One row per query: the query, then its ranked list, each with person and camera, hits with their similarity."""
    rows = []
    for query, hits in zip(queries, found, strict=True):
        cells = [_cell(query, QUERY, GREY), Cell(lines=[" "])]
        for rank, (similarity, entry) in enumerate(hits, 1):
            unknown = min(query.identity, entry.identity) < 0
            frame = GREY if unknown else RIGHT if query.identity == entry.identity else WRONG
            cells.append(_cell(entry, f"{rank}: {similarity:.3f}", frame))
        rows.append(cells)
    save_png(sheet(rows, HEIGHT), file)


def _cell(entry: Entry, words: str, frame: tuple[int, int, int]) -> Cell:
    """In one size; a picture that is gone, or can't be used any more, is grey."""
    camera = "" if words == QUERY and not entry.camera else f", cam {entry.taken_by}"  # nobody said which
    lines = [words, f"id {entry.who}", f"{entry.modality}{camera}"]
    try:
        picture = opened(Path(entry.path), RANGE).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)
    except UserError:
        picture, lines = Image.new("RGB", (WIDTH, HEIGHT), MISSING), [*lines, "missing"]
    return Cell(np.asarray(picture), lines, frame, ring=frame == WRONG)
