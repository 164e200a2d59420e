"""Cameras: where they hang, how they frame a person, what their sensors do."""

from dataclasses import dataclass

from hicmd_tf.drawn_people.arithmetic import Draws, Vector, cos, sin
from hicmd_tf.notation import INFRARED, VISIBLE, Modality


@dataclass(frozen=True)
class CameraModel:
    """One camera.

    tilt: range in radians, downwards; distance: range in metres; blur: share a pixel gives to a neighbour, 0 to 0.25;
    noise: multiple of the configured noise; hue: tint of its place, in turns.
    """

    number: int
    tilt: tuple[float, float]
    distance: tuple[float, float]
    blur: float
    noise: float
    hue: float


CAMERAS: dict[Modality, tuple[CameraModel, ...]] = {
    VISIBLE: (
        CameraModel(1, (0.10, 0.25), (5.0, 9.0), 0.06, 0.8, 0.08),
        CameraModel(2, (0.20, 0.40), (4.0, 7.0), 0.12, 1.2, 0.58),
    ),
    INFRARED: (
        CameraModel(3, (0.08, 0.22), (4.0, 8.0), 0.12, 1.0, 0.0),
        CameraModel(4, (0.18, 0.38), (5.0, 9.0), 0.08, 1.4, 0.0),
    ),
}


@dataclass(frozen=True)
class View:
    """One camera looking at one person: body frame -> world (yaw) -> camera (tilt) -> perspective -> pixels.

    yaw: radians from walking towards the camera, positive: to the image's right.
    column, row: pixel where the body frame's origin (on the ground) appears; scale: pixels a metre there.
    """

    tilt: float
    distance: float
    yaw: float
    column: float
    row: float
    scale: float

    def direction(self, body: Vector) -> Vector:
        """A direction of the body frame in camera axes: right, down, away."""
        turned, towards = cos(self.yaw), sin(self.yaw)
        return self.world((body[0] * turned + body[1] * towards, body[0] * towards - body[1] * turned, body[2]))

    def world(self, world: Vector) -> Vector:
        """A direction of the world (right, away on the ground, up) in camera axes: right, down, away."""
        level, down = cos(self.tilt), sin(self.tilt)
        return world[0], -world[1] * down - world[2] * level, world[1] * level - world[2] * down

    def project(self, body: Vector) -> tuple[Vector, float]:
        """A point of the body frame as (column, row, depth in pixels), and pixels a metre there."""
        right, down, away = self.direction(body)
        scale = self.scale * self.distance / (self.distance + away)
        return (self.column + right * scale, self.row + down * scale, away * self.scale), scale


def draw_view(
    draws: Draws, camera: CameraModel, yaw_range: float, framing: float, body_height: float, size: tuple[int, int]
) -> View:
    """A view with a random crop.

    framing: at 1 the person fills 70 to 96 % of the height and stands off centre by up to 16 % of the width, at 0
    always 83 % and in the middle. size: (height, width) of the picture in pixels. body_height: metres.
    """
    height, width = size
    yaw = draws.uniform(-yaw_range, yaw_range)
    tilt, distance = draws.uniform(*camera.tilt), draws.uniform(*camera.distance)
    unframed = View(tilt, distance, yaw, 0.0, 0.0, 1.0)
    (_, top, _), _ = unframed.project((0.0, 0.0, body_height))
    scale = (0.83 + framing * draws.uniform(-0.13, 0.13)) * height / -top
    spare = height + top * scale
    row = height - spare * (0.525 + framing * draws.uniform(-0.425, 0.425))
    column = width * (0.5 + framing * draws.uniform(-0.16, 0.16))
    return View(tilt, distance, yaw, column, row, scale)
