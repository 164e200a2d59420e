"""Pictures with exchanged codes: the paper's Figures 6 (swap), 7 (illumination) and 8 (interpolate)."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from PIL import Image

from hicmd_tf.data.pictures import denormalise
from hicmd_tf.notation import INFRARED, MODALITIES, VISIBLE, Codes, Modality
from hicmd_tf.pictures.sheet import Cell, sheet
from hicmd_tf.runs.opened import OpenedRun
from hicmd_tf.visualize.figure import Figure, gif_of, png_of

Array = np.ndarray[Any, Any]
Mix = Callable[[Codes, Codes], tuple[Array, Array]]  # input, reference -> what is decoded

INPUTS, REFERENCES = 2, 3  # of either modality
STEPS = 9
FRAMES, MILLISECONDS = 17, 90
ACROSS = ((VISIBLE, INFRARED), (INFRARED, VISIBLE), (VISIBLE, VISIBLE), (INFRARED, INFRARED))


class Shown:
    """Pictures uint8 (N, H, W, 3) of different people, with modality, identity and codes of each."""

    def __init__(self, run: OpenedRun, rows: Sequence[int]) -> None:
        self.pictures = run.pictures(np.array(rows))
        self.modalities = [run.samples.modality(row) for row in rows]
        self.identities = [run.samples.identity(row) for row in rows]
        parts = [run.model.encode(x[None], m) for x, m in zip(self.pictures, self.modalities, strict=True)]
        self.codes = [Codes(*(np.asarray(part) for part in codes)) for codes in parts]

    def cell(self, number: int) -> Cell:
        """The picture itself, framed."""
        return Cell(self.pictures[number], [f"{self.identities[number]}, {self.modalities[number]}"], (90, 90, 90))


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
    kept = _grid_figure(
        run,
        seed,
        "swap_excluded",
        "ID-excluded attributes swapped, identity kept",
        "Prototype and style of the input (left), pose and illumination of the reference (top): along a row the person "
        "should stay and stance and light should follow the reference (Eq. 1, Fig. 6).",
        lambda x, r: (x.prototype, np.asarray(run.model.layout.swap_style(style=x.attributes, excluded=r.attributes))),
    )
    swapped = _grid_figure(
        run,
        seed,
        "swap_identity",
        "Identity swapped, ID-excluded attributes kept",
        "Prototype and style of the reference (top), pose and illumination of the input (left): along a row stance and "
        "light should stay and the person should follow the reference (Fig. 6).",
        lambda x, r: (r.prototype, np.asarray(run.model.layout.swap_style(style=r.attributes, excluded=x.attributes))),
    )
    return [kept, swapped]


def illumination(run: OpenedRun, seed: int) -> list[Figure]:
    """Figure 7: only the illumination code exchanged, and only the pose code."""

    def light(x: Codes, r: Codes) -> tuple[Array, Array]:
        return x.prototype, np.asarray(run.model.layout.combine(x.attributes, x.attributes, r.attributes))

    def pose(x: Codes, r: Codes) -> tuple[Array, Array]:
        return x.prototype, np.asarray(run.model.layout.combine(x.attributes, r.attributes, x.attributes))

    return [
        _grid_figure(
            run,
            seed,
            "illumination",
            "Illumination swapped, all else kept",
            "Only the illumination code comes from the reference (top): a visible input should turn into an infrared "
            "look under an infrared reference, and the reverse, and stand as before (Fig. 7).",
            light,
        ),
        _grid_figure(
            run,
            seed,
            "pose",
            "Pose swapped, all else kept",
            "Only the pose code comes from the reference (top): the look should stay that of the input's modality and "
            "the stance should follow the reference (Fig. 7).",
            pose,
        ),
    ]


def _grid_figure(run: OpenedRun, seed: int, name: str, title: str, caption: str, mix: Mix) -> Figure:
    inputs = choose(run, dict.fromkeys(MODALITIES, INPUTS), seed)
    references = choose(run, dict.fromkeys(MODALITIES, REFERENCES), seed + 1, but=inputs)
    return Figure(
        name,
        title,
        caption,
        f"A grid of generated pictures: {len(inputs)} inputs on the left by {len(references)} references on top, half "
        f"of each visible and half infrared.",
        png_of(sheet(_grid(run, Shown(run, inputs), Shown(run, references), mix))),
    )


def _grid(run: OpenedRun, inputs: Shown, references: Shown, mix: Mix) -> list[list[Cell]]:
    head = [Cell(lines=["reference:", "", "input below"]), *map(references.cell, range(len(references.codes)))]
    rows = []
    for number, codes in enumerate(inputs.codes):
        mixed = [mix(codes, other) for other in references.codes]
        made = decode_all(run, mixed)
        rows.append([inputs.cell(number), *map(Cell, made)])
    return [head, *rows]


def decode_all(run: OpenedRun, codes: Sequence[tuple[Array, Array]]) -> Array:
    """Pictures uint8 (N, H, W, 3) of codes (1, h, w, C) and (1, D) each."""
    prototypes, attributes = (np.concatenate(part) for part in zip(*codes, strict=True))
    return denormalise(run.model.decode(prototypes, attributes))


def interpolate(run: OpenedRun, seed: int) -> list[Figure]:
    """Figure 8: ID-excluded attributes on the way from one picture's to another's, prototype and style fixed."""
    pairs = []
    for number, (first, second) in enumerate(ACROSS):
        (a,) = choose(run, {first: 1}, seed + 2 * number)
        pairs.append((a, *choose(run, {second: 1}, seed + 2 * number + 1, but=[a])))
    rows, moving = [], []
    for a, b in pairs:
        shown = Shown(run, (a, b))
        rows.append([shown.cell(0), *map(Cell, _between(run, shown, STEPS)), shown.cell(1)])
        moving.append((shown, _between(run, shown, FRAMES)))
    there = [_frame(moving, number) for number in range(FRAMES)]
    return [
        Figure(
            "interpolate",
            "Between two pictures' pose and light",
            "Prototype and style are the left picture's throughout; its pose and illumination become the right one's "
            f"in {STEPS} equal steps (Fig. 8). The person should stay while stance and light change smoothly.",
            f"{len(pairs)} rows of {STEPS} generated pictures, a framed input at the left and another at the right.",
            png_of(sheet([[Cell(), *_fractions(), Cell()], *rows])),
            animation=gif_of([*there, *there[-2:0:-1]], MILLISECONDS),
        )
    ]


def _fractions() -> list[Cell]:
    return [Cell(lines=[f"{number / (STEPS - 1):.0%}"]) for number in range(STEPS)]


def _between(run: OpenedRun, shown: Shown, steps: int) -> Array:
    """Generated pictures (steps, H, W, 3), from the first's ID-excluded attributes to the second's."""
    a, b = shown.codes
    mixed = []
    for fraction in np.linspace(0, 1, steps, dtype=np.float32):
        attributes = (1 - fraction) * a.attributes + fraction * b.attributes
        mixed.append((a.prototype, np.asarray(run.model.layout.swap_style(style=a.attributes, excluded=attributes))))
    return decode_all(run, mixed)


def _frame(moving: Sequence[tuple[Shown, Array]], number: int) -> Image.Image:
    rows = [[shown.cell(0), Cell(pictures[number]), shown.cell(1)] for shown, pictures in moving]
    flat = [cell for row in rows for cell in (*row, Cell(lines=["  "]))]
    half = len(flat) // 2
    return sheet([flat[:half], flat[half:]])
