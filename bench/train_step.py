"""`python -m bench.train_step`: what one training iteration costs, in float32 and in mixed_bfloat16.

A configuration's networks, of either method and by default of full size, with random weights, pictures of noise and
the configured batch, optimisers included, the input pipeline running beside; each precision in a process of its own.
Making the graph is timed (traced_s), and then the first iteration, in which TensorFlow optimises it (first_s). Every
round measures a 4096^3 float32 product (the yardstick: its time divides the iteration's, which makes machines
comparable) and an iteration. Parts, and kinds of operations, are their shares of the operations' time, by TensorFlow's
profiler, of one more iteration. For a fair figure run nothing else.
"""

import itertools
import json
import resource
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.measuring import SEED, YARDSTICK, alone, keep, parser_of, process, seconds, yardstick
from hicmd_tf.errors import run_command
from hicmd_tf.tables import as_text as table

CLASSES = 206
PRECISIONS = {"float32": "float32", "bfloat16": "mixed_bfloat16"}
MOST = 10_000  # iterations that there is input for
KINDS = 10  # of operations that are named
WARM_UP = 2  # in the first iteration TensorFlow optimises its graph, the second still fills the caches

Figures = dict[str, Any]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures, prints two tables, and writes the figures as JSON when asked."""
    parser = parser_of("train_step", __doc__, rounds=5)
    add = parser.add_argument
    add("--config", default="released", metavar="NAME", help="configuration (default: %(default)s)")
    add("--memory", choices=("normal", "low"), default="normal", help="training.memory")
    add("--only", choices=PRECISIONS, help="measure one precision instead of both")
    add("--compare", type=Path, metavar="FILE", help="another run's figures, to compare the losses with")
    options = parser.parse_args(arguments)
    try:  # before minutes of measuring
        others = json.loads(options.compare.read_text("utf-8")) if options.compare else None
    except (OSError, ValueError) as error:
        parser.error(f"--compare {options.compare} can't be read ({error}): name a file that --json wrote")
    chosen = [options.only] if options.only else list(PRECISIONS)
    settings = {name: {"training.precision": PRECISIONS[name], "training.memory": options.memory} for name in chosen}
    figures = {name: alone(iteration, options.config, settings[name], options.rounds) for name in chosen}
    print(as_text(figures))
    if others is not None:
        print(losses_beside(figures, others))
    keep(options.json, figures)


def iteration(name: str, settings: dict[str, Any], rounds: int, classes: int = CLASSES) -> Figures:
    """Cost of an iteration of a configuration with other settings: seconds, the wait for input among them,
    arithmetic and peak memory; the losses of the first iteration; each part's share."""
    from tqdm import trange

    from bench.graphs import flops_by_part, time_spent
    from hicmd_tf.config import load

    config = load(name, {"seed": SEED, "networks.resnet_weights": "none", **settings})
    step = _Step(config, classes)
    traced, _ = seconds(step.graph)
    times, yardsticks, losses = [], [], []
    with process() as elsewhere:  # the yardstick's memory is not the iteration's
        for _ in trange(WARM_UP + rounds, unit="iteration", leave=False):
            yardsticks.append(elsewhere.submit(yardstick).result()[0])
            times.append(seconds(lambda: losses.append(step())))
    of_rounds = slice(WARM_UP, None)
    walls, cpus = zip(*times[of_rounds], strict=True)
    wall, peak = statistics.median(walls), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    flops, spent = flops_by_part(step.graph()), time_spent(step)
    share = wall / sum(spent.parts.values())
    return {
        "yardstick_s": statistics.median(yardsticks[of_rounds]),
        "wall_s": wall,
        "wall_min_s": min(walls),
        "wall_max_s": max(walls),
        "operations": len(step.graph().get_operations()),
        "traced_s": traced,
        "first_s": times[0][0],
        "waited_s": statistics.median(step.waits[of_rounds]),
        "cpu_s": statistics.median(cpus),
        "yardsticks": statistics.median(w / y for w, y in zip(walls, yardsticks[of_rounds], strict=True)),
        "peak_gib": peak,
        "tflop": sum(flops.values()) / 1e12,
        "pictures_per_s": step.pictures / wall,
        "losses": losses[0],
        "parts": {
            part: {"tflop": flops[part] / 1e12, "wall_s": share * spent.parts[part]}
            for part in {**flops, **spent.parts}
        },
        "kinds": {kind: share * time for kind, time in spent.kinds.most_common(KINDS)},
    }


class _Step:
    """One iteration, on the next batch of the input pipeline, which runs beside."""

    def __init__(self, config: Any, classes: int) -> None:
        import tensorflow as tf

        from hicmd_tf.data.batches import REAL, batches
        from hicmd_tf.data.planners import planner_of
        from hicmd_tf.engines.chosen import set_up
        from hicmd_tf.training.experiment import build_model

        set_up(config)
        samples = _noise(config)
        planner = planner_of(config, samples)
        self._function = tf.function(build_model(config, classes).train_step)
        inputs = iter(batches(planner, samples, 0, MOST))
        self._first = next(inputs)
        self.pictures = sum(len(self._first[name]) for name in REAL if name in self._first)
        self._batches = itertools.chain([self._first], inputs)
        self.waits: list[float] = []

    def __call__(self) -> dict[str, float]:
        """The losses."""
        begin = time.perf_counter()
        batch = next(self._batches)
        self.waits.append(time.perf_counter() - begin)
        return {name: float(value) for name, value in self._function(batch).items()}

    def graph(self) -> Any:
        """The graph of the traced iteration."""
        return self._function.get_concrete_function(self._first).graph


def _noise(config: Any) -> Any:
    """Two noisy pictures of as many people as a batch has, in either modality, as PNG files."""
    import numpy as np
    import tensorflow as tf

    from hicmd_tf.config.kinds import EMBEDDING
    from hicmd_tf.data.samples import Samples

    embedding = config.method == EMBEDDING
    people = config.embedding.people if embedding else config.batch.pairs + 2 * config.batch.negatives
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
    """The costs of an iteration and of its parts, as tables."""
    chosen = {name: figures[name] for name in PRECISIONS if name in figures}
    columns = [column for column in next(iter(chosen.values())) if column not in ("losses", "parts", "kinds")]
    rows: list[list[object]] = [["", *columns, "of the yardstick's rate"]]
    for name, of in chosen.items():
        rate = of["tflop"] / of["wall_s"] / (2 * YARDSTICK**3 / 1e12 / of["yardstick_s"])
        rows.append([name, *(_short(of[column]) for column in columns), f"{rate:.0%}"])
    tflop = {part: spent["tflop"] for of in chosen.values() for part, spent in of["parts"].items()}
    parts: list[list[object]] = [["part", "TFLOP", *(f"{name} s" for name in chosen)]]
    for part in sorted(tflop, key=lambda part: -tflop[part]):
        spent = [of["parts"].get(part, {"wall_s": 0.0})["wall_s"] for of in chosen.values()]
        parts.append([part, f"{tflop[part]:.3f}", *map(_short, spent)])
    kinds = [
        f"{name}, seconds by operation: {', '.join(f'{kind} {_short(spent)}' for kind, spent in of['kinds'].items())}"
        for name, of in chosen.items()
    ]
    return "\n".join([table(rows), "", table(parts), "", *kinds])


def _short(value: float) -> str:
    return f"{value:.3g}"


if __name__ == "__main__":
    run_command(main)
