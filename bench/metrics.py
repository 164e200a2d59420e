"""`python -m bench.metrics`: what scoring costs beside the distance product, on one thread.

Each case runs in a process of its own. The distance product alone and our whole scoring (checks, distances, ranks,
metrics) are measured in turns, as CPU seconds, the least of several; a naive evaluator (sort every row, one query at a
time) once. Memory is the peak of what Python and NumPy allocate beside the inputs. For a fair figure run nothing else.
"""

import argparse
import json
import os
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from hicmd_tf.arguments import Parser, writable
from hicmd_tf.errors import run_command

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
SEED = 777
LENGTH = 1024
SPREAD = 3.0  # of descriptors around their identity's, in units of the identities' own spread


class Case(NamedTuple):
    """identities in both sets, galleries scored one after another, repeats of every measurement."""

    protocol: str
    queries: int
    gallery: int
    identities: int
    galleries: int
    repeats: int
    rerank: bool = False


CASES = {
    "regdb": Case("regdb", 2060, 2060, 206, 1, 9),
    "sysu_ten_trials": Case("sysu", 3803, 301, 96, 10, 5),
    "10k_x_20k": Case("market1501", 10_000, 20_000, 1000, 1, 2),
    "regdb_reranked": Case("regdb", 2060, 2060, 206, 1, 5, rerank=True),
}

# CPU seconds and MiB of public evaluators, distance product included, one thread, dimension 1024, measured once on a
# machine like that of the figures in docs/retrieval.md; they can't be run from here.
PEERS = {
    "regdb": {"fast-reid (Cython)": (0.20, 65), "torchreid (Cython)": (0.20, 95), "MPANet": (0.94, 113)},
    "sysu_ten_trials": {"MPANet, which knows the rule": (2.98, 61), "fast-reid, which does not": (0.60, 47)},
    "10k_x_20k": {"fast-reid (Cython)": (13.4, 2303), "torchreid (Cython)": (16.9, 4016)},
    "regdb_reranked": {},
}


def measure(case: Case) -> dict[str, float]:
    """The figures of one case, in this process."""
    import numpy as np

    from hicmd_tf.retrieval.metrics import score

    rng = np.random.default_rng(SEED)
    centres = rng.standard_normal((case.identities, LENGTH), np.float32)

    def drawn(count: int, cameras: list[int]) -> tuple[Any, Any, Any]:
        ids = np.arange(count) % case.identities
        rows = np.float32(SPREAD) * rng.standard_normal((count, LENGTH), np.float32)
        for start in range(0, count, 512):
            rows[start : start + 512] += centres[ids[start : start + 512]]
        return rows, ids, rng.choice(cameras, count)

    query, query_ids, query_cams = drawn(case.queries, [3, 6])
    galleries = [drawn(case.gallery, [1, 2, 4, 5]) for _ in range(case.galleries)]

    def product() -> None:
        for gallery, _, _ in galleries:
            for start in range(0, case.queries, 512):
                query[start : start + 512] @ gallery.T

    def ours() -> None:
        for gallery, ids, cams in galleries:
            score(query, gallery, query_ids, ids, query_cams, cams, case.protocol, case.rerank)  # type: ignore[arg-type]

    def naive() -> None:
        for gallery, ids, _ in galleries:
            order = np.argsort(-(query @ gallery.T), axis=1)
            for row, identity in zip(order, query_ids, strict=True):
                hits = np.flatnonzero(ids[row] == identity) + 1
                np.mean(np.arange(1, len(hits) + 1) / hits)

    times: dict[str, list[float]] = {"product_s": [], "score_s": []}
    for _ in range(case.repeats):
        times["product_s"].append(_cpu_seconds(product))
        times["score_s"].append(_cpu_seconds(ours))
    figures = {name: min(values) for name, values in times.items()}
    figures["ratio"] = figures["score_s"] / figures["product_s"]
    figures["peak_mib"] = _peak_mib(ours)
    if not case.rerank:
        figures["naive_s"], figures["naive_peak_mib"] = _cpu_seconds(naive), _peak_mib(naive)
    return figures


def _cpu_seconds(work: Callable[[], None]) -> float:
    begin = time.process_time()
    work()
    return time.process_time() - begin


def _peak_mib(work: Callable[[], None]) -> float:
    tracemalloc.start()
    work()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 2**20


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the cases, prints a table, and writes the figures as JSON when asked."""
    parser = Parser("python -m bench.metrics", description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--json", type=writable, metavar="FILE", help="write the figures there")
    parser.add_argument("--case", choices=CASES, action="append", help="only this one; may be given several times")
    parser.add_argument("--inside", choices=CASES, help=argparse.SUPPRESS)  # the process of one case
    options = parser.parse_args(arguments)
    if options.inside:
        print(json.dumps(measure(CASES[options.inside])))
        return
    figures = {}
    for name in options.case or CASES:
        command = [sys.executable, "-m", "bench.metrics", "--inside", name]
        done = subprocess.run(command, env={**os.environ, **ONE_THREAD}, stdout=subprocess.PIPE, text=True, check=True)
        figures[name] = json.loads(done.stdout)
        print(_lines(name, figures[name]), flush=True)
    if options.json:
        from hicmd_tf.files import write_json

        write_json(options.json, figures)


def _lines(name: str, figures: dict[str, float]) -> str:
    case = CASES[name]
    title = f"{name}: {case.queries} x {case.gallery}, dimension {LENGTH}, {case.galleries} galleries"
    rows = [
        ("distance product alone", figures["product_s"], None),
        (f"hicmd_tf, {figures['ratio']:.2f} x the product", figures["score_s"], figures["peak_mib"]),
        *([("naive: every row sorted", figures["naive_s"], figures["naive_peak_mib"])] if "naive_s" in figures else []),
        *((f"{peer} (quoted)", *values) for peer, values in PEERS[name].items()),
    ]
    return "\n".join(
        [title, *(f"  {row:<42}{cpu:8.3f} s" + (f"{mib:8.0f} MiB" if mib else "") for row, cpu, mib in rows)]
    )


if __name__ == "__main__":
    run_command(main)
