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
    differences,
)
from hicmd_tf.retrieval.modality import SETTINGS

LOSSES = "step,cross,kl\n20,1.5,0.25\n40,1.25,0.125\n"


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
        (LOSSES.replace("kl", "code"), math.inf, "first at step 20, kl: 0.25 was, absent is"),
        (LOSSES + "60,1,1\n", math.inf, "first at step 60, step: absent was, 60 is"),
        (LOSSES[: -len("40,1.25,0.125\n")], math.inf, "first at step 40, step: 40 was, absent is"),
        (LOSSES.replace("\n", "\r\n"), math.inf, "the same numbers in other bytes"),
        (None, math.inf, "first at step 20, step: 20 was, absent is"),
    ],
)
def test_losses(after: str | None, difference: float, words: str, tmp_path: Path) -> None:
    then, now = tmp_path / "then.csv", tmp_path / "now.csv"
    then.write_bytes(LOSSES.encode())
    if after is not None:
        now.write_bytes(after.encode())
    found = compare_losses(then, now)
    assert math.isclose(found.difference, difference, rel_tol=1e-9) and words in found.words


WEIGHTS = {"a": np.float32([1, 2, 3]), "b": np.float32([[0.5]]), "zero": np.float32(0), "count": np.int64(7)}


@pytest.mark.parametrize(
    ("changed", "difference", "words"),
    [
        ({}, 0.0, "equal bit for bit, 4 tensors"),
        ({"a": np.float32([1, 2, 3.5]), "b": np.float32([[2.5]])}, 2.0, "2 of 4 tensors differ, most b, by 2"),
        ({"count": np.int64(9)}, 2.0, "1 of 4 tensors differ, most count"),
        ({"b": np.nextafter(WEIGHTS["b"], np.float32(1))}, 2.0**-24, "1 of 4 tensors differ, most b"),
        ({"zero": np.float32(-0.0)}, math.ulp(0.0), "1 of 4 tensors differ, most zero"),
        ({"b": np.float32([[np.nan]])}, math.inf, "1 of 4 tensors differ, most b, by inf"),
        ({"b": np.float32([0.5])}, math.inf, "1 of 4 tensors differ, most b, by inf"),
        ({"b": np.float64([[0.5]])}, math.inf, "1 of 4 tensors differ, most b, by inf"),
        ({"more": np.float32(1)}, math.inf, "1 tensors are in one of both only, as more"),
    ],
)
def test_weights(changed: dict[str, Any], difference: float, words: str) -> None:
    found = compare_weights(WEIGHTS, {**WEIGHTS, **changed})
    assert found.difference == difference and found.words.startswith(words)


def test_figures_are_compared_one_by_one_and_where_they_come_from_is_not() -> None:
    metrics: dict[str, Any] = {
        "visible_to_infrared": {"rank1": 0.25, "mAP": 0.5},
        "settings": [{"setting": "all"}],
        "split": "test",
        "provenance": {"seed": 1},
    }
    names = ["visible_to_infrared.rank1", "visible_to_infrared.mAP", "settings.0.setting", "split"]
    assert [(one.what, one.difference) for one in compare_figures(metrics, metrics)] == [(name, 0.0) for name in names]
    other = {"visible_to_infrared": {"rank1": 0.375}, "split": "held_out", "more": 10**400, "provenance": {"seed": 2}}
    assert [one for one in compare_figures(metrics, {**metrics, **other}) if one.difference] == [
        Compared("visible_to_infrared.rank1", 0.125, "0.25 was, 0.375 is"),
        Compared("visible_to_infrared.mAP", math.inf, "0.5 was, absent is"),
        Compared("split", math.inf, "test was, held_out is"),
        Compared("more", math.inf, f"absent was, {10**400} is"),
    ]


def test_tracks_that_were_compared_in_other_ways_are_not_compared() -> None:
    def of(pool: str, rank: float) -> dict[str, Any]:
        rows = [{"setting": "all pictures", "rank1": 0.5}, {"setting": f"track to track, {pool}", "rank1": rank}]
        return {"settings": rows, "tracks": {"pool": pool}}

    mean = of("mean", 0.25)
    assert [one.difference for one in compare_figures(mean, of("mean", 0.375))] == [0, 0, 0, 0.125, 0]
    pictures = ["settings.0.setting", "settings.0.rank1"]
    assert [one.what for one in compare_figures(mean, of("best", 0.5))] == pictures


def test_rows_without_modality_are_not_compared_where_an_earlier_version_had_none() -> None:
    main, tracks = {"setting": "all pictures", "rank1": 0.5}, {"setting": "track to track, mean", "rank1": 0.25}
    further = [{"setting": setting, "rank1": 0.125} for setting in SETTINGS]
    then, now = ({"settings": [main, *rows, tracks]} for rows in ([], further))
    for pair in ((then, now), (now, then)):
        assert [(one.what, one.difference) for one in compare_figures(*pair)] == [
            (f"settings.{number}.{name}", 0.0) for number in (0, 1) for name in ("setting", "rank1")
        ]
    other = {"settings": [main, *({**row, "rank1": 0.25} for row in further), tracks]}
    assert [one.difference for one in compare_figures(now, other)] == [0, 0, 0, 0.125, 0, 0.125, 0, 0]


def test_similarities_of_an_earlier_version_and_of_another_engine_are_not_compared() -> None:
    then = {"split": "test"}
    now: dict[str, Any] = {"split": "test", "verification": [{"people": 3}], "threshold": {"similarity": 0.5}}
    assert [one.what for one in compare_figures(then, now)] == ["split"]
    both = ["split", "verification.0.people", "threshold.similarity"]
    assert [one.what for one in compare_figures(now, now)] == both
    now["threshold"]["calibration"] = [30.0, -3.0]
    by_tensorflow, by_jax = (
        {**now, "provenance": {"origins": [{"packages": {"engine": engine}}]}} for engine in ("tensorflow", "jax")
    )
    assert [one.what for one in compare_figures(by_jax, by_jax)] == both
    assert [one.what for one in compare_figures(by_jax, by_tensorflow)] == ["split"]


@pytest.mark.parametrize(
    ("losses", "weights", "figure", "verdict"),
    [
        (0, 0, 0, "reproduced to the bit"),
        (1e-7, 0, 0, "reproduced within 0 of every figure and 0 of every weight, not to the bit"),
        (0, 1.0, NEAR, "reproduced within 0.01 of every figure and 1 of every weight"),
        (0, 1.0, 2 * NEAR, "not reproduced: rank1: old was, new is"),
        (0, 0, math.inf, "not reproduced: rank1"),
        (0, math.inf, 0, "not reproduced: weights: weights's words"),
    ],
)
def test_the_verdict_and_the_table(losses: float, weights: float, figure: float, verdict: str) -> None:
    parts = [Compared(name, value, f"{name}'s words") for name, value in (("losses", losses), ("weights", weights))]
    found = Comparison(*parts, [Compared("rank1", figure, "old was, new is"), Compared("mAP", 0.0, "same")])
    assert found.exact == (losses == weights == figure == 0) and found.verdict.startswith(verdict)
    stored = json.loads(json.dumps(found.as_json(), allow_nan=False))
    assert stored["exact"] == found.exact and stored["verdict"] == found.verdict and "rank1" in stored
    lines = ["losses   losses's words", "weights  weights's words", "rank1    old was, new is"]
    equal = f"figures  {1 if figure else 2} of 2 equal"
    assert found.as_text().splitlines() == [*(lines if figure else lines[:2]), equal]


def told(there: dict[str, Any], here: dict[str, Any], **others: Any) -> list[str]:
    same = {"configuration_sha256": "c", "deterministic": True}
    return list(differences({**same, "origins": [there], **others}, {**same, "origins": [here]}))


def test_what_is_not_as_it_was_is_told_in_a_line_each() -> None:
    here = {
        "code": {"version": "0.1", "sha256": "f", "commit": "e"},
        "packages": {"keras": "3.15"},
        "machine": {"gpus": [], "workers": 1},
    }
    assert told({**here, "code": {**here["code"], "commit": "d", "dirty": True}}, here) == []  # of the same code
    there = {
        "code": {"version": "0.1", "sha256": "0"},
        "packages": {"keras": "3.0"},
        "machine": {"gpus": ["NVIDIA H100"], "workers": 2},
    }
    lines = [
        "code.sha256: 0 was, f is",
        "packages.keras: 3.0 was, 3.15 is",
        "machine.gpus.0: NVIDIA H100 was, absent is",
        "machine.workers: 2 was, 1 is",
        "code.commit: absent was, e is",
    ]
    assert told(there, here) == lines
    assert told(there, here, origins=[there, here])[1:] == lines
    assert "added up in another order" in told(here, here, deterministic=False)[0]
    assert "config.yaml" in told(here, here, configuration_sha256="d")[0]
