"""CMC, mAP and mINP against loops over sorted lists, chance against shuffled galleries."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hicmd_tf.data.searches import ProtocolName
from hicmd_tf.errors import UserError
from hicmd_tf.retrieval.chance import chance
from hicmd_tf.retrieval.metrics import RANKS, score, score_distances, summary


def naive(distances: np.ndarray, query_ids: np.ndarray, gallery_ids: np.ndarray) -> dict[str, float]:
    """The definitions, one query at a time, on Python lists."""
    first, precisions, penalties = [], [], []
    for row, identity in zip(distances.tolist(), query_ids.tolist(), strict=True):
        order = sorted(range(len(row)), key=row.__getitem__)  # stable: equal distances keep the gallery's order
        hits = [rank for rank, place in enumerate(order, 1) if gallery_ids[place] == identity]
        if hits:
            first.append(hits[0])
            precisions.append(sum(i / rank for i, rank in enumerate(hits, 1)) / len(hits))
            penalties.append(len(hits) / hits[-1])
    found = {f"rank{k}": sum(rank <= k for rank in first) / len(first) for k in RANKS}
    return {**found, "mAP": sum(precisions) / len(first), "mINP": sum(penalties) / len(first)}


@st.composite
def rankings(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    queries, gallery = draw(st.integers(1, 6)), draw(st.integers(1, 40))
    few = st.integers(0, 4)  # few values: many ties
    distances = draw(st.lists(st.lists(few, min_size=gallery, max_size=gallery), min_size=queries, max_size=queries))
    ids = [draw(st.lists(st.integers(0, 3), min_size=n, max_size=n)) for n in (queries, gallery)]
    ids[1][0] = ids[0][0]  # at least one query has a match
    return np.array(distances, float), np.array(ids[0]), np.array(ids[1])


@given(rankings())
def test_figures_follow_their_definitions_also_under_ties(ranking: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    assert summary(score_distances(*ranking)) == pytest.approx(naive(*ranking), rel=1e-12)


def test_descriptors_are_ranked_by_cosine_whatever_their_length() -> None:
    rng = np.random.default_rng(0)
    query, gallery = rng.normal(size=(700, 8)), rng.normal(size=(90, 8))  # more queries than one block
    ids = rng.integers(0, 20, 700), rng.integers(0, 20, 90)
    unit = [x / np.linalg.norm(x, axis=1, keepdims=True) for x in (query, gallery)]
    expected = naive(-unit[0] @ unit[1].T, *ids)
    assert summary(score(query * rng.uniform(1, 9, (700, 1)), gallery, *ids)) == pytest.approx(expected)


def test_queries_without_a_match_count_nowhere() -> None:
    distances = np.array([[0.1, 0.2], [0.2, 0.1]])
    scores = score_distances(distances, np.array([1, 9]), np.array([1, 2]))
    assert scores.valid.tolist() == [True, False] and scores.cmc[0] == 1 and len(scores.average_precision) == 1


@pytest.mark.parametrize("protocol", ["regdb", "sysu", "llcm", "market1501"])
@given(rankings())
def test_unknown_people_match_nobody_and_are_people_of_their_own(
    protocol: ProtocolName, ranking: tuple[np.ndarray, np.ndarray, np.ndarray]
) -> None:
    distances, query_ids, gallery_ids = ranking
    cameras = np.ones(len(query_ids), int), np.full(len(gallery_ids), 2)
    alone = np.where(gallery_ids == 3, 100 + np.arange(len(gallery_ids)), gallery_ids)  # 3 is nobody twice
    unknown = np.where(gallery_ids == 3, -1 - gallery_ids % 2, gallery_ids)
    asking = np.where(query_ids == 3, -1, query_ids)
    if not np.isin(asking[asking >= 0], unknown).any():
        return
    expected = score_distances(distances, np.where(query_ids == 3, 99, query_ids), alone, *cameras, protocol)
    found = score_distances(distances, asking, unknown, *cameras, protocol)
    assert summary(found) == summary(expected)
    assert not found.valid[asking < 0].any()


def test_two_unknown_people_are_not_one() -> None:
    distances = np.zeros((2, 2))
    for score_them in (lambda *ids: score_distances(distances, *ids), chance):
        with pytest.raises(UserError, match="no query is of a known person"):
            score_them(np.array([-1, -1]), np.array([-1, -1]))
    assert chance(np.array([-1, 5]), np.array([5, -1]))["rank1"] == 0.5
    with pytest.raises(UserError, match="no query has a picture of its identity"):
        chance(np.array([-1, 5]), np.array([-1, -1]))


@pytest.mark.parametrize(
    ("descriptors", "named"),
    [
        (np.array([[1.0, np.nan], [1, 0]]), "not finite"),
        (np.array([[0.0, 0.0], [1, 0]]), "all zeros"),
        (np.ones(2), "shape"),
        (np.ones((2, 3)), "length"),
    ],
)
def test_descriptors_that_cannot_be_compared_are_named(descriptors: np.ndarray, named: str) -> None:
    with pytest.raises(UserError, match=named):
        score(descriptors, np.eye(2), np.array([0, 1]), np.array([0, 1]))


def test_ids_must_fit_and_meet() -> None:
    with pytest.raises(UserError, match="gallery ids have shape"):
        score_distances(np.eye(2), np.array([0, 1]), np.array([0]))
    with pytest.raises(UserError, match="no query"):
        score_distances(np.eye(2), np.array([0, 1]), np.array([2, 3]))
    with pytest.raises(UserError, match="no query"):
        chance(np.array([0]), np.array([1]))
