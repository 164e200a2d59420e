"""One picture: person + pose + camera + light -> pixels, with everything that went into it."""

from dataclasses import dataclass

import numpy as np

from hicmd_tf.config.schema import SyntheticConfig
from hicmd_tf.drawn_people.arithmetic import Array, Draws, turns
from hicmd_tf.drawn_people.background import Scene, draw_background
from hicmd_tf.drawn_people.camera import CAMERAS, CameraModel, View, draw_view
from hicmd_tf.drawn_people.cones import EMPTY, Cone, Hits, place, trace
from hicmd_tf.drawn_people.figure import dress
from hicmd_tf.drawn_people.person import Person, draw_person
from hicmd_tf.drawn_people.pose import Pose, Skeleton, stand
from hicmd_tf.drawn_people.sensor import expose
from hicmd_tf.drawn_people.shading import Light, Spectrum, draw_light, shade
from hicmd_tf.notation import VISIBLE, Modality


@dataclass(frozen=True)
class Picture:
    """Pixels (H, W, 3) uint8 and factors: camera number, spectrum, yaw and gait phase in radians, light's gain."""

    pixels: Array
    camera: int
    spectrum: Spectrum
    yaw: float
    gait_phase: float
    illumination: float


@dataclass(frozen=True)
class Setup:
    """What a picture is drawn from. draws: random ones, which the place takes first and the sensor next."""

    person: Person
    pose: Pose
    camera: CameraModel
    view: View
    light: Light
    draws: Draws


def draw_picture(
    config: SyntheticConfig, size: tuple[int, int], identity: int, modality: Modality, index: int
) -> Picture:
    """Picture number `index` of a person in a modality; size: (height, width) in pixels. Depends on nothing else."""
    setup = set_up(config, size, identity, modality, index)
    return take(config, setup, draw_linear(config, size, setup), setup.draws)


def set_up(
    config: SyntheticConfig,
    size: tuple[int, int],
    identity: int,
    modality: Modality,
    index: int,
    *,
    camera: CameraModel | None = None,
    seen_in: Modality | None = None,
) -> Setup:
    """What a picture is drawn from; the same random draws go into it with another camera, or in another modality's
    light, where one is given. Which camera doesn't change how many draws are taken, the light's spectrum does."""
    person = draw_person(config, identity)
    draws, own = _begun(config, identity, modality, index)
    camera = camera or own
    pose = _draw_pose(draws, person)
    view = draw_view(draws, camera, config.yaw_range, config.framing, person.build.height, size)
    spectrum: Spectrum = "visible" if (seen_in or modality) == VISIBLE else config.spectrum
    light = draw_light(draws, spectrum, view, config.clutter, config.exposure)
    return Setup(person, pose, camera, view, light, draws)


def draw_linear(config: SyntheticConfig, size: tuple[int, int], setup: Setup) -> Array:
    """The person before the place, linear brightness (C, H, W) float32; takes the place's draws."""
    background = draw_place(config, size, setup)
    skeleton = stand(setup.person.build, setup.pose)
    figure, coverage = draw_figure(setup.person, skeleton, setup.view, setup.light, size)
    linear: Array = background * np.maximum(1 - coverage, 0) + figure  # rounding can bring coverage just above 1
    return linear


def draw_place(config: SyntheticConfig, size: tuple[int, int], setup: Setup) -> Array:
    """The place alone, linear brightness (C, H, W) float32; takes its draws, so that the sensor's come next."""
    return draw_background(Scene(setup.draws, setup.camera, setup.view, setup.light, size, config.clutter))


def take(config: SyntheticConfig, setup: Setup, linear: Array, draws: Draws) -> Picture:
    """The picture of linear brightness; draws: the sensor's."""
    camera, view, light = setup.camera, setup.view, setup.light
    pixels = expose(linear, draws, camera, light.spectrum, config)
    return Picture(pixels, camera.number, light.spectrum, view.yaw, setup.pose.phase, light.gain)


def camera_of(config: SyntheticConfig, identity: int, modality: Modality, index: int) -> int:
    """The number of the camera that takes a picture, before it is drawn."""
    return _begun(config, identity, modality, index)[1].number


def _begun(config: SyntheticConfig, identity: int, modality: Modality, index: int) -> tuple[Draws, CameraModel]:
    """A picture's random draws, of which the first is its camera."""
    draws = Draws(config.seed, identity, 0 if modality == VISIBLE else 1, index)
    return draws, draws.choose(CAMERAS[modality])


def _draw_pose(draws: Draws, person: Person) -> Pose:
    return Pose(
        phase=draws.uniform(0, 6.283185307),
        stride=person.stride * draws.uniform(0.8, 1.15),
        arm_swing=draws.uniform(0.15, 0.6),
        lean=draws.uniform(0.0, 0.09),
        head_turn=draws.uniform(-0.45, 0.45),
    )


def draw_figure(
    person: Person, skeleton: Skeleton, view: View, light: Light, size: tuple[int, int]
) -> tuple[Array, Array]:
    """The person alone: linear brightness (C, H, W) times coverage, and coverage (H, W), 0 to 1, both float32."""
    samples = 3 if size[0] <= 96 else 2  # across a pixel
    fine = View(view.tilt, view.distance, view.yaw, view.column * samples, view.row * samples, view.scale * samples)
    shape = size[0] * samples, size[1] * samples
    depth = np.full(shape, EMPTY, np.float32)
    planes = np.zeros((3 if light.spectrum == "visible" else 1, shape[0] * shape[1]), np.float32)
    for part in dress(person, skeleton):
        cone = place(part, fine)
        hits = trace(cone, depth)
        if hits is not None:
            _paint(planes, cone, hits, light)
    colour = _box_mean(planes.reshape(-1, *shape), samples)
    return colour, _box_mean((depth < EMPTY).astype(np.float32)[None], samples)[0]


def _paint(planes: Array, cone: Cone, hits: Hits, light: Light) -> None:
    cloth, brightness = cone.part.cloth, shade(cone, hits, light)
    along = hits.along * np.float32(1 / cone.metre) + np.float32(cone.part.offset)
    second = cloth.pattern.mask(along, turns(hits.side, hits.front)) if cloth.pattern.kind != "plain" else None
    levels = zip(light.emit(cloth.first), light.emit(cloth.second), strict=True)
    for plane, (first_level, second_level) in zip(planes, levels, strict=True):
        tone = np.float32(first_level)
        plane[hits.pixels] = brightness * (tone if second is None else np.where(second, np.float32(second_level), tone))


def _box_mean(planes: Array, samples: int) -> Array:
    """Mean of each samples x samples block of (C, H, W), added in a fixed order."""
    total = np.zeros((planes.shape[0], planes.shape[1] // samples, planes.shape[2] // samples), np.float32)
    for row in range(samples):
        for column in range(samples):
            total = total + planes[:, row::samples, column::samples]
    return total * np.float32(1 / samples**2)
