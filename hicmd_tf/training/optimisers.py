"""Adam and SGD by PyTorch's rules, which the release trained with, and the step-wise drop of the rates (Sec. 4.1).

Keras' own differ: their weight decay is decoupled, Adam adds epsilon before correcting the second moment, and SGD keeps
the learning rate inside the momentum buffer. A variable without a gradient (None) is left alone, weight decay included.
Rates and bias corrections are computed in float64 and then take the variables' type. TensorFlow's kernel for Adam
computes 1 - beta_2 in the variable's type, in float32 wrong in the fifth digit for 0.999.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import keras
from keras import ops

from hicmd_tf.config.schema import OptimiserConfig
from hicmd_tf.engines.base import Part
from hicmd_tf.engines.numbers import Number
from hicmd_tf.notation import Tensor

Rate = Any  # a float (kept in float32 by Keras) or a LearningRateSchedule

ALPHA = "alpha"

serialisable = keras.saving.register_keras_serializable("hicmd_tf")


@serialisable
class StepDrop(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
    """rate * factor ** floor(step / drop_every): iterations 0 to drop_every - 1 run at the base rate.

    Called with an integer step, returns a float64 scalar. The rate may change (`Number.assign`). Raises ValueError if
    drop_every is not positive.
    """

    def __init__(self, rate: float, drop_every: int, factor: float) -> None:
        if drop_every < 1:
            raise ValueError(f"StepDrop needs a positive drop_every, received {drop_every}")
        self.rate, self.drop_every, self.factor = Number(rate), drop_every, factor

    def __call__(self, step: Tensor) -> Tensor:
        drops = ops.floor_divide(ops.cast(step, "int64"), self.drop_every)
        return self.rate() * ops.power(_double(self.factor), ops.cast(drops, "float64"))

    def get_config(self) -> dict[str, Any]:
        return {"rate": float(self.rate), "drop_every": self.drop_every, "factor": self.factor}


class AdamScales(NamedTuple):
    """The scalars of one Adam update, equal for all variables.

    rate, epsilon: corrected for the moments' bias. decay: of weights. newest_first, newest_second: shares of the newest
    gradient in the moments.
    """

    rate: Tensor
    epsilon: Tensor
    decay: Tensor
    newest_first: Tensor
    newest_second: Tensor


@serialisable
class CoupledAdam(keras.optimizers.Optimizer):  # type: ignore[misc]
    """Adam with coupled L2, as torch.optim.Adam. With g the gradient + weight_decay * w and t = 1, 2, ...:

    m = beta_1 m + (1 - beta_1) g,  v = beta_2 v + (1 - beta_2) g^2,
    w = w - rate * m^ / (sqrt(v^) + epsilon),  m^ = m / (1 - beta_1^t),  v^ = v / (1 - beta_2^t).
    """

    def __init__(
        self,
        learning_rate: Rate,
        beta_1: float,
        beta_2: float,
        epsilon: float,
        weight_decay: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, weight_decay=None, **kwargs)  # Keras' own weight decay is decoupled
        self.schedule = learning_rate
        self.beta_1, self.beta_2, self.epsilon = beta_1, beta_2, epsilon
        self.coupled_weight_decay = weight_decay

    def build(self, variables: Sequence[keras.Variable]) -> None:
        """Makes both moments of every variable, in its type."""
        if self.built:
            return
        super().build(variables)
        self.first_moments, self.second_moments = self.add_optimizer_variables(variables, ["first", "second"])

    def scales(self, learning_rate: Tensor, dtype: str) -> AdamScales:
        """Bias correction: rate * m^ / (sqrt(v^) + epsilon) = scales.rate * m / (sqrt(v) + scales.epsilon)."""
        step = ops.cast(self.iterations + 1, "float64")
        first = 1.0 - ops.power(_double(self.beta_1), step)
        second = ops.sqrt(1.0 - ops.power(_double(self.beta_2), step))
        numbers = (
            ops.cast(learning_rate, "float64") * second / first,
            self.epsilon * second,
            _double(self.coupled_weight_decay),
            _double(1.0 - self.beta_1),
            _double(1.0 - self.beta_2),
        )
        return AdamScales(*(ops.cast(number, dtype) for number in numbers))

    def _backend_update_step(self, grads: list[Tensor], trainable_variables: list[Any], learning_rate: Tensor) -> None:
        """Hands the scales to `update_step` in place of the rate: computed once, not for every variable."""
        scales = self.scales(learning_rate, trainable_variables[0].dtype)
        super()._backend_update_step(grads, trainable_variables, scales)

    def update_step(self, gradient: Tensor, variable: Any, learning_rate: AdamScales) -> None:
        """One variable's update; learning_rate: the scales of this iteration."""
        index = self._get_variable_index(variable)
        first, second = self.first_moments[index], self.second_moments[index]
        g = ops.cast(gradient, variable.dtype)
        if self.coupled_weight_decay:
            g = g + learning_rate.decay * variable
        self.assign_add(first, (g - first) * learning_rate.newest_first)
        self.assign_add(second, (ops.square(g) - second) * learning_rate.newest_second)
        self.assign_sub(variable, first * learning_rate.rate / (ops.sqrt(second) + learning_rate.epsilon))

    def get_config(self) -> dict[str, Any]:
        own = {"beta_1": self.beta_1, "beta_2": self.beta_2, "epsilon": self.epsilon}
        return {**super().get_config(), **own, "weight_decay": self.coupled_weight_decay}


class RateFactors:
    """Factors of the learning rate for variables whose path ends in a key; they may change."""

    def __init__(self, factors: dict[str, float]) -> None:
        self._numbers = {key: Number(factor) for key, factor in factors.items()}

    def check(self, paths: Sequence[str]) -> None:
        """Raises ValueError if a key fits no variable."""
        for key in self._numbers:
            if not any(path.endswith(key) for path in paths):
                raise ValueError(f"rate_factors: no variable's path ends in {key!r}; paths are {', '.join(paths)}")

    def of(self, path: str) -> float | Tensor:
        """The factor of one variable."""
        return next((number() for key, number in self._numbers.items() if path.endswith(key)), 1.0)

    def assign(self, key: str, factor: float) -> None:
        """Takes another factor."""
        self._numbers[key].assign(factor)

    def values(self) -> dict[str, float]:
        """The factors by key."""
        return {key: float(number) for key, number in self._numbers.items()}


@serialisable
class MomentumSGD(keras.optimizers.Optimizer):  # type: ignore[misc]
    """SGD with momentum and coupled L2, as torch.optim.SGD. With g the gradient + weight_decay * w:

    v = momentum v + g,  w = w - rate * (g + momentum v) with Nesterov's momentum, w - rate * v without.

    rate_factors: variables whose path ends in the key learn at this times the rate; {"alpha": 0.01}. Building raises
    ValueError if a key fits no variable.
    """

    def __init__(
        self,
        learning_rate: Rate,
        momentum: float,
        nesterov: bool,
        weight_decay: float = 0.0,
        rate_factors: dict[str, float] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, weight_decay=None, **kwargs)  # Keras' own weight decay is decoupled
        self.schedule = learning_rate
        self.momentum, self.nesterov = momentum, nesterov
        self.coupled_weight_decay = weight_decay
        self.rate_factors = RateFactors(rate_factors or {})

    def build(self, variables: Sequence[keras.Variable]) -> None:
        """Makes the momentum buffer of every variable, in its type."""
        if self.built:
            return
        paths = [getattr(variable, "path", variable.name) for variable in variables]
        self.rate_factors.check(paths)
        super().build(variables)
        self.buffers = self.add_optimizer_variables(variables, "momentum")
        self.paths = paths

    def update_step(self, gradient: Tensor, variable: Any, learning_rate: Tensor) -> None:
        """One variable's update."""
        index = self._get_variable_index(variable)
        rate = ops.cast(learning_rate, "float64") * self.rate_factors.of(self.paths[index])
        g = ops.cast(gradient, variable.dtype)
        if self.coupled_weight_decay:
            g = g + self.coupled_weight_decay * variable
        momentum = ops.convert_to_tensor(self.momentum, g.dtype)
        velocity = momentum * self.buffers[index] + g
        self.assign(self.buffers[index], velocity)
        self.assign_sub(variable, ops.cast(rate, g.dtype) * (g + momentum * velocity if self.nesterov else velocity))

    def get_config(self) -> dict[str, Any]:
        own = {"momentum": self.momentum, "nesterov": self.nesterov, "rate_factors": self.rate_factors.values()}
        return {**super().get_config(), **own, "weight_decay": self.coupled_weight_decay}


class Optimisers(NamedTuple):
    """generator: of encoders and decoder. discriminator: of both discriminators. features: of H, alpha and the head."""

    generator: CoupledAdam
    discriminator: CoupledAdam
    features: MomentumSGD

    def by_part(self) -> dict[Part, CoupledAdam | MomentumSGD]:
        """Each optimiser by what it trains."""
        return {"generator": self.generator, "discriminator": self.discriminator, "features": self.features}

    def adopt(self, config: OptimiserConfig) -> None:
        """Takes the learning rates of another configuration; steps and moments stay."""
        self.generator.schedule.rate.assign(config.generator_rate)
        self.discriminator.schedule.rate.assign(config.discriminator_rate)
        self.features.schedule.rate.assign(config.feature_rate)
        self.features.rate_factors.assign(ALPHA, config.alpha_rate / config.feature_rate)


def make_optimisers(config: OptimiserConfig) -> Optimisers:
    """The three optimisers of a run, not yet built; alpha's rate is a ratio of the features' rate."""

    def adam(rate: float, name: str) -> CoupledAdam:
        schedule = StepDrop(rate, config.drop_every, config.drop_factor)
        return CoupledAdam(schedule, config.beta_1, config.beta_2, config.epsilon, config.weight_decay, name=name)

    features = MomentumSGD(
        StepDrop(config.feature_rate, config.drop_every, config.drop_factor),
        config.momentum,
        config.nesterov,
        config.weight_decay,
        rate_factors={ALPHA: config.alpha_rate / config.feature_rate},
        name="features",
    )
    return Optimisers(
        adam(config.generator_rate, "generator"), adam(config.discriminator_rate, "discriminator"), features
    )


def _double(number: float) -> Tensor:
    """A float64 scalar; `ops.cast` would round the number to float32 first."""
    return ops.convert_to_tensor(number, "float64")
