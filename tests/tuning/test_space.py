"""The ranges of a search: around the configuration's values, or a file's; what can't be is refused in one line."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hicmd_tf.config import Config, load, with_values
from hicmd_tf.errors import UserError
from hicmd_tf.tuning.space import SEARCHED, configured, rounded, searched_by, space_of

PAPER = load("paper")


@pytest.fixture(scope="module")
def config() -> Config:
    return load("tiny")


def written(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "space.yaml"
    file.write_text(text)
    return file


def test_all_weights_and_rates_of_the_paper_are_searched_about_its_values() -> None:
    space = space_of(PAPER)
    assert {SEARCHED[key].symbol for key in space} >= {
        f"lambda_{n}" for n in ("1", "2", "3", "4", "kl", "adv", "ce", "trip")
    }
    assert {"losses.margin", "optimisers.alpha_rate"} < set(space)
    assert space["losses.cross"].first == PAPER.losses.cross
    for span in space.values():
        assert 0 < span.low < span.first < span.high


def test_a_file_gives_other_ranges_and_keeps_values(config: Config, tmp_path: Path) -> None:
    space = space_of(config, written(tmp_path, "losses:\n  cross: [1, 2.0e+1]\n  kl: fixed\n"))
    assert space["losses.cross"] == (1.0, 20.0, config.losses.cross)
    assert "losses.kl" not in space
    assert space["losses.same"] == space_of(config)["losses.same"]


def test_a_value_of_zero_is_not_searched(tmp_path: Path) -> None:
    config = load("tiny", {"losses.kl": 0.0})
    assert "losses.kl" not in space_of(config)
    with pytest.raises(UserError, match=r"line 1: losses\.kl is 0 in the configuration"):
        space_of(config, written(tmp_path, "losses.kl: [0.1, 1]\n"))


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (
            "losses:\n  cross: [3, 1]\n",
            r"space\.yaml, line 2: losses\.cross is \['3', '1'\]: expected \[lowest, highest\]",
        ),
        *(
            (f"losses.cross: {text}\n", "line 1: losses.cross is .*: expected .* or fixed")
            for text in (
                "[0, 1]",
                "[-1, 1]",
                "[1, inf]",
                "[1, nan]",
                "[1, true]",
                "[1, 2, 3]",
                "7",
                "12",
                "free",
                "[[1]]",
            )
        ),
        ("losses.cross: [30, 50]\n", r"losses\.cross is 20 in the configuration.*outside of 30 to 50"),
        ("losses.crosss: [1, 50]\n", r"losses\.crosss is not searched \(nearest: losses\.cross\)"),
        ("networks.decoder.residual_blocks: [1, 5]\n", r"networks\.decoder\.residual_blocks is not searched"),
        ("- 1\n", "expected a mapping"),
        ("", "the file is empty"),
        ("".join(f"{key}: fixed\n" for key in searched_by("hicmd")), "nothing is left to search"),
    ],
)
def test_what_is_no_range_is_refused_in_one_line(text: str, named: str, config: Config, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=named) as error:
        space_of(config, written(tmp_path, text))
    assert "\n" not in str(error.value)


@given(st.sampled_from(searched_by("hicmd")), st.floats(0, 1))
def test_what_a_protocol_of_float32_carries_comes_to_the_same_configuration(key: str, share: float) -> None:
    low, high, first = space_of(PAPER)[key]
    value = rounded(low * (high / low) ** share)
    there = configured(PAPER, {key: value})
    assert configured(PAPER, {key: float(np.float32(value))}) == there
    assert configured(PAPER, {key: float(np.float32(first))}) == configured(PAPER, {key: first}) == PAPER
    section, name = key.split(".")
    assert getattr(getattr(there, section), name) == pytest.approx(value, rel=1e-6)


def test_each_method_is_searched_by_its_own_settings(config: Config) -> None:
    own, common = "embedding.rate", {"losses.cross_entropy", "losses.triplet", "losses.margin"}
    assert {own, *common} == {*searched_by("embedding")} and own not in searched_by("hicmd")
    embedding = with_values(config, {"method": "embedding"})
    assert space_of(embedding).keys() == {own, *common}
    value = space_of(embedding)[own].high
    assert configured(embedding, {own: value}).embedding.rate == rounded(value)
