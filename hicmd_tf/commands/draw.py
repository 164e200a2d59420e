"""`hicmd draw --out sheet.png`: a contact sheet of the drawn people, one row each, visible left, infrared right."""

from collections.abc import Sequence
from itertools import product

from hicmd_tf.arguments import Parser, png
from hicmd_tf.config.command_line import add_setting
from hicmd_tf.config.loading import BASE, find, read_chain
from hicmd_tf.config.schema import SyntheticConfig
from hicmd_tf.config.settings import COMMAND_LINE, SETTINGS
from hicmd_tf.errors import UserError
from hicmd_tf.notation import MODALITIES

PEOPLE = "data.synthetic."
KEYS = ["data.height", "data.width", *(key for key in SETTINGS if key.startswith(PEOPLE))]
FEW = {f"{PEOPLE}identities": "8", f"{PEOPLE}images_per_modality": "5"}
"""Defaults of a sheet that are smaller than those of configs/base.yaml."""


def main(arguments: Sequence[str]) -> None:
    """Reads the command line, writes the sheet."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.spectrum == "thermal" and "--albedo-follows-lightness" in parser.given(arguments):
        raise UserError("--albedo-follows-lightness is of near infrared: leave it out with --spectrum thermal")
    values = {key: SETTINGS[key].checked(getattr(options, _name(key)), COMMAND_LINE) for key in KEYS}
    from hicmd_tf.drawn_people.render import draw_picture
    from hicmd_tf.pictures.sheet import Cell, save_png, sheet

    people = SyntheticConfig(**{_name(key): values[key] for key in KEYS if key.startswith(PEOPLE)})
    size = values["data.height"], values["data.width"]
    each = list(product(MODALITIES, range(people.images_per_modality)))
    rows = [
        [Cell(draw_picture(people, size, one, *which).pixels) for which in each] for one in range(people.identities)
    ]
    save_png(sheet(rows, size[0]), options.out)


def _name(key: str) -> str:
    return key.rpartition(".")[2]


def _parser() -> Parser:
    parser = Parser("hicmd draw", description=__doc__)
    parser.add_argument("--out", required=True, type=png, metavar="FILE", help="PNG to write, such as sheet.png")
    base = read_chain(find(BASE))
    for key in KEYS:
        usual = FEW.get(key, base[key].value)
        add_setting(parser, f"--{_name(key).replace('_', '-')}", key, usual, default=usual)
    return parser
