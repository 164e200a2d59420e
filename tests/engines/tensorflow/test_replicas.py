"""What replicas tell each other, by a stand-in for the other one."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from hicmd_tf.engines.tensorflow import replicas

OTHERS = 10.0


@pytest.fixture
def second_of_two(monkeypatch: pytest.MonkeyPatch) -> None:
    """This process is the second replica; the first one has ten times its numbers, in its own place."""

    def all_reduce(how: str, tensors: list[Any]) -> list[Any]:
        others = [OTHERS * (tf.reverse(one, [0]) if len(one.shape) else one) for one in tensors]
        return [(one + other) / (2 if how == "MEAN" else 1) for one, other in zip(tensors, others, strict=True)]

    context = SimpleNamespace(num_replicas_in_sync=2, replica_id_in_sync_group=1, all_reduce=all_reduce)
    monkeypatch.setattr(replicas, "_context", lambda: context)


def test_what_is_gathered_has_the_gradient_of_the_own_part(second_of_two: None) -> None:
    own = tf.constant([[1.0, 2.0], [3.0, 4.0]])
    with tf.GradientTape() as tape:
        tape.watch(own)
        (found,) = replicas.gather([own])
        loss = tf.reduce_sum(found**2)
    np.testing.assert_array_equal(found, [OTHERS * own, own])
    np.testing.assert_array_equal(tape.gradient(loss, own), 2 * own)


def test_values_are_averaged(second_of_two: None) -> None:
    assert float(replicas.mean({"a": tf.constant(2.0)})["a"]) == (1 + OTHERS) and replicas.count() == 2


def test_one_replica_hears_itself_alone() -> None:
    x = tf.constant([1.0, 2.0])
    np.testing.assert_array_equal(replicas.gather([x])[0], [x])
    assert replicas.mean({"a": x})["a"] is x and replicas.count() == 1
