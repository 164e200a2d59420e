"""Claims are judged by their figures, whatever these are."""

import pytest

from hicmd_tf.disentanglement.claims import CLAIMS, Claim, judge
from hicmd_tf.disentanglement.measurement import ACROSS, PERMUTED, TO_DONOR, UNSWAPPED, Measurement, Measurements
from hicmd_tf.disentanglement.probes import IDENTITY_ACROSS


def reading(code: str, factor: str, linear: float, neighbours: float) -> list[Measurement]:
    values = {"linear": linear, "k-NN": neighbours}
    return [
        Measurement("reading", code, "", factor, probe, "trained", value, 0.0, 0.5, 100)
        for probe, value in values.items()
    ]


def verdict(rows: list[Measurement], *claim: object) -> bool | None:
    (found,) = [of for of in judge(Measurements(rows)) if of.claim == Claim("", *claim).statement]
    return found.holds


@pytest.mark.parametrize(("linear", "neighbours", "read"), [(0.64, 0.5, False), (0.5, 0.66, True), (0.66, 0.5, True)])
def test_the_better_probe_must_beat_chance_by_three_standard_errors(
    linear: float, neighbours: float, read: bool
) -> None:
    """Of 2 x 50 asked a standard error is 0.05."""
    for code, present in (("style", True), ("pose", False)):
        both = [row for name in IDENTITY_ACROSS for row in reading(code, name, linear, neighbours)]
        rows = [row._replace(asked=50) for row in both]
        assert verdict(rows, "reading", code, "identity", present) == (read == present)


@pytest.mark.parametrize("read", [0.5, 1.0])
def test_modality_is_not_judged_by_reading_whatever_was_read(read: float) -> None:
    for code, present in (("illumination", True), ("pose", False)):
        assert verdict(reading(code, "modality", read, read), "reading", code, "modality", present) is None


def test_controls_judge_nothing() -> None:
    rows = reading("pose", "yaw", 0.9, 0.9)
    assert verdict(rows + [row._replace(value=0.0, setting=PERMUTED) for row in rows], "reading", "pose", "yaw", True)


def test_identity_counts_across_modalities_both_ways() -> None:
    for infrared, holds in ((0.9, True), (0.1, False)):
        values = dict(zip(IDENTITY_ACROSS, (0.5, infrared), strict=True))
        rows = [row for name, value in values.items() for row in reading("style", name, value, 0.0)]
        rows += reading("style", "identity", 1.0, 1.0)
        assert verdict(rows, "reading", "style", "identity", True) == holds


@pytest.mark.parametrize(("swapped", "own", "changes", "keeps"), [(0.9, 0.1, True, False), (0.9, 0.85, False, True)])
def test_a_swap_is_judged_beyond_the_reconstruction(swapped: float, own: float, changes: bool, keeps: bool) -> None:
    for code, present, holds in (("illumination", True, changes), ("pose", False, keeps)):
        rows = [
            Measurement("swap", subject, ACROSS, "modality", TO_DONOR, "trained", value)
            for subject, value in ((code, swapped), (UNSWAPPED, own))
        ]
        assert verdict(rows, "swap", code, "modality", present) == holds


def test_claims_about_what_was_not_measured_are_left_out() -> None:
    found = judge(Measurements(reading("pose", "modality", 0.5, 0.5)))
    assert [of.claim for of in found] == ["the pose code does not contain modality"] and len(set(CLAIMS)) == len(CLAIMS)
