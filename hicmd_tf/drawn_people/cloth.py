"""The look of surfaces in each spectrum: colour, near-infrared albedo, warmth."""

from dataclasses import dataclass

from hicmd_tf.drawn_people.arithmetic import Draws
from hicmd_tf.drawn_people.patterns import Pattern

Colour = tuple[float, float, float]

CONTRAST = 0.38
"""Smallest difference of the two tones of a cloth, in lightness and in albedo, 0 to 1."""
WARMTH_CONTRAST = 0.2
"""The same in the thermal picture."""


@dataclass(frozen=True)
class Tone:
    """One surface: displayed colour (RGB, 0 to 1), near-infrared albedo and thermal brightness (0 to 1)."""

    colour: Colour
    albedo: float
    warmth: float


@dataclass(frozen=True)
class Cloth:
    """A garment's two tones and where the second shows."""

    first: Tone
    second: Tone
    pattern: Pattern


def plain(tone: Tone) -> Cloth:
    """A surface of one tone."""
    return Cloth(tone, tone, Pattern())


def tint(hue: float, saturation: float, lightness: float) -> Colour:
    """Colour of a hue (turns) with this lightness, 0.3 R + 0.6 G + 0.1 B, and a share of the possible saturation."""
    sixths = [(hue * 6 + shift) % 6 for shift in (0, 4, 2)]
    pure = [min(max(abs(sixth - 3) - 1, 0.0), 1.0) for sixth in sixths]
    grey = 0.3 * pure[0] + 0.6 * pure[1] + 0.1 * pure[2]
    offsets = [channel - grey for channel in pure]
    room = min(((1 - lightness) if offset > 0 else lightness) / max(abs(offset), 1e-6) for offset in offsets)
    red, green, blue = (lightness + saturation * room * offset for offset in offsets)
    return red, green, blue


def draw_tones(draws: Draws, albedo_follows_lightness: float, warmth: tuple[float, float]) -> tuple[Tone, Tone]:
    """Two tones of a garment, contrasting in every spectrum; albedo follows lightness by the given share, never hue."""
    lightness = _contrasting(draws.uniform(0.06, 0.94), draws.uniform(0.06, 0.94), 0.06, 0.94, CONTRAST)
    follows = albedo_follows_lightness
    mixed = [follows * light + (1 - follows) * draws.uniform(0.06, 0.94) for light in lightness]
    albedo = _contrasting(mixed[0], mixed[1], 0.06, 0.94, CONTRAST)
    warm = _contrasting(draws.uniform(*warmth), draws.uniform(*warmth), *warmth, WARMTH_CONTRAST)
    first, second = (
        Tone(tint(draws.uniform(), draws.uniform(0.2, 0.85), lightness[i]), albedo[i], warm[i]) for i in range(2)
    )
    return first, second


def _contrasting(first: float, second: float, low: float, high: float, contrast: float) -> tuple[float, float]:
    """`first`, and `second` moved away from it to at least `contrast`, on the other side where there is no room."""
    if abs(second - first) >= contrast:
        return first, second
    above = second >= first
    if above and first + contrast > high:
        above = False
    elif not above and first - contrast < low:
        above = True
    return first, first + contrast if above else first - contrast
