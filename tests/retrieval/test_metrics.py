"""Figures and protocols' rules against their definitions, one query at a time on Python lists, and cases by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hicmd_tf.data.searches import PROTOCOLS, ProtocolName
from hicmd_tf.errors import UserError
from hicmd_tf.retrieval.chance import chance
from hicmd_tf.retrieval.metrics import Scores, score, score_distances, summary

ONE = np.array([1])


def hidden(protocol: str, query: tuple[int, int], picture: tuple[int, int]) -> bool:
    """Whether a query (identity, camera) may not see a gallery picture (identity, camera)."""
    if protocol == "sysu":
        return query[1] == 3 and picture[1] == 2
    return protocol != "regdb" and query == picture


def naive(
    distances: np.ndarray, query_ids: list[int], gallery_ids: list[int], query_cams, gallery_cams, protocol: str
) -> list[tuple[int, float, float] | None]:
    """For each query its first rank, AP and INP; None without a match. Unknown people, -1, are all different."""
    results: list[tuple[int, float, float] | None] = []
    people = [-1 - place if identity < 0 else identity for place, identity in enumerate(gallery_ids)]
    query_ids = [-np.inf if identity < 0 else identity for identity in query_ids]
    pictures = list(zip(people, gallery_cams, strict=True))
    for row, identity, camera in zip(distances.tolist(), query_ids, query_cams, strict=True):
        order = sorted(range(len(row)), key=row.__getitem__)  # stable
        seen = [pictures[g][0] for g in order if not hidden(protocol, (identity, camera), pictures[g])]
        hits = [rank for rank, found in enumerate(seen, 1) if found == identity]
        if not hits:
            results.append(None)
            continue
        counted = list(dict.fromkeys(seen)) if protocol in ("sysu", "llcm") else seen
        precision = sum(i / rank for i, rank in enumerate(hits, 1)) / len(hits)
        results.append((1 + counted.index(identity), precision, len(hits) / hits[-1]))
    return results


def assert_equal(scores: Scores, expected: list[tuple[int, float, float] | None]) -> None:
    assert scores.valid.tolist() == [x is not None for x in expected]
    first, precision, penalty = zip(*(x for x in expected if x is not None), strict=True)
    assert scores.first_rank.tolist() == list(first)
    np.testing.assert_allclose(scores.average_precision, precision, rtol=1e-12)
    np.testing.assert_allclose(scores.inverse_negative_penalty, penalty, rtol=1e-12)
    assert len(scores.cmc) >= 20
    for k, value in enumerate(scores.cmc, 1):
        assert value == pytest.approx(sum(rank <= k for rank in first) / len(first))


@st.composite
def scenes(draw: st.DrawFn) -> tuple:
    queries, gallery = draw(st.integers(1, 6)), draw(st.integers(1, 60))
    values = draw(st.sampled_from([2, 5, 1000]))  # few values: many ties
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    identities = draw(st.integers(1, 8))
    distances = rng.integers(0, values, (queries, gallery)).astype(draw(st.sampled_from([np.float32, np.float64])))
    ids = [rng.integers(-1, identities, n) for n in (queries, gallery)]
    cams = rng.choice([3, 6], queries), rng.choice([1, 2, 3, 6], gallery)
    return distances, *ids, *cams


@given(scenes(), st.sampled_from(list(PROTOCOLS)))
def test_figures_follow_the_definitions(scene: tuple, protocol: ProtocolName) -> None:
    expected = naive(*(x.tolist() if x is not scene[0] else x for x in scene), protocol)
    if not any(expected):
        with pytest.raises(UserError, match="no query"):
            score_distances(*scene, protocol)
        return
    before = scene[0].copy()
    assert_equal(score_distances(*scene, protocol), expected)
    np.testing.assert_array_equal(scene[0], before)  # what belongs to the caller stays as it was


@pytest.mark.parametrize("protocol", list(PROTOCOLS))
def test_descriptors_by_blocks_score_as_one_matrix_of_distances_does(
    protocol: ProtocolName, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hicmd_tf.retrieval.distances.BLOCK_BYTES", 2**16)
    rng = np.random.default_rng(3)
    ids = rng.integers(0, 30, 300), rng.integers(0, 30, 200)
    cams = rng.choice([3, 6], 300), rng.choice([1, 2, 3, 6], 200)
    centres = rng.normal(size=(30, 16))
    query, gallery = (centres[i] + 1.5 * rng.normal(size=(len(i), 16)) for i in ids)
    unit = [x / np.linalg.norm(x, axis=1, keepdims=True) for x in (query, gallery)]
    expected = naive(-unit[0] @ unit[1].T, *(x.tolist() for x in (*ids, *cams)), protocol)
    assert_equal(score(query, gallery, *ids, *cams, protocol), expected)


def test_a_camera_3_query_sees_no_camera_2_picture_of_anyone() -> None:
    """SYSU-MM01: the nearest two pictures, a wrong and a right one, are by camera 2."""
    scene = np.array([[0.1, 0.2, 0.3, 0.4]]), np.array([7]), np.array([5, 7, 6, 7])
    by_camera_3 = score_distances(*scene, np.array([3]), np.array([2, 2, 1, 1]), "sysu")
    assert by_camera_3.first_rank.tolist() == [2] and by_camera_3.average_precision[0] == 1 / 2
    by_camera_6 = score_distances(*scene, np.array([6]), np.array([2, 2, 1, 1]), "sysu")
    assert by_camera_6.first_rank.tolist() == [2] and by_camera_6.average_precision[0] == (1 / 2 + 2 / 4) / 2


def test_identities_and_pictures_count_differently_behind_a_crowd() -> None:
    """Three pictures of one wrong person stand before the match: fourth picture, second identity."""
    scene = np.array([[0.1, 0.2, 0.3, 0.4]]), np.array([1]), np.array([2, 2, 2, 1]), np.array([1]), np.array([4] * 4)
    assert score_distances(*scene, "market1501").first_rank.tolist() == [4]
    assert score_distances(*scene, "llcm").first_rank.tolist() == [2]
    assert score_distances(*scene, "llcm").average_precision[0] == 1 / 4


def test_one_identity_alone_and_curves_that_go_on() -> None:
    for protocol in PROTOCOLS:
        scores = score_distances(np.zeros((1, 1)), np.array([1]), np.array([1]), np.array([1]), np.array([4]), protocol)
        assert scores.cmc.tolist() == [1.0] * 20 and scores.mAP == scores.mINP == 1


def test_huge_identities_stay_apart() -> None:
    """2**53 and 2**53 + 1 are one number in float64."""
    ids = np.array([2**62, 2**62 + 1])
    scores = score_distances(np.array([[0.1, 0.2], [0.1, 0.2]]), ids, ids)
    assert scores.first_rank.tolist() == [1, 2]


def test_equal_pictures_are_ranked_in_the_gallerys_order() -> None:
    """Float32 products of equal rows can differ in the last bit by their place in the matrix."""
    rng = np.random.default_rng(4)
    row, between = rng.normal(size=(1, 333)).astype(np.float32), rng.normal(size=(61, 333)).astype(np.float32)
    gallery = np.concatenate([row, -row, between, row, -row, between, row])
    equal = (0, 63, 126)
    for rank, place in enumerate(equal, 1):
        ids = np.where(np.arange(len(gallery)) == place, 1, 2)
        assert score(row, gallery, ONE, ids).first_rank.tolist() == [rank]
        by_identity = score(row, gallery, ONE, ids, [3], [1] * len(gallery), "sysu")
        assert by_identity.first_rank.tolist() == [1 + (rank > 1)]


@pytest.mark.parametrize("rerank", [False, True])
@pytest.mark.parametrize("rows", [np.ones(4), np.float32([0.1, 0.2, 0.7]), np.random.default_rng(0).normal(size=2048)])
@pytest.mark.parametrize(("queries", "gallery"), [(1, 1), (30, 50)])
def test_descriptors_of_a_collapsed_network_are_ranked_by_the_gallerys_order(
    queries: int, gallery: int, rows: np.ndarray, rerank: bool
) -> None:
    equal = np.tile(rows, (queries + gallery, 1))
    ids, gallery_ids = np.arange(queries) % 4, np.arange(gallery) % 4
    found = score(equal[:queries], equal[queries:], ids, gallery_ids, rerank=rerank)
    expected = score_distances(np.zeros((queries, gallery)), ids, gallery_ids)
    assert found.first_rank.tolist() == (1 + ids).tolist() and summary(found) == summary(expected)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ((np.zeros((1, 1)), ONE, ONE, None, None, "market"), r"protocol is 'market'.*market1501"),
        ((np.zeros((1, 1)), ONE, ONE, None, None, "llcm"), "query_cams is needed"),
        ((np.zeros((1, 1)), ONE, ONE, ONE, np.array([1, 2]), "llcm"), r"gallery cams have shape \(2,\)"),
        ((np.zeros((1, 1)), ONE, ONE, np.array([3]), np.array([2]), "sysu"), "by cameras that a query may see"),
        ((np.eye(2), np.array([0, 1]), ONE), "gallery ids have shape"),
        ((np.zeros((1, 1)), np.array([1.0]), ONE), "query ids are of type float64"),
        ((np.zeros((1, 1)), np.array([2**63], np.uint64), ONE), r"below 2\*\*63"),
        ((np.full((1, 1), np.nan), ONE, ONE), "finite"),
        ((np.zeros((1, 1)), ONE, np.array([2])), "no query has a picture of its identity"),
        ((np.zeros((1, 1)), np.array([-1]), np.array([-1])), "no query is of a known person"),
    ],
)
def test_what_does_not_fit_is_named(given: tuple, said: str) -> None:
    with pytest.raises(UserError, match=said):
        score_distances(*given)
    if said.startswith("no query"):
        with pytest.raises(UserError, match=said):
            chance(*given[1:])


@pytest.mark.parametrize(
    ("descriptors", "said"),
    [
        (np.array([[1.0, 0], [np.nan, 1]]), "query descriptor 1 is not finite"),
        (np.array([[1.0, 0], [0, 0]]), "query descriptor 1 is all zeros"),
        (np.ones(2), r"shape \(N, D\), received float64 \(2,\)"),
        (np.ones((0, 2)), "non-empty"),
        (np.array([["a", "b"]]), "must be numbers"),
        (np.ones((2, 3)), "query descriptors have length 3, gallery descriptors 2"),
    ],
)
def test_descriptors_that_cannot_be_compared_are_named(descriptors: np.ndarray, said: str) -> None:
    with pytest.raises(UserError, match=said):
        score(descriptors, np.ones((2, 2)), np.array([1, 2]), np.array([1, 2]))


@pytest.mark.parametrize("kind", [np.float16, np.int64])
def test_small_and_whole_numbers_are_compared_in_types_that_hold_them(kind: type) -> None:
    rows = 300 * np.eye(3, dtype=kind)
    assert score(rows, rows, np.arange(3), np.arange(3)).mAP == 1
