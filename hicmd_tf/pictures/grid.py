"""Picture grids: rows of labelled pictures as one image."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from hicmd_tf.files import replacing

Array = np.ndarray[Any, Any]

GAP = 4
LABEL_HEIGHT = 18
LABEL_SIZE = 11
BACKGROUND = (255, 255, 255)
INK = (30, 30, 30)


def picture_grid(columns: Sequence[tuple[str, Array]], least_width: int = 72) -> Image.Image:
    """A grid with one labelled column for each (label, pictures uint8 (R, H, W, 3)), pictures of one row side by side.

    Small pictures are enlarged by a whole factor until they are `least_width` pixels wide.
    """
    _, height, width, _ = columns[0][1].shape
    factor = max(1, -(-least_width // width))
    cell_width, cell_height = width * factor + GAP, height * factor + GAP
    rows = len(columns[0][1])
    canvas = Image.new("RGB", (GAP + cell_width * len(columns), GAP + LABEL_HEIGHT + cell_height * rows), BACKGROUND)
    draw = ImageDraw.Draw(canvas)
    font = ImageFont.load_default(size=LABEL_SIZE)
    for column, (label, pictures) in enumerate(columns):
        left = GAP + column * cell_width
        draw.text((left, GAP), label, fill=INK, font=font)
        for row, picture in enumerate(pictures):
            enlarged = Image.fromarray(picture).resize((width * factor, height * factor), Image.Resampling.NEAREST)
            canvas.paste(enlarged, (left, GAP + LABEL_HEIGHT + row * cell_height))
    return canvas


def save_png(image: Image.Image, path: Path) -> None:
    """Writes a PNG as a whole."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    with replacing(path) as file:
        file.write(buffer.getvalue())
