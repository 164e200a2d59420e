"""A figure: a picture with the words that belong to it, and how it is written."""

import io
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib
from PIL import Image

from hicmd_tf.files import replacing, write_text


class Figure(NamedTuple):
    """name: stem of its files. title, caption: what it shows and how to read it, for a reader who knows the paper.

    alternative: what is to be seen, for who can't see it. png: the picture. plot: whether it is drawn lines on white,
    which may be inverted on a dark page, rather than photographs. animation: the same moving, a GIF. page: the same to
    be explored, an HTML fragment that needs nothing else.
    """

    name: str
    title: str
    caption: str
    alternative: str
    png: bytes
    plot: bool = False
    animation: bytes | None = None
    page: str | None = None


def png_of(image: Image.Image) -> bytes:
    """A picture as a PNG file's content."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def gif_of(frames: list[Image.Image], milliseconds: int) -> bytes:
    """Frames as an endless GIF, each shown so long."""
    buffer = io.BytesIO()
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:], duration=milliseconds, loop=0)
    return buffer.getvalue()


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


def save(figure: Figure, folder: Path) -> list[Path]:
    """Writes NAME.png, and NAME.gif and NAME.html where it has them; says which."""
    written = [folder / f"{figure.name}.png"]
    with replacing(written[0]) as file:
        file.write(figure.png)
    if figure.animation is not None:
        written.append(folder / f"{figure.name}.gif")
        with replacing(written[-1]) as file:
            file.write(figure.animation)
    if figure.page is not None:
        from hicmd_tf.visualize.pages import page_of

        written.append(folder / f"{figure.name}.html")
        write_text(written[-1], page_of(figure))
    return written
