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


def _head(person: Person, skeleton: Skeleton) -> list[Part]:
    r = 0.052 * person.build.height * person.build.head
    dark = Tone((0.12, 0.08, 0.07), 0.2, person.skin.warmth - 0.08)
    skin = Cloth(person.skin, dark, Pattern("face", period=r))
    crown, chin = add(skeleton.head, UP, 0.35 * r), add(skeleton.head, UP, -0.55 * r)
    return [
        Part(crown, chin, (r, 0.76 * r), skin, depth=1.12, front=skeleton.face),
        Part(skeleton.head, add(skeleton.neck, UP, -0.02), (0.55 * r, 0.62 * r), plain(person.skin)),
    ]


def _hair(person: Person, skeleton: Skeleton) -> list[Part]:
    r = 0.052 * person.build.height * person.build.head
    face, style = skeleton.face, person.hair_style
    crown = add(add(skeleton.head, UP, 0.55 * r), face, -0.22 * r)
    nape = add(add(skeleton.head, UP, -0.25 * r), face, -0.45 * r)
    scalp = Part(crown, nape, (1.08 * r, 0.85 * r), person.hair, front=face)
    if style == "bald":
        return []
    if style in ("cap", "hood"):
        return _headgear(person, skeleton, r, scalp)
    if style == "long":
        below = add(add(skeleton.neck, UP, -1.6 * r), face, -1.15 * r)
        return [scalp, Part(nape, below, (1.1 * r, 1.25 * r), person.hair, 0.6, face)]
    if style == "bun":
        knot = add(add(skeleton.head, UP, 1.75 * r), face, -0.55 * r)
        return [scalp, Part(knot, add(knot, UP, 0.02), (0.62 * r, 0.55 * r), person.hair)]
    if style == "ponytail":
        knot = add(add(skeleton.head, UP, 0.8 * r), face, -1.3 * r)
        return [scalp, Part(knot, add(add(knot, UP, -3.2 * r), face, -0.9 * r), (0.42 * r, 0.3 * r), person.hair)]
    if style == "afro":
        middle = add(add(skeleton.head, UP, 0.7 * r), face, -0.4 * r)
        return [Part(middle, add(middle, UP, -0.15 * r), (1.6 * r, 1.5 * r), person.hair)]
    return [scalp]


def _headgear(person: Person, skeleton: Skeleton, r: float, scalp: Part) -> list[Part]:
    face = skeleton.face
    if person.hair_style == "hood":
        crown = add(add(skeleton.head, UP, 0.6 * r), face, -0.3 * r)
        shoulders = add(add(skeleton.neck, UP, -0.4 * r), face, -0.35 * r)
        return [Part(crown, shoulders, (1.3 * r, 1.45 * r), plain(person.top.first), front=face)]
    dome = add(skeleton.head, UP, 0.75 * r)
    peak = add(dome, face, 1.0 * r)
    cap = plain(person.bag_cloth.second)
    return [
        scalp,
        Part(add(dome, UP, 0.25 * r), dome, (1.08 * r, 1.16 * r), cap, 1.1, face),
        Part(peak, add(peak, face, 0.75 * r), (0.75 * r, 0.6 * r), cap, 0.2, UP),
    ]


def _trunk(person: Person, skeleton: Skeleton) -> list[Part]:
    build, h = person.build, person.build.height
    chest, belly = 0.079 * h * build.girth, 0.067 * h * build.girth
    seat = 0.082 * h * build.hips * (0.55 + 0.45 * build.girth)
    bottom = add(skeleton.hips, UP, -0.03 * h)
    upper = skeleton.chest[2] - skeleton.waist[2]
    lower = person.top if person.lower == "bare" or person.outfit == "coat" else person.trousers
    shoulder = {side: add(skeleton.arms[side].root, UP, -0.006 * h) for side in (LEFT, RIGHT)}
    broad = max(chest, 0.085 * h * build.shoulders)
    yoke = plain(person.top.second if _yoke_second(person.top.pattern) else person.top.first)
    return [
        Part(shoulder[LEFT], shoulder[RIGHT], (0.036 * h, 0.036 * h), yoke, front=FORWARD),
        Part(skeleton.chest, skeleton.waist, (broad, belly * 1.05), person.top, 0.66, offset=0.06),
        Part(
            skeleton.waist,
            add(skeleton.hips, UP, 0.01 * h),
            (belly * 1.05, seat),
            person.top,
            0.72,
            offset=0.06 + upper,
        ),
        Part(
            skeleton.hips, bottom, (seat, 0.9 * seat), lower, 0.74, rounded=(False, True), offset=_below_chest(skeleton)
        ),
        *_hanging(person, skeleton, seat),
    ]


def _below_chest(skeleton: Skeleton) -> float:
    return 0.06 + skeleton.chest[2] - skeleton.hips[2]


def _yoke_second(pattern: Pattern) -> bool:
    return pattern.kind == "block"


def _hangs(person: Person) -> bool:
    return person.outfit in ("coat", "dress") or person.lower in ("skirt", "long_skirt")


def _hanging(person: Person, skeleton: Skeleton, seat: float) -> list[Part]:
    """Skirt, dress or the lower half of a coat: a wide cone that hides the thighs."""
    h = person.build.height
    if not _hangs(person):
        return []
    skirt = person.lower in ("skirt", "long_skirt")
    down = 0.40 if person.lower == "long_skirt" else 0.2 if person.lower == "skirt" else 0.14 + 0.2 * person.hem
    top = add(skeleton.hips, UP, 0.045 * h)
    hem = add(top, UP, -(down + 0.045) * h)
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
    h, side = person.build.height, person.side
    if person.bag == "none":
        return []
    if person.bag == "backpack":
        top = add(skeleton.chest, FORWARD, -0.088 * h)
        return [
            Part(top, add(top, UP, -0.17 * h), (0.068 * h, 0.08 * h), person.bag_cloth, 0.62),
            *_straps(person, skeleton),
        ]
    if person.bag == "hand_bag":
        top = add(skeleton.arms[side].tip, UP, -0.045 * h)
        handle = Part(skeleton.arms[side].tip, top, (0.008 * h, 0.012 * h), plain(person.bag_cloth.second))
        return [handle, Part(top, add(top, UP, -0.1 * h), (0.03 * h, 0.036 * h), person.bag_cloth, 2.1)]
    top = add(skeleton.hips, (side * 0.125 * h, -0.01 * h, 0.05 * h))
    shoulder = add(skeleton.arms[-side].root, (side * 0.03 * h, 0.0, 0.03 * h))
    straps = []
    for away in (0.07, -0.07):
        middle = add(skeleton.chest, (side * 0.02 * h, away * h * math.sqrt(person.build.girth), -0.06 * h))
        strap = plain(person.bag_cloth.second)
        straps += [
            Part(shoulder, middle, (0.012 * h, 0.012 * h), strap),
            Part(middle, top, (0.012 * h, 0.012 * h), strap),
        ]
    return [Part(top, add(top, UP, -0.09 * h), (0.035 * h, 0.04 * h), person.bag_cloth, 1.9), *straps]


def _straps(person: Person, skeleton: Skeleton) -> list[Part]:
    h = person.build.height
    straps = []
    for side in (LEFT, RIGHT):
        top = add(skeleton.chest, (side * 0.058 * h, 0.025 * h, 0.045 * h))
        low = add(skeleton.chest, (side * 0.056 * h, 0.053 * h * person.build.girth, -0.09 * h))
        straps.append(Part(top, low, (0.014 * h, 0.014 * h), plain(person.bag_cloth.second)))
    return straps
