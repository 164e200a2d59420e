"""Swaps change exactly the code that they name, of the pictures that they name."""

from pathlib import Path

import numpy as np
import pytest

from hicmd_tf.attributes import AttributeLayout
from hicmd_tf.disentanglement.factors import numbers
from hicmd_tf.disentanglement.measurement import ACROSS, CODES, KEPT, TO_DONOR, UNSWAPPED, WITHIN
from hicmd_tf.disentanglement.observer import Reading
from hicmd_tf.disentanglement.swaps import (
    Scene,
    draw_pairs,
    encode,
    figures_of,
    generate,
    movement,
    real_swaps,
    share_nearer_to_donor,
    swap,
)
from hicmd_tf.notation import Codes
from hicmd_tf.runs.opened import OpenedRun


@pytest.fixture(scope="module")
def run(smoke_run: Path) -> OpenedRun:
    return OpenedRun(smoke_run)


@pytest.mark.parametrize("setting", [WITHIN, ACROSS])
def test_pairs_are_different_people_within_or_across_modalities(drawn, setting: str) -> None:
    samples = drawn(8)
    pairs = draw_pairs(samples, setting, 1000, seed=5)
    assert sorted(pairs.sources) == list(range(len(samples)))
    assert (samples.identities[pairs.sources] != samples.identities[pairs.donors]).all()
    assert ((samples.infrared[pairs.sources] == samples.infrared[pairs.donors]) == (setting == WITHIN)).all()
    again, other = (draw_pairs(samples, setting, 10, seed) for seed in (5, 6))
    np.testing.assert_array_equal(again.donors, pairs.donors[:10])
    assert not np.array_equal(again.sources, other.sources)


def test_each_swap_takes_exactly_one_code_from_the_donor() -> None:
    rng, layout = np.random.default_rng(0), AttributeLayout(length=24, chunks=2, style=6, pose=4, illumination=2)
    source, donor = (Codes(rng.normal(size=(3, 2, 2, 4)), rng.normal(size=(3, 24))) for _ in range(2))

    def parts(codes: Codes) -> dict[str, np.ndarray]:
        return {
            "prototype": codes.prototype,
            **{n: np.asarray(of(codes.attributes)) for n, of in layout.parts().items()},
        }

    swapped = swap(layout, source, donor)
    assert set(swapped) == {UNSWAPPED, *CODES}
    for name, codes in swapped.items():
        for part, value in parts(codes).items():
            np.testing.assert_allclose(value, parts(donor if part == name else source)[part], rtol=1e-6)


def test_rows_of_both_modalities_are_encoded_each_by_their_own(run: OpenedRun) -> None:
    rows = np.array([3, 0, 2, 1])
    assert len(set(run.samples.infrared[rows])) == 2
    codes = encode(run, rows)
    for at, row in enumerate(rows):
        alone = run.model.encode(run.pictures(np.array([row])), run.samples.modality(row))
        np.testing.assert_allclose(codes.prototype[at], alone.prototype[0], atol=1e-4)
        np.testing.assert_allclose(codes.attributes[at], alone.attributes[0], atol=1e-4)


def test_pictures_come_in_the_order_of_the_pairs(run: OpenedRun) -> None:
    pairs = draw_pairs(run.samples, ACROSS, 3, seed=0)
    (pictures,) = generate(run, pairs)
    assert {name: made.shape for name, made in pictures.items()} == dict.fromkeys((UNSWAPPED, *CODES), (3, 32, 16, 3))
    for at in range(3):
        alone = pairs._replace(sources=pairs.sources[at : at + 1], donors=pairs.donors[at : at + 1])
        (one,) = generate(run, alone)
        for name in pictures:
            assert np.abs(pictures[name][at].astype(int) - one[name][0]).max() <= 1


@pytest.fixture
def scene(drawn) -> Scene:
    """An observer that sees everything as it is."""
    samples = drawn(8)
    factors = numbers(samples, samples)
    people = np.eye(8)[samples.identities]
    seen = Reading(samples.infrared, np.concatenate([f.targets for f in factors], axis=1), people, people)
    return Scene(samples, seen, factors)


def test_a_generator_that_returns_the_donor_has_moved_all_the_way_and_one_of_the_source_nowhere(scene: Scene) -> None:
    for setting in (WITHIN, ACROSS):
        rows = real_swaps(scene, [draw_pairs(scene.samples, setting, 1000, seed=0)])
        for row in rows:
            whole = (row.subject == "real donor") == (row.measure == TO_DONOR)
            assert row.value == pytest.approx(float(whole), abs=1e-6), row
        assert {row.measure for row in rows} == {TO_DONOR, KEPT}


def test_half_a_swap_is_half_the_way(scene: Scene) -> None:
    pairs = draw_pairs(scene.samples, ACROSS, 1000, seed=0)
    source, donor = (Reading(*(part[rows] for part in scene.seen)) for rows in (pairs.sources, pairs.donors))
    half = Reading(source.infrared, (source.numbers + donor.numbers) / 2, source.embedding, source.features)
    for row in figures_of(half, scene, pairs, "half", "trained"):
        assert row.value == pytest.approx(0.0 if row.factor in ("modality", "identity") else 0.5, abs=1e-6), row


def test_the_donors_slope_is_that_of_differences_with_the_source_held_fixed() -> None:
    rng = np.random.default_rng(1)
    source, donor, noise = rng.normal(size=(3, 80, 1))
    observed = 0.4 * donor + 0.5 * source + noise
    naive = np.linalg.lstsq(np.hstack([donor - source, source, np.ones((80, 1))]), observed - source, rcond=None)[0]
    assert movement(observed, source, donor)[0] == pytest.approx(naive[0, 0])
    assert movement(np.full((80, 1), 3.0), source, donor) == pytest.approx((0, 0), abs=1e-12)  # never changes


def test_the_nearest_real_picture_decides_whose_person_is_seen() -> None:
    rng = np.random.default_rng(2)
    identities = np.repeat(np.arange(5), 3)
    references = rng.normal(size=(15, 4))
    references /= np.linalg.norm(references, axis=1, keepdims=True)
    sources, donors = np.arange(15), (np.arange(15) + 4) % 15
    made = rng.normal(size=(15, 4))
    hits = 0
    for row, (source, donor) in enumerate(zip(sources, donors, strict=True)):
        best = {
            person: max(
                made[row] @ references[i]
                for i in range(15)
                if identities[i] == identities[person] and i not in (source, donor)
            )
            for person in (source, donor)
        }
        hits += best[donor] > best[source]
    assert 0 < hits < 15
    assert share_nearer_to_donor(made, references, identities, sources, donors) == pytest.approx(hits / 15)
