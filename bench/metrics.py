"""`python -m bench.metrics`: what scoring, verification and rows without modality cost beside the distance product, on
one thread.

Each case runs in a process of its own. The distance product alone and our whole scoring (checks, distances, ranks,
metrics) are measured in turns, as CPU seconds, the least of several; a naive evaluator (sort every row, one query at a
time) once. Memory is the peak of what Python and NumPy allocate beside the inputs. For a fair figure run nothing else.
"""

import os
import tracemalloc
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

from bench.measuring import SEED, alone, keep, parser_of, seconds
from hicmd_tf.errors import run_command
from hicmd_tf.tables import as_text

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
LENGTH = 1024
SPREAD = 3.0  # of descriptors around their identity's, in units of the identities' own spread


class Case(NamedTuple):
    """identities in both sets, galleries scored one after another, repeats of every measurement. of: "verify", pairs
    are verified and open sets searched; "modality", the rows without modality are scored; in both one in ten pictures
    is in each of several galleries."""

    protocol: str
    queries: int
    gallery: int
    identities: int
    galleries: int
    repeats: int
    rerank: bool = False
    of: Literal["score", "verify", "modality"] = "score"


CASES = {
    "regdb": Case("regdb", 2060, 2060, 206, 1, 9),
    "sysu_ten_trials": Case("sysu", 3803, 301, 96, 10, 5),
    "10k_x_20k": Case("market1501", 10_000, 20_000, 1000, 1, 2),
    "regdb_reranked": Case("regdb", 2060, 2060, 206, 1, 5, rerank=True),
    "regdb_verified": Case("regdb", 2060, 2060, 206, 1, 3, of="verify"),
    "sysu_verified": Case("sysu", 3803, 6775, 96, 10, 3, of="verify"),
    "regdb_modality": Case("regdb", 2060, 2060, 206, 1, 3, of="modality"),
    "sysu_modality": Case("sysu", 3803, 6775, 96, 10, 3, of="modality"),
}


def measure(case: Case) -> dict[str, float]:
    """The figures of one case, in this process."""
    import numpy as np

    from hicmd_tf.data.samples import Samples
    from hicmd_tf.data.searches import Direction, Search
    from hicmd_tf.retrieval.metrics import score
    from hicmd_tf.retrieval.modality import evaluate_modality
    from hicmd_tf.retrieval.verification import verify

    rng = np.random.default_rng(SEED)
    centres = rng.standard_normal((case.identities, LENGTH), np.float32)

    def drawn(count: int, cameras: list[int]) -> tuple[Any, Any, Any]:
        ids = np.arange(count) % case.identities
        rows = np.float32(SPREAD) * rng.standard_normal((count, LENGTH), np.float32)
        for start in range(0, count, 512):
            rows[start : start + 512] += centres[ids[start : start + 512]]
        return rows, ids, rng.choice(cameras, count)

    query, query_ids, query_cams = drawn(case.queries, [3, 6])
    galleries = [drawn(case.gallery, [1, 2, 4, 5]) for _ in range(1 if case.of != "score" else case.galleries)]

    def product() -> None:
        for gallery, _, _ in galleries:
            for start in range(0, case.queries, 512):
                query[start : start + 512] @ gallery.T

    def ours() -> None:
        for gallery, ids, cams in galleries:
            score(query, gallery, query_ids, ids, query_cams, cams, case.protocol, case.rerank)  # type: ignore[arg-type]

    def of_samples() -> None:
        ((_, ids, cams),) = galleries
        names = [f"{row:06d}" for row in range(len(every))]
        infrared = np.arange(len(every)) < case.queries
        known = np.concatenate([query_ids, ids]), infrared, np.concatenate([query_cams, cams])
        samples = Samples([b""] * len(every), names, *known)
        rows = np.arange(case.queries, len(every))
        drawn = [rows[start :: case.galleries] for start in range(case.galleries)]
        asked = np.arange(case.queries)
        beside = [asked[start :: case.galleries] for start in range(case.galleries)]
        search = Search("", Direction("infrared", "visible"), case.protocol, asked, drawn, beside)  # type: ignore[arg-type]
        (verify if case.of == "verify" else evaluate_modality)(every, samples, [search])

    def naive() -> None:
        for gallery, ids, _ in galleries:
            order = np.argsort(-(query @ gallery.T), axis=1)
            for row, identity in zip(order, query_ids, strict=True):
                hits = np.flatnonzero(ids[row] == identity) + 1
                np.mean(np.arange(1, len(hits) + 1) / hits)

    every = query if case.of == "score" else np.concatenate([query, galleries[0][0]])
    work = ours if case.of == "score" else of_samples
    times: dict[str, list[float]] = {"product_s": [], "score_s": []}
    for _ in range(case.repeats):
        times["product_s"].append(seconds(product)[1])
        times["score_s"].append(seconds(work)[1])
    figures = {name: min(values) for name, values in times.items()}
    figures["peak_mib"] = _peak_mib(work)
    if case.of == "score" and not case.rerank:
        figures["naive_s"], figures["naive_peak_mib"] = seconds(naive)[1], _peak_mib(naive)
    return figures


def _peak_mib(work: Callable[[], None]) -> float:
    tracemalloc.start()
    work()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 2**20


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the cases, prints a table, and writes the figures as JSON when asked."""
    parser = parser_of("metrics", __doc__)
    parser.add_argument("--case", choices=CASES, action="append", help="only this one; may be given several times")
    options = parser.parse_args(arguments)
    os.environ.update(ONE_THREAD)  # which a process reads when it begins
    figures = {name: alone(measure, CASES[name]) for name in options.case or CASES}
    for name, of in figures.items():
        print(_lines(name, of))
    keep(options.json, figures)


def _lines(name: str, figures: dict[str, float]) -> str:
    case, ratio = CASES[name], figures["score_s"] / figures["product_s"]
    title = f"{name}: {case.queries} x {case.gallery}, dimension {LENGTH}, {case.galleries} galleries"
    rows = {
        "distance product alone": (figures["product_s"], None),
        f"hicmd_tf, {ratio:.2f} x the product": (figures["score_s"], figures["peak_mib"]),
        **(
            {"naive: every row sorted": (figures["naive_s"], figures["naive_peak_mib"])} if "naive_s" in figures else {}
        ),
    }
    cells = [[row, f"{cpu:.3f}", "" if mib is None else f"{mib:.0f}"] for row, (cpu, mib) in rows.items()]
    return as_text([[title, "CPU s", "MiB"], *cells])


if __name__ == "__main__":
    run_command(main)
