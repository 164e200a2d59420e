"""`python -m bench.full_size --out DIR`: both samplings of Hi-CMD, and the strong recipe, at full size on a GPU, in
calls of at most --minutes, compilation included: for machines that are lent by the clock.

The first call draws the people, 256 x 128, into DIR/people. Each call goes on with `hicmd compare`, in DIR/compared,
from the checkpoints that the last one left, ends with exit code 130 until all rows are trained, and leaves in
DIR/results what there is so far: tables, curves, and as JPEG the swaps and interpolations of each Hi-CMD run. Weights
begin at random. JAX trains and draws, and TensorFlow need not be there (docs/accelerators.md). What stands after
-- are further options of `hicmd compare`: -- --seeds 777,1,2 --training.precision mixed_bfloat16.
"""

import argparse
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from hicmd_tf.arguments import Parser, bounded, path, time_limit
from hicmd_tf.config.kinds import HICMD
from hicmd_tf.errors import UserError, counted, run_command
from hicmd_tf.files import write_text
from hicmd_tf.runs.folder import RunFolder
from hicmd_tf.startup import BACKEND

SAME = "networks:\n  resnet_weights: none\ntraining:\n  picture_every: 480\n  checkpoint_every: 480\n"
HICMD_ROW = f"extends: base\noptimisers:\n  drop_every: 960\n{SAME}  steps: 2400\n"
ROWS = {
    "alternate": HICMD_ROW,
    "original": f"{HICMD_ROW}sampling:\n  groups: original\n",
    "strong": f"extends: own_strong\n{SAME}",
}
"""Rates drop after two fifths of the steps, as in small; strong's schedule is own_strong's."""
DRAWN = ("swap", "interpolate")
DRAWING = 1.5  # minutes of a call that are kept for pictures
QUALITY = 92
DRAW = "import sys, keras; from hicmd_tf.commands import main; main(sys.argv[1:])"  # Keras first: its backend draws


def main(arguments: Sequence[str] | None = None) -> None:
    """Goes on, and gathers what there is; ends with the exit code of `hicmd compare`."""
    until = time.monotonic()
    options = _parser().parse_args(arguments)
    more: list[str] = options.more
    until += 60 * options.minutes
    named = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    named.add_argument("--engine", "--training.engine")
    engine = ["--engine", "jax"] if (backend := named.parse_known_args(more)[0].engine) is None else []
    backend = backend or "jax"
    environment = {"JAX_COMPILATION_CACHE_DIR": str(options.out / "cache"), **os.environ, BACKEND: backend}
    people, compared, results = (options.out / name for name in ("people", "compared", "results"))
    hicmd = [sys.executable, "-m", "hicmd_tf"]
    if not people.exists():
        drawn = ["--people", options.people, "--pictures", options.pictures, "--height", options.height]
        subprocess.run([*hicmd, "sample-folder", str(people), *map(str, drawn)], env=environment, check=True)
    size = ["--data.height", str(options.height), "--data.width", str(options.height // 2)]
    left = max(0.1, (until - time.monotonic()) / 60 - min(DRAWING, options.minutes / 4))
    given = ["--data.name", "folder", "--data.source", str(people), *size, *engine, *more]
    going = ["--resume", "--minutes", f"{left:.2f}", "--no-report", "--no-hand-crafted"]
    rows = options.rows or written(options.out / "rows")
    code = subprocess.call(
        [*hicmd, "compare", *map(str, rows), "--out", str(compared), *going, *given], env=environment
    )
    for run in runs(compared):
        trained = max((file.stat().st_mtime for file in run.checkpoints.glob("*")), default=None)
        if run.open().method != HICMD or trained is None:
            continue
        for what in DRAWN:
            if any(file.stat().st_mtime > trained for file in run.path.glob(f"figures/{what}*.png")):
                continue  # of this state
            drawing = [sys.executable, "-c", DRAW, "visualize", what, "--run", str(run.path)]
            try:
                subprocess.run(drawing, env=environment, timeout=max(1.0, until - time.monotonic()), check=False)
            except subprocess.TimeoutExpired:
                print(f"{run.path.name}: no time left for {what}; the next call draws it", file=sys.stderr)
    files = gathered(compared, results)
    print(f"{counted(len(files), 'file')} in {results}, {sum(file.stat().st_size for file in files) / 2**20:.1f} MiB")
    sys.exit(code)


def _parser() -> Parser:
    parser = Parser("python -m bench.full_size", description=__doc__)
    add = parser.add_argument
    add("more", nargs="*", metavar="OPTION", help="after --: of hicmd compare")
    add("--out", type=path, required=True, metavar="DIR", help="where everything goes, and where calls go on")
    said = "end after so many minutes (default: %(default)s)"
    add("--minutes", type=time_limit, default=8.0, metavar="N", help=said)
    add("--rows", type=path, nargs="+", metavar="FILE", help=f"other configurations than {', '.join(ROWS)}")
    for name, usual, means in (("people", 412, "drawn people, half for training"), ("pictures", 10, "of each, twice")):
        add(f"--{name}", type=bounded(2, 9999), default=usual, metavar="N", help=f"{means} (default: %(default)s)")
    said = "of the pictures, which are half as wide (default: %(default)s)"
    add("--height", type=bounded(32, 1024, 8), default=256, metavar="PIXELS", help=said)
    return parser


def written(folder: Path) -> list[Path]:
    """The files of the rows, written anew."""
    for name, text in ROWS.items():
        write_text(folder / f"{name}.yaml", text)
    return [folder / f"{name}.yaml" for name in ROWS]


def runs(compared: Path) -> list[RunFolder]:
    """Those that have begun."""
    return [RunFolder(config.parent) for config in sorted(compared.glob("runs/*/config.yaml"))]


def gathered(compared: Path, results: Path) -> list[Path]:
    """Tables and pictures of what there is so far, copied into a folder: small, for they may have to travel. Returns
    them."""
    shutil.rmtree(results, ignore_errors=True)
    results.mkdir(parents=True)
    tables = [*compared.glob("comparison.*")]
    pictures: dict[str, Path] = {}
    for run in runs(compared):
        place = results / run.path.name
        place.mkdir()
        for file in (run.config, run.losses, run.evaluations, run.costs, run.untrained, run.metrics):
            if file.is_file():
                shutil.copy(file, place / file.name)
        newest = sorted(run.pictures.glob("step_*.png"))[-1:]
        pictures |= {f"{run.path.name}/{file.stem}.jpg": file for file in [*newest, *run.path.glob("figures/*.png")]}
    for file in tables:
        shutil.copy(file, results / file.name)
    for name, file in pictures.items():
        with Image.open(file) as picture:
            picture.convert("RGB").save(results / name, quality=QUALITY)
    found = [file for file in sorted(results.rglob("*")) if file.is_file()]
    if not found:
        raise UserError(f"{compared} holds no run yet: give more --minutes")
    return found


if __name__ == "__main__":
    run_command(main)
