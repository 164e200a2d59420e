"""`python -m bench.fuzz`: broken inputs for every entry point, each of which must be refused in one line.

Configurations, command lines, pictures, data sets, run folders, descriptors, galleries, exported models and requests
over HTTP are broken, by hypothesis and by hand, and handed to every command in one process, which another one watches.
Right is: one line that begins with `error: `, exit code 2 (over HTTP a status from 400 to 499 and one line), within
5 seconds, with nothing left behind. What is valid all the same is counted apart. Ends with exit code 1 when any answer
is wrong. Takes a quarter of an hour. Needs what `make env` installs.
"""

import re
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hicmd_tf.arguments import Parser, count, positive, writable
from hicmd_tf.errors import UserError, run_command


def main(arguments: Sequence[str] | None = None) -> None:
    """Breaks, asks, prints a table, and writes all outcomes as JSON when asked."""
    options = _parser().parse_args(arguments)
    wanted = _numbers(options.only) if options.only is not None else None
    from bench.fuzzing.report import as_json, as_text, wrong_ones
    from hicmd_tf.files import write_json

    found = _run(options.seed, options.inputs, wanted)
    print(as_text(found))
    if options.out is not None:
        write_json(options.out, as_json(found, options.seed))
    wrong = wrong_ones(found, f"python -m bench.fuzz --seed {options.seed} --inputs {options.inputs}")
    if wrong:
        print(wrong)
        sys.exit(1)


def _run(seed: int, inputs: int, wanted: list[int] | None) -> list[Any]:
    """Outcomes of the inputs; those that took too long are tried once more, as others may have had the processor."""
    from tqdm import tqdm

    from bench.fuzzing.watch import outcomes

    found = []
    with tempfile.TemporaryDirectory(prefix="fuzz") as work, tqdm(unit="input", leave=False) as bar:
        for one in outcomes(Path(work), seed, inputs, wanted, bar.set_description):
            bar.set_description("wrong" if one.verdict == "wrong" else "asking")
            bar.update()
            found.append(one)
        slow = [one.number for one in found if one.verdict == "wrong" and one.said.startswith("took ")]
        if slow:
            again = {one.number: one for one in outcomes(Path(work), seed, inputs, slow, bar.set_description)}
            found = [again.get(one.number, one) for one in found]
    return found


def _numbers(text: str) -> list[int]:
    if not re.fullmatch(r"\d{1,6}(,\d{1,6})*", text):
        raise UserError(f"--only is {text!r}: expected numbers of inputs, such as 7,12")
    return [int(part) for part in text.split(",")]


def _parser() -> Parser:
    parser = Parser("python -m bench.fuzz", description=__doc__)
    add = parser.add_argument
    add("--seed", type=count, default=777, metavar="N", help="of what is drawn (default: %(default)s)")
    add("--inputs", type=positive, default=1200, metavar="N", help="about how many (default: %(default)s)")
    add("--only", metavar="N,..", help="only inputs of these numbers, to try them again")
    add("--out", type=writable, metavar="FILE", help="write every outcome there, as JSON")
    return parser


if __name__ == "__main__":
    run_command(main)
