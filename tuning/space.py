"""What is searched: loss weights, margin and learning rates, each in a log-uniform range (imports no TensorFlow).

The ranges lie around the configuration's own values, which for the paper's configuration are the paper's. A YAML file
gives other ranges, or keeps a value as it is:

    losses:
      cross: [10, 200]
      kl: fixed
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from hicmd_tf.config import Config, value_of, with_values
from hicmd_tf.config.yaml_settings import Given, read_settings
from hicmd_tf.errors import UserError, nearest

FIXED = "fixed"
DIGITS = 6  # of a value: Keras Tuner's protocol between processes speaks float32


class Searched(NamedTuple):
    """symbol: the paper's. below, above: factors of the configuration's value that end the range."""

    symbol: str
    below: float
    above: float


SEARCHED = {
    "losses.cross": Searched("lambda_1", 0.1, 10),
    "losses.same": Searched("lambda_2", 0.1, 10),
    "losses.cycle": Searched("lambda_3", 0.1, 10),
    "losses.code": Searched("lambda_4", 0.1, 10),
    "losses.kl": Searched("lambda_kl", 0.1, 10),
    "losses.adversarial": Searched("lambda_adv", 0.1, 10),
    "losses.cross_entropy": Searched("lambda_ce", 0.1, 10),
    "losses.triplet": Searched("lambda_trip", 0.1, 10),
    "losses.margin": Searched("m", 0.4, 2.5),
    "optimisers.alpha_rate": Searched("rate of alpha", 0.1, 10),
    "optimisers.generator_rate": Searched("rate of ID-PIG", 0.2, 5),
    "optimisers.discriminator_rate": Searched("rate of D", 0.2, 5),
    "optimisers.feature_rate": Searched("rate of HFL", 0.2, 5),
}


class Range(NamedTuple):
    """Lowest and highest value, and the configuration's, with which a search begins; 0 < low <= first <= high."""

    low: float
    high: float
    first: float


Space = dict[str, Range]


def space_of(config: Config, file: Path | None = None) -> Space:
    """The range of every searched setting by dotted name: those above, and in their place those of a YAML file.

    A value of 0, which no log-uniform range has, stays. Raises UserError for a file that can't be read, a setting that
    is not searched, a range that is none or leaves out the configuration's value, and when nothing is left to search.
    """
    values = {key: value_of(config, key) for key in SEARCHED}
    space = {
        key: Range(value * SEARCHED[key].below, value * SEARCHED[key].above, value) for key, value in values.items()
    }
    space = {key: span for key, span in space.items() if span.first > 0}
    for key, setting in (read_settings(file) if file else {}).items():
        if key not in SEARCHED:
            raise UserError(
                f"{setting.source}: {key} is not searched{nearest(key, SEARCHED)}; these are: {', '.join(SEARCHED)}"
            )
        if setting.value == FIXED:
            space.pop(key, None)
        else:
            space[key] = _range(key, setting, values[key])
    if not space:
        raise UserError(f"{file}: every setting is {FIXED}, nothing is left to search; give one of them a range")
    return space


def configured(config: Config, values: Mapping[str, Any]) -> Config:
    """The configuration with a trial's values; one that is the configuration's own, but for rounding, is taken exactly.

    Raises UserError when they can't be.
    """
    return with_values(
        config, {key: _exact(float(values[key]), value_of(config, key)) for key in SEARCHED if key in values}
    )


def rounded(value: float) -> float:
    """The value in so few digits that it comes back from float32."""
    return float(f"{value:.{DIGITS}g}")


def _exact(value: float, own: float) -> float:
    return own if math.isclose(value, own, rel_tol=10**-DIGITS) else rounded(value)


def _range(key: str, setting: Given, own: float) -> Range:
    ends = setting.value
    if not (
        isinstance(ends, list)
        and len(ends) == 2
        and all(type(end) in (int, float) and math.isfinite(end) for end in ends)
        and 0 < ends[0] < ends[1]
    ):
        raise UserError(
            f"{setting.source}: {key} is {ends!r}: expected [lowest, highest] with 0 < lowest < highest, or {FIXED}"
        )
    low, high = map(float, ends)
    if not low <= own <= high:
        raise UserError(
            f"{setting.source}: {key} is {own:g} in the configuration, which is the first trial, and outside of "
            f"{ends}; widen the range or give --{key} a value inside"
        )
    return Range(low, high, own)
