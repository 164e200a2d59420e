"""A method for JAX: the state as Keras' variables, and iterations as one compiled function of it."""

import itertools
from collections.abc import Callable
from functools import cached_property, partial
from typing import Any, cast

import jax
import jax.numpy as jnp
import keras
import numpy as np
from jax import lax
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as P

from hicmd_tf.chosen_method import AnyNetworks, chosen
from hicmd_tf.config.schema import Config
from hicmd_tf.data.batches import REAL
from hicmd_tf.data.pictures import SCALE, SHIFT
from hicmd_tf.engines.base import Optimisers
from hicmd_tf.engines.jax import replicas
from hicmd_tf.engines.jax.compiling import compiled
from hicmd_tf.engines.jax.devices import current_mesh
from hicmd_tf.engines.jax.engine import JaxEngine
from hicmd_tf.engines.jax.optimisers import RULES, Moments, Optimiser
from hicmd_tf.engines.jax.state import Leaf, Leaves
from hicmd_tf.engines.model import Common
from hicmd_tf.method.generation import Pictures, Reconstructed, reconstruct
from hicmd_tf.method.method import MethodOf
from hicmd_tf.method.networks.build import Networks
from hicmd_tf.notation import Part, Tensor

Array = np.ndarray[Any, Any]
Batch = dict[str, Any]
State = list[Tensor]
"""The values of all variables that an iteration changes."""


class Learner(Common):
    """Hi-CMD, or an embedding network. Trains through `training.loop.iterate`.

    joined: whether to compute few large things rather than many small ones, which suits accelerators and not CPUs;
    None: by the devices. Then several iterations are one call, weights are updated as long vectors, and, unless memory
    is low, both modalities' networks are called as one. mesh: devices that share every batch; None: one.
    """

    def __init__(self, networks: AnyNetworks, config: Config, joined: bool | None = None) -> None:
        self.hold(networks, config)
        self.mesh: Mesh | None = current_mesh()
        self.joined = jax.default_backend() != "cpu" if joined is None else joined

    def compile(self, optimisers: Optimisers) -> None:
        """Binds each optimiser to its own variables."""
        self.optimisers = optimisers
        low = self.settings.training.memory == "low"
        leaves = Leaves(self.networks, twins=self.joined and not low)
        for part, weights in self.trained().items():
            optimisers.by_part()[part].build(weights)
        optimisers_of = {part: self._optimiser(part, leaves) for part in leaves.of_part}
        self.engine = JaxEngine(leaves, together=not low, optimisers=optimisers_of)
        self._leaves = [*leaves.all, *itertools.chain(*(self._slots(part) for part in leaves.of_part))]
        self.variables = [variable for leaf in self._leaves for variable in leaf.variables]
        self.networks_end = sum(len(leaf.variables) for leaf in leaves.all)  # then come the optimisers' buffers

    def _optimiser(self, part: Part, leaves: Leaves) -> Optimiser:
        optimiser, settings = self.optimisers.by_part()[part], self.settings.optimisers
        learned = [leaves.all[index] for index in leaves.of_part[part]]
        shapes = [leaf.shape for leaf in learned]
        rates = [optimiser.rate_of(leaf.variables[0]) for leaf in learned]
        rule = RULES[optimiser.rule](settings)
        return Optimiser(rule, len(optimiser.slots), shapes, rates, self.joined)

    def _slots(self, part: Part) -> list[Leaf]:
        """The buffers of a part's optimiser, weight by weight."""
        optimiser, leaves = self.optimisers.by_part()[part], self.engine.leaves
        buffers = [[optimiser.buffers_of(v) for v in leaves.all[index].variables] for index in leaves.of_part[part]]
        return [Leaf(two) for of_weight in buffers for two in zip(*of_weight, strict=True)]

    # ------------------------------------------------------------------------------------------------------- the state

    def values(self) -> State:
        """The state's present values."""
        return [variable.value for variable in self.variables]

    def assign(self, values: State) -> None:
        """Other values, of the same shapes and types."""
        for variable, value in zip(self.variables, values, strict=True):
            variable._value = value  # their own `assign` would convert and compare each of some 2,400

    def _pack(self, values: State) -> tuple[list[Tensor], dict[Part, Moments]]:
        """The state as the engine has it: the arrays of the leaves, and the optimisers' moments."""
        left = iter(values)
        arrays = [leaf.joined(list(itertools.islice(left, len(leaf.variables)))) for leaf in self._leaves]
        rest = iter(arrays[len(self.engine.leaves.all) :])
        moments = {}
        for part, indices in self.engine.leaves.of_part.items():
            slots = len(self.optimisers.by_part()[part].slots)
            moments[part] = self.engine.optimisers[part].pack([list(itertools.islice(rest, slots)) for _ in indices])
        return arrays[: len(self.engine.leaves.all)], moments

    def _unpack(self, arrays: list[Tensor], moments: dict[Part, Moments]) -> State:
        """What `_pack` was given."""
        buffers = [
            buffer
            for part in self.engine.leaves.of_part  # not of `moments`, whose keys JAX has sorted
            for of_weight in self.engine.optimisers[part].unpack(moments[part])
            for buffer in of_weight
        ]
        of_leaves = zip(self._leaves, [*arrays, *buffers], strict=True)
        return [value for leaf, array in of_leaves for value in leaf.apart(array)]

    # -------------------------------------------------------------------------------------------------- the iterations

    def train_step(self, batch: Batch) -> dict[str, Tensor]:
        """One iteration, by the schedule of the method, on one device and a batch as `data.batches` gives it (a
        training calls `several`). Returns its named, unweighted losses and what is logged beside them."""
        step = self.step
        batch = {name: part for name, part in batch.items() if name != "step"}
        values, losses = self._single(self.values(), batch, self.rates(step), self.numbers.values())
        self.assign(values)
        self.count(step + 1)
        return losses

    @cached_property
    def _single(self) -> Callable[..., tuple[State, dict[str, Tensor]]]:
        def single(values: State, batch: Batch, rates: Any, loss_numbers: Any) -> tuple[State, dict[str, Tensor]]:
            arrays, moments, losses = self.iterate(*self._pack(values), batch, rates, loss_numbers)
            return self._unpack(arrays, moments), losses

        return jax.jit(single, donate_argnums=0)  # a whole state less in memory

    def iterate(
        self, arrays: list[Tensor], moments: dict[Part, Moments], batch: Batch, rates: Any, loss_numbers: Any
    ) -> tuple[list[Tensor], dict[Part, Moments], dict[str, Tensor]]:
        """An iteration as a pure function of the packed state, a batch, the optimisers' numbers and those of the losses
        (weights, margin); the new state and the losses."""
        method = MethodOf(self.networks, self.settings, loss_numbers, self.engine)
        return self.engine.run(lambda: chosen(self.settings).iteration(method, batch), arrays, moments, rates)

    @cached_property
    def several(self) -> Callable[..., tuple[State, Tensor]]:
        """(state, batches, count, store, loss_numbers) -> the state after `count` iterations, and their losses in the
        order of `logged`.

        batches: as `prepared` takes one, each array with one more axis in front, of at least `count` entries. store:
        all pictures, or None. Unless `joined` exactly one iteration: on a CPU XLA
        computes loops with one thread.
        """

        def several(values: State, batches: Any, count: Tensor, store: Any, loss_numbers: Any) -> tuple[State, Tensor]:
            def body(number: Tensor, carried: Any) -> Any:
                arrays, moments, logs = carried
                batch = jax.tree.map(lambda of_all: of_all[number], batches)
                given = prepared(batch, store)
                arrays, moments, losses = self.iterate(arrays, moments, given, batch["rates"], loss_numbers)
                row = jnp.stack([losses[name].astype(jnp.float32) for name in self.logged])
                return arrays, moments, logs.at[number].set(row)

            length = len(jax.tree.leaves(batches)[0])
            packed = *self._pack(values), jnp.zeros((length, len(self.logged)), jnp.float32)
            if self.joined:
                arrays, moments, logs = lax.fori_loop(0, count, body, packed)
            else:
                arrays, moments, logs = body(jnp.int32(0), packed)
            return self._unpack(arrays, moments), logs

        return jax.jit(self._spread(several), compiler_options=compiler_options())

    def _spread(self, several: Callable[..., Any]) -> Callable[..., Any]:
        """The function on all devices of the mesh, each with its share of the pictures."""
        if self.mesh is None:
            return several
        of_pictures, of_all = P(None, replicas.AXIS), P()

        def specified(values: State, batches: Any, count: Tensor, store: Any, loss_numbers: Any) -> Any:
            specs = {name: of_pictures if name in replicas.SHARES else of_all for name in batches}
            spread = jax.shard_map(
                several,
                mesh=self.mesh,
                in_specs=(of_all, specs, of_all, of_all, of_all),
                out_specs=(of_all, of_all),
                check_vma=False,  # what `replicas` sums and gathers is the same everywhere
            )
            return spread(values, batches, count, store, loss_numbers)

        return specified

    def rates(self, step: int) -> dict[Part, dict[str, Array]]:
        """What each optimiser computes with in iteration `step`, counted from 0."""
        numbers = {part: optimiser.numbers(step) for part, optimiser in self.optimisers.by_part().items()}
        return {
            part: {name: np.asarray(v, keras.config.floatx()) for name, v in of.items()} for part, of in numbers.items()
        }

    def count(self, step: int) -> None:
        """Notes how many iterations the optimisers have made."""
        for optimiser in self.optimisers.by_part().values():
            optimiser.iterations.assign(step)

    @cached_property
    def reconstruct(self) -> Callable[[Pictures], Reconstructed]:
        """`generation.reconstruct` with the present weights, compiled once."""
        return compiled(
            partial(reconstruct, MethodOf(cast(Networks, self.networks), self.settings)),
            list(self.networks.variables().values()),
        )


def compiler_options() -> dict[str, Any]:
    """cuBLAS for all matrix products on NVIDIA's cards: to try out Triton's for each of hundreds takes a minute."""
    return {"xla_gpu_enable_triton_gemm": False} if jax.default_backend() == "gpu" else {}


def prepared(batch: Batch, store: Tensor | None) -> Batch:
    """A batch for the method, of `rows` of the store or `pictures`, uint8 (B, H, W, 3) by name in `REAL`, and
    `flips`: gathered, flipped and normalised on the device. The rest stays as it is."""
    names = [name for name in REAL if name in batch["flips"]]
    sizes = [len(batch["flips"][name]) for name in names]
    flips = jnp.concatenate([batch["flips"][name] for name in names])
    if store is None:
        shown = jnp.concatenate([batch["pictures"][name] for name in names])
    else:
        shown = store[jnp.concatenate([batch["rows"][name] for name in names])]
    shown = jnp.where(flips[:, None, None, None], shown[:, :, ::-1], shown)
    x = shown.astype(jnp.float32) * SCALE - SHIFT
    parts = jnp.split(x, np.cumsum(sizes)[:-1].tolist())
    kept = {name: of for name, of in batch.items() if name not in ("rows", "pictures", "flips", "rates")}
    return {**dict(zip(names, parts, strict=True)), **kept}
