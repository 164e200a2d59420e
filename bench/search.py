"""`python -m bench.search`: exact search and an inverted file (IVF) in a large gallery.

Descriptors are drawn: people as random directions, pictures of one person round theirs, all of length 1; queries are
further pictures of the same people. Rates are of faiss behind our ranking, on so many threads; recall is against exact
search. For a fair figure run nothing else.
"""

import argparse
import resource
import time
from collections.abc import Sequence
from typing import Any

from hicmd_tf.arguments import Parser, writable
from hicmd_tf.errors import run_command

PICTURES = 20  # of one person
PROBES = (1, 4, 16, 64, 256)
BATCHES = (1, 64)
K = 10


def main(arguments: Sequence[str] | None = None) -> None:
    """Draws, builds, measures, prints a table, and writes the figures as JSON when asked."""
    parser = Parser("python -m bench.search", description=(__doc__ or "").split("\n", maxsplit=1)[0])
    add = parser.add_argument
    add("--json", type=writable, metavar="FILE", help="write the figures there")
    add("--rows", type=int, default=1_000_000, metavar="N", help="of the gallery (default: %(default)s)")
    add("--dimension", type=int, default=256, metavar="N", help="of descriptors (default: %(default)s)")
    add("--queries", type=int, default=256, metavar="N", help="asked (default: %(default)s)")
    add(
        "--spread",
        type=float,
        default=1.0,
        metavar="X",
        help="of pictures round their person, in units of the people's own (default: %(default)s)",
    )
    add("--seed", type=int, default=777, metavar="N", help="of what is drawn (default: %(default)s)")
    add("--threads", type=int, default=2, metavar="N", help="for faiss (default: %(default)s)")
    options = parser.parse_args(arguments)
    figures = measure(options)
    print(_table(figures))
    if options.json:
        from hicmd_tf.files import write_json

        write_json(options.json, figures)


def drawn(options: argparse.Namespace) -> tuple[Any, Any]:
    """Gallery (N, D) and queries (Q, D), rows of length 1."""
    import numpy as np

    random = np.random.default_rng(options.seed)
    people = random.standard_normal((max(options.rows // PICTURES, 1), options.dimension), np.float32)

    def pictures(whom: Any) -> Any:
        found = people[whom] + np.float32(options.spread) * random.standard_normal(
            (len(whom), options.dimension), np.float32
        )
        return found / np.linalg.norm(found, axis=1, keepdims=True)

    return pictures(np.arange(options.rows) % len(people)), pictures(random.integers(0, len(people), options.queries))


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Queries a second, recall, and what building takes."""
    import faiss

    from hicmd_tf.search.exact import nearest
    from hicmd_tf.search.inverted import InvertedFile, filled

    faiss.omp_set_num_threads(options.threads)
    rows, queries = drawn(options)
    figures: dict[str, Any] = {"rows": len(rows), "dimension": rows.shape[1], "spread": options.spread}
    figures["threads"] = options.threads
    exact = nearest(rows, queries, K)
    figures["exact"] = {}
    for batch in BATCHES:
        figures["exact"][f"queries_per_s_{batch}"] = _rate(lambda q: nearest(rows, q, K), queries, batch)
    begin = time.perf_counter()
    inverted = filled(InvertedFile().partition(rows), rows)
    figures["ivf"] = {"build_s": time.perf_counter() - begin, "lists": inverted.nlist, "probes": {}}
    for probes in PROBES:
        inverted.nprobe = probes
        _, found = inverted.search(queries, K)
        figures["ivf"]["probes"][str(probes)] = {
            "recall_1": _recall(exact, found, 1),
            "recall_10": _recall(exact, found, K),
            **{f"queries_per_s_{b}": _rate(lambda q: inverted.search(q, K), queries, b) for b in BATCHES},
        }
    figures["peak_gib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return figures


def _rate(search: Any, queries: Any, batch: int) -> float:
    """Queries a second, the best of three passes over some of them."""
    some = queries[: max(batch, 32)]
    best = 0.0
    for _ in range(3):
        begin = time.perf_counter()
        for start in range(0, len(some), batch):
            search(some[start : start + batch])
        best = max(best, len(some) / (time.perf_counter() - begin))
    return best


def _recall(exact: Any, found: Any, depth: int) -> float:
    """Share of the exact `depth` nearest that are among those found."""
    hits = [len(set(best[:depth].tolist()) & set(row.tolist())) for (_, best), row in zip(exact, found, strict=True)]
    return sum(hits) / (depth * len(hits))


def _table(figures: dict[str, Any]) -> str:
    exact, ivf = figures["exact"], figures["ivf"]
    lines = [
        f"{figures['rows']} x {figures['dimension']}, spread {figures['spread']:g}, {figures['threads']} threads, "
        f"peak {figures['peak_gib']:.1f} GiB",
        "                 build s  recall@1  recall@10  queries/s alone  queries/s by 64",
        "exact                  -    1.0000     1.0000"
        f"{exact['queries_per_s_1']:17.1f}{exact['queries_per_s_64']:17.1f}",
    ]
    for probes, f in ivf["probes"].items():
        lines.append(
            f"{f'IVF, {probes} probes':<16}{ivf['build_s']:8.1f}{f['recall_1']:10.4f}{f['recall_10']:11.4f}"
            f"{f['queries_per_s_1']:17.1f}{f['queries_per_s_64']:17.1f}"
        )
    return "\n".join([*lines, f"IVF has {ivf['lists']} lists"])


if __name__ == "__main__":
    run_command(main)
