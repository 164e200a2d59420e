"""Figures as pages that need no network: what is to be explored lies in them."""

import base64
import io

from jinja2 import Environment, PackageLoader, StrictUndefined
from PIL import Image

from hicmd_tf.visualize.figure import Figure

PAGES = Environment(
    loader=PackageLoader("hicmd_tf.visualize"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)

LARGEST_WEBP = 16383  # pixels of a side


def page_of(figure: Figure) -> str:
    """A page with one figure's fragment."""
    return PAGES.get_template("figure.html").render(figure=figure)


def data_uri(content: bytes, kind: str) -> str:
    """A file's content as an address that holds all of it. kind: its media type, such as image/png."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def picture_uri(content: bytes) -> str:
    """A picture's file as an address that holds it, as WebP, which takes less room: to the bit, but moving pictures,
    that would be large, with a little loss. One that is larger than WebP allows stays as it is."""
    buffer = io.BytesIO()
    with Image.open(io.BytesIO(content)) as picture:
        if max(picture.size) > LARGEST_WEBP:
            return data_uri(content, picture.get_format_mimetype() or "image/png")
        moving = getattr(picture, "n_frames", 1) > 1
        picture.save(buffer, "WEBP", save_all=moving, lossless=not moving, quality=90, method=2)
    return data_uri(buffer.getvalue(), "image/webp")


def size_of(content: bytes) -> tuple[int, int]:
    """Width and height in pixels of a picture's file."""
    with Image.open(io.BytesIO(content)) as picture:
        return picture.size


def per_cent(fraction: float) -> str:
    """A fraction as a table prints it, without the sign."""
    return f"{100 * fraction:.1f}"


PAGES.filters.update(picture_uri=picture_uri, size_of=size_of, per_cent=per_cent)
