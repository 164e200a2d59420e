"""A query and what was found for it, as a picture that says what its frames and marks mean."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from hicmd_tf.errors import UserError, counted
from hicmd_tf.pictures.decode import opened
from hicmd_tf.pictures.sheet import GREY, RIGHT, WRONG, Cell, save_png, sheet
from hicmd_tf.retrieval.threshold import Threshold
from hicmd_tf.search.entries import Entry, Hit

WIDTH, HEIGHT = 96, 192
MISSING = (225, 225, 225)
QUERY = "query"
FRAMES = "green frame: the query's person; red frame, of two lines: another; grey frame: nobody says who one of them is"
RANGE = "1%-99%"  # of pictures of 16 bits


def draw(
    file: Path, queries: Sequence[Sequence[Entry]], found: Sequence[Sequence[Hit]], threshold: Threshold | None = None
) -> None:
    """One row per query: its pictures, then its ranked list, each with person and camera, hits with their similarity,
    and with their marks by a threshold, which stands below."""
    rows = []
    for pictures, hits in zip(queries, found, strict=True):
        query = pictures[0]
        cells = [*(_cell(one, QUERY, GREY) for one in pictures), Cell(lines=[" "])]
        for rank, hit in enumerate(hits, 1):
            entry = hit.entry
            unknown = min(query.identity, entry.identity) < 0
            frame = GREY if unknown else RIGHT if query.identity == entry.identity else WRONG
            words = " ".join(filter(None, (f"{rank}: {hit.similarity:.3f}", hit.mark)))
            cells.append(_cell(entry, words, frame, hit.pictures))
        rows.append(cells)
    save_png(sheet(rows, HEIGHT, [FRAMES, *(threshold.words.splitlines() if threshold else [])]), file)


def _cell(entry: Entry, words: str, frame: tuple[int, int, int], pictures: int = 1) -> Cell:
    """In one size; a picture that is gone, or can't be used any more, is grey."""
    camera = "" if words == QUERY and not entry.camera else f", cam {entry.taken_by}"  # nobody said which
    lines = [words, f"id {entry.who}", f"{entry.modality}{camera}"]
    lines += [counted(pictures, "picture")] if pictures > 1 else []
    try:
        picture = opened(Path(entry.path), RANGE).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)
    except UserError:
        picture, lines = Image.new("RGB", (WIDTH, HEIGHT), MISSING), [*lines, "missing"]
    return Cell(np.asarray(picture), lines, frame, ring=frame == WRONG)
