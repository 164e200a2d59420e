"""The process in which inputs are handed over, one after another; TensorFlow is imported once.

Before each input its story goes to the record, and its outcome behind it: what brings the process down is known.
"""

import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.fuzzing.cases import Case, Input, Material, drawn
from bench.fuzzing.entries import standing_in
from bench.fuzzing.judge import judged
from bench.fuzzing.material import make_material
from bench.fuzzing.server import serving
from bench.fuzzing.targets import targets
from bench.fuzzing.whole import REFUSED, WHOLE

Say = Callable[[dict[str, Any]], None]
HERE = ("here", "a", "b", "c", "d")  # so deep that a few .. lead nowhere else


def main() -> None:
    """Work folder, seed, number of inputs and the numbers still to do, as JSON on the command line."""
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    work, seed, inputs, wanted = json.loads(sys.argv[1])
    cases = [case for case in drawn(targets(), inputs, seed) if wanted is None or case.number in wanted]
    with (Path(work) / "record.jsonl").open("a", buffering=1) as record:

        def say(event: dict[str, Any]) -> None:
            record.write(json.dumps(event) + "\n")

        say({"cases": [case.number for case in cases]})
        _hand_over(cases, Path(work), say)
        say({"end": True})


def _end_with(parent: int) -> None:
    """Ends this process when the one that watches has ended, however."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


def _hand_over(cases: list[Case], work: Path, say: Say) -> None:
    material = _material(work, say)
    with standing_in(material.data), serving(material):
        _warm_up({case.entry for case in cases}, material, work / "room", say)
        for case in cases:
            say({"number": case.number, "entry": case.entry, "kind": case.kind, "story": case.input.story})
            say({"outcome": judged(case, material, work / "room")._asdict()})


def _material(work: Path, say: Say) -> Material:
    """What was made before a restart, or now."""
    import tensorflow  # noqa: F401 (its import takes seconds, which no case shall answer for)

    for name in ("room", "temporary", "/".join(HERE)):
        (work / name).mkdir(parents=True, exist_ok=True)
    os.chdir(work.joinpath(*HERE))
    tempfile.tempdir = str(work / "temporary")
    os.environ["TMPDIR"] = tempfile.tempdir
    stored = work / "material.json"
    if not stored.is_file():
        say({"stage": "making what is to be broken"})
        made = make_material(work / "material")
        stored.write_text(json.dumps(made._asdict(), default=str))
    told = json.loads(stored.read_text())
    trees = {name: Path(path) for name, path in told.pop("trees").items()}
    return Material(trees=trees, **{name: Path(path) for name, path in told.items()})


def _warm_up(entries: set[str], material: Material, room: Path, say: Say) -> None:
    """A whole input for each of the entry points, so that what is refused later is refused for what is broken."""
    for number, entry in enumerate(sorted(entries & WHOLE.keys()), 1):
        say({"stage": f"warming up, {entry}"})
        for _ in range(2):  # graphs that are traced for a first input are traced anew for another size
            found = judged(Case(-number, entry, "whole", Input("whole", WHOLE[entry])), material, room)
        if (found.verdict == "accepted") == (entry in REFUSED):
            raise RuntimeError(f"the whole input of {entry} is {found.verdict}: {found.said}")


if __name__ == "__main__":
    main()
