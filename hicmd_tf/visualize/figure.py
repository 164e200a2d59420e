"""A figure: a picture with the words that belong to it, and how it is written."""

import base64
import io
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib

from hicmd_tf.files import replacing
from hicmd_tf.retrieval.report import DIRECTIONS

WAYS = {direction: words.replace("->", "to") for direction, words in DIRECTIONS.items()}


class Figure(NamedTuple):
    """name: stem of its files. title, caption: what it shows and how to read it, for a reader who knows the paper.

    alternative: what is to be seen, for who can't see it. png: the picture. plot: whether it is drawn lines on white,
    which may be inverted on a dark page, rather than photographs.
    """

    name: str
    title: str
    caption: str
    alternative: str
    png: bytes
    plot: bool = False


def data_uri(content: bytes, kind: str) -> str:
    """A file's content as an address that holds all of it. kind: its media type, such as image/png."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def plot_figure(width: float, height: float) -> Any:
    """An empty matplotlib figure of so many inches, belonging to no window."""
    from matplotlib.figure import Figure as Canvas

    matplotlib.rcParams.update({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False})
    return Canvas(figsize=(width, height), layout="constrained")


def png_of_plot(canvas: Any) -> bytes:
    """A matplotlib figure as a PNG file's content."""
    buffer = io.BytesIO()
    canvas.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()


def save(figure: Figure, folder: Path) -> Path:
    """Writes NAME.png; says where."""
    with replacing(folder / f"{figure.name}.png") as file:
        file.write(figure.png)
    return folder / f"{figure.name}.png"
