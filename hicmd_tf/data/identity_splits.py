"""The ten splits of drawn people into training, held-out and test identities, as RegDB has ten."""

from typing import NamedTuple

import numpy as np

from hicmd_tf.data.drawing.arithmetic import Array, Draws
from hicmd_tf.errors import UserError

TRIALS = 10
SPLIT_KEY = 3
"""Third word of a split's random key; people and pictures have 0, 1 or 2 there."""


class IdentitySplit(NamedTuple):
    """Three disjoint sets of identities, each int64 and ascending."""

    train: Array
    held_out: Array
    test: Array


def split_identities(identities: int, trial: int, held_out: int, seed: int) -> IdentitySplit:
    """A permutation from (seed, trial): its first half trains, but for the half's last `held_out`; the rest tests.

    The test identities do not depend on `held_out`. Raises UserError if one is out of range.
    """
    half = identities // 2
    if not 1 <= trial <= TRIALS:
        raise UserError(f"data.trial is {trial}: there are trials 1 to {TRIALS}; choose one of them.")
    if not 0 <= held_out < half:
        raise UserError(
            f"data.held_out is {held_out}: of {half} training identities it can be 0 to {half - 1}; choose such."
        )
    order = np.array(Draws(seed, trial, SPLIT_KEY).shuffled(identities), np.int64)
    parts = order[: half - held_out], order[half - held_out : half], order[half:]
    return IdentitySplit(*(np.sort(part) for part in parts))
