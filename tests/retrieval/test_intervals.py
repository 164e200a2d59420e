"""Intervals over identities, against every draw there is and against the table's own figures."""

import itertools

import numpy as np
import pytest

from hicmd_tf.data.samples import Samples
from hicmd_tf.retrieval.evaluation import evaluate
from hicmd_tf.retrieval.galleries import searches
from hicmd_tf.retrieval.intervals import answers, over_identities


def naive(values: list[float], identities: list[int]) -> tuple[float, float]:
    """The percentiles over all ways to draw as many people as there are, each as likely as another."""
    of = {person: [v for v, i in zip(values, identities, strict=True) if i == person] for person in set(identities)}
    means = []
    for drawn in itertools.product(of, repeat=len(of)):
        asked = [value for person in drawn for value in of[person]]
        means.append(sum(asked) / len(asked))
    means.sort()
    return means[int(0.025 * len(means))], means[int(0.975 * len(means))]


def test_an_interval_is_that_of_all_draws() -> None:
    identities = [5, 5, 5, 9, 9, 2, 7, 7, 7, 7, 4]
    values = [0.9, 0.8, 1.0, 0.1, 0.3, 0.5, 0.2, 0.0, 0.4, 0.1, 0.7]
    found = over_identities(np.array(values), np.array(identities), draws=50_000)
    assert found.figure == pytest.approx(sum(values) / len(values))
    assert (found.low, found.high) == pytest.approx(naive(values, identities), abs=0.005)


def test_an_interval_of_equal_values_is_a_point() -> None:
    assert over_identities(np.full(12, 0.3), np.arange(12) // 3) == pytest.approx((0.3, 0.3, 0.3))


def test_identities_move_together() -> None:
    values = np.repeat([0.0, 1.0], 200)
    alike = over_identities(values, np.arange(400) // 20)  # 20 people who are found always or never
    apart = over_identities(values, np.arange(400))
    assert alike.high - alike.low > 3 * (apart.high - apart.low)
    assert alike.figure == apart.figure == 0.5 and alike.low < 0.5 < alike.high


def test_the_seed_decides_and_the_order_does_not() -> None:
    rng = np.random.default_rng(0)
    values, identities = rng.random(60), rng.integers(0, 15, 60)
    order = rng.permutation(60)
    again = over_identities(values[order], identities[order], seed=3)
    assert again == pytest.approx(over_identities(values, identities, seed=3))
    assert again != pytest.approx(over_identities(values, identities, seed=4))


@pytest.mark.parametrize("data", ["regdb", "folder", "sysu_mm01", "llcm"])
def test_means_of_the_answers_are_the_figures_of_the_table(data: str) -> None:
    rng = np.random.default_rng(1)
    people, cameras = np.meshgrid(np.arange(12), np.arange(1, 7), indexing="ij")
    identities, cameras = people.ravel().repeat(3), cameras.ravel().repeat(3)
    infrared = np.isin(cameras, (3, 6))
    seen = ~((identities == 0) & np.isin(cameras, (1, 4, 5)))  # by SYSU-MM01's rules camera 3 then has no match
    samples = Samples([b""] * 216, [f"{i:03d}" for i in range(216)], identities, infrared, cameras).select(seen)
    descriptors = rng.normal(size=(len(samples), 8)) + 0.5 * rng.normal(size=(12, 8))[samples.identities]
    for search in searches(data, samples):
        row = evaluate(descriptors, samples, [search])[0]
        found = answers(descriptors, samples, search)
        assert len(found.identities) == row.queries - row.unanswered // row.trials
        assert found.rank1.mean() == pytest.approx(row.mean["rank1"])
        assert found.average_precision.mean() == pytest.approx(row.mean["mAP"])
