"""The drawn people: the same bits everywhere, factors that do what they say, cues that cross the spectra."""

import dataclasses
import hashlib
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hicmd_tf.config.schema import SyntheticConfig
from hicmd_tf.drawn_people.arithmetic import Draws, turns
from hicmd_tf.drawn_people.camera import CAMERAS, View, draw_view
from hicmd_tf.drawn_people.cloth import CONTRAST, WARMTH_CONTRAST, draw_tones, plain
from hicmd_tf.drawn_people.cones import EMPTY, Cone, place, trace
from hicmd_tf.drawn_people.encode import all_requests, encode, encode_all, request_of
from hicmd_tf.drawn_people.figure import Part
from hicmd_tf.drawn_people.patterns import ALL_OVER, PLACED, TROUSERS, draw_pattern
from hicmd_tf.drawn_people.person import draw_person
from hicmd_tf.drawn_people.pose import Pose, stand
from hicmd_tf.drawn_people.render import Picture, draw_figure, draw_picture
from hicmd_tf.drawn_people.shading import draw_light
from hicmd_tf.notation import MODALITIES, Modality

CONFIG = SyntheticConfig(20, 4, "near_infrared", math.pi, 0.0, 1.0, 1.0, 1.0, 4.0, 7)
THERMAL = dataclasses.replace(CONFIG, spectrum="thermal")
SKIN = draw_person(CONFIG, 0).skin
VIEW = View(tilt=0.0, distance=1e6, yaw=0.0, column=32.0, row=60.0, scale=25.0)


def digest(picture: Picture) -> str:
    return hashlib.sha256(picture.pixels.tobytes()).hexdigest()[:16]


@pytest.mark.parametrize(
    ("config", "size", "identity", "modality", "index", "expected"),
    [
        (CONFIG, (64, 32), 0, "visible", 0, "92805d7ed29e389f"),
        (CONFIG, (256, 128), 3, "visible", 1, "987887732e7b60fb"),
        (CONFIG, (128, 64), 11, "infrared", 2, "bc6128181b4a4ff5"),
        (THERMAL, (96, 40), 19, "infrared", 3, "b0f0810d41f7f339"),
    ],
)
def test_pixels_are_the_same_bits_on_every_machine(
    config: SyntheticConfig, size: tuple[int, int], identity: int, modality: Modality, index: int, expected: str
) -> None:
    assert digest(draw_picture(config, size, identity, modality, index)) == expected


def test_a_picture_needs_no_other_picture() -> None:
    requests = all_requests(CONFIG)
    in_order = list(encode_all(CONFIG, (64, 32), requests[:24]))
    assert [picture["name"] for picture in in_order[3:6]] == ["0000/visible/03", "0000/infrared/00", "0000/infrared/01"]
    assert encode(CONFIG, (64, 32), requests[17]) == in_order[17]
    assert [request_of(picture["name"]) for picture in in_order] == requests[:24]


def test_many_processes_draw_the_same_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    requests = all_requests(dataclasses.replace(CONFIG, identities=2))
    alone = [encode(CONFIG, (32, 16), request) for request in requests]
    monkeypatch.setattr("hicmd_tf.drawn_people.encode.WORTH_A_PROCESS", 8)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1})
    assert list(encode_all(CONFIG, (32, 16), requests)) == alone


def test_all_pictures_differ_and_infrared_is_grey() -> None:
    seen = set()
    for config in (CONFIG, THERMAL):
        for identity in range(3):
            for index in range(2):
                infrared = draw_picture(config, (64, 32), identity, "infrared", index).pixels
                assert infrared.shape == (64, 32, 3) and infrared.dtype == np.uint8
                assert (infrared == infrared[..., :1]).all()
                seen.add(infrared.tobytes())
    assert len(seen) == 12
    visible = draw_picture(CONFIG, (64, 32), 0, "visible", 0).pixels.astype(int)
    assert np.ptp(visible, axis=-1).mean() > 5


def test_factors_stay_in_their_ranges_and_fill_them() -> None:
    config = dataclasses.replace(CONFIG, yaw_range=0.5)
    pictures = [draw_picture(config, (32, 16), i, m, j) for i in range(10) for m in MODALITIES for j in range(3)]
    yaws = [picture.yaw for picture in pictures]
    assert -0.5 <= min(yaws) < -0.35 and 0.35 < max(yaws) <= 0.5
    assert all(0 <= picture.gait_phase < 2 * math.pi for picture in pictures)
    assert {(p.spectrum, p.camera) for p in pictures} == {
        *(("visible", camera) for camera in (1, 2)),
        *(("near_infrared", camera) for camera in (3, 4)),
    }


def test_noise_has_the_configured_strength() -> None:
    clean, noisy = (
        draw_picture(dataclasses.replace(CONFIG, noise=noise), (128, 64), 5, "visible", 0) for noise in (0.0, 3.0)
    )
    difference = noisy.pixels.astype(float) - clean.pixels
    multiple = {1: 0.8, 2: 1.2}[clean.camera]
    middling = (clean.pixels > 20) & (clean.pixels < 235)
    assert difference[middling].std() == pytest.approx(3.0 * multiple, rel=0.05)


def test_illumination_brightens_the_picture() -> None:
    pictures = [draw_picture(CONFIG, (64, 32), i, "visible", j) for i in range(20) for j in range(4)]
    means = [picture.pixels.mean() for picture in pictures]
    assert np.corrcoef(means, [picture.illumination for picture in pictures])[0, 1] > 0.3


def test_people_are_diverse_and_depend_on_seed_and_number() -> None:
    assert draw_person(CONFIG, 4) == draw_person(CONFIG, 4) != draw_person(dataclasses.replace(CONFIG, seed=8), 4)
    people = [draw_person(CONFIG, identity) for identity in range(100)]
    looks = {(p.hair_style, p.outfit, p.lower, p.top.pattern.kind, p.bag) for p in people}
    assert len(looks) > 90


@given(st.integers(0, 10**6), st.sampled_from([0.0, 0.7, 1.0]))
def test_tones_contrast_in_every_spectrum(key: int, follows: float) -> None:
    first, second = draw_tones(Draws(key), follows, (0.32, 0.72))
    luma = [0.3 * t.colour[0] + 0.6 * t.colour[1] + 0.1 * t.colour[2] for t in (first, second)]
    for pair, contrast in (
        (luma, CONTRAST),
        ((first.albedo, second.albedo), CONTRAST),
        ((first.warmth, second.warmth), WARMTH_CONTRAST),
    ):
        assert abs(pair[0] - pair[1]) >= contrast - 1e-9 and min(pair) >= 0 and max(pair) <= 1


def test_albedo_follows_lightness_as_far_as_told() -> None:
    def correlation(follows: float) -> float:
        tones = [draw_tones(Draws(key), follows, (0.3, 0.7))[0] for key in range(400)]
        luma = [0.3 * t.colour[0] + 0.6 * t.colour[1] + 0.1 * t.colour[2] for t in tones]
        return float(np.corrcoef(luma, [tone.albedo for tone in tones])[0, 1])

    assert abs(correlation(0.0)) < 0.12
    assert correlation(0.5) == pytest.approx(math.sqrt(0.5), abs=0.1)
    assert correlation(1.0) == pytest.approx(1.0)


def cone(radii: tuple[float, float], depth: float = 1.0, tilt: float = 0.0) -> Cone:
    end = (0.3, 0.4 * math.sin(tilt), 0.5 + 0.4 * math.cos(tilt))
    return place(Part((0.0, 0.0, 0.5), end, radii, plain(SKIN), depth), VIEW)


@settings(max_examples=5)
@given(st.floats(0.1, 0.4), st.floats(0.1, 0.4), st.floats(-1.2, 1.2))
def test_hits_are_the_first_points_of_the_solid(first: float, last: float, tilt: float) -> None:
    """Marching along every ray in small steps finds the same depth as the closed form, and the same pixels."""
    body, depth = cone((first, last), tilt=tilt), np.full((64, 64), EMPTY, np.float32)
    trace(body, depth)
    marched = _march(body)
    ball_free = np.abs(depth - marched) < 0.15
    missed = (depth < EMPTY) != (marched < EMPTY)
    assert missed.mean() < 0.005
    both = (depth < EMPTY) & (marched < EMPTY)
    assert both.sum() > 20 and ball_free[both].mean() > 0.97


def _march(body: Cone) -> np.ndarray:
    grid = np.arange(64) + 0.5
    away = np.arange(-25, 25, 0.1)
    points = np.stack(np.meshgrid(grid, grid, away, indexing="ij"), -1)[..., [0, 1, 2]]  # column, row, depth
    local = points - np.array(body.start)
    along = local @ np.array(body.axis)
    across = np.sqrt(np.maximum((local**2).sum(-1) - along**2, 0))
    radius = body.radii[0] + (body.radii[1] - body.radii[0]) / body.length * along
    inside = (along >= 0) & (along <= body.length) & (across <= radius)
    inside |= along**2 + across**2 <= body.radii[0] ** 2
    inside |= (along - body.length) ** 2 + across**2 <= body.radii[1] ** 2
    first = np.where(inside.any(-1), away[inside.argmax(-1)], float(EMPTY))
    return first.T


@pytest.mark.parametrize("yaw", [0.0, 0.7, -2.0, 3.0])
def test_texture_turns_with_the_body(yaw: float) -> None:
    """A trunk seen at a yaw shows, in its middle column, the angle that faces the camera."""
    view = dataclasses.replace(VIEW, yaw=yaw)
    body = place(Part((0.0, 0.0, 0.5), (0.0, 0.0, 1.5), (0.3, 0.3), plain(SKIN)), view)
    hits = trace(body, np.full((64, 64), EMPTY, np.float32))
    assert hits is not None
    centre = (hits.pixels % 64 == 32) & (np.abs(hits.along - body.length / 2) < 5)
    facing = turns(hits.side, hits.front)[centre] * 2 * math.pi
    assert abs(abs(facing.mean()) - abs(yaw)) < 0.1


@pytest.mark.parametrize("kind", sorted({*ALL_OVER, *PLACED, *TROUSERS} - {"plain"}))
def test_every_pattern_shows_both_tones(kind: str) -> None:
    along, turn = np.meshgrid(np.linspace(0, 0.6, 80), np.linspace(-0.499, 0.499, 90))
    for key in range(10):
        mask = draw_pattern(Draws(key), (kind,)).mask(along.ravel(), turn.ravel())
        assert 0.02 < mask.mean() < 0.98


def test_the_person_is_drawn_inside_the_picture() -> None:
    """The figure covers most of the height and a plausible share of the area, and is lit wherever it covers."""
    for identity in range(8):
        person, draws = draw_person(CONFIG, identity), Draws(identity)
        view = draw_view(draws, CAMERAS["visible"][0], math.pi, 1.0, person.build.height, (64, 32))
        light = draw_light(draws, "visible", view, 1.0, 1.0)
        skeleton = stand(person.build, Pose(1.0, 0.3, 0.3, 0.0, 0.0))
        colour, coverage = draw_figure(person, skeleton, view, light, (64, 32))
        rows = np.flatnonzero(coverage.max(axis=1) > 0.5)
        assert 38 <= np.ptp(rows) <= 64 and 0.08 < coverage.mean() < 0.5
        assert (colour.sum(axis=0) > 0)[coverage > 0.99].mean() > 0.95
