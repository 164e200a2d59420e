"""Intervals over people: they hold the truth as often as they say, also over few people, and are those of the table."""

import numpy as np
import pytest
from scipy.stats import binomtest

from hicmd_tf.data.samples import Samples
from hicmd_tf.data.sources import DATA_SETS
from hicmd_tf.retrieval.evaluation import evaluate, labels, over_identities
from hicmd_tf.retrieval.metrics import score
from hicmd_tf.retrieval.report import notes


@pytest.mark.parametrize(("people", "found"), [(1, 1), (4, 1), (4, 4), (9, 0)])
def test_few_people_who_are_found_or_not_have_clopper_and_pearsons_interval(people: int, found: int) -> None:
    values = np.repeat(np.arange(people) < found, 3)  # three queries each, all alike
    interval = over_identities(values, np.arange(3 * people) // 3)
    expected = binomtest(found, people).proportion_ci(0.95, "exact")
    assert interval == pytest.approx((found / people, expected.low, expected.high))


@pytest.mark.parametrize("people", [4, 10, 40])
def test_people_who_are_all_alike_tell_no_more_than_as_many_answers(people: int) -> None:
    """Four of whom everyone is found once in four queries: 25.0, and not "25.0 to 25.0"."""
    interval = over_identities(np.tile([1.0, 0, 0, 0], people), np.repeat(np.arange(people), 4))
    assert interval.figure == 0.25 and interval.low < 0.2 and interval.high > 0.3
    assert interval.high - interval.low > 1 / people


@pytest.mark.parametrize("people", [3, 12])
@pytest.mark.parametrize("kind", ["rank1", "mAP"])
def test_they_hold_the_truth_as_often_as_they_say(kind: str, people: int) -> None:
    rng = np.random.default_rng(people)
    held = 0
    for _ in range(200):
        each = rng.beta(1.2, 2.8, people)  # how well this person is found: 0.3 on average
        queries = rng.integers(1, 7, people)
        person = np.repeat(np.arange(people), queries)
        noise = rng.random(len(person))
        values = noise < each[person] if kind == "rank1" else np.clip(each[person] + 0.1 * (noise - 0.5), 0, 1)
        interval = over_identities(values.astype(float), person)
        held += interval.low <= 0.3 <= interval.high
    assert held >= 0.91 * 200  # 0.95 less two and a half standard errors of the count


def test_many_people_have_the_interval_of_their_variance() -> None:
    rng = np.random.default_rng(0)
    values = rng.random(2000)
    interval = over_identities(values, np.arange(2000))
    half = 1.96 * values.std() / np.sqrt(2000)
    assert interval == pytest.approx((values.mean(), values.mean() - half, values.mean() + half), abs=5e-4)


def test_identities_move_together() -> None:
    values = np.repeat([0.0, 1.0], 200)
    alike = over_identities(values, np.arange(400) // 20)  # 20 people who are found always or never
    apart = over_identities(values, np.arange(400))
    assert alike.high - alike.low > 3 * (apart.high - apart.low)
    assert alike.figure == apart.figure == 0.5 and alike.low < 0.5 < alike.high


def made(people: int = 12) -> Samples:
    """Everyone before six cameras, three pictures each."""
    identities, cameras = np.meshgrid(np.arange(people), np.arange(1, 7), indexing="ij")
    identities, cameras = identities.ravel().repeat(3), cameras.ravel().repeat(3)
    names = [f"{row:04d}" for row in range(len(identities))]
    return Samples([b""] * len(names), names, identities, np.isin(cameras, (3, 6)), cameras)


def described(samples: Samples, signal: float) -> np.ndarray:
    rng = np.random.default_rng(1)
    noise = rng.normal(size=(len(samples), 8))
    return noise + signal * rng.normal(size=(samples.identities.max() + 1, 8))[samples.identities]


@pytest.mark.parametrize("data", ["regdb", "folder", "sysu_mm01", "llcm"])
def test_a_row_has_the_interval_of_its_queries_means_over_the_galleries(data: str) -> None:
    samples = made()
    samples = samples.select(~((samples.identities == 0) & np.isin(samples.cameras, (1, 4, 5))))
    # By SYSU-MM01's rules camera 3 has no match of identity 0 then.
    descriptors = described(samples, 0.5)
    searches = DATA_SETS[data].searches(samples)
    for search, row in zip(searches, evaluate(descriptors, samples, searches), strict=True):
        totals, answered = np.zeros((2, len(search.queries))), np.zeros(len(search.queries))
        for gallery in search.galleries:
            of = labels(samples, search, gallery)
            scores = score(descriptors[search.queries], descriptors[gallery], *of)
            totals[:, scores.valid] += scores.first_rank == 1, scores.average_precision
            answered += scores.valid
        there, people = answered > 0, samples.identities[search.queries]
        assert row.unanswered == (len(search.galleries) - answered).sum()
        assert row.people == len(set(people[there].tolist()))
        for name, total in zip(("rank1", "mAP"), totals, strict=True):
            expected = over_identities(total[there] / answered[there], people[there])
            assert row.between is not None and tuple(row.between[name]) == pytest.approx(expected[1:])
            assert row.mean[name] == pytest.approx(expected.figure)


@pytest.mark.parametrize("data", ["regdb", "folder", "sysu_mm01", "llcm"])
def test_random_descriptors_are_called_at_chance_and_others_are_not(data: str) -> None:
    samples = made(30)
    for row in evaluate(described(samples, 0.0), samples, DATA_SETS[data].searches(samples)):
        assert row.at_chance == ["rank1", "mAP"]
        assert row.chance is not None and row.mean["mAP"] == pytest.approx(row.chance["mAP"], abs=0.03)
        line = notes([row])[-1]
        assert line.startswith("not above chance ") and f"chance {100 * row.chance['rank1']:.1f}" in line
    for row in evaluate(described(samples, 2.0), samples, DATA_SETS[data].searches(samples)):
        assert row.at_chance == [] and not any("chance" in line for line in notes([row]))


def test_few_people_are_said_to_be_few() -> None:
    samples = made(4)
    row = evaluate(described(samples, 0.0), samples, DATA_SETS["folder"].searches(samples))[0]
    assert "of 4 people, who are few," in notes([row])[-1]
