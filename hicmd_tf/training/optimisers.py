"""Adam and SGD by PyTorch's rules, which the release trained with, and how rates fall (Sec. 4.1).

Keras' own differ: their weight decay is decoupled, Adam adds epsilon before correcting the second moment, and SGD keeps
the learning rate inside the momentum buffer. A variable without a gradient (None) is left alone, weight decay included.
Rates and bias corrections are computed in float64 and then take the variables' type. TensorFlow's kernel for Adam
computes 1 - beta_2 in the variable's type, in float32 wrong in the fifth digit for 0.999.
"""

import math
from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple

import keras
from keras import ops

from hicmd_tf.config.kinds import EMBEDDING
from hicmd_tf.config.schema import Config
from hicmd_tf.engines.numbers import Number
from hicmd_tf.method.networks.layers import initial
from hicmd_tf.notation import Part, Tensor

Rate = Any  # a float (kept in float32 by Keras) or a LearningRateSchedule

ALPHA = "alpha"
HEAD = "head"


class StepDrop(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
    """rate * factor ** floor(step / drop_every): iterations 0 to drop_every - 1 run at the base rate.

    Called with an integer step, returns a float64 scalar. The rate may change (`Number.assign`). Raises ValueError if
    drop_every is not positive.
    """

    def __init__(self, rate: float, drop_every: int, factor: float) -> None:
        if drop_every < 1:
            raise ValueError(f"StepDrop needs a positive drop_every, received {drop_every}")
        self.rate, self.drop_every, self.factor = Number(rate), drop_every, factor

    def at(self, step: int) -> float:
        """The same as a Python number."""
        return float(self.rate) * self.factor ** (step // self.drop_every)

    def __call__(self, step: Tensor) -> Tensor:
        drops = ops.floor_divide(ops.cast(step, "int64"), self.drop_every)
        return self.rate() * ops.power(_double(self.factor), ops.cast(drops, "float64"))


class Warmed(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
    """A rate that rises evenly for `warm_up` iterations, and then falls: by a factor after each of the iterations
    `drops`, or, where that is None, as half a cosine to 0 after `steps` iterations.

    Called with an integer step, returns a float64 scalar. The rate may change (`Number.assign`).
    """

    def __init__(self, rate: float, warm_up: int, steps: int, drops: Sequence[int] | None, factor: float) -> None:
        self.rate, self.warm_up, self.steps, self.drops, self.factor = Number(rate), warm_up, steps, drops, factor

    def at(self, step: int) -> float:
        """The same as a Python number."""
        if step < self.warm_up:
            return float(self.rate) * (step + 1) / self.warm_up
        if self.drops is not None:
            return float(self.rate) * self.factor ** sum(step >= drop for drop in self.drops)
        done = min((step - self.warm_up) / max(self.steps - self.warm_up, 1), 1.0)
        return float(self.rate) * (1 + math.cos(math.pi * done)) / 2

    def __call__(self, step: Tensor) -> Tensor:
        step = ops.cast(step, "float64")
        if self.drops is not None:
            passed = ops.cast(step >= ops.convert_to_tensor([*self.drops, math.inf], "float64"), "float64")
            share = ops.power(_double(self.factor), ops.sum(passed))
        else:
            done = ops.minimum((step - self.warm_up) / max(self.steps - self.warm_up, 1), _double(1.0))
            share = (1 + ops.cos(math.pi * done)) / 2
        rising = (step + 1) / max(self.warm_up, 1)
        return self.rate() * ops.where(step < self.warm_up, rising, share)


class Coupled(keras.optimizers.Optimizer):  # type: ignore[misc]
    """Common base of both: a schedule, L2 decay as a part of the gradient, and buffers of every variable by name.

    rate_factors: variables with the key in their path learn at this times the rate; {"alpha": 0.01}. They may change
    (`Number.assign`). rule: the name of the subclass' rule.
    """

    slots: ClassVar[list[str]]
    rule: ClassVar[str]

    def __init__(
        self, learning_rate: Rate, weight_decay: float, rate_factors: dict[str, float] | None = None, **kwargs: Any
    ) -> None:
        super().__init__(learning_rate, weight_decay=None, **kwargs)  # Keras' own weight decay is decoupled
        self.schedule, self.coupled_weight_decay = learning_rate, weight_decay
        self.rate_factors = {key: Number(factor) for key, factor in (rate_factors or {}).items()}

    def build(self, variables: Sequence[keras.Variable]) -> None:
        """Makes the buffers, in their variables' types."""
        if not self.built:
            self.paths = [variable.path for variable in variables]
            super().build(variables)
            self.buffers = self.add_optimizer_variables(variables, self.slots, initial(keras.initializers.Zeros()))

    def apply(self, grads: Sequence[Tensor | None], trainable_variables: Sequence[Any] | None = None) -> None:
        """One step; it counts where all weights are frozen, too."""
        if grads:
            super().apply(grads, trainable_variables)
        else:
            self.iterations.assign_add(1)

    def rate_of(self, variable: Any) -> str:
        """The name of a variable's rate among the `numbers` of an iteration: the key of `rate_factors` in its path, if
        one is."""
        return next((key for key in self.rate_factors if key in variable.path.split("/")), "rate")

    def numbers(self, step: int) -> dict[str, float]:
        """What iteration `step`, counted from 0, computes with: `rate`, and by their keys those of `rate_factors`."""
        return self._rates(self.schedule.at(step))

    def _rates(self, rate: float) -> dict[str, float]:
        return {"rate": rate, **{key: rate * float(factor) for key, factor in self.rate_factors.items()}}

    def own_rate(self, rate: Tensor, variable: Any) -> Tensor:
        """The rate of one variable, in its type, of the common rate."""
        parts = self.paths[self._get_variable_index(variable)].split("/") if self.rate_factors else []
        for key, factor in self.rate_factors.items():
            if key in parts:
                rate = ops.cast(rate, "float64") * factor()
        return ops.cast(rate, variable.dtype)

    def buffers_of(self, variable: Any) -> list[Any]:
        """Of one variable, in the order of `slots`."""
        return [slot[self._get_variable_index(variable)] for slot in self.buffers]

    def decayed(self, gradient: Tensor, variable: Any) -> Tensor:
        """The gradient + weight_decay * w, in the variable's type."""
        g = ops.cast(gradient, variable.dtype)
        return g + self.coupled_weight_decay * variable if self.coupled_weight_decay else g


class CoupledAdam(Coupled):
    """Adam with coupled L2, as torch.optim.Adam. With g the gradient + weight_decay * w and t = 1, 2, ...:

    m = beta_1 m + (1 - beta_1) g,  v = beta_2 v + (1 - beta_2) g^2,
    w = w - rate * m^ / (sqrt(v^) + epsilon),  m^ = m / (1 - beta_1^t),  v^ = v / (1 - beta_2^t).
    """

    slots: ClassVar = ["first", "second"]
    rule: ClassVar = "adam"

    def __init__(
        self,
        learning_rate: Rate,
        beta_1: float,
        beta_2: float,
        epsilon: float,
        weight_decay: float = 0.0,
        rate_factors: dict[str, float] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, weight_decay, rate_factors, **kwargs)
        self.beta_1, self.beta_2, self.epsilon = beta_1, beta_2, epsilon

    def numbers(self, step: int) -> dict[str, float]:
        """What iteration `step`, from 0 on, computes with: `rate` and `epsilon`, corrected for the moments' bias."""
        second = math.sqrt(1.0 - self.beta_2 ** (step + 1))
        rate = self.schedule.at(step) * second / (1.0 - self.beta_1 ** (step + 1))
        return {**self._rates(rate), "epsilon": self.epsilon * second}

    def _backend_update_step(self, grads: list[Tensor], trainable_variables: list[Any], learning_rate: Tensor) -> None:
        """Hands rate and epsilon, corrected for the moments' bias, to `update_step` in place of the rate: computed
        once, not for every variable. rate * m^ / (sqrt(v^) + epsilon) = corrected rate * m / (sqrt(v) + corrected)."""
        step = ops.cast(self.iterations + 1, "float64")
        first = 1.0 - ops.power(_double(self.beta_1), step)
        second = ops.sqrt(1.0 - ops.power(_double(self.beta_2), step))
        corrected = ops.cast(learning_rate, "float64") * second / first, self.epsilon * second
        if not self.rate_factors:  # else each variable's rate is computed before it is rounded
            corrected = tuple(ops.cast(one, trainable_variables[0].dtype) for one in corrected)
        super()._backend_update_step(grads, trainable_variables, corrected)

    def update_step(self, gradient: Tensor, variable: Any, learning_rate: tuple[Tensor, Tensor]) -> None:
        """One variable's update; learning_rate: corrected rate and epsilon of this iteration."""
        rate, epsilon = self.own_rate(learning_rate[0], variable), ops.cast(learning_rate[1], variable.dtype)
        first, second = self.buffers_of(variable)
        g = self.decayed(gradient, variable)
        self.assign_add(first, (g - first) * (1.0 - self.beta_1))
        self.assign_add(second, (ops.square(g) - second) * (1.0 - self.beta_2))
        self.assign_sub(variable, first * rate / (ops.sqrt(second) + epsilon))


class MomentumSGD(Coupled):
    """SGD with momentum and coupled L2, as torch.optim.SGD. With g the gradient + weight_decay * w:

    v = momentum v + g,  w = w - rate * (g + momentum v) with Nesterov's momentum, w - rate * v without.
    """

    slots: ClassVar = ["momentum"]
    rule: ClassVar = "sgd"

    def __init__(
        self,
        learning_rate: Rate,
        momentum: float,
        nesterov: bool,
        weight_decay: float = 0.0,
        rate_factors: dict[str, float] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, weight_decay, rate_factors, **kwargs)
        self.momentum, self.nesterov = momentum, nesterov

    def update_step(self, gradient: Tensor, variable: Any, learning_rate: Tensor) -> None:
        """One variable's update."""
        (buffer,) = self.buffers_of(variable)
        g = self.decayed(gradient, variable)
        rate = self.own_rate(learning_rate, variable)
        velocity = self.momentum * buffer + g
        self.assign(buffer, velocity)
        self.assign_sub(variable, rate * (g + self.momentum * velocity if self.nesterov else velocity))


class Optimisers(NamedTuple):
    """generator: of encoders and decoder. discriminator: of both discriminators. features: of H, alpha and the head."""

    generator: CoupledAdam
    discriminator: CoupledAdam
    features: MomentumSGD

    def by_part(self) -> dict[Part, CoupledAdam | MomentumSGD]:
        """Each optimiser by what it trains."""
        return {"generator": self.generator, "discriminator": self.discriminator, "features": self.features}

    def adopt(self, config: Config) -> None:
        """Takes the learning rates of another configuration; steps and moments stay."""
        rates = config.optimisers
        self.generator.schedule.rate.assign(rates.generator_rate)
        self.discriminator.schedule.rate.assign(rates.discriminator_rate)
        self.features.schedule.rate.assign(rates.feature_rate)
        self.features.rate_factors[ALPHA].assign(rates.alpha_rate / rates.feature_rate)


class OneOptimiser(NamedTuple):
    """features: of the whole embedding network."""

    features: CoupledAdam | MomentumSGD

    def by_part(self) -> dict[Part, CoupledAdam | MomentumSGD]:
        """By what it trains."""
        return {"features": self.features}

    def adopt(self, config: Config) -> None:
        """Takes the learning rates of another configuration; steps and moments stay."""
        self.features.schedule.rate.assign(config.embedding.rate)
        self.features.rate_factors[HEAD].assign(config.embedding.head_factor)


def make_optimisers(config: Config) -> Optimisers | OneOptimiser:
    """The optimisers of a run, not yet built."""
    return _of_embedding(config) if config.method == EMBEDDING else _of_hicmd(config)


def _of_embedding(config: Config) -> OneOptimiser:
    own, common = config.embedding, config.optimisers
    drops = own.drops if own.schedule == "steps" else None
    schedule = Warmed(own.rate, own.warm_up, config.training.steps, drops, common.drop_factor)
    factors = {HEAD: own.head_factor}
    if own.optimiser == "sgd":
        sgd = common.momentum, common.nesterov, common.weight_decay, factors
        return OneOptimiser(MomentumSGD(schedule, *sgd, name="features"))
    adam = common.beta_1, common.beta_2, common.epsilon, common.weight_decay, factors
    return OneOptimiser(CoupledAdam(schedule, *adam, name="features"))


def _of_hicmd(whole: Config) -> Optimisers:
    """alpha's rate is a ratio of the features' rate."""
    config = whole.optimisers

    def schedule(rate: float) -> StepDrop:
        return StepDrop(rate, config.drop_every, config.drop_factor)

    adam = config.beta_1, config.beta_2, config.epsilon, config.weight_decay
    factors = {ALPHA: config.alpha_rate / config.feature_rate}
    sgd = config.momentum, config.nesterov, config.weight_decay, factors
    return Optimisers(
        CoupledAdam(schedule(config.generator_rate), *adam, name="generator"),
        CoupledAdam(schedule(config.discriminator_rate), *adam, name="discriminator"),
        MomentumSGD(schedule(config.feature_rate), *sgd, name="features"),
    )


def _double(number: float) -> Tensor:
    """A float64 scalar; `ops.cast` would round the number to float32 first."""
    return ops.convert_to_tensor(number, "float64")
