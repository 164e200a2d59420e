"""Which pictures can be used: each is decoded once before anything is made of them (data.check)."""

import math
import warnings
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from hicmd_tf.config.schema import CheckPolicy
from hicmd_tf.data.ahead import ahead
from hicmd_tf.data.colours import Shade, colour_of, swapped
from hicmd_tf.data.labels import shown
from hicmd_tf.data.samples import SPLITS, Samples, Split
from hicmd_tf.errors import UserError
from hicmd_tf.notation import MODALITIES
from hicmd_tf.pictures.bounds import BadPictureError
from hicmd_tf.pictures.decode import decode, is_flat

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
    """What decoding a file tells. sixteen_bit: as the setting."""
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
