"""Tables that grow with a run, losses.csv and evaluations.csv: read whatever a crash, a full disk or an editor left of
them."""

import re
from pathlib import Path
from typing import NamedTuple

from hicmd_tf.errors import printable, some
from hicmd_tf.files import read_bytes

STEP = "step"
NAMED = 3  # lines that a message names
LONGEST = 40  # letters of a number
LINE_END = re.compile(r"\r\n|\r|\n")


class StepTable(NamedTuple):
    """columns: names, the first is step; none where the first line names no columns. rows: cells, one for each column,
    steps rising; an empty one where an earlier version of hicmd_tf had no such column. damaged: numbers of the lines
    that can't be read, blank ones apart, from 1."""

    columns: list[str]
    rows: list[list[str]]
    damaged: list[int]

    @property
    def flaw(self) -> str:
        """The damaged lines in words, empty where there are none."""
        if not self.damaged:
            return ""
        if not self.columns:
            return f"line {self.damaged[0]} does not name columns, the first of which is {STEP}"
        return f"line{'s' * (len(self.damaged) > 1)} {some(self.damaged, NAMED)} can't be read"


def read_steps(path: Path) -> StepTable:
    """The rows of a table that can be read. A last line without an end counts as damaged, for its last number may be
    cut short. Raises UserError as `read_bytes` does."""
    text = read_bytes(path, "expected a table").decode("utf-8-sig", "replace")
    lines = [*enumerate(LINE_END.split(text), 1)]
    torn = lines.pop()  # nothing, where the last line has its end
    (first, head), *below = [(n, line) for n, line in lines if line.strip()] or [(1, "")]
    table = StepTable(_columns(head), [], [])
    if head.strip() and not table.columns:
        table.damaged.append(first)
    last = -1
    for number, line in below:
        row = line.split(",")
        step = _step(row, len(table.columns))
        if step > last:
            table.rows.append(row)
            last = step
        else:
            table.damaged.append(number)
    if torn[1].strip():
        table.damaged.append(torn[0])
    return table


def as_text(columns: list[str], rows: list[list[str]]) -> str:
    """What a file holds."""
    return "".join(f"{','.join(row)}\n" for row in [columns, *rows] if row)


def _columns(line: str) -> list[str]:
    names = line.split(",")
    good = names[0] == STEP and len(set(names)) == len(names) and all(names) and printable(line) == line
    return names if good else []


def _step(row: list[str], cells: int) -> int:
    """The step of a row of so many cells, all of them numbers or nothing; -1 for anything else."""
    if len(row) != cells or max(map(len, row)) > LONGEST:
        return -1
    try:
        for cell in filter(None, row[1:]):
            float(cell)
        return int(row[0])
    except ValueError:
        return -1
