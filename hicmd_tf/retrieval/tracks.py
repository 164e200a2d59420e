"""Several pictures of one person as one query or one entry of a gallery.

A track is what one camera took of one person, in one modality, in a row; a picture that is in none is one of its own.
By `mean` a track's descriptor is the mean of its pictures' descriptors of length 1, of length 1 again; by `best` two
tracks, or a picture and a track, are as similar as the most similar of their pictures.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal, NamedTuple, get_args

import numpy as np

from hicmd_tf.data.samples import Samples
from hicmd_tf.data.searches import Search, asking
from hicmd_tf.errors import UserError, counted
from hicmd_tf.notation import INFRARED
from hicmd_tf.retrieval.distances import checked, cosine_distances
from hicmd_tf.retrieval.evaluation import Labelled, Row, by_direction, evaluate, judged
from hicmd_tf.retrieval.metrics import Scores, score_distances

Array = np.ndarray[Any, Any]
Pool = Literal["mean", "best"]

POOLS: tuple[Pool, ...] = get_args(Pool)
POOLED = {"mean": "the mean of their descriptors", "best": "their most similar pictures"}
"""By what tracks are compared, in words."""


class Groups(NamedTuple):
    """Which of N pictures belong together. rows: (N,), group after group. starts: (T,), where each begins in them."""

    rows: Array
    starts: Array

    @classmethod
    def of(cls, labels: Array) -> "Groups":
        """By equal labels (N,), at least one; groups in the order of their first pictures."""
        _, first, label = np.unique(labels, return_index=True, return_inverse=True)
        group = np.argsort(np.argsort(first))[label]
        counts = np.bincount(group)
        return cls(np.argsort(group, kind="stable"), np.cumsum(counts) - counts)

    @property
    def first(self) -> Array:
        """The first picture of each group (T,)."""
        return np.asarray(self.rows[self.starts])

    def members(self) -> list[Array]:
        """The pictures of each group."""
        return np.split(self.rows, self.starts[1:])


def mean_descriptors(descriptors: Array, groups: Groups) -> Array:
    """Of each group the mean of its descriptors, each of length 1 before and after: (N, D) -> (T, D).

    Raises UserError as `distances.checked` does.
    """
    found = checked(descriptors, "picture's")
    sums = np.add.reduceat((found.rows / found.lengths[:, None])[groups.rows], groups.starts, axis=0)
    lengths = np.linalg.norm(sums, axis=1, keepdims=True)
    return (sums / np.where(lengths > 0, lengths, 1)).astype(found.rows.dtype)


def closest(descriptors: Array, queries: list[Array], gallery: list[Array]) -> Array:
    """Distances (Q, G), small for alike, each of the most similar pictures of a query and of an entry.

    queries, gallery: rows (R,) of the descriptors (N, D) for each of them, at least one.
    """
    found = checked(descriptors, "picture's")
    unit = (found.rows / found.lengths[:, None]).astype(found.rows.dtype)
    (asked, by_query), (held, by_entry) = (
        (np.concatenate(of), np.cumsum([0, *map(len, of[:-1])])) for of in (queries, gallery)
    )
    blocks = cosine_distances(checked(unit[asked], "query"), checked(unit[held], "gallery"))
    rows = [np.minimum.reduceat(block, by_entry, axis=1) for _, block in blocks]
    return np.asarray(np.minimum.reduceat(np.concatenate(rows), by_query, axis=0))


def evaluate_tracks(
    descriptors: Array, samples: Samples, searches: Iterable[Search], pool: Pool = "mean", rerank: bool = False
) -> list[Row]:
    """Rows of pictures, and of tracks, looked up among all tracks of the other modality, in each direction of the
    searches, whose rules hold; none where no picture is in a track.

    Args:
        descriptors: (N, E), one for each sample.
        samples: as the searches are of.
        searches: those of the pictures.
        pool: how tracks are compared.
        rerank: another row after each, re-ranked; by `mean` alone.

    Raises:
        UserError: for another pool, for re-ranked best pairs, and as `evaluate` does.
    """
    if pool not in POOLS:
        raise UserError(f"pool is {pool!r}: expected {' or '.join(POOLS)}")
    if not samples.tracked.any():
        return []
    if rerank and pool == "best":
        raise UserError("re-ranking takes descriptors, which the best pair of two tracks has not: take the pool mean")
    groups = Groups.of(np.where(samples.tracked, samples.tracks, -1 - np.arange(len(samples))))
    both = samples.select(np.concatenate([np.arange(len(samples)), groups.first]))
    asked = _searches(samples, samples.select(groups.first), searches, pool)
    if pool == "mean":
        rows = evaluate(np.concatenate([descriptors, mean_descriptors(descriptors, groups)]), both, asked, rerank)
    else:
        members = [*np.arange(len(samples))[:, None], *groups.members()]

        def scored(queries: Array, gallery: Array, labels: Labelled, again: bool) -> Scores:
            return score_distances(
                closest(descriptors, *([members[e] for e in of] for of in (queries, gallery))), *labels
            )

        rows = judged(scored, both, asked)
    return [row._replace(hidden="") for row in rows]  # the pictures' rows say it


def _searches(samples: Samples, tracks: Samples, searches: Iterable[Search], pool: Pool) -> Iterator[Search]:
    """Among pictures, and tracks after them."""
    directions = by_direction(searches).values()
    for what, of, before in (("picture", samples, 0), ("track", tracks, len(samples))):
        for search in directions:
            gallery = len(samples) + np.flatnonzero(tracks.infrared == (search.direction.gallery == INFRARED))
            queries = before + asking(of, search.direction.query)
            setting = f"{what} to track, {'best pair' if pool == 'best' else pool}"
            yield Search(setting, search.direction, search.protocol, queries, [gallery])


def track_counts(samples: Samples, pool: Pool) -> dict[str, Any]:
    """What metrics.json says of tracks: how many, of how many pictures, how many are in none, and how tracks are
    compared; empty where there are none."""
    within = int(np.count_nonzero(samples.tracked))
    tracks = len(np.unique(samples.tracks[samples.tracked]))
    return {"tracks": tracks, "pictures": within, "without": len(samples) - within, "pool": pool} if within else {}


def pool_in(metrics: Mapping[str, Any]) -> Any:
    """By what a metrics.json says that tracks were compared; None where it has none."""
    tracks = metrics.get("tracks")
    return tracks.get("pool") if isinstance(tracks, dict) else None


def in_words(counts: dict[str, Any]) -> str:
    """The same as a line."""
    without = f"; in none, and so tracks of one: {counts['without']:,}" if counts["without"] else ""
    return (
        f"{counted(counts['tracks'], 'track')} of {counted(counts['pictures'], 'picture')}, compared by "
        f"{POOLED[counts['pool']]} "
        f"({counts['pool']}){without}"
    )
