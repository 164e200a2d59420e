"""A threshold is chosen on people who are not tested, keeps its promise for others, and says what it can't promise."""

import json
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from hicmd_tf.data.samples import DataSplits, Samples
from hicmd_tf.data.searches import protocol
from hicmd_tf.errors import UserError
from hicmd_tf.retrieval import threshold as module
from hicmd_tf.retrieval.pairs import Pairs
from hicmd_tf.retrieval.threshold import DIRECTION, Threshold, calibrated, choose, thinned, threshold_in, tried
from hicmd_tf.runs.metrics import _threshold
from hicmd_tf.visualize.verification import reliability_of


def crowd(people: int, seed: int, each: int = 4, first: int = 0) -> tuple[np.ndarray, Samples]:
    """Drawn descriptors of people who differ in how alike their pictures are."""
    rng = np.random.default_rng(seed)
    ids = np.repeat(np.arange(people), 2 * each)
    spread = rng.uniform(0.3, 0.9, people)[ids][:, None]
    values = rng.normal(size=(people, 12))[ids] + spread * rng.normal(size=(len(ids), 12))
    infrared = np.arange(len(ids)) % 2 == 1
    names = [f"{row:06d}" for row in range(len(ids))]
    return values.astype(np.float32), Samples([b""] * len(ids), names, ids + first, infrared, np.where(infrared, 2, 1))


def test_it_is_the_lowest_that_accepts_no_more_strangers_than_wanted() -> None:
    descriptors, samples = crowd(20, 0)
    found = choose(descriptors, samples, "regdb", "train", 0.01)
    assert found is not None and found.chosen_on == "train" and (found.people, found.same) == (20, 20 * 16)
    pairs = Pairs(descriptors, samples, DIRECTION, protocol("regdb"))
    strangers = pairs.strangers
    assert (strangers >= found.similarity).mean() == found.far[0] <= 0.01
    lower = np.concatenate([pairs.same, strangers])
    assert (strangers >= lower[lower < found.similarity].max()).mean() > 0.01
    assert (pairs.same >= found.similarity).mean() == found.tar[0]
    assert found.stranger_below <= found.similarity and (pairs.same < found.stranger_below).mean() <= 0.05
    marks = [found.mark(value) for value in (found.similarity, np.nextafter(found.similarity, -1), -1.0)]
    assert marks == ["likely", "uncertain" if found.stranger_below < found.similarity else "stranger", "stranger"]
    stored = json.loads(json.dumps(found._asdict()))
    assert threshold_in({"threshold": {**stored, "later": 1}}, "file") == found and threshold_in({}, "file") is None


@pytest.mark.parametrize(
    "found", [3, {"similarity": "x"}, {"similarity": 0.5, "stranger_below": 0.1, "chosen_on": "train"}]
)
def test_anything_else_in_its_place_is_refused(found: Any) -> None:
    with pytest.raises(UserError, match=r"^file: threshold is .*: hicmd evaluate --run RUN writes it anew$"):
        threshold_in({"threshold": found}, "file")


def test_people_who_were_not_seen_are_accepted_as_often_as_its_interval_says() -> None:
    others = Pairs(*crowd(500, 10**6), DIRECTION, protocol("regdb"))
    chosen = [choose(*crowd(30, seed), "regdb", "held_out", 0.01) for seed in range(100)]
    held = [one.far[1] <= others.far(one.similarity) <= one.far[2] for one in chosen if one is not None]
    assert len(held) == 100 and sum(held) >= 90
    assert np.mean([others.far(one.similarity) for one in chosen if one is not None]) == pytest.approx(0.01, rel=0.2)


def test_too_few_pairs_give_the_smallest_rate_that_they_can_state_or_none() -> None:
    found = choose(*crowd(6, 1), "regdb", "train")
    assert found is not None and found.strangers == 480 and found.far[0] <= 10 / 480 < found.far[0] + 1 / 480
    assert "a false-accept rate of 0.1 % was wanted, which takes 10,000 pairs of strangers" in found.words
    assert choose(*crowd(3, 1, each=2), "regdb", "train") is None  # 24 pairs, of which 10 are more than a tenth
    assert choose(*crowd(3, 1, each=2), "regdb", "train", 0.45) is not None
    enough = choose(*crowd(60, 1), "regdb", "train")
    assert enough is not None and enough.far[0] <= 0.001 and "wanted" not in enough.words


def test_it_is_never_chosen_on_the_people_who_are_tested() -> None:
    parts = {name: crowd(12, seed, first=100 * seed) for seed, name in enumerate(("train", "held_out", "test"))}
    asked: list[str] = []

    def describe(samples: Samples) -> np.ndarray:
        (name,) = [name for name, (_, own) in parts.items() if set(samples.identities) <= set(own.identities)]
        asked.append(name)
        return parts[name][0]

    for held_out, name in ((0, "train"), (12, "held_out")):
        data = DataSplits(*(samples for _, samples in parts.values()))
        config: Any = SimpleNamespace(data=SimpleNamespace(name="regdb", held_out=held_out))
        evaluated = parts["held_out" if held_out else "test"][0]
        found = _threshold(config, data, evaluated, describe, 0.01)
        expected = choose(*parts[name], "regdb", name, 0.01)
        assert expected is not None and found is not None and found.chosen_on == name
        assert found[:9] == expected[:9]
        if held_out:
            assert found.tested_far is None and not {"train", "test"} & {*data._checked}
        else:
            assert found == tried(expected, *parts["test"], "regdb") and "of the test people's pairs" in found.words
    assert asked == ["train"]


def test_many_pictures_are_thinned_evenly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 20)
    _, samples = crowd(10, 0, each=7)
    found = thinned(samples)
    assert np.bincount(found.identities[found.infrared]).tolist() == [2] * 10 and len(found) == 40
    assert len(thinned(crowd(2, 0)[1])) == 16


def test_words_are_one_line_for_each_fact() -> None:
    found = Threshold(
        0.5, 0.2, 1e-3, [0.001, 0.0004, 0.002], [0.5, 0.4, 0.6], 30, 480, 14000, "train", *[[0.1, 0, 1]] * 2
    )
    assert found.words.splitlines() == [
        "likely one person from similarity 0.5000 on, which 0.10 % (0.04 to 0.20) of the pairs of strangers reach and "
        "50.0 % (40.0 to 60.0) of the pairs of one person; strangers below 0.2000; chosen on 30 training people "
        "(480 and 14,000 pairs)",
        "of the test people's pairs, 10.0 % (0.0 to 100.0) of strangers and 10.0 % (0.0 to 100.0) of one person reach "
        "it",
    ]


@pytest.mark.parametrize(
    ("share", "low", "high", "words"),
    [
        (0.0104, 4.22e-21, 0.385, "1.0 % (0.0 to 38.5)"),
        (0.00496, 2.9e-42, 0.377, "0.50 % (0.00 to 37.70)"),
        (0.000675, 0.0003, 0.00128, "0.068 % (0.030 to 0.128)"),
        (0.0000035, 0.0, 0.00004, "0.00035 % (0.00000 to 0.00400)"),
        (0.0, 0.0, 0.0003, "0.000 % (0.000 to 0.030)"),
        (0.0, 0.0, 0.0, "0.0 % (0.0 to 0.0)"),
        (1.0, 0.629, 1.0, "100.0 % (62.9 to 100.0)"),
    ],
)
def test_shares_are_said_with_digits_of_their_size(share: float, low: float, high: float, words: str) -> None:
    rates = [share, low, high], [0.5, 0.4, 0.6]
    found = Threshold(0.5, 0.2, 1e-3, *rates, 30, 480, 14000, "train", *rates)
    assert f"which {words} of the pairs of strangers" in found.words
    assert f"{words} of strangers and 50.0 % (40.0 to 60.0) of one person" in found.words


def test_calibration_is_balanced_logistic_regression_and_finds_the_log_odds_of_normal_similarities() -> None:
    rng = np.random.default_rng(0)
    same, strangers = np.sort(rng.normal(0.5, 0.2, 20_000)), np.sort(rng.normal(0.1, 0.2, 300_000))
    # Of normal similarities with one variance: (m1 - m0) / s^2, and -(m1^2 - m0^2) / 2 s^2.
    assert calibrated(same, strangers) == pytest.approx([0.4 / 0.04, -0.24 / 0.08], rel=0.03)
    few = same[::100], strangers[::1000]
    labels = np.repeat([1, 0], [len(part) for part in few])
    expected = LogisticRegression(C=1e6, class_weight="balanced", tol=1e-8, max_iter=1000)
    expected.fit(np.concatenate(few)[:, None], labels)
    assert calibrated(*few) == pytest.approx([expected.coef_[0, 0], expected.intercept_[0]], rel=0.06)
    apart = calibrated(np.linspace(0.8, 0.9, 9), np.linspace(0.0, 0.1, 90))
    assert np.isfinite(apart).all() and apart[0] > 0
    alike = calibrated(np.full(9, 0.5), np.full(90, 0.5))
    assert expit(0.5 * alike[0] + alike[1]) == pytest.approx(0.5, abs=0.05)


def test_calibrated_similarities_are_reliable_for_people_who_were_not_seen() -> None:
    found = choose(*crowd(60, 0), "regdb", "held_out")
    others = Pairs(*crowd(60, 1), DIRECTION, protocol("regdb"))
    assert found is not None
    seen = reliability_of(found, others.same, others.strangers)
    assert seen.error < 0.06 and seen.weights.sum() == pytest.approx(1)
    raw = reliability_of(found._replace(calibration=[1.0, 0.0]), others.same, others.strangers)
    assert raw.error > 0.15


def test_reliability_by_hand() -> None:
    found = Threshold(0.5, 0.2, 1e-3, *[[0.0] * 3] * 2, 9, 9, 9, "train", calibration=[0.0, 0.0])
    one = reliability_of(found, np.array([0.1, 0.9]), np.array([0.2]))
    assert [part.tolist() for part in one] == [[0.5], [0.5], [1.0]] and one.error == 0
    steep = reliability_of(found._replace(calibration=[1000.0, 0.0]), np.array([-1.0, 1, 1, 1]), np.array([-1.0, -1]))
    assert np.allclose(steep.said, [0, 1]) and np.allclose(steep.true, [0.125 / 0.625, 1])
    assert steep.error == pytest.approx(0.125)
