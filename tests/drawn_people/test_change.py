"""A changed picture differs from its original by what was changed and by nothing else, noise included."""

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
from scipy.ndimage import binary_dilation

from hicmd_tf.config.schema import SyntheticConfig
from hicmd_tf.drawn_people.camera import CAMERAS
from hicmd_tf.drawn_people.change import GARMENTS, Change, draw_changed, dressed_as
from hicmd_tf.drawn_people.person import Person, draw_person
from hicmd_tf.drawn_people.pose import stand
from hicmd_tf.drawn_people.render import draw_figure, draw_picture, set_up
from hicmd_tf.notation import MODALITIES, Modality, other

CONFIG = SyntheticConfig(20, 4, "near_infrared", math.pi, 0.0, 1.0, 1.0, 1.0, 4.0, 7)
CLEAN = dataclasses.replace(CONFIG, noise=0.0)
THERMAL = dataclasses.replace(CONFIG, spectrum="thermal")
SIZE = (64, 32)
WHICH = [(identity, modality, index) for identity in (0, 5, 11) for modality in MODALITIES for index in (0, 3)]


def all_but_draws(setup: Any) -> dict[str, Any]:
    return {field.name: getattr(setup, field.name) for field in dataclasses.fields(setup) if field.name != "draws"}


@pytest.mark.parametrize("config", [CONFIG, THERMAL], ids=["near infrared", "thermal"])
@pytest.mark.parametrize("which", WHICH, ids=str)
def test_no_change_or_one_to_what_it_is_gives_the_same_bits(config: SyntheticConfig, which: tuple) -> None:
    picture = draw_picture(config, SIZE, *which)
    same = Change(picture.yaw, picture.gait_phase, picture.illumination, picture.camera, which[0], which[1])
    for change in (Change(), same):
        again = draw_changed(config, SIZE, *which, change)
        assert again.pixels.tobytes() == picture.pixels.tobytes()
        assert dataclasses.replace(again, pixels=None) == dataclasses.replace(picture, pixels=None)


@pytest.mark.parametrize("which", WHICH, ids=str)
@pytest.mark.parametrize("change", [Change(yaw=2.0), Change(gait_phase=1.0), Change(garments=3)], ids=str)
def test_what_is_the_persons_changes_no_pixel_of_the_place(which: tuple, change: Change) -> None:
    """Blur carries a change one pixel further; with noise of 4 grey levels, equal pixels mean equal noise."""
    before, after = draw_picture(CONFIG, SIZE, *which), draw_changed(CONFIG, SIZE, *which, change)
    setup = set_up(CONFIG, SIZE, *which)
    person = setup.person if change.garments is None else dressed_as(setup.person, draw_person(CONFIG, change.garments))
    pose = dataclasses.replace(setup.pose, phase=after.gait_phase)
    view = dataclasses.replace(setup.view, yaw=after.yaw)
    figures = [
        draw_figure(p, stand(p.build, q), v, setup.light, SIZE)[1]
        for p, q, v in ((setup.person, setup.pose, setup.view), (person, pose, view))
    ]
    reached = binary_dilation(np.maximum(*figures) > 0, np.ones((3, 3)))
    differs = (before.pixels != after.pixels).any(axis=-1)
    assert differs.any() and not (differs & ~reached).any() and (~reached).mean() > 0.1
    expected = {"yaw": after.yaw if change.yaw else before.yaw, "gait_phase": change.gait_phase or before.gait_phase}
    assert dataclasses.replace(before, pixels=None, **expected) == dataclasses.replace(after, pixels=None)


def test_garments_are_anothers_and_the_body_ones_own() -> None:
    one, another = draw_person(CONFIG, 0), draw_person(CONFIG, 1)
    worn = dressed_as(one, another)
    for field in dataclasses.fields(Person):
        assert getattr(worn, field.name) == getattr(another if field.name in GARMENTS else one, field.name)


@pytest.mark.parametrize("which", WHICH, ids=str)
def test_light_scales_the_whole_and_keeps_its_noise(which: tuple) -> None:
    config = dataclasses.replace(CLEAN, exposure=0.0)  # no veil of stray light, which is not the lamp's
    before = draw_picture(config, SIZE, *which)
    after = draw_changed(config, SIZE, *which, Change(illumination=before.illumination / 4))
    assert after.illumination == before.illumination / 4
    unclipped = before.pixels < 255  # grey levels are square roots
    np.testing.assert_allclose(after.pixels[unclipped], before.pixels[unclipped] / 2, atol=0.8)
    assert noise_of(which, Change(illumination=before.illumination / 4)) > 0.95


@pytest.mark.parametrize("which", WHICH, ids=str)
def test_another_camera_takes_the_same_scene_with_the_same_noise(which: tuple) -> None:
    first, second = CAMERAS[which[1]]
    own = draw_picture(CONFIG, SIZE, *which)
    another = second if own.camera == first.number else first
    changed = draw_changed(CONFIG, SIZE, *which, Change(camera=another.number))
    assert changed.camera == another.number and (changed.pixels != own.pixels).mean() > 0.3
    for name in ("spectrum", "yaw", "gait_phase", "illumination"):
        assert getattr(changed, name) == getattr(own, name)
    assert noise_of(which, Change(camera=another.number)) > 0.95
    setups = [set_up(CONFIG, SIZE, *which, camera=camera) for camera in (first, second)]
    assert setups[0].person == setups[1].person and setups[0].pose == setups[1].pose
    for setup, camera in zip(setups, (first, second), strict=True):
        assert camera.tilt[0] <= setup.view.tilt <= camera.tilt[1]
        assert camera.distance[0] <= setup.view.distance <= camera.distance[1]


def noise_of(which: tuple, change: Change) -> float:
    """Correlation of the noise before and after, where no level is clipped."""
    pairs = []
    for changed in (Change(), change):
        noisy, clean = (draw_changed(config, SIZE, *which, changed).pixels.astype(float) for config in (CONFIG, CLEAN))
        pairs.append((noisy - clean, (clean > 15) & (clean < 240)))
    (first, a), (second, b) = pairs
    return float(np.corrcoef(first[a & b], second[a & b])[0, 1])


@pytest.mark.parametrize("config", [CONFIG, THERMAL], ids=["near infrared", "thermal"])
@pytest.mark.parametrize("modality", MODALITIES)
def test_the_other_modality_sees_the_same_scene_in_its_own_light(config: SyntheticConfig, modality: Modality) -> None:
    which = (5, modality, 2)
    own, seen = draw_picture(config, SIZE, *which), draw_changed(config, SIZE, *which, Change(modality=other(modality)))
    infrared, visible = (seen, own) if modality == "visible" else (own, seen)
    assert (infrared.pixels == infrared.pixels[..., :1]).all() and (np.ptp(visible.pixels, axis=-1) > 0).any()
    assert (infrared.spectrum, visible.spectrum) == (config.spectrum, "visible")
    assert (own.camera, own.yaw, own.gait_phase) == (seen.camera, seen.yaw, seen.gait_phase)
    before, after = (set_up(config, SIZE, *which, seen_in=of) for of in (None, other(modality)))
    assert {**all_but_draws(before), "light": after.light} == all_but_draws(after)
    figures = [draw_figure(s.person, stand(s.person.build, s.pose), s.view, s.light, SIZE)[1] for s in (before, after)]
    np.testing.assert_array_equal(*figures)
