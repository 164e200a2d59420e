"""How far readings moved from a source to a donor."""

from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray[Any, Any]


class Movement(NamedTuple):
    """donor, source: how much of either's value the observed one follows, each with the other held fixed."""

    donor: float
    source: float


def movement(observed: Array, source: Array, donor: Array) -> Movement:
    """The least-squares fit observed = constant + source' * source + donor' * donor, over P pairs (P, K).

    The columns (sine and cosine of an angle) have constants of their own and share both slopes. The donor's slope is
    that of observed - source on donor - source with the source held fixed: 1 when the donor's value is taken on, 0 when
    the source's is kept. Without holding it fixed, a reading that never changes would seem half way between both.
    """
    y, s, d = (x - x.mean(axis=0) for x in (observed, source, donor))
    (of_source, of_donor), *_ = np.linalg.lstsq(np.stack([s.ravel(), d.ravel()], axis=1), y.ravel(), rcond=None)
    return Movement(float(of_donor), float(of_source))


def share_nearer_to_donor(
    embedding: Array, references: Array, identities: Array, sources: Array, donors: Array
) -> float:
    """Share of P pictures whose nearest real picture, of all of source's and donor's people, shows the donor's person.

    embedding: (P, E) of length 1. references: (N, E) of real pictures, identities: (N,) whom they show. sources,
    donors: rows (P,) of the pairs among them, which themselves don't count: a person is asked for, not a picture.
    """
    similarity = embedding @ references.T  # (P, N)
    every = np.arange(len(similarity))
    similarity[every, sources] = similarity[every, donors] = -np.inf
    of_source, of_donor = (
        np.where(identities[rows][:, None] == identities, similarity, -np.inf).max(axis=1) for rows in (sources, donors)
    )
    return float(np.mean(of_donor > of_source))
