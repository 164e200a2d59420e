"""Where a run computes with JAX: one device, several of this machine, or those of several that TF_CONFIG names."""

import atexit
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import jax
import numpy as np
from jax._src import distributed
from jax.experimental import multihost_utils
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from hicmd_tf.addresses import go_direct
from hicmd_tf.config import Config
from hicmd_tf.engines import cards
from hicmd_tf.engines.cluster import Cluster, check_groups, cluster
from hicmd_tf.engines.jax.replicas import AXIS, SHARES
from hicmd_tf.errors import UserError

AMPERE = 8.0  # compute capability of the first cards with bfloat16 and TF32

_meshes: list[Mesh | None] = [None]
FAREWELL = 10  # seconds in which the chief waits at its end for the others to have ended
LOST = ("Gloo", "NCCL", "UNAVAILABLE", "onnection", "eartbeat")
"""In the texts of errors of collective operations, for which JAX has no type of its own."""


def current_mesh() -> Mesh | None:
    """Devices that share every batch of a model built now; None: one."""
    return _meshes[-1]


def devices(config: Config) -> AbstractContextManager[Any]:
    """The mesh of the configured devices, as a context to build what is trained in; with several workers it waits until
    all are there.

    Raises UserError when there are too few devices, batch norm's groups would straddle some, or several are to do with
    little memory.
    """
    wanted, place = config.training.devices, _meet(config)
    found = jax.local_devices()
    # On CPUs one device computes faster than several, unless these are asked for.
    every = len(found) if wanted == 0 and found[0].platform != "cpu" else wanted or 1
    if len(found) < every:
        raise UserError(f"training.devices is {wanted}: this machine has {len(found)}; choose so many or fewer")
    replicas = every * place.workers
    check_groups(config, replicas)
    if config.training.memory == "low" and replicas > 1:
        raise UserError("training.memory is low: that goes with one device; take training.memory normal on several")
    used = [one for worker in range(place.workers) for one in jax.local_devices(process_index=worker)[:every]]
    return _building(Mesh(np.array(used), (AXIS,)) if replicas > 1 else None)


def _meet(config: Config) -> Cluster:
    """Waits for the other workers, if there are any. To be called before anything asks for devices."""
    place = cluster()
    if place.workers == 1 or jax.distributed.is_initialized():
        return place
    check_groups(config, max(config.training.devices, 1) * place.workers)  # before others are waited for
    go_direct()
    # Otherwise who ends by an error waits minutes for the others, which wait for it.
    jax.config.update("jax_enable_recoverability", True)
    jax.config.update("jax_enable_preemption_service", False)  # SIGTERM is ours
    jax.config.update("jax_check_proxy_envs", False)  # of which `go_direct` has just set one
    try:
        jax.distributed.initialize(place.chief, place.workers, place.number)
    except RuntimeError as error:
        raise UserError(
            f"the workers of TF_CONFIG did not find each other ({str(error).splitlines()[0]}): start all of them, and "
            f"check that {place.chief} can be reached from each"
        ) from error
    if place.is_chief:
        atexit.register(_see_off, place.workers)
    return place


def _see_off(workers: int) -> None:
    """Waits for the other workers to have ended: JAX aborts who loses the chief."""
    client, end = distributed.global_state.client, time.monotonic() + FAREWELL
    while client is not None and client.get_live_nodes(list(range(workers))).keys() > {0} and time.monotonic() < end:
        time.sleep(0.05)


@contextmanager
def _building(mesh: Mesh | None) -> Iterator[None]:
    _meshes.append(mesh)
    try:
        yield
    finally:
        _meshes.pop()


class Workers:
    """How the process of one worker drives its devices, and agrees with the other workers, if there are any."""

    def __init__(self, model: Any) -> None:
        self._mesh: Mesh | None = model.mesh
        self.place = cluster()

    def replicated(self, value: Any) -> Any:
        """Arrays that every device has whole."""
        return self._put(value, P())

    def shared(self, batches: dict[str, Any]) -> dict[str, Any]:
        """Batches (K, ...) of this worker, each device's share on it."""
        return {name: self._put(part, P(None, AXIS) if name in SHARES else P()) for name, part in batches.items()}

    def _put(self, value: Any, spec: P) -> Any:
        if self._mesh is None:
            return jax.device_put(value)
        sharding = NamedSharding(self._mesh, spec)
        return jax.tree.map(lambda own: jax.make_array_from_process_local_data(sharding, np.asarray(own)), value)

    def anyone(self, wants: bool) -> bool:
        """Whether any worker wants something. Every one of them must ask at the same time."""
        if self.place.workers == 1:
            return wants
        with reporting_lost_workers(self.place.workers):
            return bool(np.any(multihost_utils.process_allgather(np.array(wants))))

    def take_chiefs(self, variables: Sequence[Any]) -> None:
        """Gives the variables of every worker the chief's values, on all devices. All of them must call it at the same
        time."""
        if self._mesh is None:
            return
        values = [np.asarray(variable) for variable in variables]
        if self.place.workers > 1:
            with reporting_lost_workers(self.place.workers):
                values = multihost_utils.broadcast_one_to_all(values)
        for variable, value in zip(variables, self.replicated(values), strict=True):
            variable._value = value  # assigning would put it on one device


@contextmanager
def reporting_lost_workers(workers: int) -> Iterator[None]:
    """Raises UserError in the place of JAX's error when another of several workers is gone."""
    try:
        yield
    except (jax.errors.JaxRuntimeError, RuntimeError, ValueError) as error:
        if workers == 1 or not any(word in str(error) for word in LOST):
            raise
        atexit.unregister(_see_off)
        raise UserError(
            f"another of the {workers} workers ended, or can't be reached any more ({type(error).__name__}): start all "
            f"of them again with the same command and --resume, which goes on from the newest checkpoint"
        ) from error


# ------------------------------------------------------------------------------------------------------- in words


def device_in_use(config: Config) -> str:
    """What a run computes on, in words. With several workers it waits until all are there, for then JAX starts."""
    _meet(config)
    used = [] if jax.default_backend() == "cpu" else jax.local_devices()[: config.training.devices or None]
    return f"{cards.in_words(device.device_kind for device in used)} (JAX)"


def drawbacks(config: Config) -> Iterator[str]:
    """In a line each: a card that can't be used, or not as configured."""
    mixed = config.training.precision == "mixed_bfloat16"
    if jax.default_backend() != "cpu":
        if mixed and not _modern():
            yield "this card does not compute bfloat16, JAX converts it: training.precision float32 is faster"
        return
    unused = cards.installed()
    if unused:
        yield f"JAX can't use {cards.in_words(unused)}: pip install 'hicmd-tf[jax-cuda]'; docs/accelerators.md has more"
    if mixed:
        yield "JAX computes bfloat16 slowly on a CPU: training.precision float32 is faster"


def _modern() -> bool:
    """Whether a card's products can be of TF32 and bfloat16: compute capability 8.0 or above, or no NVIDIA card."""
    capability = getattr(jax.local_devices()[0], "compute_capability", "")
    return not capability or float(capability) >= AMPERE


def card_memory() -> int | None:
    """Bytes that the fullest card of this process had in use at the peak; none of a processor, or where JAX does not
    know."""
    found = [(device.memory_stats() or {}).get("peak_bytes_in_use") for device in jax.local_devices()]
    return max((int(peak) for peak in found if peak), default=None)


def hardware(config: Config) -> dict[str, Any]:
    """Properties of kernels and devices that rounding may depend on, and how many devices and workers share a batch."""
    platform, found = jax.default_backend(), jax.local_devices()
    coarse = config.training.tf32 and platform != "cpu" and _modern()
    return {
        "platform": platform,
        "gpus": sorted({device.device_kind for device in found}) if platform != "cpu" else [],
        "devices": config.training.devices or (1 if platform == "cpu" else len(found)),
        "workers": cluster().workers,
        "float32": "TF32: products of 10-bit mantissas" if coarse else "products of 23-bit mantissas",
    }
