"""Verification and open-set identification: against scikit-learn, by hand, by naive loops, and how often intervals hold
the truth."""

import csv
import json
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_curve

from hicmd_tf.data.samples import Samples
from hicmd_tf.data.searches import Direction, Search, all_against_all, protocol
from hicmd_tf.data.sources import DATA_SETS
from hicmd_tf.errors import UserError
from hicmd_tf.retrieval import pairs as module
from hicmd_tf.retrieval import verification
from hicmd_tf.retrieval.evaluation import evaluate, main_figures
from hicmd_tf.retrieval.pairs import Pairs
from hicmd_tf.retrieval.report import verification_as_csv, verification_as_markdown, verification_as_text
from hicmd_tf.retrieval.verification import (
    DIR,
    EER,
    FIGURES,
    TAR,
    Verified,
    equal_error,
    looked_up,
    threshold_at,
    verify,
)

THERE = Direction("visible", "infrared")


def seen(identities: list[int], infrared: list[int], cameras: list[int] | None = None) -> Samples:
    """Pictures of these people, by these cameras, or by one of each modality."""
    dark, names = np.array(infrared, bool), [f"{row:05d}" for row in range(len(identities))]
    by = np.where(dark, 2, 1) if cameras is None else np.array(cameras)
    return Samples([b""] * len(names), names, np.array(identities), dark, by)


def at(angles: list[float]) -> np.ndarray:
    """Descriptors at angles in degrees."""
    return np.stack([np.cos(np.radians(angles)), np.sin(np.radians(angles))], axis=1)


def crowd(people: int, each: int, signal: float, seed: int, unknown: int = 0) -> tuple[np.ndarray, Samples]:
    """Drawn descriptors of pictures, `each` a person and modality, by two cameras a modality."""
    rng = np.random.default_rng(seed)
    identities = np.repeat(np.arange(people), 2 * each).tolist() + [-1] * unknown
    infrared = [row % 2 for row in range(len(identities))]
    cameras = [(3 if dark else 1) + (3 - 2 * dark) * int(rng.integers(2)) for dark in infrared]  # 3, 4 and 1, 4
    values = rng.normal(size=(len(identities), 8)) + signal * rng.normal(size=(people + 1, 8))[identities]
    return values.astype(np.float32), seen(identities, infrared, cameras)


def labelled(pairs: Pairs) -> tuple[np.ndarray, np.ndarray]:
    """Every pair, as scikit-learn takes them."""
    same, strangers = pairs.same, pairs.strangers
    return np.concatenate([np.ones(len(same)), np.zeros(len(strangers))]), np.concatenate([same, strangers])


def rounded(pairs: Pairs, digits: int) -> Pairs:
    """The same with ties."""
    pairs.same, pairs.strangers = (np.sort(values.round(digits)) for values in (pairs.same, pairs.strangers))
    return pairs


@given(st.integers(0, 10**6), st.integers(2, 8), st.sampled_from([0.0, 0.7, 3.0]), st.sampled_from([0, 1, 6]))
def test_figures_are_scikit_learns_also_under_ties(seed: int, people: int, signal: float, digits: int) -> None:
    descriptors, samples = crowd(people, 3, signal, seed)
    pairs = rounded(Pairs(descriptors, samples, THERE, protocol("regdb")), digits)
    far, tar, _ = roc_curve(*labelled(pairs), drop_intermediate=False)
    for rate in (0.0, 0.01, 0.03, 0.1, 0.5, 1.0):
        threshold = threshold_at(pairs, rate)
        assert pairs.far(threshold) <= rate
        assert pairs.tar(threshold) == pytest.approx(tar[far <= rate].max())
    at_equal = np.flatnonzero(far + tar >= 1)[0]  # where the ROC crosses FAR = 1 - TAR
    before, after = (far + tar - 1)[[at_equal - 1, at_equal]]
    expected = far[at_equal - 1] - before / (after - before) * (far[at_equal] - far[at_equal - 1])
    assert equal_error(pairs)[0] == pytest.approx(expected)


def test_by_hand() -> None:
    """Three people at 0, 40 and 60 degrees, whose infrared pictures are 10, 5 and 25 degrees further."""
    samples = seen([1, 2, 3, 1, 2, 3], [0, 0, 0, 1, 1, 1])
    pairs = Pairs(at([0, 40, 60, 10, 45, 85]), samples, THERE, protocol("regdb"))
    apart = [np.degrees(np.arccos(values[::-1])).round(3).tolist() for values in (pairs.same, pairs.strangers)]
    assert apart == [[5, 10, 25], [15, 30, 45, 45, 50, 85]]
    assert pairs.tar(threshold_at(pairs, 0.0)) == pytest.approx(2 / 3)
    assert threshold_at(pairs, 0.0) == pytest.approx(np.cos(np.radians(10)))
    assert pairs.tar(threshold_at(pairs, 1 / 6)) == 1
    # From (FAR 1/6, TAR 2/3) straight up to (1/6, 1): at FAR 1/6 FRR is 1/6 as well.
    assert equal_error(pairs)[0] == pytest.approx(1 / 6)
    (gallery,) = looked_up(pairs, [np.array([3, 4, 5])])
    assert np.degrees(np.arccos(gallery.strangers)).round(3).tolist() == [45, 30, 15]
    assert np.degrees(np.arccos(gallery.same[:2])).round(3).tolist() == [10, 5]
    assert gallery.same[2] == -np.inf  # the third one's first picture is of the second
    assert [verification.detection(gallery, rate) for rate in (0.0, 1 / 3, 1.0)] == pytest.approx([2 / 3] * 3)


def test_all_alike_accept_all_or_nothing() -> None:
    samples = seen([1, 2, 1, 2], [0, 0, 1, 1])
    pairs = Pairs(np.ones((4, 3), np.float32), samples, THERE, protocol("regdb"))
    threshold = threshold_at(pairs, 0.5)
    assert threshold > pairs.same[-1] and pairs.tar(threshold) == pairs.far(threshold) == 0
    assert equal_error(pairs)[0] == pytest.approx(0.5)


def looped(descriptors: np.ndarray, samples: Samples, search: Search) -> Iterator[tuple[int, int, float]]:
    """(query, picture, similarity) of every pair that the rules show, of known people."""
    unit = descriptors / np.linalg.norm(descriptors, axis=1, keepdims=True)
    hides = protocol(search.protocol).hides
    ids, cameras = samples.identities, samples.cameras
    for query in np.flatnonzero(samples.infrared == (search.direction.query == "infrared")):
        for picture in np.flatnonzero(samples.infrared == (search.direction.gallery == "infrared")):
            own_camera = ids[query] == ids[picture] and cameras[query] == cameras[picture]
            shared = cameras[query] == 3 and cameras[picture] == 2
            if (hides == "own camera" and own_camera) or (hides == "shared place" and shared):
                continue
            if ids[query] >= 0 and ids[picture] >= 0:
                yield int(query), int(picture), float(unit[query] @ unit[picture])


def naive_dir(shown: list[tuple[int, int, float]], samples: Samples, gallery: np.ndarray, rate: float) -> float:
    """By taking each query's person out of the gallery, and trying every threshold there is."""
    ids, place = samples.identities, {row: rank for rank, row in enumerate(gallery.tolist())}
    ranked: dict[int, list[tuple[float, int, int]]] = {}
    for query, picture, similarity in shown:
        if picture in place:
            ranked.setdefault(query, []).append((-similarity, place[picture], picture))
    without, answered = [], []
    for query, found in ranked.items():
        others = [similarity for similarity, _, picture in found if ids[picture] != ids[query]]
        if others:
            without.append(-min(others))
        if any(ids[picture] == ids[query] for *_, picture in found):
            similarity, _, first = min(found)
            answered.append(-similarity if ids[first] == ids[query] else -np.inf)
    every = [-np.inf, *sorted({*without, *answered} - {-np.inf}), np.inf]
    allowed = [t for t in every if np.mean(np.array(without) >= t) <= rate]
    return max(float(np.mean([a >= t and a > -np.inf for a in answered])) for t in allowed)


@pytest.mark.parametrize("data", ["regdb", "folder", "sysu_mm01", "llcm"])
def test_pairs_and_open_sets_are_those_of_naive_loops(data: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verification, "LEAST", 1)
    descriptors, samples = crowd(9, 4, 1.0, 3, unknown=4)
    if data == "sysu_mm01":  # whose visible cameras are 1, 2, 4 and 5, and whose infrared ones 3 and 6
        cameras = np.where(samples.infrared, np.where(samples.cameras == 3, 3, 6), np.where(samples.cameras == 1, 1, 2))
        samples = Samples(samples.encoded, samples.names, samples.identities, samples.infrared, cameras)
    searches = DATA_SETS[data].searches(samples)
    for found in verify(descriptors, samples, searches):
        first = next(one for one in searches if str(one.direction) == found.direction)
        shown = list(looped(descriptors, samples, first))
        own = [samples.identities[query] == samples.identities[picture] for query, picture, _ in shown]
        assert (found.same, found.strangers) == (sum(own), len(own) - sum(own))
        far, tar, _ = roc_curve(own, np.float32([similarity for *_, similarity in shown]), drop_intermediate=False)
        for name, rate in TAR.items():
            if found.figures[name] is not None:
                assert found.figures[name][0] == pytest.approx(tar[far <= rate].max(), abs=1e-6)
        for name, rate in DIR.items():
            expected = np.mean([naive_dir(shown, samples, gallery, rate) for gallery in first.galleries])
            if found.figures[name] is not None:
                assert found.figures[name][0] == pytest.approx(expected, abs=1e-6)
        assert found.figures["TAR at FAR 1 %"] is not None and found.figures["DIR at FAR 10 %"] is not None


def test_where_every_alarm_is_allowed_detection_is_rank_1() -> None:
    descriptors, samples = crowd(12, 3, 0.8, 5)
    searches = DATA_SETS["llcm"].searches(samples)
    for search in searches:
        pairs = Pairs(descriptors, samples, search.direction, protocol(search.protocol))
        found = np.mean([verification.detection(one, 1.0) for one in looked_up(pairs, search.galleries)])
        assert found == pytest.approx(
            main_figures(evaluate(descriptors, samples, [search]))[str(search.direction)]["rank1"]
        )


def test_counts_person_by_person_are_those_of_loops() -> None:
    descriptors, samples = crowd(5, 3, 0.8, 5)
    search = next(all_against_all(samples, "llcm"))
    pairs = Pairs(descriptors, samples, search.direction, protocol("llcm"))
    edges = np.float32([-1.1, 0.0, 0.3])
    same, strangers = np.zeros((2, 3, 5), int)
    for query, picture, similarity in looped(descriptors, samples, search):
        one, other = samples.identities[[query, picture]]
        for person in {one, other}:
            (same if one == other else strangers)[:, person] += similarity >= edges
    assert all(np.array_equal(*both) for both in zip(pairs.accepted(edges), (same, strangers), strict=True))


def test_what_too_few_pairs_can_not_state_is_left_out_with_a_reason() -> None:
    descriptors, samples = crowd(6, 2, 1.0, 0)
    there = verify(descriptors, samples, all_against_all(samples, "regdb"))[0]
    assert (there.same, there.strangers, there.queries, there.people) == (24, 120, 12, 6)
    assert [name for name in FIGURES if there.figures[name] is not None] == [EER] and set(there.why) == {*TAR, *DIR}
    assert there.why["TAR at FAR 0.1 %"] == "it takes 10,000 pairs of strangers, there are 120"
    assert there.why["DIR at FAR 10 %"] == "it takes 100 queries, there are 12"
    assert [rate for rate, _ in there.roc] == [0.1, 0.2, 0.5, 1.0]
    alone = verify(
        descriptors[:4], samples.select(np.arange(4)), all_against_all(samples.select(np.arange(4)), "regdb")
    )
    assert alone[0].why[EER] == "it takes pairs of one person and of two" and not alone[0].roc
    *pairs, why = verification_as_text(alone).splitlines()
    assert len(pairs) == 2 and why == f"{', '.join(FIGURES)} are not stated: it takes pairs of one person and of two"
    with pytest.raises(UserError, match="no infrared picture is of a known person"):
        Pairs(descriptors[:2], seen([1, -1], [0, 1]), THERE, protocol("regdb"))


def test_people_who_are_nobody_s_match_make_true_accepts_no_surer() -> None:
    """Of three people there are pictures of both modalities, of forty more only visible ones."""
    ids = [person for person in range(3) for _ in range(8)] + list(range(3, 43))
    samples = seen(ids, [row % 2 if row < 24 else 0 for row in range(len(ids))])
    descriptors = np.eye(43, dtype=np.float32)[ids]
    figures = verify(descriptors, samples, list(all_against_all(samples, "regdb"))[:1])[0].figures
    assert figures[EER] == pytest.approx([0, 0, 1 - 0.025 ** (1 / 3)])  # Clopper and Pearson's of 0 of 3


def test_of_too_many_pairs_an_even_choice_of_queries_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    descriptors, samples = crowd(10, 4, 1.0, 0)
    monkeypatch.setattr(module, "MOST", 40 * 20 + 39)
    found = verify(descriptors, samples, all_against_all(samples, "regdb"))[0]
    assert (found.left_out, found.queries, found.same, found.strangers) == (20, 20, 20 * 4, 20 * 36)
    assert "of the queries 20 are left out, evenly" in verification_as_text([found])


def test_two_people_have_wide_intervals() -> None:
    descriptors, samples = crowd(2, 10, 3.0, 0)
    figures = verify(descriptors, samples, all_against_all(samples, "regdb"))[0].figures
    assert figures[EER] is not None and figures[EER][1] == pytest.approx(0, abs=0.01) and figures[EER][2] > 0.8


@pytest.mark.parametrize("people", [8, 25])
def test_intervals_hold_the_truth_as_often_as_they_say(people: int) -> None:
    """Of drawn people, of whom each has a way of being seen; the truth is that of very many."""

    def found(count: int, seed: int, each: int = 4) -> Verified:
        rng = np.random.default_rng(seed)
        ids = np.repeat(np.arange(count), 2 * each)
        spread = rng.uniform(0.5, 1.5, count)[ids][:, None]
        values = rng.normal(size=(count, 6))[ids] + spread * rng.normal(size=(len(ids), 6))
        samples = seen(ids.tolist(), [row % 2 for row in range(len(ids))])
        return verify(values.astype(np.float32), samples, list(all_against_all(samples, "regdb"))[:1])[0]

    truth = found(500, 0).figures
    names = [EER, "TAR at FAR 1 %"] if people > 20 else [EER]
    trials = [found(people, seed).figures for seed in range(1, 121)]
    for name in names:
        held = sum(one[name][1] <= truth[name][0] <= one[name][2] for one in trials)  # type: ignore[index]
        assert held >= 0.9 * len(trials), (name, held)


def test_tables_have_a_line_for_each_direction_and_figure() -> None:
    descriptors, samples = crowd(8, 3, 1.0, 0)
    found = verify(descriptors, samples, all_against_all(samples, "regdb"))
    assert [Verified(**json.loads(json.dumps(one._asdict()))) for one in found] == found
    text, (head, *lines) = verification_as_text(found), csv.reader(verification_as_csv(found).splitlines())
    assert len(lines) == 2 * len(FIGURES) and head[:5] == ["direction", "figure", "value", "low", "high"]
    for direction, name, value, low, high, threshold, *counts in lines:
        one = next(one for one in found if one.direction == direction)
        stated = one.figures[name]
        assert [float(x) for x in (value, low, high) if x] == (stated or []) and counts[0] == "8"
        assert threshold == str(one.thresholds.get(name, ""))
        assert stated is None or f"{100 * stated[0]:.2f}  {100 * stated[1]:.1f} to {100 * stated[2]:.1f}" in text
    assert "visible -> infrared: 72 pairs of one person, 504 of two, 8 people" in text
    assert "TAR at FAR 0.01 % is not stated: it takes 100,000 pairs of strangers, there are 504" in text
    assert verification_as_markdown(found).count("\n") == 2 + sum(value != "" for _, _, value, *_ in lines)
