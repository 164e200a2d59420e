"""The same on Ray Data: pictures are read and decoded by tasks, described by actors that have a model each, and
gathered and written by this process alone, so that no other machine needs to write.

What a task or an actor was at when it was killed is done again elsewhere; what comes twice counts once.
"""

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from hicmd_tf.data.samples import ahead
from hicmd_tf.errors import UserError, counted, waiting
from hicmd_tf.extraction.describers import Model, described
from hicmd_tf.extraction.job import Job
from hicmd_tf.extraction.listed import pictures_in
from hicmd_tf.extraction.work import Found, Looked, Place, look
from hicmd_tf.notation import Modality

Array = np.ndarray[Any, Any]
Columns = dict[str, Any]

AT_ONCE = 512  # parts of one data set of Ray's, whose lists are in memory
BLOCK = 8 << 20  # bytes of pixels that are sent at once
PATIENCE = 10.0  # seconds
STORE = 1 << 29  # bytes of shared memory on this machine


class Ray(NamedTuple):
    """address: of a cluster; empty: this machine alone. workers: actors; 0: as many as there is room for."""

    address: str = ""
    workers: int = 0


@contextmanager
def started(wanted: Ray, model: Model) -> Iterator[int]:
    """Ray, on this machine or a cluster, with room for so many actors. Raises UserError where there is none."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")  # what goes wrong is raised, and reported once
    import ray

    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    workers = wanted.workers or (0 if wanted.address or model.device == "cuda" else len(os.sched_getaffinity(0)))
    if wanted.address:
        _refuse_deaf(wanted.address)
    waiting("starting Ray" if not wanted.address else f"asking {wanted.address}")
    try:
        if wanted.address:
            ray.init(address=wanted.address, **quiet)
        else:  # each actor, and a task that decodes for it; the cores are shared by both
            cores = max(workers, 1) * (1 + max(model.threads, 1))
            ray.init(address="local", num_cpus=cores, include_dashboard=False, object_store_memory=STORE, **quiet)
    except (ConnectionError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(
            f"{wanted.address or 'Ray'} can't be used ({reason}): ray start --head begins a cluster; one that has a "
            "token asks for RAY_AUTH_MODE=token here, too"
        ) from error
    try:
        yield _room(workers, model)
    finally:
        ray.shutdown()


def _refuse_deaf(address: str) -> None:
    """Raises UserError where nobody answers, which Ray would wait for."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal():
        raise UserError(f"--address is {address}: expected HOST:PORT, as ray start --head says it")
    try:
        socket.create_connection((host.strip("[]"), int(port)), PATIENCE).close()
    except (OSError, OverflowError) as error:
        raise UserError(f"nobody answers at {address} ({error}): ray start --head begins a cluster") from error


def _room(workers: int, model: Model) -> int:
    """How many actors there are to be. workers: as many as were asked for; 0: as there is room for."""
    import ray

    there: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
    cores, cards = int(there.get("CPU", 0)), int(there.get("GPU", 0))
    if model.device == "cuda" and not cards:
        raise UserError("no machine of Ray's has a GPU: leave --device cuda out, or add one")
    each = _each(model)
    apart = not _at_once(each)
    most = (cores - apart) // each.threads
    most = min(most, cards) if model.device == "cuda" else most
    if most < 1:
        raise UserError(
            f"Ray has {counted(cores, 'core')}: expected {'one to decode, and ' * apart}those of --threads to describe"
        )
    if workers > most:
        raise UserError(f"--workers is {workers}, and there is room for {most}: give at most that")
    return workers or (max(1, most * 3 // 4) if apart and model.device != "cuda" else most)


def _each(model: Model) -> Model:
    """The model as an actor has it."""
    return model._replace(device=model.device or "cpu", threads=model.threads or 1)


def _at_once(each: Model) -> bool:
    """Whether actors also read and decode what they describe: Ray joins two steps that ask for the same resources, and
    no pixels go from process to process."""
    return each.device != "cuda" and each.threads == 1


def about(model: Model) -> tuple[str, int]:
    """SHA-256 of a model's weights, and E; a run is opened by another process, for it takes memory."""
    if model.kind != "run":
        return model.about()
    import ray

    try:
        return ray.get(ray.remote(max_calls=1, num_cpus=1)(Model.about).remote(model._replace(device="cpu")))
    except ray.exceptions.RayTaskError as error:
        raise _ours(error) from error


def found(job: Job, pending: list[int], place: Place, model: Model, workers: int) -> Iterator[Found]:
    """Everything that is found of the pending parts' pictures, as it comes."""
    import ray
    import ray.data
    from ray.data import ActorPoolStrategy, DataContext

    context = DataContext.get_current()
    context.enable_progress_bars = context.print_on_execution_start = False
    context.target_max_block_size = 2 * BLOCK
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    each = _each(model)
    for start in range(0, len(pending), AT_ONCE):
        some = [{"part": part, "packed": job.packed(part)} for part in pending[start : start + AT_ONCE]]
        pictures = ray.data.from_items(some, override_num_blocks=len(some))
        looked = pictures.map_batches(partial(_looked, place=place), batch_size=None, num_cpus=1, batch_format="numpy")
        answered = looked.map_batches(
            _Describer,
            fn_constructor_args=(each,),
            batch_size=None,
            batch_format="numpy",
            compute=ActorPoolStrategy(min_size=1, max_size=workers, initial_size=workers),
            num_cpus=each.threads,
            num_gpus=1 if each.device == "cuda" else 0,
        )
        try:
            for batch in answered.iter_batches(batch_size=None, batch_format="numpy", prefetch_batches=1):
                yield from _by_part(batch)
        except ray.exceptions.RayError as error:
            raise _ours(error) from error


def _ours(error: Any) -> UserError:
    """What went wrong in another process, in a line."""
    cause = getattr(error, "cause", None)
    if isinstance(cause, UserError):
        return cause
    reason = " ".join(str(cause or error).split())[-300:]
    return UserError(f"Ray gave up ({reason}): what is done stays, the same command goes on")


def _by_part(batch: Columns) -> Iterator[Found]:
    for part in np.unique(batch["part"]).tolist():
        rows = np.flatnonzero(batch["part"] == part)
        yield Found(
            part,
            batch["row"][rows].tolist(),
            batch["descriptor"][rows],
            batch["error"][rows].tolist(),
            batch["flat"][rows].tolist(),
        )


def _looked(batch: Columns, place: Place) -> Iterator[Columns]:
    """A task: parts of the list -> their pictures, decoded, those of one modality together."""
    for part, packed in zip(batch["part"].tolist(), batch["packed"].tolist(), strict=True):
        pictures = sorted(enumerate(pictures_in(packed)), key=lambda one: one[1].modality)
        gathered, size = list[Looked](), 0
        for one in ahead(lambda each: look(*each, place), pictures):
            gathered.append(one)
            size += 0 if one.pixels is None else one.pixels.size
            if size > BLOCK:
                yield _as_columns(part, gathered)
                gathered, size = [], 0
        if gathered:
            yield _as_columns(part, gathered)


def _as_columns(part: int, gathered: list[Looked]) -> Columns:
    pixels = np.empty(len(gathered), object)
    pixels[:] = [b"" if one.pixels is None else one.pixels.tobytes() for one in gathered]
    sizes = [(0, 0) if one.pixels is None else one.pixels.shape[:2] for one in gathered]
    return {
        "part": np.full(len(gathered), part, np.int64),
        "row": np.array([one.row for one in gathered], np.int64),
        "modality": np.array([one.modality for one in gathered]),
        "height": np.array([height for height, _ in sizes], np.int64),
        "width": np.array([width for _, width in sizes], np.int64),
        "pixels": pixels,
        "error": np.array([one.error for one in gathered]),
        "flat": np.array([one.flat for one in gathered], bool),
    }


class _Describer:
    """An actor: a model, and what it says of decoded pictures."""

    def __init__(self, model: Model) -> None:
        self._opened = model.open()

    def __call__(self, batch: Columns) -> Columns:
        descriptors = np.full((len(batch["row"]), self._opened.length), np.nan, np.float32)

        def pictures() -> Iterator[tuple[int, Modality, Array]]:
            columns = (batch[name].tolist() for name in ("modality", "height", "width", "error"))
            for place, (modality, height, width, error) in enumerate(zip(*columns, strict=True)):
                if not error:
                    pixels = np.frombuffer(batch["pixels"][place], np.uint8).reshape(height, width, 3)
                    yield place, modality, pixels

        for rows, values in described(self._opened.describe, pictures()):
            descriptors[rows] = values
        return {name: batch[name] for name in ("part", "row", "error", "flat")} | {"descriptor": descriptors}
