"""Pictures that can be used, and those that look wrong: each is decoded once before anything is made of it.

Infrared pictures in colour, or visible ones that are grey throughout, look like those of the other modality.
"""

import math
import warnings
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from hicmd_tf.config.schema import CheckPolicy
from hicmd_tf.data.labels import shown
from hicmd_tf.data.samples import SPLITS, Samples, Split, ahead
from hicmd_tf.errors import UserError
from hicmd_tf.notation import INFRARED, MODALITIES, Modality
from hicmd_tf.pictures.bounds import BadPictureError
from hicmd_tf.pictures.decode import decode, is_flat

Array = np.ndarray[Any, Any]

GREY, COLOURED = 2.0, 12.0
"""Grey levels between a pixel's largest and smallest channel, on average: at most, and at least; a tint has more and
less."""
SIDE = 64  # pixels of a larger picture that are looked at in a row or column, or a few more
SHOWN_FROM = 256  # pictures; fewer take no time
NAMED = 3  # so many does a warning name
ADVICE = "replace it or take it out of the data set, or set data.check to skip"


def usable(samples: Samples, policy: CheckPolicy, split: Split | None = None) -> Samples:
    """The pictures that can be used: all of them, or with `skip` those that can be, and one warning.

    split: whose they are; None: pictures of no data set. Warns of those that are nearly constant, and of a data set's
    people whose pictures look like the other modality's. Raises UserError naming the first that can't be used and how
    many there are; with `skip` when of a split someone to train on, or everyone, has no picture of a modality left.
    """
    of = f"{SPLITS[split]} " if split else ""
    seen = list(zip(samples.names, looks(samples), strict=True))
    flaws = [(name, one.flaw) for name, one in seen if one.flaw]
    flat = [name for name, one in seen if one.flat]
    if flat:
        warnings.warn(flat_words(flat, len(samples), of), stacklevel=2)
    if split is not None:
        shades = (
            Shade(name, int(samples.identities[row]), samples.modality(row), one.colour)
            for row, (name, one) in enumerate(seen)
            if not one.flaw
        )
        for line in swapped(shades, of):
            warnings.warn(line, stacklevel=2)
    if not flaws:
        return samples
    if policy == "stop":
        advice = ADVICE if split else "replace it or leave it out"
        name, flaw = flaws[0]
        raise UserError(f"{of}picture {name} {flaw.told(advice, more(len(flaws) - 1))}")
    named = "; ".join(f"{name} {flaw}" for name, flaw in flaws[:NAMED])
    warnings.warn(
        f"{len(flaws)} of {len(samples)} {of}pictures can't be used and are skipped: {named}{more(len(flaws) - NAMED)}",
        stacklevel=2,
    )
    left = samples.select(np.array([one.flaw is None for _, one in seen], bool))
    if split is not None:
        _refuse_emptied(samples, left, split)
    return left


def _refuse_emptied(samples: Samples, left: Samples, split: Split) -> None:
    """Refuses what would have been refused, had the skipped pictures never been there."""
    skipped = len(samples) - len(left)
    for m in MODALITIES:
        before, after = (set(part.of(m).identities.tolist()) for part in (samples, left))
        gone = sorted(before - after) if split == "train" or not after else []
        if gone:
            raise UserError(
                f"identity {shown(gone[0], samples.texts)} has no {m} picture left ({len(gone)} such identities), as "
                f"{skipped} {SPLITS[split]} pictures that can't be used are skipped: replace them, or take the "
                "identity out"
            )


class Look(NamedTuple):
    """Of one picture. flaw: why it can't be used; None of one that can. flat: whether it is nearly constant. colour: as
    `colour_of` measures it; NaN of one that can't be used."""

    flaw: BadPictureError | None
    flat: bool = False
    colour: float = math.nan


def look(encoded: bytes, sixteen_bit: str = "") -> Look:
    """One picture, decoded. sixteen_bit: as the setting."""
    try:
        pixels = decode(encoded, sixteen_bit)
    except BadPictureError as error:
        return Look(error)
    return Look(None, is_flat(pixels), colour_of(pixels))


def looks(samples: Samples) -> Iterator[Look]:
    """Of each picture in order; each is read when its turn comes, and decoded once."""
    found = ahead(lambda row: look(samples.encoded[row], samples.sixteen_bit), range(len(samples)))
    return iter(tqdm(found, "checking", len(samples), unit="picture", leave=False, disable=len(samples) < SHOWN_FROM))


def flat_words(names: Sequence[str], of: int, whose: str = "") -> str:
    """In words, that pictures of these names are nearly constant, and what that may come of."""
    return (
        f"{len(names)} of {of} {whose}pictures are nearly constant: {'; '.join(names[:NAMED])}"
        f"{more(len(names) - NAMED)}: look at them, and for those of 16 bits at the range of data.sixteen_bit"
    )


def more(count: int) -> str:
    """In words, that there are so many further ones."""
    return f" and {count} more" if count > 0 else ""


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
