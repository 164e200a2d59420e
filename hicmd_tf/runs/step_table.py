"""Tables that grow with a run, losses.csv and evaluations.csv: read whatever a crash or an editor left of them."""

from pathlib import Path
from typing import NamedTuple

from hicmd_tf.errors import some
from hicmd_tf.files import read_bytes

STEP = "step"
NAMED = 3  # lines that a message names


class StepTable(NamedTuple):
    """columns: names, the first is step; none where the first line names no columns. rows: cells, one for each column,
    steps rising; an empty one where there was no such column yet. damaged: numbers of the lines that can't be read,
    from 1."""

    columns: list[str]
    rows: list[list[str]]
    damaged: list[int]

    @property
    def flaw(self) -> str:
        """The damaged lines in words, empty where there are none."""
        return f"line{'s' * (len(self.damaged) > 1)} {some(self.damaged, NAMED)} can't be read" if self.damaged else ""


def read_steps(path: Path) -> StepTable:
    """The rows of a table that can be read. A last line without an end counts as damaged, for its last number may be
    cut short. Raises UserError as `read_bytes` does."""
    lines = read_bytes(path, "expected a table").decode("utf-8-sig", "replace").splitlines(keepends=True)
    table = StepTable([], [], [])
    last = -1
    for number, line in enumerate(lines, 1):
        row = line.strip().split(",")
        whole = line.endswith(("\n", "\r"))
        if number == 1 and row[0] == STEP and whole:
            table.columns.extend(row)
        elif whole and (step := _step(row, len(table.columns))) > last:
            table.rows.append(row)
            last = step
        elif line.strip():
            table.damaged.append(number)
    return table


def as_text(columns: list[str], rows: list[list[str]]) -> str:
    """The text of a table's file."""
    return "".join(f"{','.join(row)}\n" for row in [columns, *rows] if row)


def _step(row: list[str], cells: int) -> int:
    """The step of a row of so many cells, all of them numbers or nothing; -1 for anything else."""
    try:
        _ = [float(cell) for cell in row[1:] if cell]
        return int(row[0]) if len(row) == cells else -1
    except ValueError:
        return -1
