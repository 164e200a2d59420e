"""Shared parts of the scripts: command line, seconds, processes of their own, the yardstick, pictures of curves."""

import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from hicmd_tf.arguments import Parser, positive, writable
from hicmd_tf.config.kinds import HICMD
from hicmd_tf.errors import UserError

YARDSTICK = (
    4096  # rows and columns of the matrix product by whose time others are divided: it makes machines comparable
)
SEED = 777


def parser_of(script: str, about: str | None, rounds: int = 0) -> Parser:
    """A script's command line, with --json, and with --rounds where it measures so many by default."""
    parser = Parser(f"python -m bench.{script}", description=(about or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--json", type=writable, metavar="FILE", help="write the figures there")
    if rounds:
        said = "of measurements (default: %(default)s)"
        parser.add_argument("--rounds", type=positive, default=rounds, metavar="N", help=said)
    return parser


def refuse_embedding(method: str) -> None:
    """Raises UserError unless the method is Hi-CMD, whose iteration a script knows."""
    if method != HICMD:
        raise UserError(
            f"method is {method}: this measures hicmd's iteration; name a configuration of that, or take "
            f"python -m bench.train_step, which measures both"
        )


def keep(file: Path | None, figures: Any) -> None:
    """Writes figures as JSON when asked."""
    from hicmd_tf.files import write_json

    if file:
        write_json(file, figures)


def seconds(work: Callable[[], Any]) -> tuple[float, float]:
    """Wall and processor seconds."""
    begin = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - begin[0], time.process_time() - begin[1]


def process() -> ProcessPoolExecutor:
    """One process beside, which begins afresh."""
    return ProcessPoolExecutor(1, mp_context=get_context("spawn"))


def alone(work: Callable[..., Any], *arguments: Any) -> Any:
    """The result of `work`, computed in a process of its own."""
    with process() as pool:
        return pool.submit(work, *arguments).result()


@cache
def _product(side: int) -> Callable[[], Any]:
    import tensorflow as tf

    a = tf.random.normal((side, side), seed=SEED)
    return tf.function(lambda: tf.reduce_sum(a @ a))


def yardstick(side: int = YARDSTICK) -> tuple[float, float]:
    """Wall and processor seconds of a float32 matrix product, once warm."""
    product = _product(side)
    product().numpy()
    return seconds(lambda: product().numpy())


def save_plot(figure: Any, path: Path) -> None:
    """Writes a matplotlib figure as a PNG file."""
    from hicmd_tf.files import replacing

    with replacing(path) as file:
        figure.savefig(file, dpi=110, format="png", metadata={"Software": None})
