"""`python -m bench.extraction --out DIR`: many drawn pictures through `hicmd extract`, and their search from Parquet.

The same pictures are described by one process with one thread, by one process as it is, and on Ray with several
workers; rates, the peak memory of each process, and how far descriptors are from those of `embed`. Then drawn
descriptors go from Parquet into a gallery, which is searched. Pictures are some hundred drawn ones, moved, turned and
lit otherwise; the model has initial weights, for what it says does not matter here. Pictures, model and descriptors
that DIR has already are taken as they are. For fair figures run nothing else.
"""

import os
import re
import shutil
import subprocess
import sys
import time
from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from bench.measuring import SEED, alone, keep, parser_of
from hicmd_tf.arguments import count, positive
from hicmd_tf.errors import UserError, run_command
from hicmd_tf.notation import MODALITIES

CONFIG = "tiny"
HEIGHT, WIDTH = 64, 32  # of its pictures, so that none is resized
PEOPLE, EACH = 40, 4  # that are drawn, and pictures of each in either modality
SHIFT = 4  # pixels, at most
A_FOLDER = 1000  # pictures
POLL = 0.1  # seconds between two looks at processes
AT_ONCE = 32768  # descriptors of a part
DESCRIBED = re.compile(r"([\d,]+) pictures? in ([\d.]+) s")


def main(arguments: Sequence[str] | None = None) -> None:
    """Draws, extracts, compares, searches; prints tables and writes the figures as JSON when asked."""
    parser = parser_of("extraction", __doc__)
    add = parser.add_argument
    add("--out", type=Path, required=True, metavar="DIR", help="folder for all of it")
    add("--pictures", type=count, default=100_000, metavar="N", help="0: none (default: %(default)s)")
    add("--workers", type=positive, default=2, metavar="N", help="of Ray's (default: %(default)s)")
    add("--part", type=positive, default=1024, metavar="N", help="pictures of a part (default: %(default)s)")
    add("--embedded", type=positive, default=1000, metavar="N", help="compared with embed (default: %(default)s)")
    add("--rows", type=count, default=1_000_000, metavar="N", help="descriptors; 0: none (default: %(default)s)")
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    figures: dict[str, Any] = {"load_before": os.getloadavg()[0], "cores": len(os.sched_getaffinity(0))}
    if options.pictures:
        figures["extraction"] = extraction(options)
        print(_extraction_table(figures["extraction"]), flush=True)
    if options.rows:
        figures["search"] = search(options)
        print(_search_table(figures["search"]), flush=True)
    keep(options.json, figures)


def extraction(options: Namespace) -> dict[str, Any]:
    """Figures of each way to describe the pictures."""
    index, model = make_pictures(options.out, options.pictures), make_model(options.out)
    ways = {
        "one process, one thread": ["--threads", "1"],
        "one process": [],
        f"Ray, {options.workers} workers": ["--engine", "ray", "--workers", str(options.workers)],
    }
    figures: dict[str, Any] = {}
    for number, (name, words) in enumerate(ways.items()):
        target = options.out / f"descriptors-{number}"
        shutil.rmtree(target, ignore_errors=True)
        command = extract(model, index, target, options.part, *words)
        begin = time.perf_counter()
        said, peaks = watched(command, options.out / f"{target.name}.log")
        found = DESCRIBED.search(said)
        if found is None:
            raise UserError(f"{' '.join(command)} failed; see {options.out / target.name}.log")
        pictures, seconds = int(found[1].replace(",", "")), float(found[2])
        size = sum(file.stat().st_size for file in target.iterdir())
        figures[name] = {
            "pictures": pictures,
            "wall_s": time.perf_counter() - begin,
            "describing_s": seconds,
            "per_s": pictures / seconds,
            "peak_gib": peaks,
            "bytes_a_picture": size / pictures,
            **alone(difference, options.out / "run", index, target, options.out / "descriptors-0", options.embedded),
        }
        print(f"{name}: done", file=sys.stderr, flush=True)
    first = figures["one process, one thread"]["per_s"]
    return {name: {**of, "times": of["per_s"] / first} for name, of in figures.items()}


def extract(model: Path, index: Path, target: Path, part: int, *words: str) -> list[str]:
    """The command that describes an index's pictures."""
    given = ["--model", str(model), "--images", str(index), "--out", f"{target}/", "--part", str(part)]
    return [sys.executable, "-m", "hicmd_tf", "extract", *given, *words]


def make_pictures(out: Path, number: int) -> Path:
    """An index of so many pictures, which are drawn where they are not there yet."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq
    from tqdm import tqdm

    from hicmd_tf.config import load
    from hicmd_tf.drawn_people.encode import encode_all
    from hicmd_tf.files import replacing
    from hicmd_tf.pictures.decode import as_png, decode

    index = out / f"pictures-{number}.parquet"
    if index.is_file():
        return index
    requests = [(person, m, which) for m in MODALITIES for person in range(PEOPLE) for which in range(EACH)]
    drawn = [decode(one["image"]) for one in encode_all(load(CONFIG).data.synthetic, (HEIGHT, WIDTH), requests)]
    rows, random = [], np.random.default_rng(SEED)
    for row in tqdm(range(number), "varying", unit="picture", leave=False):
        which = int(random.integers(len(drawn)))
        person, modality, _ = requests[which]
        lit = np.roll(drawn[which], random.integers(-SHIFT, SHIFT + 1, 2), (0, 1)) * random.uniform(0.6, 1.2)
        pixels = lit.clip(0, 255).astype(np.uint8)[:, :: random.choice([-1, 1])]
        file = out / "pictures" / f"{row // A_FOLDER:06}" / f"{row:09}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(as_png(np.ascontiguousarray(pixels)))
        rows.append({"path": str(file.relative_to(out)), "modality": modality, "identity": person})
    with replacing(index) as target:
        pq.write_table(pa.Table.from_pylist(rows), target)
    return index


def make_model(out: Path) -> Path:
    """ONNX files of the networks of configs/tiny.yaml with initial weights, and their run beside them."""
    if not (out / "onnx").is_dir():
        alone(_make_model, out)
    return out / "onnx"


def _make_model(out: Path) -> None:
    from hicmd_tf.config import load
    from hicmd_tf.export.branch import source_of
    from hicmd_tf.export.onnx import save
    from hicmd_tf.files import making_folder
    from hicmd_tf.runs.checkpoints import write
    from hicmd_tf.runs.folder import RunFolder
    from hicmd_tf.runs.opened import OpenedRun
    from hicmd_tf.training.experiment import build_model

    config, folder = load(CONFIG), RunFolder(out / "run")
    folder.begin(config, resume=True)
    model = build_model(config, classes=2)
    write(folder.checkpoints, model.step, model.state, notes={})
    with making_folder(out / "onnx") as partial:
        save(source_of(OpenedRun(folder.path)), partial, Namespace(licence="", precisions=["fp32"], floats=False))


def difference(run: Path, index: Path, target: Path, first: Path, embedded: int) -> dict[str, float]:
    """How far descriptors are from those of `embed`, of some pictures, and from those of another way, of all."""
    import numpy as np

    import hicmd_tf
    from hicmd_tf.retrieval.stored import read_descriptors

    found, others = read_descriptors(target), read_descriptors(first)
    if found.samples.names != others.samples.names or found.failed:
        raise UserError(f"{target} has other pictures than {first}, or errors")
    model = hicmd_tf.load(run)
    rows = np.unique(np.linspace(0, len(found.samples) - 1, min(embedded, len(found.samples))).astype(int))
    furthest = 0.0
    for modality in MODALITIES:
        some = [row for row in rows.tolist() if found.samples.modality(row) == modality]
        if some:
            files = [index.parent / found.samples.names[row] for row in some]
            furthest = max(furthest, float(np.abs(model.embed(files, modality) - found.descriptors[some]).max()))
    return {"from_embed": furthest, "from_first": float(np.abs(found.descriptors - others.descriptors).max())}


def search(options: Namespace) -> dict[str, Any]:
    """Figures of a gallery that is made of drawn descriptors in Parquet."""
    from bench.search import search_approximately, search_exactly

    wanted = Namespace(rows=options.rows, dimension=256, queries=256, spread=0.5, seed=SEED, threads=2)
    parts, gallery = options.out / f"drawn-{options.rows}", options.out / "gallery"
    if not parts.is_dir():
        alone(_make_descriptors, parts, wanted)
    shutil.rmtree(gallery, ignore_errors=True)
    index = ["search", "index", "--index", str(gallery), "--descriptors", str(parts)]
    command = [sys.executable, "-m", "hicmd_tf", *index]
    begin = time.perf_counter()
    said, peaks = watched(command, options.out / "gallery.log")
    seconds = time.perf_counter() - begin
    if f"the gallery has {options.rows}" not in said:
        raise UserError(f"{' '.join(command)} failed; see {options.out / 'gallery.log'}")
    size = sum(file.stat().st_size for file in gallery.iterdir())
    figures = {"rows": options.rows, "s": seconds, "per_s": options.rows / seconds, "peak_gib": peaks}
    figures |= {"bytes_a_row": size / options.rows}
    for step in (search_exactly, search_approximately):
        figures |= alone(step, wanted, gallery)
        print(f"{step.__name__}: done", file=sys.stderr, flush=True)
    return figures


def _make_descriptors(parts: Path, wanted: Namespace) -> None:
    import numpy as np

    from bench.search import PICTURES, drawn
    from hicmd_tf.data.samples import Samples
    from hicmd_tf.files import making_folder
    from hicmd_tf.retrieval.stored import write_descriptors

    rows = drawn(wanted, True)
    with making_folder(parts) as partial:
        for part, start in enumerate(range(0, len(rows), AT_ONCE)):
            some = np.arange(start, min(start + AT_ONCE, len(rows)))
            names = [f"{row // PICTURES:06}/{row:09}.png" for row in some.tolist()]
            labels = some // PICTURES, some % 2 == 1, some % 6
            samples = Samples([b""] * len(some), names, *labels, times=some.astype(np.float64))
            write_descriptors(partial / f"part-{part:06}.parquet", rows[some], samples, "bench")


def watched(command: list[str], log: Path) -> tuple[str, dict[str, float]]:
    """What a command prints, and the peak memory in GiB of its processes, of each kind the largest."""
    peaks: dict[str, float] = {}
    with log.open("wb") as file, subprocess.Popen(command, stdout=file, stderr=file) as process:
        while process.poll() is None:
            for kind, peak in peaks_of(process.pid):
                peaks[kind] = max(peaks.get(kind, 0.0), peak)
            time.sleep(POLL)
    return log.read_text(errors="replace"), peaks


def peaks_of(pid: int) -> Iterator[tuple[str, float]]:
    """The kinds of a process and of those below it, with the memory in GiB that each had at most."""
    for one in below(pid):
        with suppress(OSError, StopIteration):
            status = Path(f"/proc/{one}/status").read_text().splitlines()
            peak = next(line.split()[1] for line in status if line.startswith("VmHWM"))
            yield "hicmd" if one == pid else kind_of(one), int(peak) / 2**20


def kind_of(pid: int) -> str:
    """What a process of Ray's is called."""
    words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    title = words[0].strip()
    return re.split(r"[ (.]", title, maxsplit=1)[0] if title.startswith("ray::") else Path(title).name


def below(pid: int) -> list[int]:
    """A process and all below it that there are."""
    children: dict[int, list[int]] = {}
    for file in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError, ValueError, IndexError):
            parent = int(file.read_text().rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(file.parent.name))
    found = [pid]
    for one in found:
        found += children.get(one, [])
    return found


def _extraction_table(figures: dict[str, Any]) -> str:
    from hicmd_tf.tables import as_text

    head = ["", "pictures/s", "times", "start s", "peak GiB", "bytes each", "from embed", "from the first"]
    rows = [
        [
            name,
            f"{of['per_s']:.1f}",
            f"{of['times']:.2f}",
            f"{of['wall_s'] - of['describing_s']:.1f}",
            "{1:.2f} ({0})".format(*max(of["peak_gib"].items(), key=lambda kind: kind[1])),
            f"{of['bytes_a_picture']:.0f}",
            f"{of['from_embed']:.1e}",
            f"{of['from_first']:.1e}",
        ]
        for name, of in figures.items()
    ]
    return as_text([head, *rows])


def _search_table(figures: dict[str, Any]) -> str:
    from bench.search import BATCHES, K
    from hicmd_tf.tables import as_text

    head = ["", "recall@1", "recall@10", "queries/s alone", "queries/s by 64"]

    def rates(of: dict[str, Any], name: str = "per_s") -> list[str]:
        return [f"{of[f'{name}_{batch}']:.1f}" for batch in BATCHES]

    rows = [["exact", "1.0000", "1.0000", *rates(figures, "exact_per_s")]]
    for probes, of in figures["probes"].items():
        rows.append([f"IVF, {probes} probes", *(f"{of[f'recall_{k}']:.4f}" for k in (1, K)), *rates(of)])
    return (
        f"{figures['rows']:,} descriptors from Parquet in {figures['s']:.1f} s, {figures['per_s']:.0f} a second, at "
        f"most {max(figures['peak_gib'].values()):.2f} GiB; {figures['bytes_a_row']:.0f} bytes each\n"
        f"first query {figures['first_s']:.1f} s, at most {figures['exact_gib']:.2f} GiB; with IVF "
        f"{figures['ivf_gib']:.2f} GiB, made in {figures['build_s']:.0f} s\n{as_text([head, *rows])}"
    )


if __name__ == "__main__":
    run_command(main)
