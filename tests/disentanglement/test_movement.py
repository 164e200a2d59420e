"""How far a reading moved: 1 for a generator that returns the donor, 0 for one that returns the source."""

import numpy as np
import pytest

from hicmd_tf.disentanglement.movement import movement, share_nearer_to_donor


@pytest.mark.parametrize("columns", [1, 2])
def test_slopes_tell_how_much_is_donor_and_how_much_source(columns: int) -> None:
    rng = np.random.default_rng(0)
    source, donor = rng.normal(2, 1, (2, 500, columns))
    for share in (0.0, 0.3, 1.0):
        made = share * donor + (1 - share) * source
        np.testing.assert_allclose(movement(made, source, donor), (share, 1 - share), atol=1e-9)


def test_a_reading_that_never_changes_moved_nowhere() -> None:
    source, donor = np.random.default_rng(0).normal(size=(2, 100, 1))
    np.testing.assert_allclose(movement(np.full((100, 1), 3.0), source, donor), (0, 0), atol=1e-12)


def test_the_slope_is_that_of_differences_with_the_source_held_fixed() -> None:
    rng = np.random.default_rng(1)
    source, donor, noise = rng.normal(size=(3, 80, 1))
    observed = 0.4 * donor + 0.5 * source + noise
    naive = np.linalg.lstsq(np.hstack([donor - source, source, np.ones((80, 1))]), observed - source, rcond=None)[0]
    assert movement(observed, source, donor).donor == pytest.approx(naive[0, 0])


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


def test_the_real_source_and_the_real_donor_are_the_ends_of_the_scale() -> None:
    identities = np.repeat(np.arange(4), 3)
    references = np.eye(4)[identities]
    sources, donors = np.arange(12), (np.arange(12) + 3) % 12
    assert share_nearer_to_donor(references[sources], references, identities, sources, donors) == 0.0
    assert share_nearer_to_donor(references[donors], references, identities, sources, donors) == 1.0
