"""Adam and SGD against plain re-implementations of PyTorch's rules, and restored ones."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from hicmd_tf.config import load, with_values
from hicmd_tf.training.optimisers import CoupledAdam, MomentumSGD, StepDrop, Warmed, make_optimisers

SHAPES = {"kernel": (3, 2), "bias": (2,), "alpha": (1,)}
CONFIG = load(
    "base",
    {
        "optimisers.generator_rate": 1e-4,
        "optimisers.discriminator_rate": 2e-4,
        "optimisers.feature_rate": 1e-3,
        "optimisers.alpha_rate": 1e-5,
        "optimisers.beta_1": 0.5,
        "optimisers.beta_2": 0.999,
        "optimisers.epsilon": 1e-8,
        "optimisers.momentum": 0.9,
        "optimisers.nesterov": True,
        "optimisers.weight_decay": 1e-4,
        "optimisers.drop_every": 25_000,
        "optimisers.drop_factor": 0.5,
    },
)


def make_variables(dtype="float64"):
    rng = np.random.default_rng(0)
    return [keras.Variable(rng.normal(size=shape), dtype=dtype, name=name) for name, shape in SHAPES.items()]


def make_gradients(step, dtype="float64"):
    rng = np.random.default_rng(100 + step)
    return [tf.constant(rng.normal(size=shape), dtype) for shape in SHAPES.values()]


def torch_rate(step, rate=0.3, drop_every=2, factor=0.1):
    return rate * factor ** (step // drop_every)


def torch_adam(steps, beta_1, beta_2, epsilon, decay):
    """torch.optim.Adam under StepLR, entry by entry."""
    weights = [v.numpy() for v in make_variables()]
    first, second = [np.zeros_like(w) for w in weights], [np.zeros_like(w) for w in weights]
    for step in range(steps):
        for w, m, v, gradient in zip(weights, first, second, make_gradients(step), strict=True):
            for i in np.ndindex(w.shape):
                g = float(gradient[i]) + decay * w[i]
                m[i] = beta_1 * m[i] + (1 - beta_1) * g
                v[i] = beta_2 * v[i] + (1 - beta_2) * g * g
                m_hat, v_hat = m[i] / (1 - beta_1 ** (step + 1)), v[i] / (1 - beta_2 ** (step + 1))
                w[i] -= torch_rate(step) * m_hat / (math.sqrt(v_hat) + epsilon)
    return weights


def torch_sgd(steps, momentum, nesterov, decay, factors):
    """torch.optim.SGD under StepLR, entry by entry; factors: of the rate of each variable."""
    weights = [v.numpy() for v in make_variables()]
    buffers = [np.zeros_like(w) for w in weights]
    for step in range(steps):
        for w, v, gradient, factor in zip(weights, buffers, make_gradients(step), factors, strict=True):
            for i in np.ndindex(w.shape):
                g = float(gradient[i]) + decay * w[i]
                v[i] = g if step == 0 else momentum * v[i] + g
                w[i] -= torch_rate(step) * factor * (g + momentum * v[i] if nesterov else v[i])
    return weights


def schedule():
    return StepDrop(0.3, drop_every=2, factor=0.1)


def train(optimiser, steps, graph=False, dtype="float64"):
    variables = make_variables(dtype)
    optimiser.build(variables)

    def update(gradients):
        optimiser.apply(gradients, variables)

    update = tf.function(update) if graph else update
    for step in range(steps):
        update(make_gradients(step, dtype))
    return variables


@pytest.mark.parametrize(("graph", "decay", "epsilon"), [(False, 0.0, 1e-8), (False, 0.07, 0.5), (True, 0.07, 1e-8)])
def test_adam_follows_torch_across_rate_drops(graph, decay, epsilon):
    variables = train(CoupledAdam(schedule(), 0.5, 0.999, epsilon, decay), 5, graph)
    for computed, expected in zip(variables, torch_adam(5, 0.5, 0.999, epsilon, decay), strict=True):
        np.testing.assert_allclose(computed, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("graph", "decay", "nesterov"), [(False, 0.0, True), (False, 0.07, False), (True, 0.07, True)])
def test_sgd_follows_torch_across_rate_drops(graph, decay, nesterov):
    variables = train(MomentumSGD(schedule(), 0.9, nesterov, decay, {"alpha": 0.01}), 5, graph)
    expected = torch_sgd(5, 0.9, nesterov, decay, [1, 1, 0.01])
    for computed, wanted in zip(variables, expected, strict=True):
        np.testing.assert_allclose(computed, wanted, rtol=1e-12, atol=1e-12)


def single_step(optimiser, weight, gradient):
    variable = keras.Variable([weight], dtype="float64", name="alpha")
    optimiser.apply([tf.constant([gradient], "float64")], [variable])
    return float(variable.numpy()[0])


def test_first_steps_by_hand():
    # g = 3 + 0.5 * 2 = 4. Adam: m^ = 4, v^ = 16, so 2 - 0.25 * 4 / (4 + 1).
    assert single_step(CoupledAdam(0.25, 0.5, 0.75, 1.0, 0.5), 2.0, 3.0) == pytest.approx(1.8, rel=1e-14)
    # v = 4. Nesterov: 2 - 0.25 * (4 + 0.5 * 4); plain: 2 - 0.25 * 4; alpha at a tenth of the rate.
    assert single_step(MomentumSGD(0.25, 0.5, True, 0.5), 2.0, 3.0) == pytest.approx(0.5, rel=1e-14)
    assert single_step(MomentumSGD(0.25, 0.5, False, 0.5), 2.0, 3.0) == pytest.approx(1.0, rel=1e-14)
    assert single_step(MomentumSGD(0.25, 0.5, False, 0.5, {"alpha": 0.1}), 2.0, 3.0) == pytest.approx(1.9, rel=1e-14)


def test_step_drop_halves_after_a_whole_period():
    drop = StepDrop(1e-4, 25_000, 0.5)
    steps = {0: 1e-4, 24_999: 1e-4, 25_000: 5e-5, 49_999: 5e-5, 50_000: 2.5e-5, 102_999: 6.25e-6}
    assert {step: float(drop(step)) for step in steps} == steps
    assert float(drop(tf.constant(25_000, "int64"))) == 5e-5
    with pytest.raises(ValueError, match="drop_every, received 0"):
        StepDrop(1e-4, 0, 0.5)


OPTIMISERS = {
    "adam": lambda: CoupledAdam(schedule(), 0.5, 0.999, 1e-8, 0.07),
    "sgd": lambda: MomentumSGD(schedule(), 0.9, True, 0.07, {"alpha": 0.01}),
}


@pytest.mark.parametrize("name", OPTIMISERS)
def test_a_variable_without_gradient_is_left_alone(name):
    variables, optimiser = make_variables(), OPTIMISERS[name]()
    before = [v.numpy() for v in variables]
    kernel, _, alpha = make_gradients(0)
    with pytest.warns(UserWarning, match="Gradients do not exist"):
        optimiser.apply([kernel, None, alpha], variables)
    changed = [bool((v.numpy() != b).all()) for v, b in zip(variables, before, strict=True)]
    assert changed == [True, False, True]
    assert (variables[1].numpy() == before[1]).all()


@pytest.mark.parametrize("name", OPTIMISERS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_state_has_the_type_of_its_variable_and_float32_stays_close_to_float64(name, dtype):
    optimiser = OPTIMISERS[name]()
    variables = train(optimiser, 5, dtype=dtype)
    assert {v.dtype for v in optimiser.variables[1:]} == {dtype}
    for computed, expected in zip(variables, train(OPTIMISERS[name](), 5), strict=True):
        np.testing.assert_allclose(computed, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", OPTIMISERS)
def test_a_restored_optimiser_goes_on_bit_for_bit(name):
    variables, optimiser = make_variables("float32"), OPTIMISERS[name]()
    optimiser.build(variables)
    for step in range(3):
        optimiser.apply(make_gradients(step, "float32"), variables)
    fresh_variables, fresh = [keras.Variable(v.numpy(), name=v.name) for v in variables], OPTIMISERS[name]()
    fresh.build(fresh_variables)
    for kept, found in zip(optimiser.variables, fresh.variables, strict=True):
        found.assign(kept)
    for some in (optimiser, fresh):
        for step in range(3, 6):
            some.apply(make_gradients(step, "float32"))
    assert int(fresh.iterations) == 6
    for one, another in zip(optimiser.variables + variables, fresh.variables + fresh_variables, strict=True):
        assert (one.numpy() == another.numpy()).all()


def test_a_rate_factor_goes_by_a_part_of_the_path():
    with keras.name_scope("combination"):
        nested = keras.Variable([1.0], name="alpha")
    sgd = MomentumSGD(0.5, 0.0, False, rate_factors={"combination": 0.5})
    sgd.apply([tf.constant([1.0])], [nested])
    assert float(nested.numpy()[0]) == 0.75


def test_a_step_without_weights_counts():
    for optimiser in make_optimisers(CONFIG):
        optimiser.build([])
        optimiser.apply([], [])
        assert int(optimiser.iterations) == 1


def test_make_optimisers_takes_each_setting_to_its_place():
    generator, discriminator, features = make_optimisers(CONFIG)
    for optimiser, rate in ((generator, 1e-4), (discriminator, 2e-4), (features, 1e-3)):
        schedule = optimiser.schedule
        assert (float(schedule.rate), schedule.drop_every, schedule.factor) == (rate, 25_000, 0.5)
        assert optimiser.coupled_weight_decay == 1e-4
    for adam in (generator, discriminator):
        assert (adam.beta_1, adam.beta_2, adam.epsilon) == (0.5, 0.999, 1e-8)
    assert (features.momentum, features.nesterov) == (0.9, True)
    assert float(features.rate_factors["alpha"]) == pytest.approx(0.01)
    assert not make_optimisers(with_values(CONFIG, {"optimisers.nesterov": False})).features.nesterov


def test_works_under_a_distribution_strategy():
    strategy = tf.distribute.MirroredStrategy(["CPU:0"])
    with strategy.scope():
        mirrored, adam = make_variables(), CoupledAdam(schedule(), 0.5, 0.999, 1e-8, 0.07)
        adam.build(mirrored)

    def update(*gradients):
        with tf.GradientTape() as tape:
            loss = sum(tf.reduce_sum(g * v) for g, v in zip(gradients, mirrored, strict=True))
        adam.apply(tape.gradient(loss, mirrored))

    run = tf.function(lambda *gradients: strategy.run(update, gradients))
    for step in range(3):
        run(*make_gradients(step))
    for computed, expected in zip(mirrored, torch_adam(3, 0.5, 0.999, 1e-8, 0.07), strict=True):
        np.testing.assert_allclose(computed, expected, rtol=1e-12)


WARMED = {
    "drops": (Warmed(0.2, 4, 20, [8, 12], 0.5), {0: 0.05, 3: 0.2, 4: 0.2, 7: 0.2, 8: 0.1, 11: 0.1, 12: 0.05, 99: 0.05}),
    "cosine": (
        Warmed(0.2, 4, 20, None, 0.5),
        {0: 0.05, 3: 0.2, 4: 0.2, 8: 0.1 + 0.1 * 0.5**0.5, 12: 0.1, 20: 0, 99: 0},
    ),
    "neither": (Warmed(0.2, 0, 20, [], 0.5), {0: 0.2, 19: 0.2}),
}


@pytest.mark.parametrize("name", WARMED)
def test_a_warmed_rate_rises_and_falls_as_configured(name: str):
    """By hand; in a graph and in Python alike, and with another rate from then on."""
    schedule, expected = WARMED[name]
    for step, rate in expected.items():
        assert schedule.at(step) == pytest.approx(rate, abs=1e-12)
        assert float(schedule(tf.constant(step))) == pytest.approx(rate, abs=1e-12)
    schedule.rate.assign(0.4)
    assert schedule.at(3) == pytest.approx(0.4) == float(schedule(tf.constant(3)))
    schedule.rate.assign(0.2)


def test_an_embedding_network_has_one_optimiser_of_its_settings():
    settings = {"method": "embedding", "optimisers.beta_1": 0.9, "optimisers.weight_decay": 0.01}
    (adam,) = make_optimisers(with_values(CONFIG, settings))
    assert isinstance(adam, CoupledAdam) and (adam.beta_1, adam.coupled_weight_decay) == (0.9, 0.01)
    (sgd,) = make_optimisers(with_values(CONFIG, {**settings, "embedding.optimiser": "sgd"}))
    assert isinstance(sgd, MomentumSGD) and (sgd.momentum, sgd.nesterov) == (0.9, True)
    assert sgd.schedule.drops == CONFIG.embedding.drops and sgd.schedule.steps == CONFIG.training.steps
