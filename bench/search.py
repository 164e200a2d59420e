"""`python -m bench.search`: a large gallery is filled, and searched exactly and approximately.

Descriptors are drawn: people as random directions, pictures of one person round theirs, all of length 1; queries are
further pictures of the same people. Every step has a process of its own, whose memory is measured. For a fair figure
run nothing else.
"""

import argparse
import multiprocessing
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from hicmd_tf.arguments import Parser, writable
from hicmd_tf.errors import run_command

PICTURES = 20  # of one person
PROBES = (1, 4, 16, 64, 256)
BATCHES = (1, 64)
K = 10
PART, PARTS = 256, 40  # that are added one after the other, as pictures that a model describes are


def main(arguments: Sequence[str] | None = None) -> None:
    """Draws, fills, searches, prints tables, and writes the figures as JSON when asked."""
    parser = Parser("python -m bench.search", description=(__doc__ or "").split("\n", maxsplit=1)[0])
    add = parser.add_argument
    add("--json", type=writable, metavar="FILE", help="write the figures there")
    add("--rows", type=int, default=1_000_000, metavar="N", help="of the gallery (default: %(default)s)")
    add("--dimension", type=int, default=256, metavar="N", help="of descriptors (default: %(default)s)")
    add("--queries", type=int, default=256, metavar="N", help="asked (default: %(default)s)")
    spread = "of pictures round their person, in units of the people's own (default: %(default)s)"
    add("--spread", type=float, default=1.0, metavar="X", help=spread)
    add("--seed", type=int, default=777, metavar="N", help="of what is drawn (default: %(default)s)")
    add("--threads", type=int, default=2, metavar="N", help="for faiss (default: %(default)s)")
    options = parser.parse_args(arguments)
    figures: dict[str, Any] = vars(options) | {"json": None, "load_before": os.getloadavg()[0]}
    with tempfile.TemporaryDirectory(prefix="gallery") as place:
        for step in (fill, search_exactly, search_approximately):
            with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
                figures |= pool.submit(step, options, Path(place) / "gallery").result()
            print(f"{step.__name__}: done", file=sys.stderr, flush=True)
    print(_table(figures))
    if options.json:
        from hicmd_tf.files import write_json

        write_json(options.json, figures)


def drawn(options: argparse.Namespace, gallery: bool) -> Any:
    """Gallery (N, D) or queries (Q, D), rows of length 1."""
    import numpy as np

    source = np.random.default_rng(options.seed)
    people = source.standard_normal((max(options.rows // PICTURES, 1), options.dimension), np.float32)
    if gallery:
        whom = np.arange(options.rows) % len(people)
    else:
        source = np.random.default_rng(options.seed + 1)
        whom = source.integers(len(people), size=options.queries)
    found = source.standard_normal((len(whom), options.dimension), np.float32)
    found *= np.float32(options.spread)
    found += people[whom]
    found /= np.linalg.norm(found, axis=1, keepdims=True)
    return found


def entries(start: int, count: int) -> list[Any]:
    """Gallery entries of `count` made-up pictures, numbered from `start`."""
    from hicmd_tf.notation import MODALITIES
    from hicmd_tf.search import Entry

    return [
        Entry(f"/data/pictures/{i // PICTURES:06}/{i:09}.png", i // PICTURES, i % 6, MODALITIES[i % 2], i, f"{i:064x}")
        for i in range(start, start + count)
    ]


def fill(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """A gallery, all at once, and some more that come part by part."""
    import numpy as np

    from hicmd_tf.search import Gallery, Selection

    rows, known = drawn(options, True), entries(0, options.rows)
    gallery, before = Gallery.create(folder), _peak()
    once = _seconds(lambda: gallery.add(rows, known, "bench"))
    after, source, parts = _peak(), np.random.default_rng(options.seed + 2), []
    for start in range(options.rows, options.rows + PARTS * PART, PART):
        more = source.standard_normal((PART, options.dimension), np.float32)
        parts.append(_seconds(lambda more=more, start=start: gallery.add(more, entries(start, PART), "bench")))  # type: ignore[misc]
    gallery.remove(Selection(after=options.rows))
    return {"add_s": once, "add_gib": after - before, "add_part_s": float(np.median(parts))}


def search_exactly(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Queries per second, with the entry of each hit."""
    import faiss

    from hicmd_tf.search import Gallery

    faiss.omp_set_num_threads(options.threads)
    queries, gallery = drawn(options, False), Gallery.open(folder)
    first = _seconds(lambda: gallery.search(queries[:1], K))
    rates = {f"exact_per_s_{batch}": _rate(gallery, queries, batch) for batch in BATCHES}
    return {"first_s": first, **rates, "exact_gib": _peak()}


def search_approximately(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Seconds to build an inverted file, queries per second with the entry of each hit, and recall."""
    import faiss

    from hicmd_tf.search import Gallery
    from hicmd_tf.search.nearest import InvertedFile

    faiss.omp_set_num_threads(options.threads)
    queries, inverted = drawn(options, False), InvertedFile(least_recall=0)
    exact = [[hit.entry.path for hit in hits] for hits in Gallery.open(folder).search(queries, K)]
    gallery = Gallery.open(folder, inverted)
    figures: dict[str, Any] = {"build_s": _seconds(lambda: gallery.search(queries[:1], K)), "probes": {}}
    for probes in PROBES:
        inverted.probes = probes
        found = [[hit.entry.path for hit in hits] for hits in gallery.search(queries, K)]
        figures["probes"][str(probes)] = {
            **{f"recall_{k}": _recall(exact, found, k) for k in (1, K)},
            **{f"per_s_{batch}": _rate(gallery, queries, batch) for batch in BATCHES},
        }
    return {**figures, "ivf_gib": _peak()}


def _recall(exact: Any, found: Any, depth: int) -> float:
    """Share of the exact `depth` nearest that are among those found."""
    hits = sum(len({*best[:depth]} & {*those}) for best, those in zip(exact, found, strict=True))
    return hits / (depth * len(exact))


def _rate(gallery: Any, queries: Any, batch: int) -> float:
    """Queries per second, the best of three passes over some of them."""
    some = queries[: max(batch, 32)]
    parts = [some[start : start + batch] for start in range(0, len(some), batch)]
    return len(some) / min(_seconds(lambda: [gallery.search(part, K) for part in parts]) for _ in range(3))


def _seconds(call: Callable[[], Any]) -> float:
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


def _peak() -> float:
    """GiB that this process has had at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def _table(f: dict[str, Any]) -> str:
    from hicmd_tf.tables import as_text

    head = ["", "recall@1", "recall@10", "queries/s alone", "queries/s by 64"]
    exact = ["exact", "1.0000", "1.0000", *(f"{f[f'exact_per_s_{batch}']:.1f}" for batch in BATCHES)]
    rows = [
        [f"IVF, {probes} probes"]
        + [f"{one[f'recall_{k}']:.4f}" for k in (1, K)]
        + [f"{one[f'per_s_{batch}']:.1f}" for batch in BATCHES]
        for probes, one in f["probes"].items()
    ]
    return (
        f"{f['rows']} x {f['dimension']}, spread {f['spread']:g}, {f['threads']} threads, load {f['load_before']:.1f}\n"
        f"add at once {f['add_s']:.1f} s (+{f['add_gib']:.2f} GiB), by {PART} {f['add_part_s']:.3f} s each\n"
        f"first query of a process {f['first_s']:.1f} s, at most {f['exact_gib']:.2f} GiB; with IVF "
        f"{f['ivf_gib']:.2f} GiB, which is made in {f['build_s']:.0f} s\n"
        f"{as_text([head, exact, *rows])}"
    )


if __name__ == "__main__":
    run_command(main)
