"""The ten splits of drawn people into training, held-out and test identities, as RegDB has ten."""

from typing import NamedTuple

import numpy as np

from hicmd_tf.drawn_people.arithmetic import Array, Draws
from hicmd_tf.errors import UserError

TRIALS = 10
HELD_OUT_SEED = 777
SPLIT_KEY = 3
"""Third word of a split's random key; people and pictures have 0, 1 or 2 there."""


class IdentitySplit(NamedTuple):
    """Three disjoint sets of identities, each int64 and ascending."""

    train: Array
    held_out: Array
    test: Array


def split_identities(identities: int, test: int, trial: int, held_out: int, seed: int) -> IdentitySplit:
    """A permutation from (seed, trial): its last `test` are the test's, the `held_out` before them, the rest train.

    The test identities do not depend on `held_out`. Raises UserError if a number is out of range.
    """
    training = identities - test
    if not 1 <= trial <= TRIALS:
        raise UserError(f"data.trial is {trial}: there are trials 1 to {TRIALS}; choose one of them.")
    if not 1 <= test < identities:
        raise UserError(
            f"data.test_identities is {test}: of {identities} people it can be 1 to {identities - 1}; choose such."
        )
    if not 0 <= held_out < training:
        raise UserError(
            f"data.held_out is {held_out}: of {training} training people it can be 0 to {training - 1}; choose such."
        )
    order = np.array(Draws(seed, trial, SPLIT_KEY).shuffled(identities), np.int64)
    parts = order[: training - held_out], order[training - held_out : training], order[training:]
    return IdentitySplit(*(np.sort(part) for part in parts))


def shuffled(people: int, trial: int) -> Array:
    """An order of the training people of a data set that is not drawn, the same in every run: the last are held out."""
    return np.array(Draws(HELD_OUT_SEED, trial, SPLIT_KEY).shuffled(people), np.int64)
