"""Figures and protocols' rules against their definitions, one query at a time on Python lists, and cases by hand."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hicmd_tf.data.searches import PROTOCOLS, ProtocolName
from hicmd_tf.errors import UserError
from hicmd_tf.retrieval import ranking
from hicmd_tf.retrieval.chance import chance
from hicmd_tf.retrieval.metrics import Scores, score, score_distances, summary


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
        order = [g for g in sorted(range(len(row)), key=row.__getitem__)]  # stable
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
    found = [x for x in expected if x is not None]
    assert scores.valid.tolist() == [x is not None for x in expected]
    first, precision, penalty = zip(*found, strict=True)
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


@given(scenes(), st.sampled_from(list(PROTOCOLS)), st.sampled_from([0, ranking.COMPARED]), st.sampled_from([1, 2**19]))
def test_figures_follow_the_definitions(scene: tuple, protocol: str, compared: int, cached: int) -> None:
    """By comparing and by sorting, in chunks of one query and of many."""
    expected = naive(*(x.tolist() if x is not scene[0] else x for x in scene), protocol)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ranking, "COMPARED", compared)
        patch.setattr(ranking, "CACHED", cached)
        if not any(expected):
            with pytest.raises(UserError, match="no query"):
                score_distances(*scene, protocol)
        else:
            before = scene[0].copy()
            assert_equal(score_distances(*scene, protocol), expected)
            np.testing.assert_array_equal(scene[0], before)  # what belongs to the caller stays as it was


@pytest.mark.parametrize("protocol", list(PROTOCOLS))
def test_descriptors_by_blocks_score_as_one_matrix_of_distances_does(protocol: str) -> None:
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


def test_an_identity_only_in_camera_2_leaves_its_camera_3_queries_out() -> None:
    scene = np.array([[0.1, 0.2], [0.2, 0.1]]), np.array([7, 8]), np.array([7, 8])
    scores = score_distances(*scene, np.array([3, 3]), np.array([2, 1]), "sysu")
    assert scores.valid.tolist() == [False, True] and scores.mAP == 1
    with pytest.raises(UserError, match="by cameras that a query may see"):
        score_distances(*(x[:1] for x in scene[:2]), scene[2], np.array([3]), np.array([2, 2]), "sysu")


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
    with pytest.raises(UserError, match="query ids are of type float64"):
        score_distances(np.zeros((1, 1)), np.array([1.0]), np.array([1]))
    with pytest.raises(UserError, match=r"below 2\*\*63"):
        score_distances(np.zeros((1, 1)), np.array([2**63], np.uint64), np.array([1]))


def test_equal_pictures_are_ranked_in_the_gallerys_order() -> None:
    rng = np.random.default_rng(4)
    row = rng.normal(size=(1, 64)).astype(np.float32)
    gallery = np.repeat(np.concatenate([row, -row]), 9, axis=0)
    for place in range(9):
        ids = np.where(np.arange(18) == place, 1, 2)
        assert score(row, gallery, np.array([1]), ids).first_rank.tolist() == [place + 1]
        assert score(row, gallery, np.array([1]), ids, [3], [1] * 18, "sysu").first_rank.tolist() == [1 + (place > 0)]


def test_what_does_not_fit_is_named() -> None:
    one = np.zeros((1, 1)), np.array([1]), np.array([1])
    with pytest.raises(UserError, match=r"protocol is 'market'.*market1501"):
        score_distances(*one, protocol="market")  # type: ignore[arg-type]
    for protocol in ("sysu", "llcm", "market1501"):
        with pytest.raises(UserError, match="query_cams is needed"):
            score_distances(*one, protocol=protocol)  # type: ignore[arg-type]
    with pytest.raises(UserError, match=r"gallery cams have shape \(2,\)"):
        score_distances(*one, np.array([1]), np.array([1, 2]), "llcm")
    for bad, shape in product([np.nan, np.inf], [(1, 1)]):
        with pytest.raises(UserError, match="finite"):
            score_distances(np.full(shape, bad), *one[1:])


@st.composite
def rankings(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    queries, gallery = draw(st.integers(1, 6)), draw(st.integers(1, 40))
    few = st.integers(0, 4)  # few values: many ties
    distances = draw(st.lists(st.lists(few, min_size=gallery, max_size=gallery), min_size=queries, max_size=queries))
    ids = [draw(st.lists(st.integers(0, 3), min_size=n, max_size=n)) for n in (queries, gallery)]
    ids[1][0] = ids[0][0]  # at least one query has a match
    return np.array(distances, float), np.array(ids[0]), np.array(ids[1])


def test_queries_without_a_match_count_nowhere() -> None:
    distances = np.array([[0.1, 0.2], [0.2, 0.1]])
    scores = score_distances(distances, np.array([1, 9]), np.array([1, 2]))
    assert scores.valid.tolist() == [True, False] and scores.cmc[0] == 1 and len(scores.average_precision) == 1


@pytest.mark.parametrize("protocol", list(PROTOCOLS))
@settings(max_examples=25)
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


def test_ids_must_fit_and_meet() -> None:
    with pytest.raises(UserError, match="gallery ids have shape"):
        score_distances(np.eye(2), np.array([0, 1]), np.array([0]))
    with pytest.raises(UserError, match="no query"):
        score_distances(np.eye(2), np.array([0, 1]), np.array([2, 3]))
    with pytest.raises(UserError, match="no query"):
        chance(np.array([0]), np.array([1]))
