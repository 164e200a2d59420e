"""What is searched: loss weights, margin and learning rates, each in a log-uniform range.

The ranges lie around the configuration's own values. A YAML file gives other ranges, or keeps a value as it is:

    losses:
      cross: [10, 200]
      kl: fixed
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from hicmd_tf.config import Config, value_of, with_values
from hicmd_tf.config.settings import SETTINGS
from hicmd_tf.config.yaml_settings import Given, read_settings
from hicmd_tf.errors import UserError, nearest

FIXED = "fixed"
DIGITS = 6  # of a value: Keras Tuner's protocol between processes speaks float32


SEARCHED = {key: setting.note.search for key, setting in SETTINGS.items() if setting.note.search}
"""Where each setting is looked for, as its line in config/schema.py says."""


class Range(NamedTuple):
    """Lowest and highest value, and the configuration's, with which a search begins; 0 < low <= first <= high."""

    low: float
    high: float
    first: float


Space = dict[str, Range]


def space_of(config: Config, file: Path | None = None) -> Space:
    """The range of every searched setting by dotted name; in the place of the usual ones those of a YAML file.

    A value of 0, which no log-uniform range has, stays. Raises UserError for a file that can't be read, a setting that
    is not searched, a range that can't be or leaves out the configuration's value, and when nothing is left to search.
    """
    values = {key: value_of(config, key) for key in SEARCHED}
    space = {
        key: Range(values[key] * below, values[key] * above, values[key])
        for key, (_, below, above) in SEARCHED.items()
        if values[key] > 0
    }
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
