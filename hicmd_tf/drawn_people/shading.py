"""Light: what a surface sends to the camera in each spectrum. Brightness is linear until the sensor."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from hicmd_tf.drawn_people.arithmetic import Array, Draws, Vector, add, cos, dot, sin, unit
from hicmd_tf.drawn_people.camera import View
from hicmd_tf.drawn_people.cloth import Colour, Tone
from hicmd_tf.drawn_people.cones import Cone, Hits

Spectrum = Literal["visible", "near_infrared", "thermal"]
WHITE = (1.0, 1.0, 1.0)


@dataclass(frozen=True)
class Light:
    """One picture's light.

    gain: brightness of the whole, the factor "illumination". towards: unit vector to the lamp or sun, camera axes.
    ambient, direct, sky: shares of light from everywhere, from the lamp, from above. colour: of the light, RGB.
    up: the vertical in camera axes. falloff: share of an active lamp's inverse square law, 0 to 1.
    """

    spectrum: Spectrum
    gain: float
    towards: Vector
    up: Vector
    ambient: float
    direct: float
    sky: float
    colour: Colour
    falloff: float

    def emit(self, tone: Tone) -> tuple[float, ...]:
        """Linear brightness of a fully lit tone: RGB if visible, else one channel."""
        if self.spectrum == "visible":
            return tuple(c * c * filtered * self.gain for c, filtered in zip(tone.colour, self.colour, strict=True))
        display = tone.albedo if self.spectrum == "near_infrared" else tone.warmth
        return (display * display * self.gain,)

    def reach(self, nearness: Array | float) -> Array | float:
        """Light at a place, relative to the person's: nearness is the person's distance divided by the place's."""
        return nearness * nearness * self.falloff + (1 - self.falloff)


def draw_light(draws: Draws, spectrum: Spectrum, view: View, clutter: float, exposure: float) -> Light:
    """A light for one picture: sun or cloud if visible, the camera's own lamp if near infrared, heat otherwise.

    clutter: how far its parts vary; exposure: how far the gain does beyond that. Both 0 to 1.
    """
    azimuth, elevation = draws.uniform(-3.1, 3.1), draws.uniform(0.3, 1.2)
    sun = view.world((sin(azimuth) * cos(elevation), -cos(azimuth) * cos(elevation), sin(elevation)))
    up = view.world((0.0, 0.0, 1.0))
    gain = _exposed(draws, exposure)
    if spectrum == "visible":
        direct = 0.5 + clutter * draws.uniform(-0.4, 0.4)
        warm = draws.uniform(-0.22, 0.22)
        strength = (0.825 + clutter * draws.uniform(-0.425, 0.425)) * gain
        shares = 0.55 - 0.3 * direct, direct, 0.6 - 0.3 * direct
        return Light(spectrum, strength, sun, up, *shares, (1 + warm, 1.0, 1 - warm), 0.0)
    if spectrum == "near_infrared":
        lamp = unit(add((draws.uniform(-0.5, 0.5), draws.uniform(-0.6, 0.1), -1.0), up, 0.1))
        strength = (1.1 + clutter * draws.uniform(-0.5, 0.5)) * gain
        return Light(spectrum, strength, lamp, up, 0.25, 0.85, 0.0, WHITE, draws.uniform(0.6, 1.0))
    strength = (0.95 + clutter * draws.uniform(-0.25, 0.25)) * gain
    return Light(spectrum, strength, (0.0, 0.0, -1.0), up, 0.72, 0.3, 0.0, WHITE, 0.0)


def _exposed(draws: Draws, exposure: float) -> float:
    """A factor of brightness: 1 at exposure 0, at exposure 1 between 0.23 and 1.1, darker and brighter as often."""
    brighter, stops = draws.chance(0.5), 1 + 1.2 * exposure * draws.uniform()
    return (1 - 0.5 * exposure) * (stops if brighter else 1 / stops)


def shade(cone: Cone, hits: Hits, light: Light) -> Array:
    """Brightness of the hits' light by their normals, (M,) float32."""
    inverse = np.float32(1 / cone.part.depth)
    normal = hits.side, hits.front * inverse, hits.normal_along
    squares = normal[0] * normal[0] + normal[1] * normal[1] + normal[2] * normal[2]
    size = np.sqrt(np.maximum(squares, np.float32(1e-12)))
    facing = np.maximum(_towards(cone, normal, light.towards) / size, 0)
    brightness: Array = facing * np.float32(light.direct) + np.float32(light.ambient)
    if light.sky:
        above = _towards(cone, normal, light.up) / size
        brightness = brightness + (above + np.float32(1)) * np.float32(light.sky / 2)
    return brightness


def _towards(cone: Cone, normal: tuple[Array, Array, Array], direction: Vector) -> Array:
    u, v, w = (np.float32(dot(axis, direction)) for axis in (cone.side, cone.front, cone.axis))
    return normal[0] * u + normal[1] * v + normal[2] * w
