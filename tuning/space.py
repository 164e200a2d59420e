"""The space of a search: loss weights, margin and learning rates, each in a log-uniform range.

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
from hicmd_tf.config.kinds import MethodName
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


def searched_by(method: MethodName) -> list[str]:
    """The searched settings that a method reads."""
    return [key for key in SEARCHED if SETTINGS[key].note.method in ("", method)]


def space_of(config: Config, file: Path | None = None) -> Space:
    """The range of every searched setting by dotted name; in the place of the usual ones those of a YAML file.

    A value of 0, which no log-uniform range has, stays. Raises UserError for a file that can't be read, a setting that
    is not searched, a range that can't be or leaves out the configuration's value, and when nothing is left to search.
    """
    searched = searched_by(config.method)
    values = {key: value_of(config, key) for key in searched}
    space = {
        key: Range(values[key] * SEARCHED[key].below, values[key] * SEARCHED[key].above, values[key])
        for key in searched
        if values[key] > 0
    }
    for key, given in (read_settings(file) if file else {}).items():
        if key not in searched:
            raise UserError(
                f"{given.source}: {key} is not searched{nearest(key, searched)}; these are: {', '.join(searched)}"
            )
        if given.value == FIXED:
            space.pop(key, None)
        else:
            space[key] = _range(key, given, values[key])
    if not space:
        raise UserError(f"{file}: every setting is {FIXED}, nothing is left to search; give one of them a range")
    return space


def configured(config: Config, values: Mapping[str, Any]) -> Config:
    """The configuration with a trial's values; one that is the configuration's own, but for rounding, is taken exactly.

    Raises UserError when they can't be.
    """
    given = {key: (float(values[key]), value_of(config, key)) for key in SEARCHED if key in values}
    same = {key: math.isclose(value, own, rel_tol=10**-DIGITS) for key, (value, own) in given.items()}
    return with_values(config, {key: own if same[key] else rounded(value) for key, (value, own) in given.items()})


def rounded(value: float) -> float:
    """The value in so few digits that it comes back from float32."""
    return float(f"{value:.{DIGITS}g}")


def _range(key: str, given: Given, own: float) -> Range:
    try:
        low, high = map(float, given.value)
        if not (isinstance(given.value, list) and 0 < low < high < math.inf):
            raise ValueError
    except (TypeError, ValueError) as error:
        raise UserError(
            f"{given.source}: {key} is {given.value}: expected [lowest, highest] with 0 < lowest < highest, or {FIXED}"
        ) from error
    if not low <= own <= high:
        raise UserError(
            f"{given.source}: {key} is {own:g} in the configuration, which is the first trial, and outside of "
            f"{low:g} to {high:g}; widen the range or give --{key} a value inside"
        )
    return Range(low, high, own)
