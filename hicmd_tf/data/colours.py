"""Pictures that look like those of the other modality: infrared ones in colour, visible ones grey throughout."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from hicmd_tf.notation import INFRARED, Modality

Array = np.ndarray[Any, Any]

GREY, COLOURED = 2.0, 12.0
"""Grey levels between a pixel's largest and smallest channel, on average: at most, and at least; a tint has more and
less."""
SIDE = 64  # pixels of a larger picture that are looked at in a row or column, or a few more


class Shade(NamedTuple):
    """What a picture looks like. person: whom it shows, by number. colour: as `colour_of` measures it."""

    name: str
    person: int
    modality: Modality
    colour: float


def colour_of(pixels: Array) -> float:
    """How coloured a picture uint8 (H, W, 3) is, in grey levels from 0 to 255."""
    step = max(1, min(pixels.shape[:2]) // SIDE)
    some = pixels[::step, ::step].astype(np.int16)
    return float(np.mean(some.max(axis=2) - some.min(axis=2)))


def swapped(shades: Iterable[Shade], whose: str = "") -> list[str]:
    """A line for the people all of whose infrared pictures are in colour, one for those all of whose visible ones are
    grey; none where there are no such people."""
    of: dict[tuple[Modality, int], list[Shade]] = {}
    for shade in shades:
        of.setdefault((shade.modality, shade.person), []).append(shade)
    lines = []
    for modality in dict.fromkeys(modality for modality, _ in of):
        people = [found for (m, _), found in of.items() if m == modality]
        odd = [found for found in people if all(_odd(one) for one in found)]
        if odd:
            looks = "in colour" if modality == INFRARED else "grey throughout"
            lines.append(
                f"all {whose}{modality} pictures of {len(odd):,} of {len(people):,} people are {looks} "
                f"({sum(map(len, odd)):,} pictures), such as {odd[0][0].name}: look whether they are {modality} at all"
            )
    return lines


def _odd(shade: Shade) -> bool:
    return shade.colour >= COLOURED if shade.modality == INFRARED else shade.colour <= GREY
