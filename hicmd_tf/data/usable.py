"""Which pictures can be used: each is decoded once before anything is made of them (data.check)."""

import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Lock
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from hicmd_tf.config.schema import CheckPolicy
from hicmd_tf.data.bounds import flaw_of
from hicmd_tf.data.samples import SPLITS, Samples, Split
from hicmd_tf.errors import UserError
from hicmd_tf.notation import MODALITIES

AT_ONCE = 256
STANDARD_ERROR = 2
_SILENCE = Lock()
NAMED = 3  # so many does a warning name
EXPECTED = "expected a whole PNG, JPEG or BMP"
ADVICE = (
    "replace it or take it out of the data set (what was prepared in data.directory is made again when its folder "
    "there is deleted), or set data.check to skip"
)


class Flaw(NamedTuple):
    """name: of the picture. words: why it can't be used."""

    name: str
    words: str

    def __str__(self) -> str:
        return f"{self.name} {self.words}"


def usable(samples: Samples, policy: CheckPolicy, split: Split | None = None) -> Samples:
    """The pictures that can be used: all of them, or with `skip` those that can be, and one warning.

    split: whose they are; None: pictures of no data set. Raises UserError naming the first that can't be used and how
    many there are; with `skip` when of a split someone to train on, or everyone, has no picture of a modality left.
    """
    flaws = flawed(samples.names, samples.encoded)
    if not flaws:
        return samples
    of = f"{SPLITS[split]} " if split else ""
    if policy == "stop":
        advice = ADVICE if split else "replace it or leave it out"
        raise UserError(f"{of}picture {flaws[0]}{more(len(flaws) - 1)}, {EXPECTED}: {advice}")
    named = "; ".join(map(str, flaws[:NAMED]))
    warnings.warn(
        f"{len(flaws)} of {len(samples)} {of}pictures can't be used and are skipped: {named}{more(len(flaws) - NAMED)}",
        stacklevel=2,
    )
    bad = {flaw.name for flaw in flaws}
    left = samples.select(np.array([name not in bad for name in samples.names], bool))
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
                f"identity {gone[0]} has no {m} picture left ({len(gone)} such identities), as {skipped} "
                f"{SPLITS[split]} pictures that can't be used are skipped: replace them, or take the identity out"
            )


def flawed(names: Sequence[str], encoded: Sequence[bytes]) -> list[Flaw]:
    """The pictures that can't be used, in their order: too large by their heads, which are read first, or corrupt."""
    found: list[Flaw] = []
    with tqdm(total=len(names), desc="checking", unit="picture", leave=False, disable=len(names) < AT_ONCE) as bar:
        for start in range(0, len(names), AT_ONCE):
            part = slice(start, start + AT_ONCE)
            words = _flaws(list(encoded[part]))
            found += [Flaw(name, why) for name, why in zip(names[part], words, strict=True) if why is not None]
            bar.update(len(words))
    return found


def more(count: int) -> str:
    """In words, that there are so many further ones."""
    return f" and {count} more" if count > 0 else ""


def _flaws(encoded: list[bytes]) -> list[str | None]:
    """Why each can't be used; None for one that can. Each alone is only looked at when not all can be decoded."""
    words = [flaw_of(one) for one in encoded]
    sound = [row for row, why in enumerate(words) if why is None]
    if not _all_decode([encoded[row] for row in sound]):
        for row in sound:
            if not _all_decode([encoded[row]]):
                words[row] = "can't be decoded"
    return words


@tf.function(input_signature=[tf.TensorSpec((None,), tf.string)])
def _pixels(encoded: tf.Tensor) -> tf.Tensor:
    def count(one: tf.Tensor) -> tf.Tensor:
        return tf.size(tf.io.decode_image(one, channels=3, expand_animations=False))

    return tf.map_fn(count, encoded, fn_output_signature=tf.int32)


def _all_decode(encoded: list[bytes]) -> bool:
    try:
        with libraries_silent():
            _pixels(tf.constant(encoded, tf.string))
    except (tf.errors.InvalidArgumentError, tf.errors.UnimplementedError):
        return False
    return True


@contextmanager
def libraries_silent() -> Iterator[None]:
    """libjpeg itself writes a line to standard error for every file that is cut short; ours says which it is. One
    thread at a time: two would put back what the other had put in place."""
    with _SILENCE:
        yield from _silent()


def _silent() -> Iterator[None]:
    try:
        kept = os.dup(STANDARD_ERROR)
    except OSError:  # there is no standard error
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, STANDARD_ERROR)
        yield
    finally:
        os.dup2(kept, STANDARD_ERROR)
        os.close(kept)
        os.close(nowhere)
