"""Figures as pages that need no network: what is to be explored lies in them."""

from jinja2 import Environment, PackageLoader, StrictUndefined

from hicmd_tf.visualize.figure import Figure

PAGES = Environment(
    loader=PackageLoader("hicmd_tf.visualize"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
)


def page_of(figure: Figure) -> str:
    """A page with one figure's fragment."""
    return PAGES.get_template("figure.html").render(figure=figure)
