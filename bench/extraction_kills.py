"""`python -m bench.extraction_kills --out DIR`: kills parts of an extraction on Ray at random moments, and goes on.

A SIGKILL to a process that decodes, to an actor that describes, or to the command itself, which is then given again.
At the end every picture must be there once, with the descriptor that one process finds without interruption. Ends with
exit code 1 when anything differs.
"""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from bench.extraction import below, extract, kind_of, make_model, make_pictures
from bench.measuring import keep, parser_of
from hicmd_tf.arguments import at_least, count, positive
from hicmd_tf.errors import UserError, run_command
from hicmd_tf.tables import as_text

KINDS = {"worker": ("ray::MapBatches", "ray::_map_task"), "actor": ("ray::MapWorker",), "driver": ()}
LONGEST = 5.0  # seconds of computing after which a kill comes, at most
THREADS = 2  # of an actor; with one, Ray has actors decode too, and there are no workers
POLL = 0.01
PATIENCE = 300.0  # seconds
TOLERANCE = 1e-5


def main(arguments: Sequence[str] | None = None) -> None:
    """Extracts, kills, goes on, compares; prints what was found and writes it as JSON when asked."""
    parser = parser_of("extraction_kills", __doc__)
    add = parser.add_argument
    add("--out", type=Path, required=True, metavar="DIR", help="folder for all of it, as of bench.extraction")
    add("--pictures", type=positive, default=100_000, metavar="N", help="(default: %(default)s)")
    add("--kills", type=at_least(len(KINDS)), default=15, metavar="N", help="how many in all (default: %(default)s)")
    add("--part", type=positive, default=50, metavar="N", help="pictures of a part (default: %(default)s)")
    add("--workers", type=positive, default=2, metavar="N", help="of Ray's (default: %(default)s)")
    add("--seed-of-kills", type=count, default=0, metavar="N", help="of the moments")
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    index, model = make_pictures(options.out, options.pictures), make_model(options.out)
    whole, killed = options.out / "whole", options.out / "killed"
    for folder in (whole, killed):
        shutil.rmtree(folder, ignore_errors=True)
    subprocess.run(extract(model, index, whole, options.part), check=True)
    command = extract(model, index, killed, options.part, "--engine", "ray", "--workers", str(options.workers))
    command += ["--threads", str(THREADS)]
    started = set[int]()
    plan = planned(options.kills, options.seed_of_kills)
    kills = _kill(command, killed, plan, options.out / "killed.log", started)
    wrong = different(whole, killed, options.pictures)
    if left := _left(started):
        wrong.append(f"{left} processes of killed commands are still there")
    print(as_text([list(kills[0]), *(list(map(str, one.values())) for one in kills)]))
    print("\n".join(wrong) if wrong else f"all {options.pictures:,} pictures are there once, and as without a kill")
    keep(options.json, {"kills": kills, "different": wrong})
    sys.exit(int(bool(wrong)))


def planned(kills: int, seed: int) -> list[tuple[str, float]]:
    """Who is killed, each kind as often as the others, in a random order, and after how many seconds of computing."""
    rng = random.Random(seed)
    kinds = [[*KINDS][number % len(KINDS)] for number in range(kills)]
    rng.shuffle(kinds)
    return [(kind, rng.uniform(0, LONGEST)) for kind in kinds]


def _kill(
    command: list[str], folder: Path, plan: list[tuple[str, float]], log: Path, started: set[int]
) -> list[dict[str, Any]]:
    """Runs a command to its end, which kills hold up. What was found at each. started: filled with all processes."""
    done: list[dict[str, Any]] = []
    with log.open("wb") as file:
        while True:
            process = subprocess.Popen(command, stdout=file, stderr=file)
            while process.poll() is None and len(done) < len(plan):
                kind, delay = plan[len(done)]
                if not _kill_one(process, kind, delay, started):
                    break
                parts = len(list(folder.glob("part-*")))
                done.append({"killed": kind, "after s": round(delay, 2), "parts": parts})
                if kind == "driver":
                    break
            code = process.wait()
            if code == 0:
                break
            if code != -signal.SIGKILL:
                raise UserError(f"{' '.join(command)} failed; see {log}")
    if len(done) < len(plan):
        raise UserError(f"it ended after {len(done)} of {len(plan)} kills: take more --pictures, or fewer --kills")
    return done


def _kill_one(process: "subprocess.Popen[bytes]", kind: str, delay: float, started: set[int]) -> bool:
    """Kills a process of a kind when actors are there and some time has gone; False where all ended before."""
    began: float | None = None
    while process.poll() is None:
        kinds: dict[str, list[int]] = {}
        for pid in below(process.pid):
            started.add(pid)
            with suppress(OSError):
                kinds.setdefault(kind_of(pid), []).append(pid)
        if began is None and any(name.startswith(KINDS["actor"]) for name in kinds):
            began = time.monotonic()
        if began is not None and time.monotonic() - began >= delay:
            if kind == "driver":
                process.kill()
                return True
            for name, pids in kinds.items():
                if name.startswith(KINDS[kind]):
                    with suppress(ProcessLookupError):
                        os.kill(pids[0], signal.SIGKILL)
                        return True
        time.sleep(POLL)
    return False


def _left(pids: set[int]) -> int:
    """How many processes are still there after some minutes; Ray's end with the one that started them, two agents of
    its a minute later."""
    deadline = time.monotonic() + PATIENCE
    while any(map(_alive, pids)) and time.monotonic() < deadline:
        time.sleep(0.5)
    return sum(map(_alive, pids))


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def different(whole: Path, killed: Path, pictures: int) -> list[str]:
    """What is wrong with an extraction that was killed, in words."""
    import numpy as np
    import pyarrow.parquet as pq

    from hicmd_tf.retrieval.stored import read_descriptors

    paths = [path for file in killed.glob("part-*.parquet") for path in pq.read_table(file)["path"].to_pylist()]
    if len(paths) != pictures or len({*paths}) != pictures:
        return [f"{len(paths):,} rows of {len({*paths}):,} pictures, expected {pictures:,} of as many"]
    one, other = read_descriptors(whole), read_descriptors(killed)
    if one.samples.names != other.samples.names or one.failed or other.failed:
        return ["other pictures, or errors"]
    furthest = float(np.abs(one.descriptors - other.descriptors).max())
    return [] if furthest <= TOLERANCE else [f"descriptors differ by {furthest:.1e}"]


if __name__ == "__main__":
    run_command(main)
