"""Pictures that can be used, and those that look wrong: each is decoded once before anything is made of it.

Infrared pictures in colour, or visible ones that are grey throughout, look like those of the other modality.
"""

import math
import warnings
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

import numpy as np
from tqdm import tqdm

from hicmd_tf.config.schema import CheckPolicy
from hicmd_tf.data.samples import SPLITS, Samples, Split, ahead
from hicmd_tf.errors import UserError, counted, some
from hicmd_tf.notation import INFRARED, MODALITIES
from hicmd_tf.pictures.bounds import BadPictureError
from hicmd_tf.pictures.decode import decode, is_flat

Array = np.ndarray[Any, Any]

GREY, COLOURED = 2.0, 12.0
"""Grey levels between a pixel's largest and smallest channel, on average: at most, and at least; a tint has more and
less."""
SIDE = 64  # pixels of a larger picture that are looked at in a row or column, or a few more
SHOWN_FROM = 256  # pictures; fewer take no time
NAMED = 3  # so many does a warning name
LISTED = 20  # and so many an error


class Look(NamedTuple):
    """Of one picture. flaw: why it can't be used; None of one that can. flat: whether it is nearly constant. colour: as
    `colour_of` measures it; NaN of one that can't be used."""

    flaw: BadPictureError | None
    flat: bool = False
    colour: float = math.nan


def usable(samples: Samples, policy: CheckPolicy, split: Split | Literal["all"] | None = None) -> Samples:
    """The pictures that can be used: all of them, or with `skip` those that can be, and one warning.

    split: of a data set, or all of them; None: pictures of no data set. Warns of those that are nearly constant, and of
    a data set's people whose pictures look like the other modality's. Raises UserError naming those that can't be used
    and how many there are.
    """
    of = f"{SPLITS[split]} " if split in SPLITS else ""
    seen = list(_looks(samples))
    flat = [name for name, one in zip(samples.names, seen, strict=True) if one.flat]
    if flat:
        warnings.warn(
            f"{len(flat)} of {len(samples)} {of}pictures are nearly constant: {some(flat, NAMED)}: look at them, and "
            "for those of 16 bits at the range of data.sixteen_bit",
            stacklevel=2,
        )
    for line in swapped(samples, np.array([one.colour for one in seen]), of) if split else ():
        warnings.warn(line, stacklevel=2)
    flaws = [(name, one.flaw) for name, one in zip(samples.names, seen, strict=True) if one.flaw]
    if not flaws:
        return samples
    if policy == "stop":
        advice = "replace it or leave it out"
        if split:
            advice = "replace it or take it out of the data set, or train with --data.check skip"
        if split == "all":
            advice += ", which hicmd check --skip goes on to"
        name, flaw = flaws[0]
        others = some([other for other, _ in flaws[1:]], LISTED)
        more = f" (and {len(flaws) - 1} more can't be used: {others})" if len(flaws) > 1 else ""
        raise UserError(f"{of}picture {name} {flaw.told(advice, more)}")
    named = some([f"{name} {flaw}" for name, flaw in flaws], NAMED)
    warnings.warn(f"{len(flaws)} of {len(samples)} {of}pictures can't be used and are skipped: {named}", stacklevel=2)
    return samples.select(np.array([one.flaw is None for one in seen], bool))


def look(encoded: bytes, sixteen_bit: str = "") -> Look:
    """One picture, decoded. sixteen_bit: as the setting."""
    try:
        pixels = decode(encoded, sixteen_bit)
    except BadPictureError as error:
        return Look(error)
    return Look(None, is_flat(pixels), colour_of(pixels))


def _looks(samples: Samples) -> Iterator[Look]:
    """Of each picture in order; each is read when its turn comes, and decoded once."""
    found = ahead(lambda row: look(samples.encoded[row], samples.sixteen_bit), range(len(samples)))
    return iter(tqdm(found, "checking", len(samples), unit="picture", leave=False, disable=len(samples) < SHOWN_FROM))


def colour_of(pixels: Array) -> float:
    """How coloured a picture uint8 (H, W, 3) is, in grey levels from 0 to 255."""
    step = max(1, min(pixels.shape[:2]) // SIDE)
    return float(np.mean(np.ptp(pixels[::step, ::step], axis=2)))


def swapped(samples: Samples, colours: Array, whose: str = "") -> Iterator[str]:
    """A line for the people all of whose infrared pictures are in colour, one for those all of whose visible ones are
    grey; none where there are no such people. colours: (N,), of each picture as `colour_of` measures it."""
    odd = np.where(samples.infrared, colours >= COLOURED, colours <= GREY)
    for m in MODALITIES:
        rows = np.flatnonzero((samples.infrared == (m == INFRARED)) & ~np.isnan(colours))
        people = samples.identities[rows]
        strange = np.setdiff1d(people, people[~odd[rows]])
        of = rows[np.isin(people, strange)]
        if len(of):
            yield (
                f"all {whose}{m} pictures of {len(strange):,} of {counted(len(np.unique(people)), 'person')} are "
                f"{'in colour' if m == INFRARED else 'grey throughout'} ({counted(len(of), 'picture')}), such as "
                f"{samples.names[of[0]]}: look whether they are {m} at all"
            )
