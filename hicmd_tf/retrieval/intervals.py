"""How far a figure hangs on whom it was computed on: a bootstrap over identities (imports no TensorFlow).

The queries of one person are alike, so people are drawn, not queries: as many as there are, with replacement, each with
all queries of theirs (a cluster bootstrap; Davison and Hinkley, Bootstrap Methods and their Application, 1997, Sec.
3.8). The interval lies between the 2.5th and the 97.5th percentile of the figure over the draws. Model and gallery stay
as they are: it tells nothing of another training.
"""

from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from hicmd_tf.data.samples import Samples
from hicmd_tf.retrieval.galleries import Search
from hicmd_tf.retrieval.metrics import score

Array = np.ndarray[Any, Any]

DRAWS = 1000
SEED = 0
SHARE = 0.95


class Answers(NamedTuple):
    """What each query came to, means over the galleries. identities: (V,) who was asked for. rank1: (V,) 0 to 1, how
    often the first picture was of this person. average_precision: (V,) 0 to 1."""

    identities: Array
    rank1: Array
    average_precision: Array


class Interval(NamedTuple):
    """A figure on everyone, and between what its middle 95 % over the draws lie; fractions."""

    figure: float
    low: float
    high: float


def answers(descriptors: Array, samples: Samples, search: Search) -> Answers:
    """The queries of a search that have a match. descriptors: (N, E), one for each sample.

    A published protocol's galleries all answer the same queries, so the means of these are the table's figures. Raises
    UserError as `score` does.
    """
    queries = search.queries
    answered, rank1, precision = np.zeros((3, len(queries)))
    for gallery in tqdm(search.galleries, desc="scoring", unit="gallery", leave=False):
        ids, cameras = samples.identities, samples.cameras
        scores = score(
            *(descriptors[queries], descriptors[gallery], ids[queries], ids[gallery]),
            *(cameras[queries], cameras[gallery], search.protocol),
        )
        answered += scores.valid
        rank1[scores.valid] += scores.first_rank == 1
        precision[scores.valid] += scores.average_precision
    there = answered > 0
    return Answers(
        samples.identities[queries[there]], *(total[there] / answered[there] for total in (rank1, precision))
    )


def over_identities(values: Array, identities: Array, draws: int = DRAWS, seed: int = SEED) -> Interval:
    """The mean of values (V,), one for each query, and its interval; identities (V,): whose each query is."""
    _, person, counts = np.unique(identities, return_inverse=True, return_counts=True)
    people = len(counts)
    totals = np.bincount(person, values)
    times = np.random.default_rng(seed).multinomial(people, np.full(people, 1 / people), draws)  # (draws, people)
    means = (times @ totals) / (times @ counts)
    low, high = np.quantile(means, [(1 - SHARE) / 2, (1 + SHARE) / 2])
    return Interval(float(np.mean(values)), float(low), float(high))
