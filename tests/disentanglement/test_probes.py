"""Probes read what was planted in a code, and nothing where nothing was."""

import numpy as np
import pytest

from hicmd_tf.data.samples import Samples
from hicmd_tf.disentanglement.factors import GAIT, IDENTITY, LIGHT, MODALITY, YAW, Factor, classes, numbers
from hicmd_tf.disentanglement.probes import (
    IDENTITY_ACROSS,
    PROBES,
    identity_folds,
    people_folds,
    permuted,
    questions,
    r_squared,
    read,
    read_codes,
)
from hicmd_tf.errors import UserError


def figures(code: np.ndarray, of: Samples) -> dict[tuple[str, str], float]:
    rows = read_codes({"code": code}, questions(of, of, seed=0), "trained")
    return {(row.factor, row.measure): row.value for row in rows}


def test_a_factor_planted_linearly_is_read_and_the_others_are_not(drawn) -> None:
    rng = np.random.default_rng(0)
    of = drawn()
    planted = {factor.name: factor.targets for factor in numbers(of, of)}
    assert set(planted) == {YAW, GAIT, LIGHT}
    for name, values in planted.items():
        code = 5 + values @ rng.normal(size=(values.shape[1], 6)) + rng.normal(0, 0.01, (len(of), 6))
        found = figures(code, of)
        assert found[name, "linear"] > 0.98 and found[name, "k-NN"] > 0.8
        assert all(found[other, "linear"] < 0.2 for other in planted if other != name)


def test_noise_is_read_as_nothing_but_chance(drawn) -> None:
    rng = np.random.default_rng(1)
    of = drawn()
    rows = read_codes({"noise": rng.normal(size=(len(of), 8))}, questions(of, of, seed=0), "trained")
    for row in rows:
        assert row.value < row.chance + 0.15, row
    assert {row.factor for row in rows} == {IDENTITY, *IDENTITY_ACROSS, MODALITY, YAW, GAIT, LIGHT}


def test_an_identity_that_only_one_modality_knows_is_not_read_in_the_other(drawn) -> None:
    rng = np.random.default_rng(2)
    of = drawn()
    mean = rng.normal(size=(2, 20, 16))
    common = mean[0, of.identities] + rng.normal(0, 0.01, (len(of), 16))
    apart = mean[of.infrared.astype(int), of.identities] + rng.normal(0, 0.01, (len(of), 16))
    of_common, of_apart = figures(common, of), figures(apart, of)
    for probe in PROBES:
        for name in IDENTITY_ACROSS:
            assert of_common[name, probe] == 1.0 and of_apart[name, probe] < 0.3
        assert of_apart[IDENTITY, probe] > 0.95


def test_a_code_of_the_modality_alone_does_not_contain_the_light(drawn) -> None:
    rng = np.random.default_rng(3)
    of = drawn()  # infrared is brighter by far
    found = figures(of.infrared[:, None] + rng.normal(0, 0.01, (len(of), 3)), of)
    assert found[MODALITY, "linear"] == 1.0 and found[LIGHT, "linear"] < 0.1


def test_nobody_is_in_two_folds_and_everyone_in_each_of_identity(drawn) -> None:
    of = drawn()
    for learned, asked in people_folds(of):
        assert not set(of.identities[learned]) & set(of.identities[asked])
    folds = identity_folds(of, seed=0)
    for learned, asked in folds[IDENTITY]:
        assert set(of.identities[learned]) == set(of.identities[asked]) == set(range(20))
        assert not set(learned) & set(asked)
    for name, modality in IDENTITY_ACROSS.items():
        for learned, asked in folds[name]:
            assert (of.infrared[asked] == (modality == "infrared")).all()
            assert (of.infrared[learned] != (modality == "infrared")).all()
        assert sorted(np.concatenate([asked for _, asked in folds[name]])) == sorted(
            np.flatnonzero(of.infrared == (modality == "infrared"))
        )


def test_mean_and_deviation_are_over_folds(drawn) -> None:
    rng = np.random.default_rng(4)
    of = drawn()
    code = rng.normal(size=(len(of), 2)) + of.infrared[:, None]
    factor, folds = Factor(MODALITY, "class", of.infrared.astype(int)), people_folds(of)
    single = [read(code, "a", factor, [fold], "linear", "trained").value for fold in folds]
    score = read(code, "a", factor, folds, "linear", "trained")
    np.testing.assert_allclose([score.value, score.deviation], [np.mean(single), np.std(single)])
    assert score.chance == 0.5 and score.asked == len(of)


def test_r_squared_is_that_of_the_textbook() -> None:
    truth, found = np.array([[1.0], [2.0], [4.0]]), np.array([[1.0], [3.0], [4.0]])
    mean = 7 / 3
    assert r_squared(truth, found) == pytest.approx(1 - 1 / sum((x - mean) ** 2 for x in (1, 2, 4)))
    assert r_squared(truth, np.full((3, 1), mean)) == pytest.approx(0)


def test_cameras_are_asked_for_only_where_they_are_not_the_modality_over_again(drawn) -> None:
    of = drawn(factors={})
    assert [factor.name for factor in classes(of)] == [MODALITY] and numbers(of, of) == []
    several = drawn(factors={}, cameras=np.arange(len(of)) % 3)
    assert [factor.name for factor in classes(several)] == [MODALITY, "camera"]


@pytest.mark.parametrize(("people", "keep", "named"), [(1, slice(None), "1 person"), (3, slice(7), "has 1 picture")])
def test_one_person_or_one_picture_is_refused(drawn, people: int, keep: slice, named: str) -> None:
    of = drawn(people, each=3)
    with pytest.raises(UserError, match=named):
        identity_folds(of.select(np.arange(len(of))[keep]), seed=0)


def test_on_permuted_labels_nothing_is_read_not_even_what_was_planted(drawn) -> None:
    of = drawn()
    planted = [factor.targets for factor in (*classes(of), *numbers(of, of))]
    code = np.concatenate([*planted, np.eye(20)[of.identities]], axis=1)
    asked = questions(of, of, seed=0)
    rows = read_codes({"code": code}, permuted(asked, 0), "trained", "control")
    for row, real in zip(rows, read_codes({"code": code}, asked, "trained"), strict=True):
        assert row._replace(value=0, deviation=0, setting="") == real._replace(value=0, deviation=0)
        assert row.value < row.chance + 0.15 and row.setting == "control"
        if row.measure == "linear":
            assert real.value > real.chance + 0.4
    for (factor, folds), (moved, same) in zip(asked, permuted(asked, 0), strict=True):
        assert folds is same and not np.array_equal(factor.values, moved.values)
        for modality in (False, True) if factor.name in IDENTITY_ACROSS else ():
            rows_of = of.infrared == modality
            np.testing.assert_array_equal(np.sort(factor.values[rows_of]), np.sort(moved.values[rows_of]))
        np.testing.assert_array_equal(np.sort(factor.values), np.sort(moved.values))
        np.testing.assert_array_equal(moved.values, permuted([(factor, folds)], 0)[0][0].values)


def test_a_fold_that_shows_one_class_is_answered_by_it() -> None:
    code, labels = np.arange(6.0)[:, None], np.array([1, 1, 1, 1, 0, 1])
    fold = np.arange(3), np.arange(3, 6)
    assert read(code, "a", Factor(MODALITY, "class", labels), [fold], "linear", "trained").value == pytest.approx(2 / 3)
