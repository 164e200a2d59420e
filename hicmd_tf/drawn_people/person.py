"""A person: everything that stays the same over the pictures of one identity."""

from dataclasses import dataclass, replace

from hicmd_tf.config.schema import SyntheticConfig
from hicmd_tf.drawn_people.arithmetic import Draws
from hicmd_tf.drawn_people.cloth import Cloth, Tone, draw_tones, plain, tint
from hicmd_tf.drawn_people.patterns import ALL_OVER, PLACED, TROUSERS, Pattern, draw_pattern

PERSON_KEY = 2
"""Third word of a person's random key; pictures have their modality, 0 or 1, there."""

HAIR_STYLES = ("short", "short", "bald", "long", "long", "bun", "ponytail", "afro", "cap", "hood")
OUTFITS = ("jumper", "jumper", "t_shirt", "t_shirt", "vest", "coat", "coat", "dress")
BAGS = ("none", "none", "backpack", "backpack", "shoulder_bag", "hand_bag")


@dataclass(frozen=True)
class Build:
    """Proportions: height in metres, the others multiples of the average."""

    height: float
    girth: float
    shoulders: float
    hips: float
    legs: float
    head: float


@dataclass(frozen=True)
class Person:
    """Body, hair, garments, bag and shoes. `side` is +1 (left) or -1 (right): where the bag hangs."""

    build: Build
    skin: Tone
    hair_style: str
    hair: Cloth
    outfit: str
    top: Cloth
    sleeves: Cloth
    lower: str
    trousers: Cloth
    hem: float
    shoes: Cloth
    boots: bool
    bag: str
    bag_cloth: Cloth
    side: float
    stride: float


def draw_person(config: SyntheticConfig, identity: int) -> Person:
    """The person of that number, 0 to identities - 1. The same settings give the same person."""
    draws = Draws(config.seed, identity, PERSON_KEY)
    follows = config.albedo_follows_lightness
    outfit = draws.choose(OUTFITS)
    skin = _draw_skin(draws)
    top = _draw_cloth(draws, follows, (0.32, 0.72), draw_pattern(draws, (*ALL_OVER, *PLACED, "plain")))
    lower = draws.choose(("trousers", "trousers", "trousers", "shorts", "skirt", "long_skirt"))
    return Person(
        build=Build(
            height=draws.uniform(1.5, 1.95),
            girth=draws.uniform(0.78, 1.38),
            shoulders=draws.uniform(0.86, 1.16),
            hips=draws.uniform(0.88, 1.18),
            legs=draws.uniform(0.93, 1.07),
            head=draws.uniform(0.92, 1.12),
        ),
        skin=skin,
        hair_style=draws.choose(HAIR_STYLES),
        hair=_draw_hair(draws, follows),
        outfit=outfit,
        top=top,
        sleeves=_draw_sleeves(draws, top),
        lower="bare" if outfit == "dress" else "trousers" if outfit == "coat" else lower,
        trousers=_draw_cloth(draws, follows, (0.35, 0.75), draw_pattern(draws, TROUSERS)),
        hem=draws.uniform(0.3, 0.85),
        shoes=plain(draw_tones(draws, follows, (0.2, 0.5))[0]),
        boots=draws.chance(0.3),
        bag=draws.choose(BAGS),
        bag_cloth=_draw_cloth(draws, follows, (0.12, 0.4), draw_pattern(draws, ("plain", "block", "band", "panel"))),
        side=draws.sign(),
        stride=draws.uniform(0.36, 0.58) * _stride_share(outfit, lower),
    )


def _stride_share(outfit: str, lower: str) -> float:
    """Long and narrow garments shorten the step."""
    return 0.55 if outfit == "dress" or lower == "long_skirt" else 0.7 if outfit == "coat" or lower == "skirt" else 1.0


def _draw_skin(draws: Draws) -> Tone:
    lightness = draws.uniform(0.3, 0.8)
    colour = tint(draws.uniform(0.045, 0.085), draws.uniform(0.25, 0.42), lightness)
    return Tone(colour, 0.72, draws.uniform(0.88, 0.97))  # in the near infrared all skin is bright


def _draw_hair(draws: Draws, follows: float) -> Cloth:
    lightness = draws.choose((0.06, 0.1, 0.16, 0.25, 0.5, 0.65))
    albedo = follows * lightness + (1 - follows) * draws.uniform(0.12, 0.6)
    return plain(Tone(tint(draws.uniform(0.04, 0.12), draws.uniform(0.2, 0.7), lightness), albedo, 0.58))


def _draw_cloth(draws: Draws, follows: float, warmth: tuple[float, float], pattern: Pattern) -> Cloth:
    first, second = draw_tones(draws, follows, warmth)
    return Cloth(first, second, pattern)


def _draw_sleeves(draws: Draws, top: Cloth) -> Cloth:
    """Sleeves carry the pattern if it runs all over, else they have one of the top's tones."""
    contrasting = draws.chance(0.4)
    if top.pattern.kind in ALL_OVER and not contrasting:
        return replace(top, pattern=replace(top.pattern, around=2))
    return plain(top.second if contrasting else top.first)
