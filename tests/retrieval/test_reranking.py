"""k-reciprocal re-ranking against its definition, written with Python sets."""

import numpy as np
import pytest

from hicmd_tf.retrieval import distances, reranking
from hicmd_tf.retrieval.distances import checked
from hicmd_tf.retrieval.metrics import score
from hicmd_tf.retrieval.reranking import reranked_distances


def naive(query: np.ndarray, gallery: np.ndarray) -> np.ndarray:
    everyone = np.concatenate([query, gallery])
    unit = everyone / np.linalg.norm(everyone, axis=1, keepdims=True)
    n, q = len(unit), len(query)
    d = 2 - 2 * unit @ unit.T
    d = (d / d.max(axis=0)).T
    order = np.argsort(d - 9 * np.eye(n), axis=1, kind="stable")  # itself first

    def reciprocal(i: int, k: int) -> set[int]:
        return {j for j in order[i, : k + 1].tolist() if i in order[j, : k + 1]}

    weights = np.zeros((n, n))
    for i in range(n):
        whole = reciprocal(i, 20)
        grown = set(whole)
        for c in whole:
            half = reciprocal(c, 10)
            if len(half & whole) > 2 / 3 * len(half):
                grown |= half
        members = sorted(grown)
        weights[i, members] = np.exp(-d[i, members]) / np.exp(-d[i, members]).sum()
    weights = np.stack([weights[order[i, :6]].mean(axis=0) for i in range(n)])
    shared = np.array([[np.minimum(weights[i], weights[j]).sum() for j in range(q, n)] for i in range(q)])
    return 0.7 * (1 - shared / (2 - shared)) + 0.3 * d[:q, q:]


def whole(query: np.ndarray, gallery: np.ndarray) -> np.ndarray:
    return np.concatenate([block for _, block in reranked_distances(checked(query, "q"), checked(gallery, "g"))])


def clusters(queries: int, gallery: int, identities: int, seed: int = 0) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(identities, 24))
    ids = rng.integers(0, identities, queries), rng.integers(0, identities, gallery)
    return *(centres[i] + 0.9 * rng.normal(size=(len(i), 24)) for i in ids), *ids


@pytest.mark.parametrize(("queries", "gallery", "identities"), [(40, 90, 7), (30, 60, 30), (3, 5, 2), (1, 1, 1)])
def test_distances_follow_the_definition(queries: int, gallery: int, identities: int) -> None:
    query, others, *_ = clusters(queries, gallery, identities)
    np.testing.assert_allclose(whole(query, others), naive(query, others), rtol=0, atol=1e-12)


def test_blocks_make_up_the_whole(monkeypatch) -> None:
    query, gallery, *_ = clusters(40, 60, 8)
    expected = whole(query, gallery)
    for module in (distances, reranking):
        monkeypatch.setattr(module, "block_rows", lambda columns, itemsize: 7)
    monkeypatch.setattr(reranking, "PAIRS", 11)
    np.testing.assert_allclose(whole(query, gallery), expected, rtol=0, atol=1e-12)


def test_equal_pictures_stay_in_order_and_do_not_break_lists() -> None:
    """Thirty equal pictures: every list of twenty-one is cut among equals."""
    query, gallery, *_ = clusters(4, 20, 3)
    gallery = np.concatenate([gallery, np.repeat(gallery[:1], 30, axis=0)]).astype(np.float32)
    final = whole(query.astype(np.float32), gallery)
    np.testing.assert_array_equal(final[:, 20:], np.repeat(final[:, :1], 30, axis=1))
    np.testing.assert_array_equal(final, whole(query.astype(np.float32), gallery))


def test_protocols_rules_hold_behind_it() -> None:
    query, gallery, *ids = clusters(60, 90, 6)
    cams = np.resize([3, 6], 60), np.resize([1, 2, 4], 90)
    with_all = score(query, gallery, *ids, *cams, protocol="sysu", rerank=True)
    shuffled = np.random.default_rng(1).permutation(90)
    again = score(query, gallery[shuffled], ids[0], ids[1][shuffled], cams[0], cams[1][shuffled], "sysu", True)
    assert with_all.mAP == pytest.approx(again.mAP, abs=1e-9)
    assert with_all.mAP != score(query, gallery, *ids, rerank=True).mAP
    assert score(query, gallery, *ids, rerank=True).mAP > score(query, gallery, *ids).mAP + 0.02
