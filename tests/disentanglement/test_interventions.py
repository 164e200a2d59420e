"""Interventions change what they name, from the very picture of the data set; movements are in units of the spread."""

from pathlib import Path

import numpy as np
import pytest

from hicmd_tf.data.samples import Samples
from hicmd_tf.disentanglement.factors import CAMERA, GAIT, LIGHT, MODALITY, YAW
from hicmd_tf.disentanglement.interventions import GARMENTS, Again, changes, draw_again, movements, spread
from hicmd_tf.disentanglement.measurement import CODES, WITHIN
from hicmd_tf.disentanglement.swaps import draw_pairs
from hicmd_tf.drawn_people.change import Change, draw_changed
from hicmd_tf.drawn_people.encode import request_of
from hicmd_tf.runs.opened import OpenedRun

FACTORS = (YAW, GAIT, LIGHT, CAMERA, GARMENTS, MODALITY)


@pytest.fixture(scope="module")
def run(smoke_run: Path) -> OpenedRun:
    return OpenedRun(smoke_run)


def test_spread_is_over_all_pairs_of_different_people() -> None:
    rng = np.random.default_rng(0)
    code, people = 40 + rng.normal(size=(20, 3)), rng.integers(0, 4, 20)
    apart = [
        np.sum((a - b) ** 2)
        for a, i in zip(code, people, strict=True)
        for b, j in zip(code, people, strict=True)
        if i != j
    ]
    assert spread(code, people) == pytest.approx(np.sqrt(np.mean(apart)))
    assert spread(np.array([[0.0, 0.0], [3.0, 4.0]]), np.array([1, 2])) == pytest.approx(5.0)
    assert spread(np.full((4, 2), 0.1), np.array([1, 1, 2, 2])) == pytest.approx(0.0, abs=1e-9)


def test_no_change_is_the_stored_picture_and_the_stored_code(run: OpenedRun) -> None:
    samples, data = run.samples, run.config.data
    rows = np.arange(len(samples))
    drawn = [draw_changed(data.synthetic, (data.height, data.width), *request_of(n), Change()) for n in samples.names]
    pictures = np.stack([picture.pixels for picture in drawn])
    np.testing.assert_array_equal(pictures, run.pictures(rows))
    for name in ("yaw", "gait_phase", "illumination"):
        np.testing.assert_array_equal(np.float32([getattr(d, name) for d in drawn]), samples.factors[name])
    again = [Again("nothing", m, run.rows(m), pictures[run.rows(m)]) for m in ("visible", "infrared")]
    for row in movements(run.model, run.codes(rows), again, samples, "trained"):
        assert row.value == pytest.approx(0.0, abs=1e-4)


def test_changes_take_the_donors_values_and_the_other_camera_and_modality(run: OpenedRun) -> None:
    samples = run.samples
    pairs = draw_pairs(samples, WITHIN, 100, seed=0)
    for source, donor in zip(pairs.sources.tolist(), pairs.donors.tolist(), strict=True):
        found = changes(samples, source, donor)
        assert tuple(found) == FACTORS
        values = {name: [v for v in vars(change).values() if v is not None] for name, change in found.items()}
        assert all(len(of) == 1 for of in values.values())
        known = samples.factors
        assert values[YAW] == [known["yaw"][donor]] and values[GAIT] == [known["gait_phase"][donor]]
        assert values[LIGHT] == [known["illumination"][donor]] and values[GARMENTS] == [samples.identities[donor]]
        assert sorted([*values[CAMERA], samples.cameras[source]]) == ([3, 4] if samples.infrared[source] else [1, 2])
        assert values[MODALITY] == ["visible" if samples.infrared[source] else "infrared"]


class Reads:
    """A model with two codes, the picture's mean and a constant, that says through whose encoders it looked."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def dissect(self, pictures: np.ndarray, modality: str) -> dict[str, np.ndarray]:
        self.seen.append(modality)
        return {"mean": pictures.mean(axis=(1, 2, 3))[:, None], "constant": np.ones((len(pictures), 2))}


def test_a_movement_is_a_distance_divided_by_the_spread_of_the_modality(drawn) -> None:
    samples: Samples = drawn(2, each=1)  # visible, infrared, visible, infrared
    codes = {"mean": np.array([[10.0], [0.0], [14.0], [20.0]]), "constant": np.ones((4, 2))}
    picture = np.full((1, 4, 2, 3), 12, np.uint8)
    every = [
        Again(YAW, "visible", np.array([0, 2]), np.concatenate([picture, picture + 6])),
        Again(YAW, "infrared", np.array([3]), picture),
        Again(MODALITY, "infrared", np.array([1]), picture),
    ]
    model = Reads()
    rows = movements(model, codes, every, samples, "trained")
    assert model.seen == ["visible", "infrared", "visible"]
    found = {(r.setting, r.factor): (r.value, r.deviation, r.asked) for r in rows if r.subject == "mean"}
    assert found == {
        ("visible", YAW): (pytest.approx(0.75), pytest.approx(0.25), 2),
        ("infrared", YAW): (pytest.approx(0.4), 0.0, 1),
        ("infrared", MODALITY): (pytest.approx(0.6), 0.0, 1),
    }
    assert all(row.value == 0 for row in rows if row.subject == "constant")


def test_every_code_of_a_run_is_measured_with_every_change_in_either_modality(run: OpenedRun) -> None:
    samples = run.samples
    pairs = draw_pairs(samples, WITHIN, 8, seed=0)
    again = draw_again(run.config.data, samples, pairs)
    assert [(of.factor, of.modality) for of in again] == [(f, m) for m in ("visible", "infrared") for f in FACTORS]
    for of in again:
        assert set(of.rows) <= set(pairs.sources) & set(run.rows(of.modality))
        grey = (of.pictures == of.pictures[..., :1]).all()
        assert grey == ((of.modality == "infrared") != (of.factor == MODALITY))
        assert (of.pictures != run.pictures(of.rows)).any(axis=(1, 2, 3)).all()
    assert sum(len(of.rows) for of in again) == 8 * len(FACTORS)
    rows = movements(run.model, run.codes(np.arange(len(samples))), again, samples, "trained")
    assert {(r.subject, r.factor) for r in rows} == {(code, f) for code in CODES for f in FACTORS}
    assert all(np.isfinite(row.value) and row.value > 0 for row in rows)
