"""The Frechet distance of two sets of features as if they were Gaussian."""

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def frechet(first: Array, second: Array) -> float:
    """|m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)) of the means and covariances of features (N, F) and (M, F).

    Raises ValueError when either has less than two rows. The root's trace is that of the symmetric
    (S1^(1/2) S2 S1^(1/2))^(1/2), which stays real when there are fewer rows than features.
    """
    if min(len(first), len(second)) < 2:
        raise ValueError(f"features of {len(first)} and {len(second)} pictures, expected two or more of each")
    a, b = first.astype(np.float64), second.astype(np.float64)
    apart = a.mean(axis=0) - b.mean(axis=0)
    of_a, of_b = (np.atleast_2d(np.cov(x, rowvar=False)) for x in (a, b))
    root = _root(of_a)
    common = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ of_b @ root), 0.0)).sum()
    return float(max(apart @ apart + np.trace(of_a) + np.trace(of_b) - 2 * common, 0.0))


def _root(covariance: Array) -> Array:
    values, vectors = np.linalg.eigh(covariance)
    scaled: Array = vectors * np.sqrt(np.maximum(values, 0.0))
    return scaled @ vectors.T
