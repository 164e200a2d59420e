"""A query and what was found for it, as a picture: right framed green, wrong red, unknown grey."""

from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw

from hicmd_tf.errors import UserError
from hicmd_tf.pictures.decode import opened
from hicmd_tf.pictures.grid import save_png
from hicmd_tf.search.entries import Entry, Hit

WIDTH, HEIGHT, FRAME, TEXT, GAP = 96, 192, 4, 28, 8
RIGHT, WRONG, NEITHER = (40, 150, 60), (200, 50, 40), (150, 150, 150)


def draw(file: Path, queries: Sequence[Entry], found: Sequence[Sequence[Hit]], sixteen_bit: str = "") -> None:
    """One row a query: the query, then its ranked list, with similarity and camera beneath. sixteen_bit: as the
    setting."""
    columns = 1 + max((len(hits) for hits in found), default=0)
    cell_width, cell_height = WIDTH + 2 * FRAME + GAP, HEIGHT + 2 * FRAME + TEXT + GAP
    sheet = Image.new("RGB", (columns * cell_width + 2 * GAP, len(queries) * cell_height + GAP), "white")
    for row, (query, hits) in enumerate(zip(queries, found, strict=True)):
        top = GAP + row * cell_height
        _cell(sheet, (GAP, top), _picture(query.path, sixteen_bit), NEITHER, "query", query.modality)
        for rank, hit in enumerate(hits, 1):
            place = 2 * GAP + rank * cell_width, top
            lines = f"{rank}: {hit.similarity:.3f}", f"{hit.entry.modality}, cam {hit.entry.taken_by}"
            _cell(sheet, place, _picture(hit.entry.path, sixteen_bit), _frame(query, hit.entry), *lines)
    save_png(sheet, file)


def _frame(query: Entry, found: Entry) -> tuple[int, int, int]:
    if min(query.identity, found.identity) < 0:
        return NEITHER
    return RIGHT if query.identity == found.identity else WRONG


def _cell(
    sheet: Image.Image, place: tuple[int, int], picture: Image.Image, frame: tuple[int, int, int], *texts: str
) -> None:
    left, top = place
    canvas = ImageDraw.Draw(sheet)
    canvas.rectangle((left, top, left + WIDTH + 2 * FRAME - 1, top + HEIGHT + 2 * FRAME - 1), frame)
    sheet.paste(picture, (left + FRAME, top + FRAME))
    for line, text in enumerate(texts):
        canvas.text((left, top + HEIGHT + 2 * FRAME + 12 * line), text, "black")


def _picture(path: str, sixteen_bit: str) -> Image.Image:
    """A picture in the cell's size; a grey cell where it is gone, or no picture any more."""
    try:
        return opened(Path(path), sixteen_bit).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)
    except (UserError, OSError, ValueError):  # the others are of a path that is none
        missing = Image.new("RGB", (WIDTH, HEIGHT), (225, 225, 225))
        ImageDraw.Draw(missing).text((WIDTH // 2 - 22, HEIGHT // 2 - 6), "missing", "black")
        return missing
