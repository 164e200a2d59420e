"""`python -m bench.inference`: what describing a picture costs, exported and not, on the CPU.

The full-size descriptor branch of one modality (or --run's), 256 x 128 pictures as uint8, batches of 1 and 32. Every
round measures a 4096^3 float32 matrix product (the yardstick: its time divides the others, which makes machines
comparable) and each model in turn. Weights are random, which cost the same. For a fair figure run nothing else.
"""

import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from hicmd_tf.arguments import Parser, positive, writable
from hicmd_tf.errors import run_command

SEED = 777
BATCHES = {1: 8, 32: 1}  # and how often in a row
YARDSTICK = 4096
CALIBRATION = 4
PEER = {1: 0.27, 32: 0.39}  # yardsticks per image of the authors' PyTorch code, quoted: it can't be run from here

Work = Callable[[Any], Any]


def main(arguments: Sequence[str] | None = None) -> None:
    """Exports, measures in turns, prints a table, and writes the figures as JSON when asked."""
    parser = Parser("python -m bench.inference", description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--json", type=writable, metavar="FILE", help="write the figures there")
    parser.add_argument("--run", type=Path, metavar="DIR", help="run folder to take instead of configs/released.yaml")
    parser.add_argument(
        "--rounds", type=positive, default=7, metavar="N", help="of measurements (default: %(default)s)"
    )
    parser.add_argument("--threads", type=int, default=2, metavar="N", help="for every model (default: %(default)s)")
    options = parser.parse_args(arguments)
    branch = _branch(options.run, options.threads)
    with tempfile.TemporaryDirectory() as folder:
        models = _models(branch, Path(folder), options.threads)
        figures = measure(models, branch.height, branch.width, options.rounds)
    figures["threads"] = options.threads
    print(_table(figures))
    if options.json:
        from hicmd_tf.files import write_json

        write_json(options.json, figures)


def _branch(run: Path | None, threads: int) -> Any:
    import keras
    import tensorflow as tf

    from hicmd_tf.config import load
    from hicmd_tf.export.branch import DescriptorBranch, source_of
    from hicmd_tf.method.networks.build import build_networks
    from hicmd_tf.runs.opened import OpenedRun

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    if run is not None:
        return source_of(OpenedRun(run)).branch
    keras.utils.set_random_seed(SEED)
    config = load("released", {"networks.resnet_weights": "none"})
    return DescriptorBranch(build_networks(config.networks, 206).descriptor(), config.data.height, config.data.width)


def _models(branch: Any, folder: Path, threads: int) -> dict[str, Work]:
    """Functions from uint8 pictures (B, H, W, 3) of the visible camera to their descriptors, by name."""
    import numpy as np
    import onnx
    import tensorflow as tf

    from hicmd_tf.data.pictures import normalise
    from hicmd_tf.export.artefacts import OUTPUT
    from hicmd_tf.export.artefacts import session as open_session
    from hicmd_tf.export.onnx import floats_graph, pictures_graph, quantised
    from hicmd_tf.export.saved_model import save_graphs

    keras_graph = tf.function(
        lambda x: branch.describe("visible", normalise(tf.cast(x, tf.float32))), reduce_retracing=True
    )
    saved = folder / "saved_model"
    save_graphs({"visible": branch.signatures()["visible"]}, saved)
    loaded = tf.saved_model.load(str(saved))
    exact = floats_graph(branch, "visible")
    onnx.save(exact, folder / "floats.onnx")
    onnx.save(pictures_graph(exact), folder / "fp32.onnx")
    pictures = np.random.default_rng(SEED).integers(0, 256, (CALIBRATION, branch.height, branch.width, 3), np.uint8)
    onnx.save(pictures_graph(quantised(folder / "floats.onnx", iter([normalise(pictures)]))), folder / "int8.onnx")

    def run_onnx(session: Any, pictures: Any) -> Any:
        return session.run([OUTPUT], {"pictures": pictures})[0]

    sessions = {name: open_session(folder / f"{name}.onnx", threads) for name in ("fp32", "int8")}
    return {
        "Keras": lambda x: keras_graph(x).numpy(),
        "SavedModel": lambda x: loaded.signatures["visible"](pictures=tf.constant(x))[OUTPUT].numpy(),
        **{f"ONNX {name}": partial(run_onnx, session) for name, session in sessions.items()},
    }


def measure(models: dict[str, Work], height: int, width: int, rounds: int) -> dict[str, Any]:
    """Seconds of the yardstick and of an image, every round in turns."""
    import numpy as np
    import tensorflow as tf
    from tqdm import tqdm

    a = tf.random.normal((YARDSTICK, YARDSTICK), seed=SEED)
    product = tf.function(lambda: tf.reduce_sum(a @ a))
    random = np.random.default_rng(SEED)
    inputs = {batch: random.integers(0, 256, (batch, height, width, 3), np.uint8) for batch in BATCHES}
    seconds: dict[Any, list[float]] = {(name, batch): [] for batch in BATCHES for name in models}
    yardsticks: list[float] = []
    for i in tqdm(range(1 + rounds), desc="measuring", unit="round", leave=False):
        measured = {(name, b): _seconds(partial(models[name], inputs[b]), BATCHES[b]) / b for name, b in seconds}
        yardstick = _seconds(lambda: product().numpy())
        if i > 0:  # the first round warms up
            yardsticks.append(yardstick)
            for key, value in measured.items():
                seconds[key].append(value)
    best = min(yardsticks)
    return {
        "yardstick_s": best,
        "yardstick_median_s": statistics.median(yardsticks),
        "models": {name: {str(batch): _figures(seconds[name, batch], best) for batch in BATCHES} for name in models},
    }


def _seconds(work: Callable[[], Any], times: int = 1) -> float:
    """Of one call: the mean of several in a row, after one that brings its weights back into the caches."""
    if times > 1:
        work()
    begin = time.perf_counter()
    for _ in range(times):
        work()
    return (time.perf_counter() - begin) / times


def _figures(seconds: list[float], yardstick: float) -> dict[str, float]:
    return {
        "image_s": min(seconds),
        "image_median_s": statistics.median(seconds),
        "image_max_s": max(seconds),
        "images_per_s": 1 / min(seconds),
        "yardsticks": min(seconds) / yardstick,
    }


def _table(figures: dict[str, Any]) -> str:
    from hicmd_tf.tables import as_text

    rows = [["batch", "", "images/s", "ms per image", "median", "yardsticks"]]
    for batch in BATCHES:
        for name, of in figures["models"].items():
            f = of[str(batch)]
            seconds = [f"{1000 * f[key]:.1f}" for key in ("image_s", "image_median_s")]
            rows.append([str(batch), name, f"{f['images_per_s']:.2f}", *seconds, f"{f['yardsticks']:.3f}"])
        rows.append([str(batch), "PyTorch, the authors (quoted)", "", "", "", f"{PEER[batch]:.3f}"])
    yardstick = f"yardstick {figures['yardstick_s']:.3f} s, median {figures['yardstick_median_s']:.3f} s"
    return f"{yardstick}\n{as_text(rows, '<<>')}"


if __name__ == "__main__":
    run_command(main)
