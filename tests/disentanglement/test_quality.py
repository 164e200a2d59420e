"""Distances of pictures and of sets of them, against textbook formulas."""

from pathlib import Path

import numpy as np
import pytest
from scipy.linalg import sqrtm

from hicmd_tf.data.samples import Samples
from hicmd_tf.disentanglement import quality
from hicmd_tf.disentanglement.quality import draw_twins, frechet, l1, others, psnr
from hicmd_tf.runs.opened import OpenedRun


def test_frechet_of_gaussians_along_axes_is_known() -> None:
    rng = np.random.default_rng(0)
    first = rng.normal(0, 1, (200_000, 2))
    second = rng.normal((3.0, 0.0), (2.0, 0.5), (200_000, 2))
    assert frechet(first, second) == pytest.approx(9 + (2 - 1) ** 2 + (0.5 - 1) ** 2, rel=0.02)
    assert frechet(first, first) == pytest.approx(0, abs=1e-6)


def test_frechet_agrees_with_the_matrix_square_root() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(50, 6)) @ rng.normal(size=(6, 6)), rng.normal(1, 2, (40, 6))
    one, two = np.cov(a.T), np.cov(b.T)
    naive = np.sum((a.mean(0) - b.mean(0)) ** 2) + np.trace(one + two - 2 * sqrtm(one @ two).real)
    assert frechet(a, b) == pytest.approx(naive)
    assert frechet(b, a) == pytest.approx(naive)


def test_fewer_pictures_than_features_still_have_a_frechet_distance() -> None:
    a = np.random.default_rng(2).normal(size=(4, 20))
    assert frechet(a, a) == pytest.approx(0, abs=1e-5)
    assert frechet(a, a + 1) == pytest.approx(20, rel=1e-5)


def test_reconstructions_are_those_of_their_rows_however_many_are_made_at_once(
    smoke_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = OpenedRun(smoke_run)
    twins = draw_twins(run.samples, 6, seed=0)
    (whole,) = quality.reconstruct(run, twins)
    monkeypatch.setattr(quality, "AT_ONCE", 4)
    parts = list(quality.reconstruct(run, twins))
    assert [len(part["cross", "visible"]) for part in parts] == [4, 2]
    for key, pictures in whole.items():
        assert np.abs(pictures.astype(int) - np.concatenate([part[key] for part in parts])).max() <= 1


def test_l1_and_psnr_are_those_of_the_textbook() -> None:
    rng = np.random.default_rng(3)
    a, b = rng.integers(0, 256, (2, 3, 4, 5, 3), dtype=np.uint8)
    assert l1(a, b) == pytest.approx(np.mean([abs(int(x) - int(y)) / 255 for x, y in zip(a.flat, b.flat, strict=True)]))
    errors = [
        np.mean([(int(x) - int(y)) ** 2 for x, y in zip(i.flat, j.flat, strict=True)])
        for i, j in zip(a, b, strict=True)
    ]
    assert psnr(a, b) == pytest.approx(np.mean([20 * np.log10(255) - 10 * np.log10(error) for error in errors]))
    assert l1(a, a) == 0 and psnr(a, a) == 100


def test_another_picture_is_of_the_same_person_and_never_itself() -> None:
    identities = np.array([7, 3, 7, 3, 3, 9])
    first, second = others(identities, np.random.default_rng(0))
    assert sorted(first) == sorted(second) == [0, 1, 2, 3, 4]  # nobody else is 9
    assert (identities[first] == identities[second]).all() and (first != second).all()


def test_twins_are_one_person_in_both_modalities() -> None:
    identities = np.repeat([4, 5, 6], [5, 4, 2])
    infrared = np.array([0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 0], bool)
    samples = Samples([b""] * 11, [""] * 11, identities, infrared, infrared.astype(int))
    twins = draw_twins(samples, 99, seed=0)
    assert len(twins["visible"]) == len(set(twins["visible"])) == 2 + 2  # 6 was never seen in the infrared
    assert not infrared[twins["visible"]].any() and infrared[twins["infrared"]].all()
    assert (identities[twins["visible"]] == identities[twins["infrared"]]).all()
    assert len(draw_twins(samples, 3, seed=0)["infrared"]) == 3
