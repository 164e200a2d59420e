"""Ranked lists of single queries: the same order and figures as the tables'."""

import numpy as np
import pytest

from hicmd_tf.data.samples import Samples
from hicmd_tf.data.searches import Direction, Search
from hicmd_tf.retrieval.evaluation import labels
from hicmd_tf.retrieval.metrics import score
from hicmd_tf.visualize.ranked import hardest, ranked_lists

PROTOCOLS = ("regdb", "sysu", "llcm", "market1501")


def drawn(seed: int) -> tuple[np.ndarray, Samples]:
    rng = np.random.default_rng(seed)
    count = 40
    f = rng.standard_normal((count, 6))
    identities = rng.integers(0, 6, count)
    samples = Samples(
        [b""] * count, [str(n) for n in range(count)], identities, np.arange(count) % 2 == 1, rng.integers(1, 4, count)
    )
    return f / np.linalg.norm(f, axis=1, keepdims=True), samples


@pytest.mark.parametrize("name", PROTOCOLS)
def test_lists_have_the_figures_of_the_tables(name) -> None:
    f, samples = drawn(PROTOCOLS.index(name))
    queries, gallery = np.flatnonzero(samples.infrared), np.flatnonzero(~samples.infrared)
    search = Search("all", Direction("infrared", "visible"), name, queries, [gallery])
    lists = ranked_lists(f, samples, search)
    scores = score(f[queries], f[gallery], *labels(samples, search, gallery))
    assert [bool(one.first) for one in lists] == scores.valid.tolist()
    found = [one for one in lists if one.first]
    np.testing.assert_allclose([one.precision for one in found], scores.average_precision)
    if name in ("regdb", "market1501"):  # whose CMC counts pictures
        assert [one.first for one in found] == scores.first_rank.tolist()
    for one in lists:
        assert (np.diff(one.distances) >= 0).all() and one.query in queries and set(one.gallery) <= set(gallery)
        np.testing.assert_allclose(one.distances, 1 - f[one.gallery] @ f[one.query])
        assert (one.right == (samples.identities[one.gallery] == samples.identities[one.query])).all()


def test_the_hardest_come_first_and_the_unanswerable_never() -> None:
    f, samples = drawn(9)
    queries, gallery = np.flatnonzero(samples.infrared), np.flatnonzero(~samples.infrared & (samples.identities > 0))
    search = Search("all", Direction("infrared", "visible"), "regdb", queries, [gallery])
    lists = ranked_lists(f, samples, search)
    assert any(not one.first for one in lists)
    worst = hardest(lists, 5)
    assert [one.first for one in worst] == sorted((one.first for one in lists if one.first), reverse=True)[:5]


def test_equal_distances_keep_the_gallerys_order() -> None:
    f = np.tile([[1.0, 0.0]], (5, 1))
    samples = Samples([b""] * 5, list("abcde"), np.arange(5), np.array([True, *[False] * 4]), np.zeros(5, np.int64))
    search = Search("all", Direction("infrared", "visible"), "regdb", np.array([0]), [np.array([3, 1, 4, 2])])
    assert ranked_lists(f, samples, search)[0].gallery.tolist() == [3, 1, 4, 2]
