"""Where the rays of an orthographic camera meet a part: exact intersections of a cone and the balls at its ends.

A part's rays run in parallel, so its local coordinates of a pixel's ray, and all linear terms of the quadratic
equations, are affine in column and row: one outer sum each. A section that is elliptic becomes circular by dividing
the local depth coordinate by the section's depth; rays stay straight.
"""

import math
from dataclasses import dataclass

import numpy as np

from hicmd_tf.drawn_people.arithmetic import Array, Vector, add, cross, length, unit
from hicmd_tf.drawn_people.camera import View
from hicmd_tf.drawn_people.figure import Part

EMPTY = np.float32(1e8)
"""Depth of a pixel that shows no part."""
FAR = np.float32(1e9)
"""Depth of a ray that misses."""


@dataclass(frozen=True)
class Cone:
    """A part in the picture: pixels, camera axes (right, down, away).

    side, front, axis: its own frame; metre: pixels a metre, for textures.
    """

    part: Part
    start: Vector
    end: Vector
    radii: tuple[float, float]
    side: Vector
    front: Vector
    axis: Vector
    length: float
    metre: float


@dataclass(frozen=True)
class Hits:
    """M visible points of a part: flat pixel indices, depths, local coordinates, the normal's part along the axis."""

    pixels: Array
    depths: Array
    side: Array
    front: Array
    along: Array
    normal_along: Array


def place(part: Part, view: View) -> Cone:
    """The part as the view shows it: its ends in perspective, the rest orthographic around them."""
    (start, near), (end, far) = view.project(part.start), view.project(part.end)
    along = add(end, start, -1.0)
    size = max(length(along), 1e-3)
    axis = unit(along) if length(along) > 1e-3 else (0.0, 1.0, 0.0)
    side = cross(view.direction(part.front), axis)
    if length(side) < 1e-3:  # the axis points to the front: any side will do
        side = cross((0.6, 0.0, 0.8), axis)
    side = unit(side)
    radii = part.radii[0] * near, part.radii[1] * far
    return Cone(part, start, end, radii, side, cross(axis, side), axis, size, (near + far) / 2)


def trace(cone: Cone, depth: Array) -> Hits | None:
    """The points of the cone nearer than `depth`, (H, W) float32 pixels, which is updated; None if there are none."""
    # the rows and columns that can show it
    first, last = (radius * max(1.0, cone.part.depth) for radius in cone.radii)
    (c0, r0, _), (c1, r1, _), (height, width) = cone.start, cone.end, depth.shape
    top, bottom = max(math.floor(min(r0 - first, r1 - last)), 0), min(math.ceil(max(r0 + first, r1 + last)) + 1, height)
    left, right = max(math.floor(min(c0 - first, c1 - last)), 0), min(math.ceil(max(c0 + first, c1 + last)) + 1, width)
    if top >= bottom or left >= right:
        return None
    columns = np.arange(left, right, dtype=np.float32) + np.float32(0.5 - cone.start[0])
    rows = (np.arange(top, bottom, dtype=np.float32) + np.float32(0.5 - cone.start[1]))[:, None]
    u, v, w = (
        columns * np.float32(axis[0] * scale) + rows * np.float32(axis[1] * scale)
        for axis, scale in ((cone.side, 1.0), (cone.front, 1.0 / cone.part.depth), (cone.axis, 1.0))
    )
    surface = _surface(cone, u, v, w)
    nearest = _with_balls(cone, u, v, w, surface)
    window = depth[top:bottom, left:right]
    absolute = nearest + np.float32(cone.start[2])
    seen = np.flatnonzero(absolute < window)
    if not seen.size:
        return None
    columns_wide = right - left
    line = seen // columns_wide
    pixels = seen + line * (depth.shape[1] - columns_wide) + (top * depth.shape[1] + left)
    depths = absolute.ravel()[seen]
    depth.ravel()[pixels] = depths
    entry = nearest.ravel()[seen]
    u, v, w = (
        local.ravel()[seen] + entry * np.float32(step) for local, step in zip((u, v, w), _ray(cone), strict=True)
    )
    slope, size = (cone.radii[1] - cone.radii[0]) / cone.length, np.float32(cone.length)
    on_side = surface.ravel()[seen] == entry
    ball = np.where(w + w < size, w, w - size)
    normal_along = np.where(on_side, (w * np.float32(slope) + np.float32(cone.radii[0])) * np.float32(-slope), ball)
    return Hits(pixels, depths, u, v, w, normal_along)


def _ray(cone: Cone) -> Vector:
    """Local direction of the rays; one unit of it is one pixel of depth."""
    return cone.side[2], cone.front[2] / cone.part.depth, cone.axis[2]


def _surface(cone: Cone, u: Array, v: Array, w: Array) -> Array:
    """Depth behind the start at which rays enter the side of the cone, FAR where they do not."""
    du, dv, dw = _ray(cone)
    slope = (cone.radii[1] - cone.radii[0]) / cone.length
    a = du * du + dv * dv - slope * slope * dw * dw
    if a < 1e-3:  # seen along its axis: only the balls show
        return np.full_like(u, FAR)
    radius = w * np.float32(slope) + np.float32(cone.radii[0])
    b = u * np.float32(du) + v * np.float32(dv) - radius * np.float32(slope * dw)
    c = u * u + v * v - radius * radius
    root = b * b - c * np.float32(a)
    entry = (b + np.sqrt(np.maximum(root, 0))) * np.float32(-1 / a)
    along = w + entry * np.float32(dw)
    return np.where((root >= 0) & (along >= 0) & (along <= np.float32(cone.length)), entry, FAR)


def _with_balls(cone: Cone, u: Array, v: Array, w: Array, surface: Array) -> Array:
    """The nearer of the side and the balls that round the ends."""
    du, dv, dw = _ray(cone)
    d = du * du + dv * dv + dw * dw
    flat = u * u + v * v
    across = u * np.float32(du) + v * np.float32(dv)
    nearest = surface
    ends = zip((0.0, cone.length), cone.radii, cone.part.rounded, strict=True)
    for centre, radius, rounded in ends:
        if not rounded:
            continue
        beyond = w - np.float32(centre)
        b = across + beyond * np.float32(dw)
        root = b * b - (flat + beyond * beyond - np.float32(radius * radius)) * np.float32(d)
        entry = (b + np.sqrt(np.maximum(root, 0))) * np.float32(-1 / d)
        nearest = np.where((root >= 0) & (entry < nearest), entry, nearest)
    return nearest
