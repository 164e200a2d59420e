"""The one way to write tables: as text with aligned columns, as Markdown, as CSV.

>>> print(as_text([["", "R-1"], ["chance", "0.5"], ["ours", "70.9"]]))
         R-1
chance   0.5
ours    70.9
"""

import csv
import io
import statistics
from collections.abc import Sequence

Rows = Sequence[Sequence[object]]
"""Of cells, the head first; all rows have the same length."""


def as_text(rows: Rows, sides: str = "<>") -> str:
    """Columns of even width, two spaces apart. sides: as `as_markdown` has them."""
    return "\n".join("  ".join(line).rstrip() for line in _aligned(rows, sides))


def as_markdown(rows: Rows, sides: str = "<>") -> str:
    """A Markdown table with columns of even width, so that it reads as plain text too.

    Args:
        rows: of cells, the head first.
        sides: `<` or `>` for each column, to the left or the right; the last goes for all further columns.
    """
    head, *lines = _aligned(rows, sides)
    rule = ["-" * len(cell) for cell in head]
    return "".join(f"| {' | '.join(line)} |\n" for line in (head, rule, *lines))


def as_csv(rows: Rows) -> str:
    """Values separated by commas, None as nothing."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def spread(values: Sequence[float], digits: int = 1) -> str:
    """Mean and, of several, the deviation of a sample (ddof 1): `18.6 ± 4.0`; - of none."""
    if not values:
        return "-"
    deviation = f" ± {statistics.stdev(values):,.{digits}f}" if len(values) > 1 else ""
    return f"{statistics.fmean(values):,.{digits}f}{deviation}"


def _aligned(rows: Rows, sides: str) -> list[list[str]]:
    words = [list(map(str, row)) for row in rows]
    widths = [max(3, *map(len, column)) for column in zip(*words, strict=True)]
    every = sides.ljust(len(widths), sides[-1])
    return [[f"{cell:{side}{width}}" for cell, side, width in zip(row, every, widths, strict=True)] for row in words]
