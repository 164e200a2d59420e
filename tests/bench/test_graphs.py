"""Counting the arithmetic of a graph, against numbers worked out by hand."""

import pytest
import tensorflow as tf

from bench.graphs import PARTS, REST, flops_by_part, part_of, time_spent
from hicmd_tf.config import Config
from hicmd_tf.method.networks.build import build_networks
from hicmd_tf.notation import MODALITIES


def graph_of(function, *arguments):
    return tf.function(function).get_concrete_function(*arguments).graph


def test_a_convolution_counts_products_and_sums_of_every_output_pixel_and_each_of_its_gradients_as_much() -> None:
    x, kernel = tf.ones((2, 10, 8, 3)), tf.ones((3, 3, 3, 5))

    def with_gradients():
        with tf.GradientTape() as tape:
            tape.watch((x, kernel))
            total = tf.reduce_sum(tf.nn.conv2d(x, kernel, 2, "VALID") ** 2)
        return tape.gradient(total, (x, kernel))

    once = 2 * (2 * 4 * 3 * 5) * (3 * 3 * 3)
    assert flops_by_part(graph_of(lambda: tf.nn.conv2d(x, kernel, 2, "VALID"))) == {REST: once}
    assert flops_by_part(graph_of(with_gradients)) == {REST: 3 * once}


def test_a_matrix_product_counts_products_and_sums() -> None:
    a, b = tf.ones((4, 7)), tf.ones((7, 5))
    plain, transposed = lambda: tf.matmul(a, b), lambda: tf.matmul(tf.transpose(a), b, transpose_a=True)
    assert flops_by_part(graph_of(plain)) == flops_by_part(graph_of(transposed)) == {REST: 2 * 4 * 7 * 5}


def test_what_no_result_needs_is_not_counted() -> None:
    a = tf.ones((4, 4))

    def wasteful():
        tf.matmul(a, a)
        with tf.name_scope("decoder"):
            return tf.matmul(a, a)

    assert flops_by_part(graph_of(wasteful)) == {"decoder": 2 * 4**3}


def test_what_a_function_kept_apart_does_is_counted_at_each_of_its_calls() -> None:
    a = tf.ones((4, 4))

    @tf.function(experimental_attributes={"_noinline": True})
    def apart(x):
        with tf.name_scope("decoder"):
            return tf.matmul(x, a)

    assert flops_by_part(graph_of(lambda: apart(a) + apart(2 * a))) == {"decoder": 2 * 2 * 4**3}


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("gradient_tape/decoder_3/upsampled_1/convolution/Conv2DBackpropFilter", "decoder"),
        ("gradient_tape/gradient_tape/discriminator_infrared_1/scale_0/score/Conv2D", "discriminators"),
        ("gradient_tape/scale_0_1/score/Conv2D", "discriminators"),
        ("visible_5/attribute_1/stage_2/block_0/spatial/convolution", "attribute encoders"),
        ("infrared_3/prototype/pyramid/fuse/convolution", "prototype encoders"),
        ("infrared_1/stage_1_1/block_0_1/spatial_1/convolution", "backbone"),
        ("gradient_tape/front_1/stem_1/convolution", "backbone"),
        ("gradient_tape/trunk_1/stage_4_1/block_0/reduce", "backbone"),
        ("head_1/classify_1/MatMul", "HFL or head"),
        ("generator/sub_17", "optimisers"),
        ("AddN_4", REST),
    ],
)
def test_an_operation_belongs_to_the_network_that_it_is_named_after(name: str, part: str) -> None:
    assert part_of(name) == part


@pytest.mark.usefixtures("graphs")
def test_every_convolution_and_product_belongs_to_one_of_the_networks(smoke_config: Config) -> None:
    networks = build_networks(smoke_config.networks, classes=6)

    def work(x):
        prototype, attributes = networks.generator.infrared(x)
        features = networks.features((prototype, networks.layout.style_of(attributes)))
        return networks.generator(x), features, [networks.discriminators[m](x) for m in MODALITIES]

    found = flops_by_part(graph_of(work, tf.ones((1, 32, 16, 3))))
    assert found.keys() == PARTS.keys() - {"optimisers", "backbone"}


@pytest.mark.usefixtures("graphs")
def test_time_is_found_where_it_is_spent() -> None:
    a = tf.random.normal((500, 500))

    @tf.function
    def work():
        with tf.name_scope("decoder"):
            return tf.reduce_sum(a @ a @ a)

    work()
    found = time_spent(lambda: work().numpy())

    assert found.parts["decoder"] > 0 and "discriminators" not in found.parts
    assert found.kinds["MatMul"] > 0 and "Conv2D" not in found.kinds
