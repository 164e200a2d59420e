"""Changes of training pictures, against one picture and pixel after another."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from keras import ops

from hicmd_tf.config import Config, with_values
from hicmd_tf.data.batches import REAL, batches
from hicmd_tf.data.pictures import normalise
from hicmd_tf.method.augmentation import BLACK, changed, cut, shifted, with_channels
from hicmd_tf.training.experiment import prepare

HEIGHT, WIDTH, PAD = 5, 4, 3
Array = np.ndarray


def cut_one(picture: Array, down: int, right: int) -> Array:
    """The picture with a black border, cut so that what was at the corner is so far down and right."""
    height, width, _ = picture.shape
    bordered = np.empty((height + 2 * PAD, width + 2 * PAD, 3), picture.dtype)
    bordered[:] = normalise(np.zeros((1, 1, 1, 3), np.uint8))[0, 0, 0]
    bordered[PAD : PAD + height, PAD : PAD + width] = picture
    return bordered[PAD - down : PAD - down + height, PAD - right : PAD - right + width]


def cut_each(x: Array, shifts: Array) -> Array:
    return np.array([cut_one(one, *shift) for one, shift in zip(x, shifts.tolist(), strict=True)]).reshape(x.shape)


def test_black_is_a_black_pixel_normalised() -> None:
    np.testing.assert_array_equal(BLACK.astype(np.float32), normalise(np.zeros((1, 1, 1, 3), np.uint8))[0, 0, 0])


@given(
    seed=st.integers(0, 99),
    shifts=arrays.arrays(np.int32, st.tuples(st.integers(0, 4), st.just(2)), elements=st.integers(-PAD, PAD)),
)
def test_pictures_are_cut_of_a_black_border(seed: int, shifts: Array) -> None:
    x = np.random.default_rng(seed).normal(size=(len(shifts), HEIGHT, WIDTH, 3)).astype(np.float32)
    np.testing.assert_array_equal(ops.convert_to_numpy(shifted(x, shifts)), cut_each(x, shifts))
    batch = {"visible": x, "infrared": x, "step": 3, "shifts": {"infrared": shifts}}
    found = cut(batch)
    assert found["visible"] is x and found["step"] == 3
    np.testing.assert_array_equal(ops.convert_to_numpy(found["infrared"]), cut_each(x, shifts))


@pytest.mark.parametrize("negatives", [0, 2])
def test_an_iteration_of_pictures_that_are_to_be_cut_is_that_of_cut_ones(smoke_config: Config, negatives: int) -> None:
    """What is reconstructed is the picture as it was cut."""
    changed = {"batch.pad": PAD, "batch.negatives": negatives, "networks.feature_learning.dropout": 0.0}
    experiment = prepare(with_values(smoke_config, changed))
    (batch,) = batches(experiment.planner, experiment.data.train, 0, 1)
    shifts = batch["shifts"]
    assert any(of.any() for of in shifts.values()) and shifts.keys() == {*REAL}
    by_hand = {**batch, **{name: cut_each(batch[name], shifts[name]) for name in REAL}}
    del by_hand["shifts"]
    before = {name: np.array(variable) for name, variable in experiment.model.state.items()}
    losses = []
    for one in (batch, by_hand, {**batch, "shifts": {name: 0 * of for name, of in shifts.items()}}):
        for name, variable in experiment.model.state.items():
            variable.assign(before[name])
        losses.append({name: float(value) for name, value in experiment.model.train_step(tensors(one)).items()})
    assert losses[0] == losses[1] != losses[2]


def tensors(batch: dict[str, object]) -> dict[str, object]:
    import tensorflow as tf

    converted: dict[str, object] = tf.nest.map_structure(tf.convert_to_tensor, batch)
    return converted


def test_of_no_pictures_none_are_cut() -> None:
    assert tuple(shifted(np.zeros((0, 8, 4, 3), np.float32), np.zeros((0, 2), np.int32)).shape) == (0, 8, 4, 3)


def pictures(seed: int, count: int) -> Array:
    return np.random.default_rng(seed).normal(size=(count, HEIGHT, WIDTH, 3)).astype(np.float32)


def shown(picture: Array, channel: int) -> Array:
    """What `data.batches` says of a channel."""
    if channel == 0:
        return picture
    red, green, blue = picture[..., 0], picture[..., 1], picture[..., 2]
    one = (red, green, blue, 0.299 * red + 0.587 * green + 0.114 * blue)[channel - 1]
    return np.stack([one, one, one], axis=-1)


CHANNELS = arrays.arrays(np.int32, (3,), elements=st.integers(0, 4))


@given(seed=st.integers(0, 99), channels=CHANNELS)
def test_one_channel_or_grey_stands_in_all(seed: int, channels: Array) -> None:
    x = pictures(seed, 3)
    expected = [shown(one, channel) for one, channel in zip(x, channels.tolist(), strict=True)]
    np.testing.assert_allclose(ops.convert_to_numpy(with_channels(x, channels)), expected, rtol=1e-6, atol=1e-7)


@given(seed=st.integers(0, 99), channels=CHANNELS)
def test_erasing_comes_first_and_channels_last(seed: int, channels: Array) -> None:
    x = pictures(seed, 3)
    boxes = np.array([[0, 0, 0, 0], [1, 2, 3, 1], [0, 0, 4, 3]], np.int32)
    expected = []
    for one, (top, left, height, width), channel in zip(x, boxes, channels.tolist(), strict=True):
        erased = one.copy()
        erased[top : top + height, left : left + width] = 0
        expected.append(shown(erased, channel))
    batch = {"erasing": {"infrared": boxes}, "channels": {"infrared": channels}}
    found = ops.convert_to_numpy(changed(x, "infrared", batch))
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-7)
