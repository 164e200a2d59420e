"""What HFL is given: erased pictures, groups and parts by the forms of sampling."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from numeric import draw as drawn
from one_iteration import make_batch

from hicmd_tf.config import Config, with_values
from hicmd_tf.data.batches import RED
from hicmd_tf.method.augmentation import erase
from hicmd_tf.method.generation import learn_to_encode
from hicmd_tf.method.identification import RELEASED_ORDER, inputs, weighted_parts
from hicmd_tf.method.method import Method
from hicmd_tf.method.networks.norms import KindGroups
from hicmd_tf.notation import INFRARED, MODALITIES, VISIBLE, Codes, Tensor

HEIGHT, WIDTH = 7, 5


@st.composite
def boxes(draw: st.DrawFn) -> tuple[int, int, int, int]:
    """top, left, height, width within the picture; height 0 is no box."""
    height, width = draw(st.integers(0, HEIGHT)), draw(st.integers(0, WIDTH))
    return draw(st.integers(0, HEIGHT - height)), draw(st.integers(0, WIDTH - width)), height, width


@given(st.lists(boxes(), min_size=1, max_size=3))
def test_only_the_box_of_each_picture_becomes_zero_and_gets_no_gradient(drawn_boxes: list[tuple[int, ...]]) -> None:
    images = 1 + np.abs(drawn(len(drawn_boxes), HEIGHT, WIDTH, 3))
    expected = images.copy()
    for image, (top, left, height, width) in zip(expected, drawn_boxes, strict=True):
        image[top : top + height, left : left + width] = 0
    x = tf.constant(images)
    with tf.GradientTape() as tape:
        tape.watch(x)
        erased = erase(x, tf.constant(drawn_boxes, "int32"))
    np.testing.assert_array_equal(erased, expected)
    np.testing.assert_array_equal(tape.gradient(erased, x), expected > 0)


KINDS = {
    (): ["real", "generated", "negatives"],
    (("sampling.groups", "original"),): ["real", "negatives"],
    (("batch.negatives", 0),): ["real", "generated"],
}


@pytest.mark.parametrize("changes", KINDS)
def test_erased_pictures_of_every_kind(smoke_config: Config, changes: tuple[tuple[str, Any], ...]) -> None:
    config = with_values(smoke_config, dict(changes))
    batch = make_batch(config)
    height, width = config.data.height, config.data.width
    batch["erasing"][VISIBLE] = np.array([[1, 0, height - 1, width]] * config.batch.pairs)
    found = inputs(Method(None, config), batch, {m: 2 * batch[m] for m in MODALITIES})
    assert list(found) == KINDS[changes]
    real = np.asarray(found["real"][VISIBLE])
    assert not real[:, 1:].any()
    np.testing.assert_array_equal(real[:, 0], batch[VISIBLE][:, 0])
    if "generated" in found:
        np.testing.assert_array_equal(found["generated"][VISIBLE], 2 * batch[VISIBLE])


def test_visible_looks_of_every_kind_show_the_channels_that_the_batch_says(smoke_config: Config) -> None:
    config = with_values(smoke_config, {"batch.channel_exchange": 0.5, "batch.erasing": 0.0})
    batch = make_batch(config)
    counts = {"visible": config.batch.pairs, "visible_negatives": config.batch.negatives}
    counts["generated_visible"] = config.batch.pairs
    batch["channels"] = {name: np.full(count, RED, np.int32) for name, count in counts.items()}
    found = inputs(Method(None, config), batch, {m: 2 * batch[m] for m in MODALITIES})
    given = {"real": batch[VISIBLE], "generated": 2 * batch[VISIBLE], "negatives": batch["visible_negatives"]}
    for kind, pictures in given.items():
        np.testing.assert_array_equal(found[kind][VISIBLE], np.repeat(pictures[..., :1], 3, axis=-1))
    np.testing.assert_array_equal(found["real"][INFRARED], batch[INFRARED])


def test_parts_come_from_their_own_encoders_and_h_keeps_the_released_order(smoke_config: Config) -> None:
    """Encoders that multiply a picture's mean by a number of their own, and an H that notes what it is given."""
    given: list[tuple[Any, KindGroups]] = []

    def encoders(m: str) -> Any:
        factor = 1.0 if m == VISIBLE else 10.0
        return lambda x, **_: Codes(factor * x[:, :1, :1], factor * x[:, 0, 0])

    def embedding(prototype: Tensor, training: bool, groups: KindGroups) -> Tensor:
        given.append((np.asarray(prototype)[:, 0, 0, 0], groups))
        return prototype[:, 0, 0]

    combination = SimpleNamespace(prototype_part=lambda p: 0.25 * p, style_part=lambda s: 0.75 * s)
    networks: Any = SimpleNamespace(
        generator=SimpleNamespace(encoders=encoders),
        features=SimpleNamespace(embedding=embedding, combination=combination),
        layout=SimpleNamespace(style_of=lambda a: a),
    )
    pictures: Any = {
        kind: {m: np.full((2, 4, 4, 3), 1.0 + number + 5 * place, "float32") for number, m in enumerate(MODALITIES)}
        for place, kind in enumerate(("real", "generated", "negatives"))
    }
    method = Method(networks, smoke_config)
    parts = weighted_parts(method, learn_to_encode(method, pictures))
    factors = {m: 1.0 if m == VISIBLE else 10.0 for m in MODALITIES}
    for kind, of_kind in parts.items():
        for m, (prototype, style) in of_kind.items():
            value = factors[m] * pictures[kind][m][:, 0, 0]
            np.testing.assert_array_equal(prototype, 0.25 * value)
            np.testing.assert_array_equal(style, 0.75 * value)
    ((seen, groups),) = given
    np.testing.assert_array_equal(
        seen, [factors[m] * pictures[kind][m][0, 0, 0, 0] for kind, m in RELEASED_ORDER for _ in "ab"]
    )
    assert groups.sizes() == [2] * 6
