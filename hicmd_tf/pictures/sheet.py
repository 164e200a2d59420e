"""The one way to draw sheets of pictures: cells in rows, each a picture with a frame and some lines, or words alone."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from hicmd_tf.files import replacing

Array = np.ndarray[Any, Any]
Colour = tuple[int, int, int]

PAPER, INK, GREY = (255, 255, 255), (30, 30, 30), (150, 150, 150)
RIGHT, WRONG = (30, 130, 60), (200, 50, 40)
SIZE, LINE, GAP, FRAME = 12, 15, 5, 3
HEIGHT = 160  # pixels that a picture is enlarged to, at least


class Cell(NamedTuple):
    """picture: uint8 (H, W, 3), or none for words alone. lines: beneath it. frame: its colour. ring: whether the frame
    is drawn as two lines, so that it differs from others without colours."""

    picture: Array | None = None
    lines: Sequence[str] = ()
    frame: Colour | None = None
    ring: bool = False


def sheet(rows: Sequence[Sequence[Cell]], height: int = HEIGHT, caption: Sequence[str] = ()) -> Image.Image:
    """The rows below each other, cells of one column in line. Pictures of one sheet have one size.

    caption: a text below them, each of its paragraphs broken to the width of the rows.
    """
    shapes = {cell.picture.shape for row in rows for cell in row if cell.picture is not None}
    ((tall, wide, _),) = shapes
    factor = max(1.0, height / tall)
    size = round(wide * factor), round(tall * factor)
    font = ImageFont.load_default(size=SIZE)
    columns = [[row[place] for row in rows if place < len(row)] for place in range(max(map(len, rows)))]
    widths = [max(_room(cell, size, font)[0] for cell in column) for column in columns]
    heights = [max(_room(cell, size, font)[1] for cell in row) for row in rows]
    across, down = (sum(sides) + GAP * (len(sides) + 1) for sides in (widths, heights))
    lines = [line for text in caption for line in _broken(text, across - 2 * GAP, font)]
    canvas = Image.new("RGB", (across, down + LINE * len(lines) + (GAP if lines else 0)), PAPER)
    top = GAP
    for row, tallest in zip(rows, heights, strict=True):
        left = GAP
        for cell, width in zip(row, widths, strict=False):
            _draw(canvas, cell, left, top, size, tallest, font)
            left += width + GAP
        top += tallest + GAP
    _write(canvas, lines, GAP, top, font)
    return canvas


def labelled_columns(columns: Sequence[tuple[str, Array]]) -> Image.Image:
    """One column for each (label, pictures uint8 (R, H, W, 3)), pictures of one row side by side."""
    rows = len(columns[0][1])
    cells = [[Cell(pictures[row]) for _, pictures in columns] for row in range(rows)]
    return sheet([[Cell(lines=[label]) for label, _ in columns], *cells])


def save_png(image: Image.Image, path: Path) -> None:
    """Writes a PNG as a whole."""
    with replacing(path) as file:
        image.save(file, "PNG")


def _room(cell: Cell, size: tuple[int, int], font: Any) -> tuple[int, int]:
    """Width and height that a cell takes. size: of a picture, (width, height)."""
    wide, tall = (side + 2 * FRAME for side in size) if cell.picture is not None else (0, 0)
    text = (int(font.getlength(line)) + 2 for line in cell.lines)
    return max([wide, *text]), tall + LINE * len(cell.lines)


def _draw(canvas: Image.Image, cell: Cell, left: int, top: int, size: tuple[int, int], room: int, font: Any) -> None:
    draw = ImageDraw.Draw(canvas)
    below = top + (room - LINE * len(cell.lines)) // 2  # words alone stand in the middle
    if cell.picture is not None:
        box = (left, top, left + size[0] + 2 * FRAME - 1, top + size[1] + 2 * FRAME - 1)
        if cell.frame is not None:
            draw.rectangle(box, outline=cell.frame, width=FRAME)
        if cell.ring:
            draw.rectangle((box[0] + 1, box[1] + 1, box[2] - 1, box[3] - 1), outline=PAPER, width=1)
        enlarged = Image.fromarray(cell.picture).resize(size, Image.Resampling.BICUBIC)
        canvas.paste(enlarged, (left + FRAME, top + FRAME))
        below = box[3] + 1
    _write(canvas, cell.lines, left + 1, below, font)


def _write(canvas: Image.Image, lines: Sequence[str], left: int, top: int, font: Any) -> None:
    for number, line in enumerate(lines):
        ImageDraw.Draw(canvas).text((left, top + LINE * number), line, fill=INK, font=font)


def _broken(text: str, width: int, font: Any) -> list[str]:
    """A text's lines of at most so many pixels; a word that is longer has its own."""
    lines: list[str] = []
    for word in text.split():
        if lines and font.getlength(f"{lines[-1]} {word}") <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines
