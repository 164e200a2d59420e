"""What came of all inputs, as a table and as JSON."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from bench.fuzzing.cases import Outcome

SHOWN = 40  # wrong ones that are told one by one


def as_text(outcomes: Sequence[Outcome]) -> str:
    """By entry point and kind of input, and the sum."""
    head = f"{'entry point':<26}{'kind of input':<20}{'tried':>7}{'refused':>9}{'accepted':>10}{'wrong':>7}"
    lines = [f"{head}{'slowest s':>11}"]
    for entry, kind in sorted({(one.entry, one.kind) for one in outcomes}):
        lines.append(_line(entry, kind, [one for one in outcomes if (one.entry, one.kind) == (entry, kind)]))
    return "\n".join([*lines, _line("all", "", outcomes)])


def _line(entry: str, kind: str, outcomes: Sequence[Outcome]) -> str:
    counts = Counter(one.verdict for one in outcomes)
    slowest = max((one.seconds for one in outcomes if one.verdict != "accepted"), default=0.0)
    return (
        f"{entry:<26}{kind:<20}{len(outcomes):>7}{counts['refused']:>9}{counts['accepted']:>10}{counts['wrong']:>7}"
        f"{slowest:>11.2f}"
    )


def wrong_ones(outcomes: Sequence[Outcome], again: str) -> str:
    """Each with its story. again: the command that repeats it, but for its number."""
    wrong = [one for one in outcomes if one.verdict == "wrong"]
    lines = [f"{one.number}  {one.entry}, {one.kind}: {one.story}\n      {one.said}" for one in wrong[:SHOWN]]
    if len(wrong) > SHOWN:
        lines.append(f"and {len(wrong) - SHOWN} more")
    return "\n".join([*lines, f"again: {again} --only {','.join(str(one.number) for one in wrong)}"] if wrong else [])


def as_json(outcomes: Sequence[Outcome], seed: int) -> dict[str, Any]:
    """Counts, and every outcome."""
    counts = Counter(one.verdict for one in outcomes)
    return {"seed": seed, "counts": dict(counts), "outcomes": [one._asdict() for one in outcomes]}
