"""The figures as tables, for readers and for programs."""

from collections.abc import Callable, Sequence
from typing import Any

from hicmd_tf import tables
from hicmd_tf.disentanglement.claims import CRITERIA, UNJUDGED, Verdict
from hicmd_tf.disentanglement.independence import ENOUGH
from hicmd_tf.disentanglement.measurement import Measurement, Measurements

HEADINGS = {
    "observer": "The observer on real pictures of the people to test",
    "reading": "What can be read from each code",
    "blocks": "How far each factor has one code, and each code one factor",
    "independence": "How far two codes depend on one another",
    "intervention": "How far a code moves when one thing in the picture changes",
    "swap": "What a swap changes",
    "quality": "How good the reconstructions are",
    "claims": "The paper's claims",
}
ALL_FACTORS = "all factors"  # the column of figures that are of no single one
VERDICTS = {True: "holds", False: "does not hold", None: "can't be judged"}
Column = Callable[[Measurement], str]
TABLES: dict[str, tuple[tuple[str, ...], Column]] = {
    "observer": (("factor", "measure", "chance"), lambda row: "figure"),
    "reading": (
        ("factor", "measure", "networks", "chance"),
        lambda row: ", ".join(filter(None, (row.subject, row.setting))),
    ),
    "blocks": (("subject", "measure", "networks"), lambda row: row.factor or ALL_FACTORS),
    "independence": (("setting", "subject", "networks"), lambda row: row.measure),
    "intervention": (("setting", "subject", "networks"), lambda row: row.factor),
    "swap": (("setting", "subject", "networks"), lambda row: f"{row.factor} {row.measure}"),
    "quality": (("setting", "subject", "networks"), lambda row: row.measure),
}
"""Of each section the fields that name a table's rows, and what names its columns."""
UNMEASURED = {
    "blocks": "Not measured: it takes drawn people, whose yaw, gait phase and light are known.",
    "intervention": "Not measured: it takes drawn people, who can be drawn again.",
    "independence": f"Not measured: it takes {ENOUGH} or more pictures of a modality.",
}
"""What stands in the place of a table without figures."""


def as_markdown(found: Measurements, verdicts: Sequence[Verdict], facts: dict[str, Any]) -> str:
    """All tables with what they are of; also to be read as plain text."""
    parts = {section: _table(found.where(section=section), section) for section in TABLES}
    lines = [[f"Sec. {of.section}", of.claim, of.networks, VERDICTS[of.holds], of.figures] for of in verdicts]
    claims = tables.as_markdown([["source", "claim", "networks", "verdict", "figures"], *lines], "<")
    parts["claims"] = "\n".join([claims, *(f"* {text}" for text in (*CRITERIA.values(), UNJUDGED))])
    head = "; ".join(f"{name} {value}" for name, value in facts.items())
    return "\n\n".join([head, *(f"## {HEADINGS[name]}\n\n{table.rstrip()}" for name, table in parts.items())]) + "\n"


def _table(rows: Sequence[Measurement], section: str) -> str:
    return _pivot(rows, *TABLES[section]) if rows else UNMEASURED[section]


def _pivot(rows: Sequence[Measurement], fields: Sequence[str], column: Column) -> str:
    """A table with a line for each combination of the fields' values, and a column for each kind of figure."""
    columns = list(dict.fromkeys(map(column, rows)))
    lines: dict[tuple[str, ...], dict[str, str]] = {}
    for row in rows:
        key = tuple(_shown(getattr(row, name)) for name in fields)
        deviation = "" if row.deviation is None else f" ± {row.deviation:.3f}"
        lines.setdefault(key, {})[column(row)] = f"{row.value:.3f}{deviation}"
    cells = [[*key, *(of.get(name, "") for name in columns)] for key, of in lines.items()]
    return tables.as_markdown([[*fields, *columns], *cells], "<")


def _shown(value: Any) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def as_csv(found: Measurements) -> str:
    """One line per figure, with every field."""
    return tables.as_csv([Measurement._fields, *found])


def as_json(found: Measurements, verdicts: Sequence[Verdict], facts: dict[str, Any]) -> dict[str, Any]:
    """Facts of the measurement, every figure, every claim."""
    return {
        **facts,
        "figures": [row._asdict() for row in found],
        "claims": [verdict._asdict() for verdict in verdicts],
    }
