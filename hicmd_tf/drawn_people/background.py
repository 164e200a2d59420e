"""The place: ground, wall, posts and the person's shadow, drawn afresh for every picture."""

from typing import NamedTuple

import numpy as np

from hicmd_tf.drawn_people.arithmetic import Array, Draws
from hicmd_tf.drawn_people.camera import CameraModel, View
from hicmd_tf.drawn_people.cloth import Tone, tint
from hicmd_tf.drawn_people.shading import Light


class Scene(NamedTuple):
    """The inputs to draw a place. size: (height, width) in pixels. clutter: strength of patterns and haze and share
    of posts, 0 (a plain wall and a plain ground) to 1."""

    draws: Draws
    camera: CameraModel
    view: View
    light: Light
    size: tuple[int, int]
    clutter: float


def draw_background(scene: Scene) -> Array:
    """Linear brightness of the place, (C, H, W) float32, C = 3 if the light is visible, else 1."""
    draws, _, view, _, (height, _), clutter = scene
    away = draws.uniform(0.5, 3.5)
    # the wall's foot: ground points `away` metres behind the person
    shrink = view.distance / (view.distance + view.world((0.0, away, 0.0))[2])
    foot = view.row + view.world((0.0, away, 0.0))[1] * view.scale * shrink
    split = min(max(int(foot), 0), height)
    place = np.concatenate([_wall(scene, shrink, foot, split), _ground(scene, split)], axis=1)
    posts = draws.choose((0, 0, 1, 1, 2))
    for _ in range(posts if draws.chance(clutter) else 0):
        _post(scene, place)
    return place * _haze(scene)


def _tone(scene: Scene) -> Tone:
    draws = scene.draws
    hue = scene.camera.hue + draws.uniform(-0.2, 0.2)
    colour = tint(hue % 1.0, draws.uniform(0.0, 0.5) * draws.uniform(), draws.uniform(0.12, 0.9))
    return Tone(colour, draws.uniform(0.1, 0.9), draws.uniform(0.12, 0.5))


def _between(first: Tone, second: Tone, share: float) -> Tone:
    red, green, blue = (a + share * (b - a) for a, b in zip(first.colour, second.colour, strict=True))
    albedo = first.albedo + share * (second.albedo - first.albedo)
    return Tone((red, green, blue), albedo, first.warmth + share * (second.warmth - first.warmth))


def _variant(draws: Draws, tone: Tone) -> Tone:
    """Nearly the same tone: joints, tiles, panels."""
    factor = draws.uniform(0.6, 0.92) if draws.chance(0.6) else draws.uniform(1.06, 1.35)
    red, green, blue = (min(channel * factor, 1.0) for channel in tone.colour)
    return Tone((red, green, blue), min(tone.albedo * factor, 1.0), tone.warmth * (0.5 + 0.5 * factor))


def _two_toned(mask: Array, first: Tone, second: Tone, light: Light, brightness: Array) -> Array:
    """(C, H, W): the second tone where the mask holds, lit by a brightness; both broadcast to (H, W)."""
    channels = zip(light.emit(first), light.emit(second), strict=True)
    return np.stack([np.where(mask, np.float32(b), np.float32(a)) * np.float32(1) * brightness for a, b in channels])


def _lines(values: Array, period: float, share: float, phase: float) -> Array:
    cells = values * np.float32(1 / period) + np.float32(phase)
    inside: Array = cells - np.floor(cells) < np.float32(share)
    return inside


def _metres(count: int, origin: float, scale: float) -> Array:
    """Distances of the middles of pixels from a place among them."""
    return (np.arange(count, dtype=np.float32) + np.float32(0.5 - origin)) * np.float32(1 / scale)


def _wall(scene: Scene, shrink: float, foot: float, rows: int) -> Array:
    draws, _, view, light, (_, width), clutter = scene
    scale = view.scale * shrink
    across = _metres(width, view.column, scale)
    above = (np.float32(foot - 0.5) - np.arange(rows, dtype=np.float32)[:, None]) * np.float32(1 / scale)
    first = _tone(scene)
    kind = draws.choose(("bricks", "panels", "windows", "dado", "shutter"))
    other = _tone(scene) if kind in ("windows", "dado") else _variant(draws, first)
    second = _between(first, other, clutter)
    phases = draws.uniform(), draws.uniform()
    match kind:
        case "bricks":
            mask = _lines(above, 0.3, 0.12, phases[0]) | _lines(across, 0.7, 0.05, phases[1])
        case "panels":
            mask = _lines(across, draws.uniform(0.5, 1.2), 0.4, phases[0])
        case "windows":
            mask = _lines(above, 1.9, 0.55, phases[0]) & _lines(across, draws.uniform(0.8, 1.6), 0.6, phases[1])
        case "dado":
            mask = above < np.float32(draws.uniform(0.5, 1.3))
        case _:
            mask = _lines(above, draws.uniform(0.12, 0.3), 0.45, phases[0])
    lit = np.float32((light.ambient + light.sky * 0.5 + light.direct * draws.uniform(0.1, 0.7)) * light.reach(shrink))
    slope = clutter * draws.uniform(-0.16, 0.16), clutter * draws.uniform(-0.12, 0.12)
    gradient = np.maximum(across * np.float32(slope[0]) + above * np.float32(slope[1]) + np.float32(1), np.float32(0.3))
    return _two_toned(mask, first, second, light, gradient * lit)


def _ground(scene: Scene, top: int) -> Array:
    draws, _, view, light, (height, width), clutter = scene
    down, level = view.world((0.0, -1.0, 0.0))[1], -view.world((0.0, -1.0, 0.0))[2]
    rows = np.arange(top, height, dtype=np.float32)[:, None] + np.float32(0.5 - view.row)
    rows = rows * np.float32(1 / view.scale)
    # the ground point that a row shows, metres behind the person, by inverting the perspective
    steepness = np.maximum(rows * np.float32(level) + np.float32(view.distance * down), 0.05)
    away = rows * np.float32(-view.distance) / steepness
    nearness = np.float32(view.distance) / np.maximum(away * np.float32(level) + np.float32(view.distance), 0.5)
    across = _metres(width, view.column, view.scale) / nearness
    first = _tone(scene)
    second, tile = _between(first, _variant(draws, first), clutter), draws.uniform(0.4, 1.1)
    phases = draws.uniform(), draws.uniform()
    mask = _lines(away, tile, 0.5, phases[0]) ^ _lines(across, tile, 0.5, phases[1])
    if draws.chance(0.5):
        mask = _lines(away, tile, 0.08, phases[0]) | _lines(across, tile, 0.08, phases[1])
    lit = (light.ambient + light.sky + light.direct * draws.uniform(0.3, 0.8)) * 0.9
    brightness = light.reach(nearness) * np.float32(lit) * _shadow(draws, across, away)
    return _two_toned(mask, first, second, light, brightness)


def _shadow(draws: Draws, across: Array, away: Array) -> Array:
    """Share of light left on the ground by the person's soft shadow, stretched to one side."""
    lean, reach = draws.uniform(-1.2, 1.2), draws.uniform(0.3, 0.6)
    x = (across - (away - np.float32(0.1)) * np.float32(lean)) * np.float32(1 / 0.33)
    y = (away - np.float32(0.1)) * np.float32(1 / reach)
    dark = np.maximum(1 - (x * x + y * y), 0)
    left: Array = 1 - dark * np.float32(draws.uniform(0.35, 0.75))
    return left


def _post(scene: Scene, place: Array) -> None:
    """A post, pillar or box on the ground behind the person, drawn into the place."""
    draws, _, view, light, (height, width), _ = scene
    away = draws.uniform(0.4, 1.6)
    right, down, behind = view.world((draws.uniform(0.3, 1.0) * draws.sign(), away, 0.0))
    shrink = view.distance / (view.distance + behind)
    scale = view.scale * shrink
    half = draws.uniform(0.04, 0.22) * scale
    left, end = int(view.column + right * scale - half), int(view.column + right * scale + half) + 1
    bottom = int(view.row + down * scale)
    top = bottom - int(draws.choose((0.7, 1.1, 9.0, 9.0)) * scale)
    left, end, top, bottom = max(left, 0), min(end, width), max(top, 0), min(bottom, height)
    if left >= end or top >= bottom:
        return
    rounded = np.arange(left, end, dtype=np.float32) + np.float32(0.5 - view.column - right * scale)
    rounded = np.minimum(np.maximum(rounded * np.float32(1 / max(half, 1.0)), -1), 1)
    lit = np.float32((light.ambient + light.sky * 0.5 + light.direct * 0.4) * light.reach(shrink))
    brightness = (1 - rounded * rounded * np.float32(0.5)) * lit
    for channel, level in enumerate(light.emit(_tone(scene))):
        place[channel, top:bottom, left:end] = brightness * np.float32(level)


def _haze(scene: Scene) -> Array:
    """Broad patches of light and shade over the place, (H, W)."""
    draws, (height, width) = scene.draws, scene.size
    x = np.arange(width, dtype=np.float32) * np.float32(1 / width) - np.float32(draws.uniform())
    y = np.arange(height, dtype=np.float32)[:, None] * np.float32(1 / height) - np.float32(draws.uniform())
    light: Array = 1 - np.minimum(x * x + y * y, 1) * np.float32(scene.clutter * draws.uniform(0.0, 0.6))
    return light
