"""A picture drawn again with something in it changed and all else as it was: no photograph allows that."""

from dataclasses import dataclass, replace

from hicmd_tf.config.schema import SyntheticConfig
from hicmd_tf.drawn_people.camera import CAMERAS
from hicmd_tf.drawn_people.person import Person, draw_person
from hicmd_tf.drawn_people.render import Picture, Setup, draw_linear, draw_place, set_up, take
from hicmd_tf.notation import Modality

GARMENTS = ("outfit", "top", "sleeves", "lower", "trousers", "hem", "shoes", "boots")
"""Fields of a person that are another's where garments are changed; body, gait, hair and bag stay."""
OF_ALL = {camera.number: camera for cameras in CAMERAS.values() for camera in cameras}


@dataclass(frozen=True)
class Change:
    """What is changed; None: as it was.

    yaw, gait_phase: in radians. illumination: the light's gain. camera: the number of another, whose tilt, distance,
    blur, noise and place's hue are drawn by the same random numbers. garments: the identity of whose clothes are worn.
    modality: in whose light, and so whose spectrum, the same camera sees the same scene; as visible pictures have three
    planes of noise and infrared ones have one, the noise is as strong and not the same, and heat has its own lens.
    """

    yaw: float | None = None
    gait_phase: float | None = None
    illumination: float | None = None
    camera: int | None = None
    garments: int | None = None
    modality: Modality | None = None


def draw_changed(
    config: SyntheticConfig, size: tuple[int, int], identity: int, modality: Modality, index: int, change: Change
) -> Picture:
    """`render.draw_picture`'s picture after a change, with the same place and the same noise."""
    own, changed = (set_up(config, size, identity, modality, index) for _ in range(2))
    if change.camera is not None or change.modality is not None:
        other = None if change.camera is None else OF_ALL[change.camera]
        seen = set_up(config, size, identity, modality, index, camera=other, seen_in=change.modality)
        changed = replace(changed, camera=seen.camera, view=seen.view, light=seen.light)
    changed = _altered(config, changed, change)
    draw_place(config, size, own)  # for its draws: of posts outside of the picture fewer are taken
    return take(config, changed, draw_linear(config, size, changed), own.draws)


def _altered(config: SyntheticConfig, setup: Setup, change: Change) -> Setup:
    person, pose, view, light = setup.person, setup.pose, setup.view, setup.light
    if change.yaw is not None:
        view = replace(view, yaw=change.yaw)
    if change.gait_phase is not None:
        pose = replace(pose, phase=change.gait_phase)
    if change.illumination is not None:
        light = replace(light, gain=change.illumination)
    if change.garments is not None:
        person = dressed_as(person, draw_person(config, change.garments))
    return replace(setup, person=person, pose=pose, view=view, light=light)


def dressed_as(person: Person, other: Person) -> Person:
    """The person in the other's garments."""
    return replace(person, **{name: getattr(other, name) for name in GARMENTS})
