"""A walking pose: gait phase and arm swing become the joints of a body that stands on the ground.

Body frame: x to the person's left, y forward, z up, metres; the origin is on the ground below the hips.
"""

from dataclasses import dataclass

from hicmd_tf.drawn_people.arithmetic import Vector, add, cos, sin
from hicmd_tf.drawn_people.person import Build

LEFT, RIGHT = 1.0, -1.0


@dataclass(frozen=True)
class Pose:
    """The body's pose, in radians: gait phase (0: the left leg passes the right), swings, lean, turn of the head."""

    phase: float
    stride: float
    arm_swing: float
    lean: float
    head_turn: float


@dataclass(frozen=True)
class Limb:
    """Joints from the trunk outwards; `tip` ends hand or toes, `heel` is the foot's rear end (of arms: the wrist)."""

    root: Vector
    middle: Vector
    end: Vector
    tip: Vector
    heel: Vector


@dataclass(frozen=True)
class Skeleton:
    """Joints in metres; limbs are keyed by side, +1 left and -1 right."""

    hips: Vector
    waist: Vector
    chest: Vector
    neck: Vector
    head: Vector
    face: Vector
    arms: dict[float, Limb]
    legs: dict[float, Limb]


def stand(build: Build, pose: Pose) -> Skeleton:
    """The skeleton of a pose, its lowest foot on the ground."""
    h = build.height
    above = {side: _leg(build, pose, side, 0.0) for side in (LEFT, RIGHT)}
    lowest = min(min(leg.tip[2], leg.heel[2]) for leg in above.values())
    hips_height = 0.024 * h - lowest
    legs = {side: _leg(build, pose, side, hips_height) for side in (LEFT, RIGHT)}
    up = (0.0, sin(pose.lean), cos(pose.lean))
    hips = (0.0, 0.0, hips_height)
    trunk = (1 - 0.53 * build.legs) * h
    waist, chest, neck = (add(hips, up, share * trunk) for share in (0.20, 0.56, 0.66))
    head = add(neck, (0.0, 0.01 * h, 0.082 * h * build.head))
    face = (sin(pose.head_turn), cos(pose.head_turn), 0.0)
    arms = {side: _arm(build, pose, side, chest) for side in (LEFT, RIGHT)}
    return Skeleton(hips, waist, chest, neck, head, face, arms, legs)


def _forward(angle: float, splay: float = 0.0) -> Vector:
    """A limb's direction: hanging, swung forward by an angle, splayed to the side."""
    return splay, sin(angle), -cos(angle)


def _leg(build: Build, pose: Pose, side: float, hips_height: float) -> Limb:
    h = build.height
    swing = side * pose.stride * sin(pose.phase)
    # the knee bends while its leg comes forward, and hardly on the ground
    knee = 0.08 + 1.0 * max(0.0, side * cos(pose.phase)) * (pose.stride / 0.45)
    root = (side * 0.047 * h * build.hips, 0.0, hips_height)
    middle = add(root, _forward(swing + 0.06, side * 0.015), 0.243 * h * build.legs)
    shin = swing + 0.06 - knee
    end = add(middle, _forward(shin), 0.236 * h * build.legs)
    toes = -0.75 * min(0.0, shin + 0.15) - 0.5 * max(0.0, shin)  # heel up behind, toes up in front
    foot = (side * 0.12, cos(toes), -sin(toes))
    drop = 0.024 * h
    heel = add(end, (0.0, -0.02 * h, -0.3 * drop))
    return Limb(root, middle, end, add(add(heel, foot, 0.115 * h), (0.0, 0.0, -0.2 * drop)), heel)


def _arm(build: Build, pose: Pose, side: float, chest: Vector) -> Limb:
    h = build.height
    swing = -side * pose.arm_swing * sin(pose.phase)
    bend = 0.25 + 0.45 * max(0.0, swing)
    root = add(chest, (side * 0.108 * h * build.shoulders, 0.0, 0.018 * h))
    middle = add(root, _forward(swing, side * (0.13 + 0.12 * (build.girth - 0.8))), 0.158 * h)
    end = add(middle, _forward(swing + bend, side * 0.02), 0.135 * h)
    tip = add(end, _forward(swing + bend + 0.1, 0.0), 0.05 * h)
    return Limb(root, middle, end, tip, end)
