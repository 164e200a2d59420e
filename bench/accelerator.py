"""`python -m bench.accelerator`: what JAX's engine does on a GPU, in at most --minutes, compilation included.

Measured are: the rates that the card itself reaches, on large products and a copy; seconds until the first iteration,
with nothing compiled yet and with everything; milliseconds of an iteration in float32 with TF32 and without and in
mixed_bfloat16, of larger batches, and with convolutions in CUDA graphs; memory; how many kernels an iteration starts
and how much of the time one runs; descriptors a second. Networks are of full size with random weights, pictures are
noise that the device keeps, optimisers are included. Without a GPU: the same but for what needs one.

Each case has a process of its own (`bench.turns`), one after the other, the most useful first. Results are in the file
of --json after each; the same command goes on where the last one was cut.

A machine that has JAX, but not our packages, needs some wheels beside the checkout, and none of TensorFlow:
docs/accelerators.md has the commands.
"""

import hashlib
import os
import shutil
import subprocess
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

os.environ["KERAS_BACKEND"] = "jax"  # before anything imports Keras, here and in the cases' processes
os.environ["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"  # several processes share the card

from bench import on_device
from bench.measuring import refuse_embedding
from bench.operations import CLASSES, SIZES
from bench.turns import CUT, DONE, Case, Figures, run
from hicmd_tf.arguments import Parser, time_limit, writable
from hicmd_tf.config import Config, flattened, to_dict, with_values
from hicmd_tf.config.command_line import parse
from hicmd_tf.engines.cards import in_words, installed
from hicmd_tf.errors import UserError, require, run_command
from hicmd_tf.files import read_json, write_json
from hicmd_tf.tables import as_text

ROOT = Path(__file__).parents[1]
GRAPHS = "--xla_gpu_enable_command_buffer=+CONVOLUTION"
FOLDER = Path("runs/accelerator")
CACHE, LOGS = FOLDER / "cache", FOLDER / "logs"
ENDING = 3  # seconds for the table
START = ("import", "networks", "optimisers", "trace", "lower", "compile", "first_call", "in_all")
PRODUCT = {"bfloat16": "bfloat16", "exact": "float32"}  # by a part of a case's name, else float32_tf32
NAMED = 10  # kernels that the table names


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures what is not yet in the file, prints tables, writes JSON after each case."""
    begin = time.monotonic()

    def extra(parser: Parser) -> None:
        said = "end after so many minutes (default: %(default)s)"
        parser.add_argument("--minutes", type=time_limit, default=8.0, metavar="N", help=said)
        said = "where results go, and where what was measured before comes from (default: %(default)s)"
        parser.add_argument("--json", type=writable, default=FOLDER / "results.json", metavar="FILE", help=said)
        said = "as on a GPU also where there is none: many pictures and both modalities at once"
        parser.add_argument("--joined", action="store_true", help=said)
        parser.add_argument(
            "--only", nargs="+", metavar="NAME", help=f"measure these cases alone, of {', '.join(NAMES)}"
        )

    config, options = parse("python -m bench.accelerator", __doc__ or "", arguments, extra, reads=SIZES)
    refuse_embedding(config.method)
    require("jax")
    unknown = set(options.only or ()) - set(NAMES)
    if unknown:
        raise UserError(f"command line: --only {' '.join(sorted(unknown))}: there is {', '.join(NAMES)}")
    cards = installed()
    figures = _opened(options.json, config, cards)
    if not cards:
        print("no GPU: what needs one is left out, and the figures are of the CPU", flush=True)
    done = {name for name, of in figures["cases"].items() if of["outcome"] == DONE}
    wanted = [
        case for case in cases(config, bool(cards), options.joined or None) if case.name in (options.only or NAMES)
    ]
    if not figures["cases"]:
        shutil.rmtree(CACHE, ignore_errors=True)  # the first start is to be one with nothing compiled
    CACHE.mkdir(parents=True, exist_ok=True)

    def found(name: str, new: Figures, outcome: str) -> None:
        of = figures["cases"].setdefault(name, {})
        of.update(new)
        of["outcome"] = outcome or CUT
        write_json(options.json, figures)
        if outcome:
            print(f"{time.monotonic() - begin:5.0f} s  {name}: {outcome}", flush=True)

    until = begin + 60 * options.minutes - ENDING
    run([case for case in wanted if case.name not in done], until, LOGS, found)
    print(tables(figures))
    failed = [name for name, of in figures["cases"].items() if of["outcome"].startswith("failed")]
    if failed:
        raise UserError(f"{', '.join(failed)}: failed; {options.json} has what they said: the same command tries again")


def cases(config: Config, card: bool, joined: bool | None = None) -> list[Case]:
    """What is measured, the most useful first. card: whether there is a GPU. joined: as `Learner` has it."""
    bfloat16 = {"training.precision": "mixed_bfloat16"}

    def case(name: str, settings: dict[str, Any], profiled: bool = False, tf32: bool = True, **options: Any) -> Case:
        changed = with_values(config, {"training.precision": "float32", **settings})
        return Case(name, partial(on_device.iterations, changed, CACHE, joined, profiled and card, tf32), **options)

    def larger(pairs: int) -> Case:
        size = {"batch.pairs": pairs, "batch.negatives": pairs, "data.synthetic.identities": 2 * CLASSES}
        return case(f"pairs_{pairs}_bfloat16", {**size, **bfloat16})

    full = with_values(config, {"training.precision": "float32"})
    half = with_values(config, bfloat16)
    found = [
        case("float32", {}, profiled=True),
        Case("rates", partial(on_device.rates, CACHE)),
        case("bfloat16", bfloat16, profiled=True),
        Case("warm", partial(on_device.start, full, CACHE, joined)),
        Case("descriptors_float32", partial(on_device.descriptors, full, CACHE)),
        Case("descriptors_bfloat16", partial(on_device.descriptors, half, CACHE)),
        larger(8),
    ]
    if card:
        flags = f"{os.environ.get('XLA_FLAGS', '')} {GRAPHS}".strip()
        found += [
            case("float32_exact", {}, tf32=False),
            case("bfloat16_graphs", bfloat16, profiled=True, environment={"XLA_FLAGS": flags}),
            case("float32_graphs", {}, environment={"XLA_FLAGS": flags}),
        ]
    return [*found, larger(16), larger(32), larger(4)]


NAMES = (
    *("float32", "rates", "bfloat16", "warm", "descriptors_float32", "descriptors_bfloat16", "pairs_8_bfloat16"),
    *("float32_exact", "bfloat16_graphs", "float32_graphs", *(f"pairs_{pairs}_bfloat16" for pairs in (16, 32, 4))),
)


def _opened(file: Path, config: Config, cards: list[str]) -> Figures:
    """What was measured before, or nothing yet. Raises UserError if that is of something else."""
    head = {
        "card": in_words(cards),
        "driver": _asked("nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"),
        "commit": _asked("git", "-C", str(ROOT), "rev-parse", "HEAD"),
        "code": _digest(),
        "settings": to_dict(config),
    }
    if not file.is_file():
        return {**head, "cases": {}}
    before = read_json(file)
    for name in ("card", "code"):
        if before.get(name) != head[name]:
            raise UserError(f"{file} is of another {name}, {before.get(name)}: name another file, or delete it")
    then = dict(flattened(before["settings"]))
    for key, value in flattened(to_dict(config)):
        if value != then.get(key):
            raise UserError(f"{file} is of {key} {then.get(key)}, not {value}: name another file, or delete it")
    return dict(before)


def _digest() -> str:
    """Of the code that is measured."""
    import hicmd_tf

    folder, found = Path(hicmd_tf.__file__).parent, hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        found.update(path.read_bytes())
    return found.hexdigest()[:12]


def _asked(*command: str) -> str:
    """What a program answers; nothing where there is none."""
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""


# -------------------------------------------------------------------------------------------------------------- tables


def tables(figures: Figures) -> str:
    """All figures that there are, as text."""
    of = figures["cases"]
    versions: dict[str, str] = next((found["versions"] for found in of.values() if "versions" in found), {})
    parts = [
        f"{figures['card']}; {figures['driver'] or 'no driver'}; "
        f"{''.join(f'{name} {version}; ' for name, version in versions.items())}code {figures['code']}",
        _rates(of.get("rates", {})),
        _starts(of),
        _iterations(of),
        _descriptors(of),
        *(_profile(name, found["profile"]) for name, found in of.items() if "profile" in found),
        *(f"{name}: {found['profile_failed']}" for name, found in of.items() if "profile_failed" in found),
        *(f"{name}: {found['outcome']}" for name, found in of.items() if found["outcome"] != DONE),
    ]
    return "\n\n".join(part for part in parts if part)


def _rates(of: Figures) -> str:
    rows: list[list[object]] = [["the device itself", "median", "best"]]
    for name in ("float32_tf32", "float32", "bfloat16", "copy"):
        if f"{name}_per_s" in of:
            words = "copy, TB/s read and written" if name == "copy" else f"product in {name}, TFLOP/s"
            rows.append([words, _short(of[f"{name}_per_s"]), _short(of[f"{name}_best_per_s"])])
    return as_text(rows) if len(rows) > 1 else ""


def _starts(of: Figures) -> str:
    rows: list[list[object]] = [["seconds to the first iteration", *(name.replace("_", " ") for name in START)]]
    for name, words in {"float32": "nothing compiled", "warm": "all compiled before"}.items():
        start = of.get(name, {}).get("start")
        if start and "start" in of.get("float32", {}):
            again = name == "float32" and of[name]["cached_before"]
            rows.append(
                [f"{words}, but for an earlier try" if again else words, *(_short(start[key]) for key in START)]
            )
    return as_text(rows) if len(rows) > 1 else ""


def _iterations(of: Figures) -> str:
    head = "iterations", "pictures", "ms", "least", "in a call of one", "pictures/s", "TFLOP", "TFLOP/s", "of a product"
    rows: list[list[object]] = [[*head, "peak GiB", "temporary", "kernels", "busy", "compiled in s"]]
    for name, found in of.items():
        if "iteration_s" not in found:
            continue
        seconds, rate = found["iteration_s"], found["tflop"] / found["iteration_s"]
        product = next((of_product for part, of_product in PRODUCT.items() if part in name), "float32_tf32")
        best = of.get("rates", {}).get(f"{product}_per_s")
        times = [f"{1e3 * found[key]:.1f}" for key in ("iteration_s", "iteration_least_s", "single_s")]
        profile = found.get("profile", {})
        rows.append(
            [
                *(name, found["pictures"], *times, f"{found['pictures'] / seconds:.1f}"),
                *(_short(found["tflop"]), _short(rate), f"{rate / best:.1%}" if best else ""),
                *(
                    _short(found["peak_gib"]),
                    _short(found["temporary_gib"]),
                    f"{profile['kernels']:.0f}" if profile else "",
                ),
                *(f"{profile['busy']:.0%}" if profile else "", _short(found["start"]["compile"])),
            ]
        )
    return as_text(rows) if len(rows) > 1 else ""


def _descriptors(of: Figures) -> str:
    head = [f"{batch} at once" for batch in on_device.BATCHES]
    rows: list[list[object]] = [
        ["descriptors a second", *(f"{one}{more}" for one in head for more in ("", ", device"))]
    ]
    for name in (name for name in of if name.startswith("descriptors")):
        found = [of[name].get(f"batch_{batch}", {}) for batch in on_device.BATCHES]
        if any(found):
            rows.append([name, *(_short(one.get(key)) for one in found for key in ("per_s", "per_s_on_device"))])
    return as_text(rows) if len(rows) > 1 else ""


def _profile(name: str, of: Figures) -> str:
    rows: list[list[object]] = [[f"{name}: kernels of an iteration", "ms", "number"]]
    rows += [[one["name"], f"{one['ms']:.2f}", f"{one['kernels']:.0f}"] for one in of["largest"][:NAMED]]
    sizes = of["by_microseconds"].items()
    rows += [[f"of {words} microseconds", f"{size['ms']:.2f}", f"{size['kernels']:.0f}"] for words, size in sizes]
    rows.append(["all", f"{of['kernels_ms']:.2f}", f"{of['kernels']:.0f}"])
    return f"{as_text(rows)}\none or more run {of['busy_ms']:.2f} of {of['span_ms']:.2f} ms"


def _short(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}" if value < 1000 else f"{value:.0f}"


if __name__ == "__main__":
    run_command(main)
