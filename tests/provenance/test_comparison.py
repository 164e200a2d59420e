"""Two runs side by side: what is told of losses, weights and figures that are equal, near, or not."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hicmd_tf.provenance.comparison import (
    NEAR,
    Compared,
    Comparison,
    compare_figures,
    compare_losses,
    compare_weights,
)

LOSSES = "step,cross,kl\n20,1.5,0.25\n40,1.25,0.125\n"


def compared_losses(folder: Path, before: str, after: str | None) -> Compared:
    then, now = folder / "then" / "losses.csv", folder / "now" / "losses.csv"
    for file, text in ((then, before), (now, after)):
        file.parent.mkdir(exist_ok=True)
        if text is not None:
            file.write_bytes(text.encode())
    return compare_losses(then, now)


@pytest.mark.parametrize(
    ("after", "difference", "words"),
    [
        (LOSSES, 0.0, "equal to the byte, 3 lines"),
        (LOSSES.replace("1.25", "1.26"), 0.01, "first at step 40, cross: 1.25 was, 1.26 is; by 0.01 at most"),
        (
            LOSSES.replace("0.25", "0.3").replace("1.25", "3.25"),
            2.0,
            "first at step 20, kl: 0.25 was, 0.3 is; by 2 at most",
        ),
        (LOSSES.replace("1.25", "1.250"), math.ulp(0.0), "first at step 40, cross: 1.25 was, 1.250 is"),
        (LOSSES.replace("1.25", "nan"), math.inf, "first at step 40, cross: 1.25 was, nan is"),
        (LOSSES.replace("1.25", "half"), math.inf, "first at step 40, cross: 1.25 was, half is"),
        (LOSSES.replace("kl", "code"), math.inf, "first at step step, kl: kl was, code is"),
        (LOSSES + "60,1,1\n", math.inf, "first at step 60, step: absent was, 60 is"),
        (LOSSES[: -len("40,1.25,0.125\n")], math.inf, "first at step 40, step: 40 was, absent is"),
        (LOSSES.replace("\n", "\r\n"), math.inf, "the same numbers in other bytes"),
        (None, math.inf, "first at step step, step: step was, absent is"),
        ("", math.inf, "absent is"),
        ("\n\n", math.inf, "first at step step, step: step was,  is"),
    ],
)
def test_losses(after: str | None, difference: float, words: str, tmp_path: Path) -> None:
    found = compared_losses(tmp_path, LOSSES, after)
    assert math.isclose(found.difference, difference, rel_tol=1e-9) and words in found.words


WEIGHTS = {"a": np.float32([1, 2, 3]), "b": np.float32([[0.5]]), "count": np.int64(7)}


@pytest.mark.parametrize(
    ("changed", "difference", "words"),
    [
        ({}, 0.0, "equal bit for bit, 3 tensors"),
        ({"a": np.float32([1, 2, 3.5])}, 0.5, "1 of 3 tensors differ, most a, by 0.5"),
        ({"a": np.float32([1, 2, 3.5]), "b": np.float32([[2.5]])}, 2.0, "2 of 3 tensors differ, most b, by 2"),
        ({"count": np.int64(9)}, 2.0, "1 of 3 tensors differ, most count"),
        (
            {"b": np.float32([[np.nextafter(np.float32(0.5), np.float32(1))]])},
            2.0**-24,
            "1 of 3 tensors differ, most b",
        ),
        ({"b": np.float32([[np.nan]])}, math.inf, "1 of 3 tensors differ, most b, by inf"),
        ({"b": np.float32([0.5])}, math.inf, "1 of 3 tensors differ, most b, by inf"),
        ({"b": np.float64([[0.5]])}, math.inf, "1 of 3 tensors differ, most b, by inf"),
        ({"more": np.float32(1)}, math.inf, "1 tensors are in one of both only, as more"),
    ],
)
def test_weights(changed: dict[str, Any], difference: float, words: str) -> None:
    found = compare_weights(WEIGHTS, {**WEIGHTS, **changed})
    assert found.difference == difference and found.words.startswith(words)


def test_a_zero_s_sign_and_equal_bits_of_nan() -> None:
    assert compare_weights({"a": np.float32([np.nan])}, {"a": np.float32([np.nan])}).difference == 0
    assert 0 < compare_weights({"a": np.float32([0.0])}, {"a": np.float32([-0.0])}).difference < 1e-300


METRICS = {
    "visible_to_infrared": {"rank1": 0.25, "mAP": 0.5},
    "settings": [{"setting": "all", "mean": {"rank1": 0.25}}],
    "split": "test",
    "steps": 6,
    "provenance": {"seed": 1},
}


def figures(**changed: Any) -> dict[str, Compared]:
    """What differs of the metrics above when some of them change."""
    return {one.what: one for one in compare_figures(METRICS, {**METRICS, **changed}) if one.difference}


def test_figures_are_compared_one_by_one_and_where_they_come_from_is_not() -> None:
    assert [one.what for one in compare_figures(METRICS, METRICS)] == [
        "visible_to_infrared.rank1",
        "visible_to_infrared.mAP",
        "settings.0.setting",
        "settings.0.mean.rank1",
        "split",
        "steps",
    ]
    assert figures(provenance={"seed": 2}) == {}
    (changed,) = figures(visible_to_infrared={"rank1": 0.375, "mAP": 0.5}).values()
    assert changed == Compared("visible_to_infrared.rank1", 0.125, "0.25 was, 0.375 is")
    assert figures(split="held_out")["split"].difference == math.inf
    assert figures(visible_to_infrared={"rank1": 0.25})["visible_to_infrared.mAP"].words == "0.5 was, absent is"
    assert figures(more=1)["more"] == Compared("more", math.inf, "absent was, 1 is")
    assert figures(steps=True)["steps"].difference == figures(steps=10**400)["steps"].difference == math.inf


def comparison(losses: float = 0.0, weights: float = 0.0, figure: float = 0.0) -> Comparison:
    parts = [Compared(name, value, f"{name}'s words") for name, value in (("losses.csv", losses), ("weights", weights))]
    return Comparison(*parts, [Compared("rank1", figure, "old was, new is"), Compared("mAP", 0.0, "same")])


@pytest.mark.parametrize(
    ("parts", "exact", "verdict"),
    [
        ({}, True, "reproduced to the bit"),
        ({"losses": 1e-7}, False, "reproduced within 0 of every figure and 0 of every weight, not to the bit"),
        ({"weights": 1e-7}, False, "reproduced within 0 of every figure and 1e-07 of every weight"),
        ({"weights": 1.0, "figure": NEAR}, False, "reproduced within 0.01 of every figure and 1 of every weight"),
        ({"weights": 1.0, "figure": 2 * NEAR}, False, "not reproduced: rank1: old was, new is"),
        ({"figure": math.inf}, False, "not reproduced: rank1"),
        ({"weights": math.inf}, False, "not reproduced: weights: weights's words"),
    ],
)
def test_the_verdict(parts: dict[str, float], exact: bool, verdict: str) -> None:
    found = comparison(**parts)
    assert found.exact == exact and found.verdict.startswith(verdict)
    assert "reproduced to the bit" in found.verdict or not exact
    stored = json.loads(json.dumps(found.as_json(), allow_nan=False))
    assert stored["exact"] == exact and stored["verdict"] == found.verdict and "rank1" in stored


def test_the_table_names_every_figure_that_differs_and_counts_the_others() -> None:
    assert comparison(figure=0.5).as_text().splitlines() == [
        "losses.csv  losses.csv's words",
        "weights     weights's words",
        "rank1       old was, new is",
        "figures     1 of 2 equal",
    ]
