"""`python -m bench.train_step`: what one training iteration costs, in float32 and in mixed_bfloat16.

The full-size networks with random weights, pictures of noise and the released batch, optimisers included, the input
pipeline running beside; each precision in a process of its own. Every round measures a 4096^3 float32 product
(the yardstick: its time divides the iteration's, which makes machines comparable) and an iteration. Parts, and kinds of
operations, are their shares of the operations' time, by TensorFlow's profiler, of one more iteration. For a fair figure
run nothing else.
"""

import json
import resource
import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from hicmd_tf.arguments import Parser, positive, writable
from hicmd_tf.errors import run_command

SEED = 777
CLASSES = 206
YARDSTICK = 4096
PRECISIONS = {"float32": "float32", "bfloat16": "mixed_bfloat16"}
PEER = {
    "yardsticks": 43,
    "tflop": 4.03,
    "peak_gib": 8.3,
}  # the authors' PyTorch code, quoted: it can't be run from here
GOALS = {"float32": (27, 22), "bfloat16": (18, 13)}  # yardsticks, at most and aimed at
INPUT_BATCHES = 40
KINDS = 10  # of operations that are named
WARM_UP = 2  # the first iteration traces, the second still fills the caches

Figures = dict[str, Any]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures, prints two tables, and writes the figures as JSON when asked."""
    parser = Parser("python -m bench.train_step", description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--json", type=writable, metavar="FILE", help="write the figures there")
    parser.add_argument("--config", default="released", metavar="NAME", help="configuration (default: %(default)s)")
    parser.add_argument(
        "--rounds", type=positive, default=5, metavar="N", help="of measurements (default: %(default)s)"
    )
    parser.add_argument("--memory", choices=("normal", "low"), default="normal", help="training.memory")
    parser.add_argument("--only", choices=PRECISIONS, help="measure one precision instead of both")
    parser.add_argument(
        "--compare", type=Path, metavar="FILE", help="another run's figures, to compare the losses with"
    )
    options = parser.parse_args(arguments)
    others = None
    if options.compare:  # before minutes of measuring
        try:
            others = json.loads(options.compare.read_text("utf-8"))
        except (OSError, ValueError) as error:
            parser.error(f"--compare {options.compare} can't be read ({error}): name a file that --json wrote")
    chosen = [options.only] if options.only else list(PRECISIONS)
    figures = collected(
        {name: alone(iteration, options.config, PRECISIONS[name], options.memory, options.rounds) for name in chosen},
        alone(input_pipeline, options.config),
    )
    print(as_text(figures))
    if others is not None:
        print(losses_beside(figures, others))
    if options.json:
        from hicmd_tf.files import write_json

        write_json(options.json, figures)


def alone(work: Callable[..., Figures], *arguments: Any) -> Figures:
    """What work returns, computed in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(work, *arguments).result()


def iteration(name: str, precision: str, memory: str, rounds: int) -> Figures:
    """What an iteration costs, and each part's share."""
    from bench.graphs import flops_by_part, time_spent

    step, pictures = _training_step(name, precision, memory)
    figures = _measured(step, rounds, precision)
    flops, spent = flops_by_part(step.graph()), time_spent(step)
    wall, total = figures["wall_s"], sum(spent.parts.values())
    return {
        **figures,
        "tflop": sum(flops.values()) / 1e12,
        "pictures_per_s": pictures / wall,
        "parts": {
            part: {"tflop": flops[part] / 1e12, "wall_s": wall * spent.parts[part] / total}
            for part in {**flops, **spent.parts}
        },
        "kinds": {kind: wall * seconds / total for kind, seconds in spent.kinds.most_common(KINDS)},
    }


def cost(name: str, precision: str, memory: str, rounds: int, overrides: dict[str, Any], classes: int) -> Figures:
    """What an iteration costs with other keys and another number of training identities."""
    from bench.graphs import flops_by_part

    step, pictures = _training_step(name, precision, memory, overrides, classes)
    figures = _measured(step, rounds, precision)
    flops = sum(flops_by_part(step.graph()).values())
    return {**figures, "tflop": flops / 1e12, "pictures_per_s": pictures / figures["wall_s"]}


def _measured(step: "_Step", rounds: int, label: str) -> Figures:
    """Seconds, the wait for input among them, and peak memory of an iteration; the losses of the first."""
    from tqdm import tqdm

    walls, cpus, yardsticks, losses = [], [], [], []
    with (
        ProcessPoolExecutor(1, mp_context=get_context("spawn")) as elsewhere,  # its memory is not the iteration's
        tqdm(total=WARM_UP + rounds, desc=label, unit="iteration", leave=False) as bar,
    ):
        for _ in range(WARM_UP + rounds):
            yardsticks.append(elsewhere.submit(yardstick_seconds).result())
            wall, cpu = _seconds(lambda: losses.append(step()))
            walls.append(wall)
            cpus.append(cpu)
            bar.update()
    of_rounds = slice(WARM_UP, None)
    walls, yardsticks = walls[of_rounds], yardsticks[of_rounds]
    return {
        "yardstick_s": statistics.median(yardsticks),
        "wall_s": statistics.median(walls),
        "wall_min_s": min(walls),
        "wall_max_s": max(walls),
        "waited_s": statistics.median(step.waits[of_rounds]),
        "cpu_s": statistics.median(cpus[of_rounds]),
        "yardsticks": statistics.median(w / y for w, y in zip(walls, yardsticks, strict=True)),
        "peak_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
        "losses": losses[0],
    }


@cache
def _product() -> Callable[[], Any]:
    import tensorflow as tf

    a = tf.random.normal((YARDSTICK, YARDSTICK), seed=SEED)
    return tf.function(lambda: tf.reduce_sum(a @ a))


def yardstick_seconds() -> float:
    """How long the matrix product takes, once warm."""
    product = _product()
    product().numpy()
    return _seconds(lambda: product().numpy())[0]


class _Step:
    """One iteration, on the next batch of the input pipeline, which runs beside."""

    def __init__(self, model: Any, batches: Any) -> None:
        import tensorflow as tf

        self._function, self._batches = tf.function(model.train_step), iter(batches)
        self.waits: list[float] = []

    def __call__(self) -> dict[str, float]:
        """The losses."""
        begin = time.perf_counter()
        batch = next(self._batches)
        self.waits.append(time.perf_counter() - begin)
        return {name: float(value) for name, value in self._function(batch).items()}

    def graph(self) -> Any:
        """What was traced."""
        return self._function.get_concrete_function(next(self._batches)).graph


def _training_step(
    name: str,
    precision: str = "float32",
    memory: str = "normal",
    overrides: dict[str, Any] | None = None,
    classes: int = CLASSES,
) -> tuple[_Step, int]:
    """An iteration of a configuration's networks, and how many pictures it sees."""
    import keras

    from hicmd_tf.config import load
    from hicmd_tf.data.batches import BatchPlanner, batches
    from hicmd_tf.engines.chosen import HiCMD, set_up
    from hicmd_tf.method.networks.build import build_networks
    from hicmd_tf.method.precision import computing_in
    from hicmd_tf.training.optimisers import make_optimisers

    own = {"networks.resnet_weights": "none", "training.precision": precision, "training.memory": memory}
    config = load(name, {**own, **(overrides or {})})
    set_up(config)
    keras.utils.set_random_seed(SEED)
    with computing_in(precision):
        networks = build_networks(config.networks, classes)
    model = HiCMD(networks, config)
    model.compile(make_optimisers(config.optimisers))
    samples = _noise(config)
    planner = BatchPlanner(samples, config.batch, config.data.height, config.data.width, SEED)
    steps = batches(planner, samples, 0, 2 * INPUT_BATCHES)
    return _Step(model, steps), 2 * (config.batch.pairs + config.batch.negatives)


def _noise(config: Any) -> Any:
    """Two noisy pictures of as many people as a batch has, in either modality, as PNG files."""
    import numpy as np
    import tensorflow as tf

    from hicmd_tf.data.samples import Samples

    people = config.batch.pairs + 2 * config.batch.negatives
    random = np.random.default_rng(SEED)
    coarse = random.integers(0, 256, (4 * people, 16, 8, 3)).astype("float32")
    fine = tf.image.resize(coarse, (config.data.height, config.data.width), "bicubic")
    pictures = tf.cast(tf.clip_by_value(fine + random.normal(0, 4, fine.shape), 0, 255), tf.uint8)
    rows = np.arange(len(coarse))
    return Samples(
        encoded=[tf.io.encode_png(picture).numpy() for picture in pictures],
        names=[f"{row:04d}" for row in rows],
        identities=rows // 4,
        infrared=rows % 2 == 1,
        cameras=rows % 2,
        factors={},
    )


def _seconds(work: Callable[[], Any]) -> tuple[float, float]:
    """Wall and processor seconds."""
    begin = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - begin[0], time.process_time() - begin[1]


def input_pipeline(name: str) -> Figures:
    """Seconds that a batch of the pipeline takes by itself, of pictures kept in memory and of encoded ones."""
    from hicmd_tf.config import load
    from hicmd_tf.data import batches as module

    config = load(name)
    samples = _noise(config)
    planner = module.BatchPlanner(samples, config.batch, config.data.height, config.data.width, SEED)
    found: Figures = {}
    for kind, limit in (("from_memory_s", module.MEMORY_LIMIT), ("decoded_s", 0)):
        module.MEMORY_LIMIT = limit
        iterator = iter(module.batches(planner, samples, 0, 2 * INPUT_BATCHES))
        for _ in range(INPUT_BATCHES):
            next(iterator)
        begin = time.perf_counter()
        for _ in range(INPUT_BATCHES):
            next(iterator)
        found[kind] = (time.perf_counter() - begin) / INPUT_BATCHES
    return found


def collected(by_precision: dict[str, Figures], of_input: Figures) -> Figures:
    """Everything as the JSON file has it; parts by name, with seconds in each precision."""
    parts: dict[str, Figures] = {}
    for name, of in by_precision.items():
        for part, figures in of.pop("parts").items():
            parts.setdefault(part, {"tflop": figures["tflop"]})[f"{name}_s"] = figures["wall_s"]
    order = sorted(parts, key=lambda part: -parts[part]["tflop"])
    return {
        "yardstick_s": min(of["yardstick_s"] for of in by_precision.values()),
        **by_precision,
        "parts": {**{part: parts[part] for part in order}, "input": of_input},
    }


def losses_beside(figures: Figures, others: Figures) -> str:
    """The largest relative difference between the losses of both runs' first iterations."""
    lines = []
    for name in (name for name in PRECISIONS if name in figures and name in others):
        mine, other = figures[name]["losses"], others[name]["losses"]
        apart = {key: abs(mine[key] - other[key]) / max(abs(other[key]), 1e-12) for key in mine}
        worst = max(apart, key=lambda key: apart[key])
        lines.append(f"{name}: losses of the first iteration differ by {apart[worst]:.1e} at most ({worst})")
    return "\n".join(lines) or "no precision in common: nothing to compare"


def as_text(figures: Figures) -> str:
    """Both tables."""
    chosen = [name for name in PRECISIONS if name in figures]
    lines = [
        f"yardstick {figures['yardstick_s']:.3f} s",
        f"{'':11}wall s (min - max){'waiting':>9}{'CPU s':>10}{'yardsticks':>12}{'limit/aim':>11}"
        f"{'peak GiB':>10}{'TFLOP':>7}{'pictures/s':>12}{'of its rate':>13}",
    ]
    for name in chosen:
        of, (limit, aim) = figures[name], GOALS[name]
        rate = of["tflop"] / of["wall_s"] / (2 * YARDSTICK**3 / 1e12 / of["yardstick_s"])
        lines.append(
            f"  {name:<9}{of['wall_s']:>6.2f} ({of['wall_min_s']:.2f} - {of['wall_max_s']:.2f})"
            f"{1000 * of['waited_s']:>6.1f} ms"
            f"{of['cpu_s']:>10.2f}{of['yardsticks']:>12.1f}{f'{limit}/{aim}':>11}{of['peak_gib']:>10.2f}"
            f"{of['tflop']:>7.2f}{of['pictures_per_s']:>12.2f}{rate:>13.0%}"
        )
    peer = f"{PEER['yardsticks']:>22}{PEER['peak_gib']:>21.2f}{PEER['tflop']:>7.2f}"
    lines.append(f"  {'PyTorch, the authors (quoted)':<36}{peer}")
    lines.append(f"{'part':<22}{'TFLOP':>8}{''.join(f'{name:>12} s' for name in chosen)}")
    for part, of in figures["parts"].items():
        if part != "input":
            seconds = "".join(f"{of.get(f'{name}_s', 0.0):>14.2f}" for name in chosen)
            lines.append(f"  {part:<20}{of['tflop']:>8.3f}{seconds}")
    for name in chosen:
        kinds = ", ".join(f"{kind} {seconds:.2f}" for kind, seconds in figures[name]["kinds"].items())
        lines.append(f"  {name}, seconds by operation: {kinds}")
    of = figures["parts"]["input"]
    memory, decoded = (f"{1000 * of[kind]:.1f} ms" for kind in ("from_memory_s", "decoded_s"))
    lines.append(f"  input, beside the iteration: {memory} a batch from memory, {decoded} decoded")
    return "\n".join(lines)


if __name__ == "__main__":
    run_command(main)
