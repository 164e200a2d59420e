"""A person in a pose as solid parts: round cones with elliptic sections, each dressed in its cloth."""

import math
from dataclasses import dataclass

from hicmd_tf.drawn_people.arithmetic import Vector, add
from hicmd_tf.drawn_people.cloth import Cloth, Tone, plain
from hicmd_tf.drawn_people.patterns import Pattern
from hicmd_tf.drawn_people.person import Person
from hicmd_tf.drawn_people.pose import LEFT, RIGHT, Limb, Skeleton

FORWARD: Vector = (0.0, 1.0, 0.0)
UP: Vector = (0.0, 0.0, 1.0)


@dataclass(frozen=True)
class Part:
    """A cone from `start` to `end`, rounded at its ends.

    Radii in metres are across; along `front` they are `depth` times as large. `offset`: metres of the garment above
    `start`, so that a pattern runs on from part to part. `rounded`: which ends bulge.
    """

    start: Vector
    end: Vector
    radii: tuple[float, float]
    cloth: Cloth
    depth: float = 1.0
    front: Vector = FORWARD
    offset: float = 0.0
    rounded: tuple[bool, bool] = (True, True)


def dress(person: Person, skeleton: Skeleton) -> list[Part]:
    """All parts of the person, in the body frame."""
    parts = [*_head(person, skeleton), *_hair(person, skeleton), *_trunk(person, skeleton), *_bag(person, skeleton)]
    for side in (LEFT, RIGHT):
        parts += [*_arm(person, skeleton.arms[side]), *_leg(person, skeleton.legs[side])]
    return parts


def _above(point: Vector, metres: float) -> Vector:
    return add(point, UP, metres)


def _head_radius(person: Person) -> float:
    return 0.052 * person.build.height * person.build.head


def _head(person: Person, skeleton: Skeleton) -> list[Part]:
    r = _head_radius(person)
    dark = Tone((0.12, 0.08, 0.07), 0.2, person.skin.warmth - 0.08)
    skin = Cloth(person.skin, dark, Pattern("face", period=r))
    crown, chin = _above(skeleton.head, 0.35 * r), _above(skeleton.head, -0.55 * r)
    return [
        Part(crown, chin, (r, 0.76 * r), skin, depth=1.12, front=skeleton.face),
        Part(skeleton.head, _above(skeleton.neck, -0.02), (0.55 * r, 0.62 * r), plain(person.skin)),
    ]


def _hair(person: Person, skeleton: Skeleton) -> list[Part]:
    r, face, hair = _head_radius(person), skeleton.face, person.hair

    def at(up: float, forward: float, point: Vector = skeleton.head) -> Vector:
        """A point so many head radii from another."""
        return add(_above(point, up * r), face, forward * r)

    crown, nape = at(0.55, -0.22), at(-0.25, -0.45)
    scalp = Part(crown, nape, (1.08 * r, 0.85 * r), hair, front=face)
    match person.hair_style:
        case "bald":
            return []
        case "long":
            return [scalp, Part(nape, at(-1.6, -1.15, skeleton.neck), (1.1 * r, 1.25 * r), hair, 0.6, face)]
        case "bun":
            knot = at(1.75, -0.55)
            return [scalp, Part(knot, _above(knot, 0.02), (0.62 * r, 0.55 * r), hair)]
        case "ponytail":
            knot = at(0.8, -1.3)
            return [scalp, Part(knot, at(-3.2, -0.9, knot), (0.42 * r, 0.3 * r), hair)]
        case "afro":
            middle = at(0.7, -0.4)
            return [Part(middle, _above(middle, -0.15 * r), (1.6 * r, 1.5 * r), hair)]
        case "hood":
            ends = at(0.6, -0.3), at(-0.4, -0.35, skeleton.neck)
            return [Part(*ends, (1.3 * r, 1.45 * r), plain(person.top.first), front=face)]
        case "cap":
            dome = _above(skeleton.head, 0.75 * r)
            peak, cap = add(dome, face, 1.0 * r), plain(person.bag_cloth.second)
            return [
                scalp,
                Part(_above(dome, 0.25 * r), dome, (1.08 * r, 1.16 * r), cap, 1.1, face),
                Part(peak, add(peak, face, 0.75 * r), (0.75 * r, 0.6 * r), cap, 0.2, UP),
            ]
    return [scalp]


def _trunk(person: Person, skeleton: Skeleton) -> list[Part]:
    build, h, top = person.build, person.build.height, person.top
    chest, belly = 0.079 * h * build.girth, 0.067 * h * build.girth
    seat = 0.082 * h * build.hips * (0.55 + 0.45 * build.girth)
    broad = max(chest, 0.085 * h * build.shoulders)
    waist = 0.06 + (skeleton.chest[2] - skeleton.waist[2])
    lower = top if person.lower == "bare" or person.outfit == "coat" else person.trousers
    left, right = (_above(skeleton.arms[side].root, -0.006 * h) for side in (LEFT, RIGHT))
    yoke = plain(top.second if top.pattern.kind == "block" else top.first)
    hips, seat_end = _above(skeleton.hips, 0.01 * h), _above(skeleton.hips, -0.03 * h)
    below, open_top = _below_chest(skeleton), (False, True)
    return [
        Part(left, right, (0.036 * h, 0.036 * h), yoke, front=FORWARD),
        Part(skeleton.chest, skeleton.waist, (broad, belly * 1.05), top, 0.66, offset=0.06),
        Part(skeleton.waist, hips, (belly * 1.05, seat), top, 0.72, offset=waist),
        Part(skeleton.hips, seat_end, (seat, 0.9 * seat), lower, 0.74, rounded=open_top, offset=below),
        *(_hanging(person, skeleton, seat) if _hangs(person) else []),
    ]


def _below_chest(skeleton: Skeleton) -> float:
    return 0.06 + skeleton.chest[2] - skeleton.hips[2]


def _hangs(person: Person) -> bool:
    return person.outfit in ("coat", "dress") or person.lower in ("skirt", "long_skirt")


def _hanging(person: Person, skeleton: Skeleton, seat: float) -> list[Part]:
    """Skirt, dress or the lower half of a coat: a wide cone that hides the thighs."""
    h = person.build.height
    skirt = person.lower in ("skirt", "long_skirt")
    down = 0.40 if person.lower == "long_skirt" else 0.2 if person.lower == "skirt" else 0.14 + 0.2 * person.hem
    top = _above(skeleton.hips, 0.045 * h)
    hem = _above(top, -(down + 0.045) * h)
    flare = seat * (1.0 + down * (1.9 if skirt or person.outfit == "dress" else 1.1)) + 0.01 * h
    cloth, offset = (person.trousers, 0.0) if skirt else (person.top, _below_chest(skeleton) - 0.045 * h)
    return [Part(top, hem, (seat * 1.04, flare), cloth, 1.15, rounded=(True, False), offset=offset)]


def _arm(person: Person, limb: Limb) -> list[Part]:
    h, girth = person.build.height, 0.6 + 0.4 * person.build.girth
    thick = 1.22 if person.outfit in ("coat", "jumper") else 1.0
    bare = plain(person.skin)
    upper = bare if person.outfit == "vest" else person.sleeves
    fore = bare if person.outfit in ("vest", "t_shirt") else person.sleeves
    r = 0.029 * h * girth
    reach = limb.middle[2] - limb.root[2]
    return [
        Part(limb.root, limb.middle, (r * 1.18 * thick, r * 0.95 * thick), upper),
        Part(limb.middle, limb.end, (r * 0.92 * thick, r * 0.66 * thick), fore, offset=-reach),
        Part(limb.end, limb.tip, (r * 0.6, r * 0.74), bare, depth=1.1),
    ]


def _leg(person: Person, limb: Limb) -> list[Part]:
    h, girth = person.build.height, 0.55 + 0.45 * person.build.girth
    bare = plain(person.skin)
    thigh = person.trousers if person.lower in ("trousers", "shorts") else bare
    shin = person.shoes if person.boots else person.trousers if person.lower == "trousers" else bare
    thick = 1.1 if shin is person.trousers else 0.95
    r = 0.046 * h * girth
    top = 0.7 if _hangs(person) else 1.15  # no hip may pierce a skirt
    sole = 0.024 * h
    return [
        Part(limb.root, limb.middle, (r * top, r * 0.86), thigh),
        Part(limb.middle, limb.end, (r * 0.84 * thick, r * 0.55 * thick), shin, offset=0.243 * h),
        Part(limb.heel, limb.tip, (sole * 1.08, sole * 0.9), person.shoes, front=UP),
    ]


def _bag(person: Person, skeleton: Skeleton) -> list[Part]:
    h, side, girth = person.build.height, person.side, person.build.girth
    cloth, strap, chest = person.bag_cloth, plain(person.bag_cloth.second), skeleton.chest
    if person.bag == "backpack":
        top = add(chest, FORWARD, -0.088 * h)
        parts = [Part(top, _above(top, -0.17 * h), (0.068 * h, 0.08 * h), cloth, 0.62)]
        for x in (LEFT, RIGHT):
            over = add(chest, (x * 0.058 * h, 0.025 * h, 0.045 * h))
            under = add(chest, (x * 0.056 * h, 0.053 * h * girth, -0.09 * h))
            parts.append(Part(over, under, (0.014 * h, 0.014 * h), strap))
        return parts
    if person.bag == "hand_bag":
        hand = skeleton.arms[side].tip
        top = _above(hand, -0.045 * h)
        handle = Part(hand, top, (0.008 * h, 0.012 * h), strap)
        return [handle, Part(top, _above(top, -0.1 * h), (0.03 * h, 0.036 * h), cloth, 2.1)]
    if person.bag == "shoulder_bag":
        top = add(skeleton.hips, (side * 0.125 * h, -0.01 * h, 0.05 * h))
        shoulder = add(skeleton.arms[-side].root, (side * 0.03 * h, 0.0, 0.03 * h))
        parts = [Part(top, _above(top, -0.09 * h), (0.035 * h, 0.04 * h), cloth, 1.9)]
        for away in (0.07, -0.07):
            middle = add(chest, (side * 0.02 * h, away * h * math.sqrt(girth), -0.06 * h))
            parts += [Part(*ends, (0.012 * h, 0.012 * h), strap) for ends in ((shoulder, middle), (middle, top))]
        return parts
    return []
