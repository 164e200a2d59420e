"""`hicmd draw --out sheet.png`: a contact sheet of the drawn people."""

import argparse
import math
from collections.abc import Sequence
from pathlib import Path

from hicmd_tf.arguments import Parser
from hicmd_tf.errors import UserError


def main(arguments: Sequence[str]) -> None:
    """Writes the sheet."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.spectrum == "thermal" and "--albedo-follows-lightness" in parser.given(arguments):
        raise UserError("--albedo-follows-lightness is of near infrared: leave it out with --spectrum thermal")
    _check(options)
    from PIL import Image

    from hicmd_tf.config.schema import SyntheticConfig
    from hicmd_tf.drawn_people.preview import contact_sheet

    config = SyntheticConfig(
        identities=options.identities,
        images_per_modality=options.images,
        spectrum=options.spectrum,
        yaw_range=options.yaw_range,
        albedo_follows_lightness=options.albedo_follows_lightness,
        framing=options.framing,
        clutter=options.clutter,
        exposure=options.exposure,
        noise=options.noise,
        seed=options.seed,
    )
    sheet = Image.fromarray(contact_sheet(config, options.height, options.width))
    try:
        sheet.save(options.out)
    except (OSError, ValueError) as error:
        raise UserError(
            f"--out {options.out} cannot be written ({error}); name a .png file in an existing folder"
        ) from error


def _parser() -> Parser:
    parser = Parser(
        prog="hicmd draw",
        description="Draws a contact sheet of synthetic_vi: one row per person, visible left, infrared right.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--out", required=True, type=Path, metavar="FILE", help="picture file to write, such as sheet.png")
    add("--height", type=int, default=256, help="height of one picture, pixels, a multiple of 4")
    add("--width", type=int, default=128, help="width of one picture, pixels, a multiple of 4")
    add("--identities", type=int, default=8, help="people, from number 0")
    add("--images", type=int, default=5, help="pictures of each in each modality")
    add(
        "--spectrum",
        choices=("near_infrared", "thermal"),
        default="near_infrared",
        help="what the infrared camera sees",
    )
    add("--yaw-range", type=float, default=math.pi, help="largest angle to the optical axis, radians, 0 to pi")
    add(
        "--albedo-follows-lightness",
        type=float,
        default=0.0,
        help="0: infrared albedo independent of lightness, 1: equal",
    )
    add("--framing", type=float, default=0.5, help="how far the crop varies, 0 to 1")
    add("--clutter", type=float, default=0.5, help="how far place and light vary, 0 to 1")
    add("--exposure", type=float, default=1.0, help="how far brightness and veiling glare vary, 0 to 1")
    add("--noise", type=float, default=4.0, help="standard deviation of the noise, grey levels of 255")
    add("--seed", type=int, default=0, help="another seed, other people; 0 or more")
    return parser


def _check(options: argparse.Namespace) -> None:
    limits = {
        "height": options.height > 0 and options.height % 4 == 0,
        "width": options.width > 0 and options.width % 4 == 0,
        "identities": options.identities > 0,
        "images": options.images > 0,
        "yaw_range": 0 <= options.yaw_range <= math.pi + 1e-6,
        "albedo_follows_lightness": 0 <= options.albedo_follows_lightness <= 1,
        "framing": 0 <= options.framing <= 1,
        "clutter": 0 <= options.clutter <= 1,
        "exposure": 0 <= options.exposure <= 1,
        "noise": 0 <= options.noise < math.inf,
        "seed": options.seed >= 0,
    }
    for name, good in limits.items():
        if not good:
            option = name.replace("_", "-")
            raise UserError(f"--{option} is {getattr(options, name)}, out of its range; --help lists the ranges")
