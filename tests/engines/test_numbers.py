"""Loss weights, margin and rates that change while a graph lives."""

import dataclasses

import keras
import pytest
import tensorflow as tf

from hicmd_tf.config import Config, load, with_values
from hicmd_tf.config.kinds import NOTE
from hicmd_tf.config.schema import LossConfig
from hicmd_tf.engines.numbers import NUMBERS, Number, RuntimeNumbers
from hicmd_tf.training.optimisers import make_optimisers


@pytest.fixture
def config() -> Config:
    return load("tiny")


def test_they_are_the_settings_of_losses_that_are_searched() -> None:
    searched = [field.name for field in dataclasses.fields(LossConfig) if field.metadata[NOTE].search is not None]
    assert sorted(NUMBERS) == sorted(searched)


def test_a_traced_graph_reads_new_values_and_what_shapes_it_cannot_change(config: Config, graphs: None) -> None:
    numbers = RuntimeNumbers(config.losses)
    traces = []

    @tf.function
    def run() -> list[tf.Tensor]:
        traces.append(1)
        return [2 * number for number in numbers().values()]

    others = dataclasses.replace(config.losses, **{name: 0.1 + 0.7 * i for i, name in enumerate(NUMBERS)})
    for losses in (config.losses, others, config.losses):
        numbers.assign(losses)
        assert [float(x) for x in run()] == [2 * getattr(losses, name) for name in NUMBERS]
    assert len(traces) == 1
    with pytest.raises(ValueError, match="may change while a graph lives"):
        numbers.assign(dataclasses.replace(config.losses, cross=1.0, triplet_form="euclidean"))
    assert float(numbers()["cross"]) == config.losses.cross


def test_numbers_are_kept_in_float64() -> None:
    number = Number(0.1)
    assert float(number) == 0.1
    number.assign(1e-12 + 1)
    assert float(number) == 1e-12 + 1


def test_the_optimisers_take_other_rates_and_keep_their_state(config: Config) -> None:
    optimisers = make_optimisers(config)
    alpha, weight = keras.Variable(0.5, name="alpha"), keras.Variable(1.0, name="weight")
    optimisers.features.build([alpha, weight])
    rates = {"generator_rate": 0.5, "discriminator_rate": 0.25, "feature_rate": 0.125, "alpha_rate": 2.0}
    optimisers.adopt(with_values(config, {f"optimisers.{name}": rate for name, rate in rates.items()}))
    assert [float(optimiser.learning_rate) for optimiser in optimisers] == [0.5, 0.25, 0.125]
    optimisers.features.coupled_weight_decay = 0.0
    optimisers.features.apply([tf.constant(0.1), tf.constant(0.1)], [alpha, weight])
    assert float(alpha) == pytest.approx(0.5 - 2.0 * 0.19)  # Nesterov: 0.1 + 0.9 * 0.1
    assert float(weight) == pytest.approx(1.0 - 0.125 * 0.19)
    names = [variable.path.split("/")[-1] for variable in optimisers.features.variables]
    assert sorted(names) == ["alpha_momentum", "iteration", "weight_momentum"], "no checkpoint has the numbers"
