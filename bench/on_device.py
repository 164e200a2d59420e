"""What `bench.accelerator` measures, each function in a process of its own: a training's iterations, the start of one,
descriptors, and the rates that the device itself reaches."""

import statistics
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from functools import partial
from importlib import import_module
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.operations import CLASSES, SEED, tflop, timed_model
from bench.turns import Figures, Teller

ITERATIONS = 10  # of one call
CALLS = 4  # that are measured
LEAST, ENOUGH = 4, 12.0  # calls that are measured in any case, and the seconds after which no more are
BATCHES = (1, 64, 256)  # pictures that are described at once
SIDE, COPIED = 8192, 2**30  # rows and columns of the products, bytes of the copy
SMALL_SIDE, SMALL_COPY = 512, 2**24  # without an accelerator
ROUNDS = 5
BOUNDS = (3, 10, 30, 100)  # microseconds, between which kernels are counted
NAMED, LETTERS = 40, 90  # kernels that are named, and letters of a name


def begin(cache: Path, tf32: bool = True) -> Any:
    """JAX, set up as a training sets it up: compiled programs are kept, and float32 is TF32 or not."""
    jax: Any = import_module("jax")
    jax.config.update("jax_compilation_cache_dir", str(cache))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    if not tf32:
        jax.config.update("jax_default_matmul_precision", "highest")
    return jax


def device(jax: Any) -> Figures:
    """What computes, and by which versions."""
    one = jax.devices()[0]
    versions = {name: version(name) for name in ("jax", "jaxlib", "keras", "numpy")}
    return {"device": one.device_kind, "platform": one.platform, "versions": versions}


# ---------------------------------------------------------------------------------------------------------- iterations


class Iterations:
    """Several iterations of a configuration as one compiled call, on pictures of noise that the device keeps."""

    def __init__(self, jax: Any, config: Any, joined: bool | None) -> None:
        import numpy as np

        from hicmd_tf.data.batches import BatchPlanner
        from hicmd_tf.data.samples import Samples

        self._jax, self._np = jax, np
        self.model, self.seconds = timed_model(config, joined)
        self.most = ITERATIONS if self.model.joined else 1  # a CPU computes one iteration a call
        height, width, rows = config.data.height, config.data.width, 2 * CLASSES
        nothing: list[Any] = [b""] * rows
        identities, infrared = np.repeat(np.arange(CLASSES), 2), np.arange(rows) % 2 == 1
        samples = Samples(nothing, [""] * rows, identities, infrared, np.zeros(rows, np.int64))
        self._planner = BatchPlanner(samples, config.batch, height, width, SEED)
        noise = np.random.default_rng(SEED).integers(0, 256, (rows, height, width, 3), np.uint8)
        self.store = jax.device_put(noise)
        self.values, self.step = self.model.values(), 0

    def _arguments(self) -> tuple[Any, ...]:
        steps = range(self.step, self.step + self.most)
        batches = self._jax.tree.map(lambda *of: self._np.stack(of), *map(self._batch, steps))
        return self.values, batches, self._np.int32(self.most), self.store, self.model.numbers.values()

    def _batch(self, step: int) -> Any:
        from hicmd_tf.data.batches import DETAILS, WHOLE

        plan = self._planner.plan(step)
        return {
            "rows": {name: rows.astype(self._np.int32) for name, rows in plan.rows.items()},
            "identities": plan.labels["visible"],
            **{f"{m}_negative_identities": plan.labels[f"{m}_negatives"] for m in ("visible", "infrared")},
            **{kind: of for kind, of in plan.part(WHOLE).items() if kind in ("flips", *DETAILS)},
            "rates": self.model.rates(step),
        }

    def compile(self) -> Figures:
        """Traces and compiles. Returns the arithmetic of an iteration and what is known of its memory."""
        times = [time.perf_counter()]
        traced = self.model.several.trace(*self._arguments())
        times.append(time.perf_counter())
        lowered = traced.lower()
        times.append(time.perf_counter())
        self._compiled = lowered.compile()
        times.append(time.perf_counter())
        self.seconds |= dict(zip(("trace", "lower", "compile"), (b - a for a, b in pairwise(times)), strict=True))
        return {"tflop": tflop(traced.jaxpr.jaxpr), "temporary_gib": _temporary(self._compiled)}

    def call(self, count: int | None = None) -> tuple[float, Any]:
        """Seconds of one call with so many iterations, by default as many as there can be; and the losses."""
        values, batches, most, *rest = self._arguments()
        count = int(most) if count is None else count
        begin = time.perf_counter()
        values, logs = self._compiled(values, batches, self._np.int32(count), *rest)
        self._jax.block_until_ready((values, logs))
        seconds = time.perf_counter() - begin
        self.values, self.step = values, self.step + count
        return seconds, self._np.asarray(logs[:count])


def iterations(config: Any, cache: Path, joined: bool | None, profiled: bool, tf32: bool, tell: Teller) -> None:
    """Seconds until the first iteration, of an iteration in a call of several, and of a call with one; memory; where
    the device's time goes."""
    jax = begin(cache, tf32)
    entries = len(list(cache.glob("*-cache")))
    tell.found(**device(jax), cached_before=entries)
    work = Iterations(jax, config, joined)
    tell.found(**work.compile())
    batch = config.batch
    pictures = 2 * (batch.pairs + batch.negatives)
    tell.found(start={**work.seconds, "first_call": _first(work, tell), "in_all": tell.age}, pictures=pictures)
    times: list[float] = []
    while len(times) < CALLS and not (len(times) >= LEAST and sum(times) * work.most > ENOUGH):
        times.append(work.call()[0] / work.most)
    singles = [work.call(1)[0] for _ in range(LEAST)]
    tell.found(
        iteration_s=statistics.median(times),
        iteration_least_s=min(times),
        iterations=len(times) * work.most,
        single_s=statistics.median(singles),
        peak_gib=_peak(jax),
    )
    if profiled:
        try:
            tell.found(profile=profile(jax, work))
        except Exception as error:  # a profiler that may not look is no reason to lose the rest
            tell.found(profile_failed=f"{type(error).__name__}: {error}"[:300])


def start(config: Any, cache: Path, joined: bool | None, tell: Teller) -> None:
    """Seconds until the first iteration, by what the cache holds."""
    jax = begin(cache)
    tell.found(**device(jax))
    work = Iterations(jax, config, joined)
    work.compile()
    tell.found(start={**work.seconds, "first_call": _first(work, tell), "in_all": tell.age})


def _first(work: Iterations, tell: Teller) -> float:
    """Seconds of a call with one iteration, whose losses are noted: they are to be the same everywhere, but for
    rounding."""
    from hicmd_tf.method.schedule import LOGGED

    seconds, logs = work.call(1)
    losses = {name: float(value) for name, value in zip(LOGGED, logs[0], strict=True)}
    tell.found(losses={name: value if abs(value) < 1e30 else None for name, value in losses.items()})
    return seconds


def _peak(jax: Any) -> float | None:
    return ((jax.devices()[0].memory_stats() or {}).get("peak_bytes_in_use") or 0) / 2**30 or None


def _temporary(compiled: Any) -> float | None:
    analysis = compiled.memory_analysis()
    return None if analysis is None else analysis.temp_size_in_bytes / 2**30


# ----------------------------------------------------------------------------------------------------------- a profile


def profile(jax: Any, work: Iterations) -> Figures:
    """An iteration's kernels: how many, their time, and the share of the time in which at least one runs."""
    with TemporaryDirectory() as folder:
        options = jax.profiler.ProfileOptions()
        options.python_tracer_level = 0  # which costs more than the iteration
        jax.profiler.start_trace(folder, profiler_options=options)
        try:
            seconds, logs = work.call()
        finally:
            jax.profiler.stop_trace()
        (file,) = Path(folder).glob("**/*.xplane.pb")
        found = summary(_kernels(jax.profiler.ProfileData.from_file(str(file))), len(logs))
    return {**found, "profiled_iteration_s": seconds / len(logs)}


def _kernels(data: Any) -> list[tuple[str, float, float]]:
    """(name, start, end) in nanoseconds of everything that ran in a stream of a GPU."""
    lines = [line for plane in data.planes if "GPU" in plane.name for line in plane.lines if "Stream" in line.name]
    return [(one.name, one.start_ns, one.start_ns + one.duration_ns) for line in lines for one in line.events]


def summary(kernels: Iterable[tuple[str, float, float]], iterations: int) -> Figures:
    """Figures of one of so many iterations, from (name, start, end) in nanoseconds."""
    kernels = sorted(kernels, key=lambda one: one[1])
    if not kernels:
        raise ValueError("the profile has no kernels of a GPU")
    times, sizes = Counter[str](), Counter[int]()
    spent: defaultdict[str, float] = defaultdict(float)
    spent_by_size: defaultdict[int, float] = defaultdict(float)
    busy, until = 0.0, 0.0
    for name, begin, end in kernels:
        spent[name] += end - begin
        times[name] += 1
        size = sum((end - begin) / 1e3 >= bound for bound in BOUNDS)
        sizes[size] += 1
        spent_by_size[size] += end - begin
        busy += max(0.0, end - max(begin, until))
        until = max(until, end)
    whole = until - kernels[0][1]
    words = [f"< {BOUNDS[0]}", *(f"{a} to {b}" for a, b in pairwise(BOUNDS)), f">= {BOUNDS[-1]}"]
    return {
        "kernels": len(kernels) / iterations,
        "different": len(spent),
        "kernels_ms": sum(spent.values()) / iterations / 1e6,
        "busy_ms": busy / iterations / 1e6,
        "span_ms": whole / iterations / 1e6,
        "busy": busy / whole,
        "by_microseconds": {
            word: {"kernels": sizes[size] / iterations, "ms": spent_by_size[size] / iterations / 1e6}
            for size, word in enumerate(words)
        },
        "largest": [
            {"name": name[:LETTERS], "ms": ns / iterations / 1e6, "kernels": times[name] / iterations}
            for name, ns in sorted(spent.items(), key=lambda one: -one[1])[:NAMED]
        ],
    }


# --------------------------------------------------------------------------------------------------------- descriptors


def descriptors(config: Any, cache: Path, tell: Teller) -> None:
    """Pictures a second that become descriptors, of one modality: uint8 in the host's memory to float32 there, and
    what the device alone takes."""
    jax = begin(cache)
    tell.found(**device(jax))
    import numpy as np

    from hicmd_tf.data.pictures import SCALE, SHIFT
    from hicmd_tf.engines.jax.compiling import compiled
    from hicmd_tf.method.descriptor import Descriptor
    from hicmd_tf.method.networks.build import build_networks
    from hicmd_tf.method.precision import computing_in

    with computing_in(config.training.precision):
        descriptor = Descriptor(build_networks(config.networks, CLASSES, restored=True))

    def describe(pictures: Any) -> Any:
        return descriptor.describe("visible", pictures.astype("float32") * SCALE - SHIFT)

    work = compiled(describe, descriptor.variables)
    size, random = (config.data.height, config.data.width, 3), np.random.default_rng(SEED)
    shown = {batch: random.integers(0, 256, (batch, *size), np.uint8) for batch in BATCHES}
    for pictures in shown.values():
        np.asarray(work(pictures))
    for batch, pictures in shown.items():
        there = jax.device_put(pictures)
        whole = _median(lambda: np.asarray(work(pictures)))  # noqa: B023
        alone = _median(lambda: jax.block_until_ready(work(there)))  # noqa: B023
        tell.found(**{f"batch_{batch}": {"per_s": batch / whole, "per_s_on_device": batch / alone}})
    tell.found(peak_gib=_peak(jax))


def _median(work: Callable[[], Any], least: int = 5, seconds: float = 1.0) -> float:
    """Seconds of a call: the median of some, after one that warms up."""
    work()
    times: list[float] = []
    while len(times) < least or (sum(times) < seconds and len(times) < 100):
        begin = time.perf_counter()
        work()
        times.append(time.perf_counter() - begin)
    return statistics.median(times)


# --------------------------------------------------------------------------------------------------------------- rates


def rates(cache: Path, tell: Teller) -> None:
    """What the device itself reaches on random data: products of large matrices, and a copy."""
    jax = begin(cache)
    jnp = jax.numpy
    tell.found(**device(jax))
    large = jax.default_backend() != "cpu"
    side = SIDE if large else SMALL_SIDE
    entries = (COPIED if large else SMALL_COPY) // 4
    one, two = jax.random.normal(jax.random.key(SEED), (2, side, side))
    products = {
        "float32_tf32": (jnp.float32, "default"),
        "float32": (jnp.float32, "highest"),
        "bfloat16": (jnp.bfloat16, "default"),
    }
    works: dict[str, tuple[Callable[[], Any], float]] = {}
    for name, (kind, precision) in products.items():
        a, b = one.astype(kind), two.astype(kind)
        product = jax.jit(lambda a, b, precision=precision: jnp.matmul(a, b, precision=precision))
        works[name] = partial(product, a, b), 2 * side**3 / 1e12
    there = jax.random.normal(jax.random.key(0), (entries,))
    copy = jax.jit(lambda x: x + 1)
    works["copy"] = partial(copy, there), 2 * 4 * entries / 1e12  # read and written
    for work, _ in works.values():
        jax.block_until_ready(work())
    for name, (work, amount) in works.items():
        times = [_back_to_back(jax, work) for _ in range(ROUNDS)]
        tell.found(**{f"{name}_per_s": amount / statistics.median(times), f"{name}_best_per_s": amount / min(times)})
    tell.found(side=side, copied_mib=4 * entries / 2**20)


def _back_to_back(jax: Any, work: Callable[[], Any], times: int = 10) -> float:
    begin = time.perf_counter()
    for _ in range(times):
        result = work()
    jax.block_until_ready(result)
    return (time.perf_counter() - begin) / times
