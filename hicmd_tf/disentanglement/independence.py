"""The fifth measure: whether two codes know something of one another, of any form, within a modality."""

from itertools import combinations
from typing import Any

import numpy as np
from scipy.spatial.distance import pdist, squareform

from hicmd_tf.disentanglement.measurement import Measurement, Networks
from hicmd_tf.notation import MODALITIES, Modality

Array = np.ndarray[Any, Any]

PERMUTATIONS = 200
ENOUGH, AT_MOST = 4, 500  # pictures of a modality: below, bias can't be corrected; distances of more take long
CORRELATION, LIMIT, P_VALUE = "distance correlation", "95th percentile of permutations", "p-value"


def independence_figures(
    codes: dict[str, Array], rows: dict[Modality, Array], seed: int, networks: Networks
) -> list[Measurement]:
    """The distance correlation of each pair of codes, and what it is when nothing belongs together.

    The codes are those of pictures of one modality, for a code's dependence on the modality would tie all codes. Where
    there are more than `AT_MOST`, so many of them are drawn.

    Args:
        codes: (N, D) each, by name.
        rows: of either modality's pictures among the N.
        seed: of the drawing and of the permutations.
        networks: whose codes.

    Returns:
        Of each modality with `ENOUGH` pictures and each pair the correlation; the 95th percentile of `PERMUTATIONS`
        permutations; and the p-value, the share of permutations, with the given order among them, that reach it.
    """
    found = []
    for modality in MODALITIES:
        rng = np.random.default_rng(seed)
        chosen = rng.permutation(rows[modality])[:AT_MOST]
        n = len(chosen)
        if n < ENOUGH:
            continue
        of = {name: standardised(code[chosen]) for name, code in codes.items()}
        pairs = list(combinations(of, 2))
        null: dict[tuple[str, str], list[float]] = {pair: [] for pair in pairs}
        for _ in range(PERMUTATIONS):
            order = rng.permutation(n)
            moved = {name: matrix.take(order, axis=0).take(order, axis=1) for name, matrix in of.items()}
            for first, second in pairs:
                null[first, second].append(correlation(of[first], moved[second]))
        for first, second in pairs:
            value, by_chance = correlation(of[first], of[second]), np.array(null[first, second])
            p = (1 + np.count_nonzero(by_chance >= value)) / (1 + PERMUTATIONS)
            figures = {CORRELATION: value, LIMIT: float(np.quantile(by_chance, 0.95)), P_VALUE: float(p)}
            found += [
                Measurement(
                    "independence", f"{first} and {second}", modality, "", name, networks, figure, None, None, n
                )
                for name, figure in figures.items()
            ]
    return found


def standardised(code: Array) -> Array:
    """Euclidean distances (N, N) of a code (N, D), `u_centred` and scaled to length 1; 0 where it never changes."""
    centred = u_centred(squareform(pdist(code)))
    size = float(np.sqrt(np.vdot(centred, centred)))
    return centred / size if size > 0 else centred


def correlation(first: Array, second: Array) -> float:
    """The bias-corrected distance correlation of two codes by their `standardised` matrices (N, N), from -1 to 1.

    (A, B) / sqrt((A, A)(B, B)) with (A, B) = sum_ij A_ij B_ij / (n (n - 3)): 1 where one code is the other, turned,
    shifted and scaled; about 0, and as often below as above, where they are independent; 0 where a code never changes.
    It estimates a square: 0.25 is a distance correlation of 0.5 (Székely and Rizzo, The distance correlation t-test of
    independence in high dimension, Journal of Multivariate Analysis 2013; for content and style, without the
    correction, Liu et al., Metrics for exposing the biases of content-style disentanglement, 2020).
    """
    return float(np.vdot(first, second))


def u_centred(apart: Array) -> Array:
    """Distances a (N, N), N of 3 or more, with each row's and column's mean taken away so that no bias is left.

    a_ij - sum_l a_il / (n - 2) - sum_k a_kj / (n - 2) + sum_kl a_kl / ((n - 1)(n - 2)), and 0 where i = j (Székely and
    Rizzo, Partial distance correlation with methods for dissimilarities, Annals of Statistics 2014, Definition 2).
    """
    count, sums = len(apart), apart.sum(axis=1)
    found: Array = apart - (sums[:, None] + sums) / (count - 2) + sums.sum() / ((count - 1) * (count - 2))
    np.fill_diagonal(found, 0.0)
    return found
