"""Block scores are those of cases that can be worked out by hand."""

import math

import numpy as np
import pytest

from hicmd_tf.disentanglement.blocks import ALL, COMPLETENESS, DISENTANGLEMENT, GAP, SHARE, block_figures, dci_of, gaps
from hicmd_tf.disentanglement.measurement import CODES, PERMUTED, Measurement, Measurements
from hicmd_tf.disentanglement.probes import IDENTITY_ACROSS


def test_one_code_for_each_factor_is_the_best_and_all_alike_the_worst() -> None:
    ideal = dci_of(np.eye(4)[[2, 0, 3, 1]] * [0.2, 0.9, 0.5, 1.0])
    np.testing.assert_allclose([*ideal.disentanglement, *ideal.completeness, *ideal.overall], 1.0)
    alike = dci_of(np.full((4, 5), 0.3))
    np.testing.assert_allclose([*alike.disentanglement, *alike.completeness, *alike.overall], 0.0, atol=1e-12)
    np.testing.assert_allclose(gaps(np.eye(4) * 0.8), 0.8)
    np.testing.assert_allclose(gaps(np.full((4, 5), 0.3)), 0.0)


def test_codes_and_factors_count_by_their_part_of_all_shares() -> None:
    """The first code has both factors alike, the second one of them, and nothing is read from the third."""
    found = dci_of(np.array([[0.5, 0.5], [0.0, 0.5], [0.0, 0.0]]))
    np.testing.assert_allclose(found.disentanglement, [0.0, 1.0, np.nan], atol=1e-12)
    half = 1 - math.log(2) / math.log(3)
    np.testing.assert_allclose(found.completeness, [1.0, half])
    np.testing.assert_allclose(found.overall, [1 / 3, 1 / 3 + half * 2 / 3])
    np.testing.assert_array_equal(gaps(np.array([[0.9, 0.5], [0.2, 0.5], [0.3, 0.1]])), [0.6000000000000001, 0.0])


def test_nothing_read_is_no_disentanglement() -> None:
    found = dci_of(np.zeros((4, 3)))
    assert np.isnan([*found.disentanglement, *found.completeness]).all() and found.overall == (0.0, 0.0)


def reading(code: str, factor: str, linear: float, neighbours: float, chance: float, setting: str = "") -> Measurements:
    values = {"linear": linear, "k-NN": neighbours}
    return Measurements(
        Measurement("reading", code, setting, factor, probe, "trained", value, 0.0, chance, 9)
        for probe, value in values.items()
    )


def test_shares_are_of_the_better_probe_above_chance() -> None:
    """Prototype: identity half above chance, the mean of both ways; pose: yaw; light in every code."""
    rows = Measurements()
    for code in CODES:
        of = code == "prototype"
        rows += reading(code, "identity", 1.0, 1.0, 0.2)  # within modalities it doesn't count
        for name, value in zip(IDENTITY_ACROSS, (0.4, 0.8), strict=True):
            rows += reading(code, name, value if of else 0.1, 0.0, 0.2)
        rows += reading(code, "modality", 1.0, 1.0, 0.5)  # nor does modality, which reading can't judge
        rows += reading(code, "light", 0.5, 1.0, 0.5)
        rows += reading(code, "yaw", -0.3, 0.25 if code == "pose" else -3.0, 0.0)
        rows += reading(code, "yaw", 0.9, 0.9, 0.0, setting=PERMUTED)
    figures = {(row.subject, row.factor, row.measure): row.value for row in block_figures(rows, "trained")}
    expected = {("prototype", "identity"): 0.5, ("pose", "yaw"): 0.25, **{(code, "light"): 1.0 for code in CODES}}
    for code in CODES:
        for factor in ("identity", "light", "yaw"):
            assert figures[code, factor, SHARE] == pytest.approx(expected.get((code, factor), 0.0))
    assert [figures[ALL, factor, GAP] for factor in ("identity", "light", "yaw", "")] == pytest.approx(
        [0.5, 0.0, 0.25, 0.25]
    )
    assert [figures[ALL, factor, COMPLETENESS] for factor in ("identity", "light", "yaw")] == [1.0, 0.0, 1.0]
    assert {factor for _, factor, _ in figures} == {"identity", "light", "yaw", ""}
    assert figures["style", "", DISENTANGLEMENT] == 1.0
    assert figures[ALL, "", COMPLETENESS] == pytest.approx(0.75 / 4.75)
    assert 0 < figures[ALL, "", DISENTANGLEMENT] < 1
    assert block_figures(rows, "untrained") == []


def test_what_is_read_nowhere_has_no_completeness() -> None:
    rows = Measurements(row for code in CODES for name in ("yaw", "light") for row in reading(code, name, -1, -2, 0.0))
    measures = {(row.subject, row.measure): row.value for row in block_figures(rows, "trained")}
    assert (ALL, COMPLETENESS) in measures and ("pose", DISENTANGLEMENT) not in measures
    assert measures[ALL, COMPLETENESS] == measures[ALL, DISENTANGLEMENT] == 0.0
