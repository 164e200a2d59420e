"""`python -m bench.cut_outs --out DIR`: people cut out of paper, as it were, as a folder of somebody's own pictures.

To ask runs that were trained on drawn people for people of another hand: `hicmd carry-over RUN.. --on folder=DIR`.
Of `hicmd_tf.drawn_people` they have only that a person's body and clothes stay, and how far the infrared brightness of
cloth follows its lightness: these are flat, have other garments, patterns, places and light, and stand as they like.
"""

import colorsys
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from hicmd_tf.arguments import count, positive
from hicmd_tf.errors import run_command
from hicmd_tf.files import making_folder
from hicmd_tf.notation import INFRARED, MODALITIES, Modality
from hicmd_tf.pictures.decode import as_png

HEIGHT, WIDTH = 64, 32
FINE = 8  # points across a pixel
FOLLOWS = 0.55  # how far infrared brightness of cloth and hair follows lightness, as tiny's people have it
LUMA = np.array([0.3, 0.59, 0.11])
PARTS = ("place", "skin", "hair", "top", "lower", "shoes", "bag")
PATTERNS = ("plain", "plain", "across", "along", "badge", "checks", "halves")

Array = np.ndarray[Any, Any]
Random = np.random.Generator
Point = tuple[float, float]


@dataclass(frozen=True)
class Tone:
    """A colour, RGB of 0 to 1, and its brightness in the infrared."""

    colour: Array
    infrared: float

    def seen(self, modality: Modality) -> Array:
        """RGB of 0 to 1."""
        return np.full(3, self.infrared) if modality == INFRARED else self.colour


@dataclass(frozen=True)
class Person:
    """Tones by part, of the top's pattern the second one, forms and proportions."""

    tones: dict[str, Tone]
    second: Tone
    pattern: str
    period: float
    bare_arms: bool
    lower: str
    hem: float
    hair: str
    bag: str
    girth: float
    height: float
    legs: float
    side: int


def main(arguments: Sequence[str] | None = None) -> None:
    """Draws test/0001/visible/1.png and so on, and somebody below train/."""
    parser = ArgumentParser(
        "python -m bench.cut_outs", description=__doc__, formatter_class=RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to make")
    parser.add_argument("--people", type=positive, default=60, metavar="N", help="of the test (default: %(default)s)")
    parser.add_argument("--pictures", type=positive, default=6, metavar="N", help="in each modality (default: 6)")
    parser.add_argument("--seed", type=count, default=0, metavar="N", help="of other people (default: 0)")
    options = parser.parse_args(arguments)
    with making_folder(options.out) as folder:
        for number in range(options.people + 1):
            person = draw_person(np.random.default_rng([options.seed, number]))
            for which, modality in enumerate(MODALITIES):
                split = "test" if number else "train"  # somebody must, for the layout
                place = folder / split / f"{number:04}" / modality
                place.mkdir(parents=True)
                for index in range(options.pictures):  # keys that end in 0 would be the person's
                    random = np.random.default_rng([options.seed, number, 1 + which, index])
                    (place / f"{index + 1}.png").write_bytes(as_png(draw(person, modality, random)))


def draw_person(random: Random) -> Person:
    """Somebody."""

    def tone() -> Tone:
        saturation = random.uniform(*random.choice([(0.0, 0.2), (0.2, 1.0)]))
        colour = np.array(colorsys.hsv_to_rgb(random.random(), saturation, random.uniform(0.08, 0.95)))
        return Tone(colour, FOLLOWS * float(colour @ LUMA) + (1 - FOLLOWS) * random.uniform(0.1, 0.9))

    skin, hair = random.uniform(0.3, 0.9), random.choice([0.06, 0.1, 0.2, 0.45, 0.6])
    return Person(
        tones={
            "skin": Tone(skin * np.array([1, 0.78, 0.62]), 0.75),
            "hair": Tone(hair * np.array([1, 0.8, 0.6]), FOLLOWS * hair + (1 - FOLLOWS) * random.uniform(0.1, 0.6)),
            **{part: tone() for part in ("top", "lower", "shoes", "bag")},
        },
        second=tone(),
        pattern=random.choice(PATTERNS),
        period=random.uniform(0.03, 0.08),
        bare_arms=random.random() < 0.5,
        lower=random.choice(["trousers", "trousers", "shorts", "skirt"]),
        hem=random.uniform(0.3, 0.9),
        hair=random.choice(["short", "long", "hat"]),
        bag=random.choice(["none", "none", "back", "hand"]),
        girth=random.uniform(0.8, 1.3),
        height=random.uniform(0.92, 1.05),
        legs=random.uniform(0.44, 0.52),
        side=int(random.choice([-1, 1])),
    )


def draw(person: Person, modality: Modality, random: Random) -> Array:
    """A picture (H, W, 3) uint8."""
    tall = FINE * HEIGHT * random.uniform(0.8, 0.93) * person.height
    foot, middle = FINE * HEIGHT * random.uniform(0.94, 0.99), FINE * WIDTH * random.uniform(0.42, 0.58)
    parts = cut(person, tall, foot, middle, random)
    rows, columns = np.mgrid[: parts.shape[0], : parts.shape[1]]
    up, across = (foot - rows) / tall, (columns - middle) / tall
    light = np.clip(1 + random.uniform(-2.5, 2.5) * across, 0.4, 1.5) * (0.825 + 0.35 * blots((24, 12), random))
    levels = draw_place(modality, int(foot - random.uniform(0.05, 0.35) * tall), random)
    for number, name in enumerate(PARTS[1:], 1):
        paint = np.broadcast_to(person.tones[name].seen(modality), levels.shape)
        if name == "top":
            paint = np.where(patterned(person, up, across)[..., None], person.second.seen(modality), paint)
        levels = np.where((parts == number)[..., None], paint * light[..., None], levels)
    levels = np.clip(levels * random.uniform(0.6, 1.25), 0, 1) ** random.uniform(0.75, 1.3)
    if modality != INFRARED:
        levels = np.clip(levels * random.uniform(0.88, 1.12, 3), 0, 1)
    blurred = Image.fromarray((255 * levels).astype(np.uint8)).filter(
        ImageFilter.GaussianBlur(FINE * random.uniform(0.2, 0.8))
    )
    pixels = np.asarray(blurred.resize((WIDTH, HEIGHT), Image.Resampling.BOX)).astype(float)
    noise = random.normal(0, random.uniform(1, 6), (HEIGHT, WIDTH, 1 if modality == INFRARED else 3))
    return np.clip(pixels + noise, 0, 255).astype(np.uint8)


def cut(person: Person, tall: float, foot: float, middle: float, random: Random) -> Array:
    """Which part is where, numbers in `PARTS`, in fine points. tall: of the person; foot, middle: where it stands."""
    paper = Image.new("L", (FINE * WIDTH, FINE * HEIGHT))
    pen = ImageDraw.Draw(paper)
    girth = person.girth * random.uniform(0.7, 1.0)  # who turns is narrower
    hips, shoulders = 0.09 * girth, 0.115 * girth

    def at(across: float, up: float) -> Point:
        return middle + across * tall, foot - up * tall

    def limb(start: Point, end: Point, widths: Point, part: str) -> None:
        (x, y), (u, v) = at(*start), at(*end)
        length = max(float(np.hypot(u - x, v - y)), 1e-9)
        right, down = -(v - y) / length, (u - x) / length
        a, b = (width * tall for width in widths)
        fill = PARTS.index(part)
        corners = [(x + right * a, y + down * a), (u + right * b, v + down * b)]
        pen.polygon([*corners, (u - right * b, v - down * b), (x - right * a, y - down * a)], fill=fill)
        for (p, q), width in (((x, y), a), ((u, v), b)):
            pen.ellipse([p - width, q - width, p + width, q + width], fill=fill)

    def shape(draw: Any, points: Sequence[Point], part: str, **more: float) -> None:
        draw([at(*point) for point in points], fill=PARTS.index(part), **more)

    stride, bent = random.uniform(-0.13, 0.13), random.uniform(0, 0.06)
    leg = "lower" if person.lower == "trousers" else "skin"
    for side, step in ((-1, stride), (1, -stride)):
        knee = side * hips * 0.45 + step / 2 + bent, person.legs * 0.52
        ankle = side * hips * 0.4 + step, 0.03
        limb((side * hips * 0.5, person.legs), knee, (0.055 * girth, 0.042 * girth), leg)
        limb(knee, ankle, (0.042 * girth, 0.03 * girth), leg)
        limb(ankle, (ankle[0] + 0.03 * random.choice([-1, 1]), 0.015), (0.022, 0.018), "shoes")
    if person.lower != "trousers":
        low, wide = person.legs * (1 - 0.7 * person.hem), hips * (1.35 if person.lower == "skirt" else 1.15)
        shape(pen.polygon, [(-hips, person.legs), (hips, person.legs), (wide, low), (-wide, low)], "lower")
    if person.bag == "back":
        shape(pen.ellipse, [(0.1 * person.side - 0.07, 0.8), (0.1 * person.side + 0.07, 0.56)], "bag")
    swing, low = random.uniform(-0.1, 0.1), person.legs - 0.02

    def arm(side: int, swing: float) -> Point:
        shoulder = side * shoulders, 0.8
        elbow = shoulder[0] + 0.02 * side + swing / 2, 0.66
        hand = elbow[0] + swing, 0.5
        limb(shoulder, elbow, (0.034 * girth, 0.028 * girth), "top")
        limb(elbow, hand, (0.027 * girth, 0.02), "skin" if person.bare_arms else "top")
        limb(hand, hand, (0.022, 0.022), "skin")
        return hand

    arm(-person.side, swing)
    shape(pen.polygon, [(-shoulders, 0.82), (shoulders, 0.82), (1.1 * hips, low), (-1.1 * hips, low)], "top")
    hand = arm(person.side, -swing)
    if person.bag == "hand":
        shape(pen.rectangle, [(hand[0] - 0.05, hand[1]), (hand[0] + 0.05, hand[1] - 0.11)], "bag")
    if person.hair == "long":
        shape(pen.ellipse, [(-0.06, 1.0), (0.06, 0.8)], "hair")
    limb((0, 0.86), (0, 0.82), (0.025, 0.03), "skin")
    shape(pen.ellipse, [(-0.05, 0.99), (0.05, 0.855)], "skin")
    shape(pen.chord, [(-0.0525, 1.0), (0.0525, 0.88)], "hair", start=180, end=360)
    if person.hair == "hat":
        shape(pen.rectangle, [(-0.07, 0.955), (0.07, 0.94)], "hair")
    return np.asarray(paper)


def patterned(person: Person, up: Array, across: Array) -> Array:
    """Where a top shows its second tone. up, across: in multiples of the person's height."""
    rows, columns = ((values / person.period) % 1 < 0.5 for values in (up, across))
    badge = (np.abs(across) < 0.05 * person.girth) & (np.abs(up - 0.7) < 0.045)
    found: Array = {
        "plain": np.zeros(up.shape, bool),
        "across": rows,
        "along": columns,
        "checks": rows ^ columns,
        "badge": badge,
        "halves": up < 0.67,
    }[person.pattern]
    return found


def draw_place(modality: Modality, horizon: int, random: Random) -> Array:
    """Blots of colour above a ground of one, RGB of 0 to 1, in fine points. horizon: the ground's first row."""
    tint = partial(random.uniform, 0.3, 0.8, 3)
    cells = int(random.integers(3, 9)), int(random.integers(2, 6))
    wall = np.stack([blots(cells, random) for _ in range(3)], axis=-1)
    place = np.clip(tint() + (wall - 0.5) * random.uniform(0.1, 0.7), 0, 1)
    place[horizon:] = 0.3 * place[horizon:] + 0.7 * tint()
    return np.repeat(place.mean(2, keepdims=True), 3, axis=2) if modality == INFRARED else place


def blots(cells: tuple[int, int], random: Random) -> Array:
    """Levels of 0 to 1 in fine points, that change from cell to cell."""
    coarse = Image.fromarray((255 * random.random(cells)).astype(np.uint8))
    return np.asarray(coarse.resize((FINE * WIDTH, FINE * HEIGHT), Image.Resampling.BICUBIC)) / 255


if __name__ == "__main__":
    run_command(main)
