"""Pictures with exchanged codes: the paper's Figures 6 (swap), 7 (illumination) and 8 (interpolate)."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from hicmd_tf.attributes import AttributeLayout
from hicmd_tf.data.pictures import denormalise
from hicmd_tf.errors import counted
from hicmd_tf.notation import INFRARED, MODALITIES, VISIBLE, Codes, Modality
from hicmd_tf.pictures.decode import as_png
from hicmd_tf.pictures.sheet import GREY, Cell, sheet
from hicmd_tf.runs.opened import OpenedRun
from hicmd_tf.visualize.figure import Figure

Array = np.ndarray[Any, Any]

INPUTS, REFERENCES = 2, 3  # of either modality
STEPS = 9
ACROSS = ((VISIBLE, INFRARED), (INFRARED, VISIBLE), (VISIBLE, VISIBLE), (INFRARED, INFRARED))


class Grid(NamedTuple):
    """A figure of inputs by references. mix: codes of an input and of a reference -> what is decoded."""

    title: str
    caption: str
    mix: Callable[[AttributeLayout, Codes, Codes], tuple[Array, Any]]


GRIDS = {
    "swap_excluded": Grid(
        "ID-excluded attributes swapped, identity kept",
        "Prototype and style of the input (left), pose and illumination of the reference (top): along a row the person "
        "should stay and stance and light should follow the reference (Eq. 1, Fig. 6).",
        lambda layout, x, r: (x.prototype, layout.swap_style(style=x.attributes, excluded=r.attributes)),
    ),
    "swap_identity": Grid(
        "Identity swapped, ID-excluded attributes kept",
        "Prototype and style of the reference (top), pose and illumination of the input (left): along a row stance and "
        "light should stay and the person should follow the reference (Fig. 6).",
        lambda layout, x, r: (r.prototype, layout.swap_style(style=r.attributes, excluded=x.attributes)),
    ),
    "illumination": Grid(
        "Illumination swapped, all else kept",
        "Only the illumination code comes from the reference (top): a visible input should turn into an infrared "
        "look under an infrared reference, and the reverse, and stand as before (Fig. 7).",
        lambda layout, x, r: (x.prototype, layout.combine(x.attributes, x.attributes, r.attributes)),
    ),
    "pose": Grid(
        "Pose swapped, all else kept",
        "Only the pose code comes from the reference (top): the look should stay that of the input's modality and "
        "the stance should follow the reference (Fig. 7).",
        lambda layout, x, r: (x.prototype, layout.combine(x.attributes, r.attributes, x.attributes)),
    ),
}


class Shown:
    """Pictures of different people: a framed cell, and codes, of each."""

    def __init__(self, run: OpenedRun, rows: Sequence[int]) -> None:
        self.cells: list[Cell] = []
        self.codes: list[Codes] = []
        for row, picture in zip(rows, run.pictures(np.array(rows)), strict=True):
            modality = run.samples.modality(row)
            self.cells.append(Cell(picture, [f"{run.samples.identity(row)}, {modality}"], GREY))
            self.codes.append(run.model.encode(picture[None], modality))


def choose(run: OpenedRun, counts: dict[Modality, int], seed: int, but: Sequence[int] = ()) -> list[int]:
    """Rows of so many pictures of each modality, of different people where there are enough, none of `but`'s people
    where that is possible."""
    draws = np.random.default_rng(seed)
    used = set(run.samples.identities[list(but)].tolist())
    rows: list[int] = []
    for modality, count in counts.items():
        of_modality = draws.permutation(run.rows(modality))
        for _ in range(count):
            fresh = [row for row in of_modality if int(run.samples.identities[row]) not in used]
            rows.append(int(fresh[0] if fresh else of_modality[len(rows) % len(of_modality)]))
            used.add(int(run.samples.identities[rows[-1]]))
    return rows


def swap(run: OpenedRun, seed: int) -> list[Figure]:
    """Figure 6: ID-excluded attributes exchanged keeping the identity, and the identity keeping those."""
    return [_grid(run.known, seed, name) for name in ("swap_excluded", "swap_identity")]


def illumination(run: OpenedRun, seed: int) -> list[Figure]:
    """Figure 7: only the illumination code exchanged, and only the pose code."""
    return [_grid(run.known, seed, name) for name in ("illumination", "pose")]


def _grid(run: OpenedRun, seed: int, name: str) -> Figure:
    inputs = choose(run, dict.fromkeys(MODALITIES, INPUTS), seed)
    references = choose(run, dict.fromkeys(MODALITIES, REFERENCES), seed + 1, but=inputs)
    title, caption, mix = GRIDS[name]
    x, r = Shown(run, inputs), Shown(run, references)
    rows = [[Cell(lines=["reference:", "", "input below"]), *r.cells]]
    for cell, codes in zip(x.cells, x.codes, strict=True):
        made = decode_all(run, [mix(run.model.layout, codes, other) for other in r.codes])
        rows.append([cell, *map(Cell, made)])
    return Figure(
        name,
        title,
        caption,
        f"A grid of generated pictures: {len(inputs)} inputs on the left by {len(references)} references on top, half "
        f"of each visible and half infrared.",
        as_png(sheet(rows)),
    )


def decode_all(run: OpenedRun, codes: Sequence[tuple[Array, Any]]) -> Array:
    """Pictures uint8 (N, H, W, 3) of codes (1, h, w, C) and (1, D) each."""
    prototypes, attributes = (np.concatenate(part) for part in zip(*codes, strict=True))
    return denormalise(run.model.decode(prototypes, attributes))


def interpolate(run: OpenedRun, seed: int) -> list[Figure]:
    """Figure 8: ID-excluded attributes on the way from one picture's to another's, prototype and style fixed."""
    run = run.known
    pairs = []
    for number, (first, second) in enumerate(ACROSS):
        a = choose(run, {first: 1}, seed + 2 * number)
        pairs.append(Shown(run, [*a, *choose(run, {second: 1}, seed + 2 * number + 1, but=a)]))
    head = [Cell(), *(Cell(lines=[f"{number / (STEPS - 1):.0%}"]) for number in range(STEPS)), Cell()]
    rows = [[pair.cells[0], *map(Cell, between(run, pair)), pair.cells[1]] for pair in pairs]
    return [
        Figure(
            "interpolate",
            "Between two pictures' pose and light",
            "Prototype and style are the left picture's throughout; its pose and illumination become the right one's "
            f"in {STEPS} equal steps (Fig. 8). The person should stay while stance and light change smoothly.",
            f"{counted(len(pairs), 'row')} of {STEPS} generated pictures, a framed input at the left and another at "
            "the right.",
            as_png(sheet([head, *rows])),
        )
    ]


def between(run: OpenedRun, pair: Shown) -> Array:
    """Generated pictures (`STEPS`, H, W, 3), from the first's ID-excluded attributes to the second's."""
    a, b = pair.codes
    shares = np.linspace(0, 1, STEPS, dtype=np.float32)
    excluded = [(1 - share) * a.attributes + share * b.attributes for share in shares]
    swapped = (run.model.layout.swap_style(style=a.attributes, excluded=attributes) for attributes in excluded)
    return decode_all(run, [(a.prototype, attributes) for attributes in swapped])
