"""Where a run computes: one device, several of this machine, or those of several machines that TF_CONFIG names."""

import os
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from hicmd_tf.addresses import go_direct
from hicmd_tf.config import Config
from hicmd_tf.engines import cards
from hicmd_tf.engines.cluster import check_groups, cluster
from hicmd_tf.errors import UserError

# What TensorFlow raises when a collective operation of several workers can't end.
LOST = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
)

AMPERE, BLACKWELL = (8, 0), (10, 0)  # compute capabilities: the first with bfloat16 and TF32; the first without kernels
OLDEST = (6, 0)


class Gpu(NamedTuple):
    """A GPU that TensorFlow lists. capability: NVIDIA's compute capability; (0, 0) where it is unknown."""

    name: str
    capability: tuple[int, int]


def gpus() -> list[Gpu]:
    """All that TensorFlow lists, in its order, without starting it."""
    found = []
    for device in tf.config.list_physical_devices("GPU"):
        details = tf.config.experimental.get_device_details(device)
        found.append(Gpu(details.get("device_name", device.name), details.get("compute_capability", (0, 0))))
    return found


def device_in_use(config: Config) -> str:
    """What a run computes on, in words."""
    return f"{cards.in_words(gpu.name for gpu in _used(config))} (TensorFlow)"


def drawbacks(config: Config) -> Iterator[str]:
    """In a line each: a card that can't be used, or not as configured."""
    used = _used(config)
    unused = [] if used else cards.installed()
    if unused:
        yield (
            f"TensorFlow can't use {cards.in_words(unused)}: pip install 'hicmd-tf[cuda]', or for Blackwell cards pip "
            f"install 'hicmd-tf[jax-cuda]' and give --engine jax; docs/accelerators.md has more"
        )
    for gpu in dict.fromkeys(gpu for gpu in used if any(gpu.capability)):
        card = f"{gpu.name} (compute capability {'.'.join(map(str, gpu.capability))})"
        if not OLDEST <= gpu.capability < BLACKWELL:
            yield f"TensorFlow's packages have no kernels for {card}: docs/accelerators.md says what computes on it"
        elif _mixed(config) and gpu.capability < AMPERE:
            yield f"{card} does not compute bfloat16, TensorFlow converts it: training.precision float32 is faster"
    if _mixed(config) and not used and not cards.processor_has_bfloat16():
        yield "this processor does not compute bfloat16 (AVX512_BF16, AMX): training.precision float32 may be faster"


def _used(config: Config) -> list[Gpu]:
    return gpus()[: config.training.devices or None]


def _mixed(config: Config) -> bool:
    return config.training.precision == "mixed_bfloat16"


def card_memory() -> int | None:
    """Bytes that the fullest card of this process had in use at the peak; none of a processor."""
    cards = [device.name.removeprefix("/device:") for device in tf.config.list_logical_devices("GPU")]
    return max((int(tf.config.experimental.get_memory_info(card)["peak"]) for card in cards), default=None)


def hardware(config: Config) -> dict[str, Any]:
    """Properties of kernels and devices that rounding may depend on, and how many devices and workers share a batch."""
    found = gpus()
    coarse = config.training.tf32 and any(gpu.capability >= AMPERE for gpu in found)
    return {
        "onednn": os.environ.get("TF_ENABLE_ONEDNN_OPTS", "1") != "0",
        "gpus": sorted({gpu.name for gpu in found}),
        "devices": config.training.devices or max(len(found), 1),
        "workers": cluster().workers,
        "float32": "TF32: products of 10-bit mantissas" if coarse else "products of 23-bit mantissas",
    }


def devices(config: Config) -> AbstractContextManager[Any]:
    """The scope of TensorFlow's strategy for the configured devices, to build what is trained in; with several workers
    it waits until all are there.

    Raises UserError when there are too few devices, batch norm's groups would straddle some, or several are to do with
    little memory.
    """
    wanted, place = config.training.devices, cluster()
    if place.workers > 1:
        check_groups(config, max(wanted, 1) * place.workers)
        _show_gpus(wanted)
        go_direct()
        with reporting_lost_workers(place.workers):
            strategy = tf.distribute.MultiWorkerMirroredStrategy()
    else:
        strategy = _of_this_machine(wanted)
    check_groups(config, strategy.num_replicas_in_sync)
    if config.training.memory == "low" and strategy.num_replicas_in_sync > 1:
        raise UserError("training.memory is low: that goes with one device; take training.memory normal on several")
    return strategy.scope()


def _of_this_machine(wanted: int) -> tf.distribute.Strategy:
    if wanted == 1:
        return tf.distribute.get_strategy()
    found = [device.name for device in tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")]
    if len(found) < wanted:
        raise UserError(f"training.devices is {wanted}: this machine has {len(found)}; choose so many or fewer")
    used = found[: wanted or None]
    return tf.distribute.MirroredStrategy(used) if len(used) > 1 else tf.distribute.get_strategy()


def _show_gpus(wanted: int) -> None:
    """Lets TensorFlow see so many GPUs (0: all): the strategy of several workers takes all that it sees."""
    found = tf.config.list_physical_devices("GPU")
    if wanted > max(len(found), 1):
        raise UserError(f"training.devices is {wanted}: this machine has {len(found) or 1}; choose so many or fewer")
    if wanted:
        tf.config.set_visible_devices(found[:wanted], "GPU")


@contextmanager
def reporting_lost_workers(workers: int) -> Iterator[None]:
    """Raises UserError in the place of TensorFlow's error when another of several workers is gone."""
    try:
        yield
    except LOST as error:
        if workers == 1:
            raise
        raise UserError(
            f"another of the {workers} workers ended, or can't be reached any more ({type(error).__name__}): start all "
            f"of them again with the same command and --resume, which goes on from the newest checkpoint"
        ) from error


class Workers:
    """How the process of one worker drives its replicas, and agrees with the other workers, if there are any."""

    def __init__(self, model: Any) -> None:
        self.strategy: tf.distribute.Strategy = model.distribute_strategy
        strategy = self.strategy
        self.place = cluster()
        self.replicas: int = strategy.num_replicas_in_sync // self.place.workers
        self._sum = tf.function(self._sum_over_replicas, autograph=False)

    def spread(self, shares: tuple[Any, ...]) -> Any:
        """A value for each replica of this process, of arrays or tensors, as `strategy.run` takes it."""
        if self.strategy.num_replicas_in_sync == 1:
            return _tensors(shares[0])
        first = self.place.number * self.replicas
        with tf.device("CPU:0"):  # from there to each replica's device, else by way of the first one
            own = [_tensors(share) for share in shares]
        return self.strategy.experimental_distribute_values_from_function(
            lambda context: own[context.replica_id_in_sync_group - first]
        )

    def of_one(self, value: Any) -> Any:
        """The value of this process' first replica in a result of `strategy.run`."""
        return tf.nest.map_structure(lambda one: self.strategy.experimental_local_results(one)[0], value)

    def anyone(self, wants: bool) -> bool:
        """Whether any worker wants something. Every one of them must ask at the same time."""
        if self.place.workers == 1:
            return wants
        with reporting_lost_workers(self.place.workers):
            return float(self._sum_over_workers([tf.constant(float(wants))])[0]) > 0

    def take_chiefs(self, variables: Sequence[keras.Variable]) -> None:
        """Gives the variables of every worker the chief's values. All of them must call it at the same time."""
        if self.place.workers == 1:
            return
        # Steps and random states, whole numbers, are exact in float64 too.
        own = [float(self.place.is_chief) * tf.cast(variable.numpy(), "float64") for variable in variables]
        with reporting_lost_workers(self.place.workers):
            for variable, value in zip(variables, self._sum_over_workers(own), strict=True):
                variable.assign(tf.cast(value, variable.dtype))

    def _sum_over_workers(self, values: list[tf.Tensor]) -> list[tf.Tensor]:
        zeros = [tf.zeros_like(value) for value in values]
        return self.of_one(self._sum(self.spread((values, *[zeros] * (self.replicas - 1)))))

    def _sum_over_replicas(self, values: Any) -> Any:
        def total(own: list[tf.Tensor]) -> list[tf.Tensor]:
            # An operation's result is on the replica's device; what a function is given is on none, as yet.
            return tf.distribute.get_replica_context().all_reduce("SUM", [tf.identity(value) for value in own])

        return self.strategy.run(total, args=(values,))


def _tensors(arrays: Any) -> Any:
    """A tree of arrays as tensors of the same types: a compiled function is traced for these once."""
    return tf.nest.map_structure(tf.convert_to_tensor, arrays)
