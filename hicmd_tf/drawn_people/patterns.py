"""Patterns of cloth: where a garment shows its second tone, in the limb's own coordinates, so that they stick to it."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hicmd_tf.drawn_people.arithmetic import Array, Draws

ALL_OVER = ("hoops", "pinstripes", "checks", "dots", "spiral")
PLACED = ("halves", "panel", "sides", "block", "band", "logo")
TROUSERS = ("plain", "plain", "plain", "hoops", "checks", "seam", "block")


@dataclass(frozen=True)
class Pattern:
    """A pattern: kind, period along the limb in metres, elements round the limb, a place along it in metres."""

    kind: str = "plain"
    period: float = 0.2
    around: int = 4
    place: float = 0.2

    def mask(self, along: Array, turn: Array) -> Array:
        """Where the second tone of one that is not plain shows, bool (N,).

        along: (N,) metres from the garment's upper end; turn: (N,) angle round it in turns, 0 in front, 0.5 behind.
        """
        shown: Array = _MASKS[self.kind](self, along, turn)
        return shown


def draw_pattern(draws: Draws, kinds: tuple[str, ...]) -> Pattern:
    """A pattern of one of the kinds, with elements large enough to be seen in a picture 64 pixels high."""
    around = draws.choose((3, 4, 5))
    return Pattern(draws.choose(kinds), draws.uniform(0.14, 0.3), around, draws.uniform(0.12, 0.28))


def _odd(cells: Array) -> Array:
    odd: Array = np.floor(cells * 0.5) * 2.0 != np.floor(cells)
    return odd


def _hoops(pattern: Pattern, along: Array, turn: Array) -> Array:
    return _odd(along * (2.0 / pattern.period))


def _pinstripes(pattern: Pattern, along: Array, turn: Array) -> Array:
    return _odd((turn + 0.5) * (2 * pattern.around))


def _dots(pattern: Pattern, along: Array, turn: Array) -> Array:
    rows, columns = along * (1.4 / pattern.period), (turn + 0.5) * (pattern.around + 1)
    down, across = rows - np.floor(rows) - 0.5, columns - np.floor(columns) - 0.5
    return down * down + across * across < 0.1


def _logo(pattern: Pattern, along: Array, turn: Array) -> Array:
    behind = np.abs(turn) > 0.25  # a disc in front, a larger one behind
    across, down = np.where(behind, np.abs(turn) - 0.5, turn), along - 0.2
    return across * across * 1.0 + down * down < np.where(behind, 0.0144, 0.0081)


def _face(pattern: Pattern, along: Array, turn: Array) -> Array:
    height, across = along / pattern.period, np.abs(turn)  # in head radii below the crown's middle
    eyes = (np.abs(height - 0.35) < 0.085) & (np.abs(across - 0.075) < 0.024)
    mouth = (np.abs(height - 0.98) < 0.06) & (across < 0.06)
    return eyes | mouth


_MASKS: dict[str, Callable[[Pattern, Array, Array], Array]] = {
    "face": _face,
    "hoops": _hoops,
    "pinstripes": _pinstripes,
    "checks": lambda pattern, along, turn: _hoops(pattern, along, turn) ^ _pinstripes(pattern, along, turn),
    "dots": _dots,
    "spiral": lambda pattern, along, turn: _odd(along * (2.0 / pattern.period) + (turn + 0.5) * 4),
    "halves": lambda pattern, along, turn: turn > 0,
    "panel": lambda pattern, along, turn: (np.abs(turn) < 0.09) | (np.abs(turn) > 0.41),
    "sides": lambda pattern, along, turn: np.abs(np.abs(turn) - 0.25) < 0.11,
    "block": lambda pattern, along, turn: along < pattern.place,
    "band": lambda pattern, along, turn: np.abs(along - pattern.place) < 0.065,
    "logo": _logo,
    "seam": lambda pattern, along, turn: np.abs(np.abs(turn) - 0.25) < 0.06,
}
