"""The figures as tables, for readers and for programs."""

from collections.abc import Callable, Sequence
from typing import Any

from hicmd_tf import tables
from hicmd_tf.disentanglement.claims import CRITERIA, Verdict
from hicmd_tf.disentanglement.measurement import CODES, KEPT, TO_DONOR, Measurement, Measurements, Networks

NETWORKS: tuple[Networks, ...] = ("trained", "untrained")
HEADINGS = {
    "observer": "The observer on real pictures of the people to test",
    "reading": "What can be read from each code",
    "swap": "What a swap changes",
    "quality": "How good the reconstructions are",
    "claims": "The paper's claims",
}


def as_markdown(found: Measurements, verdicts: Sequence[Verdict], facts: dict[str, Any]) -> str:
    """All tables with what they are of; also to be read as plain text."""
    parts = {
        "observer": _table(["factor", "how", "figure", "chance"], _observer(found)),
        "reading": _reading(found),
        "swap": _swap(found),
        "quality": _quality(found),
        "claims": _claims(verdicts),
    }
    head = "; ".join(f"{name} {value}" for name, value in facts.items())
    return "\n\n".join([head, *(f"## {HEADINGS[name]}\n\n{table}" for name, table in parts.items())]) + "\n"


def as_csv(found: Measurements) -> str:
    """One line per figure, with every field."""
    return tables.as_csv([Measurement._fields, *found])


def as_json(found: Measurements, verdicts: Sequence[Verdict], facts: dict[str, Any]) -> dict[str, Any]:
    """Facts of the measurement, every figure, every claim."""
    return {
        **facts,
        "figures": [row._asdict() for row in found],
        "claims": [
            {
                "section": claim.source,
                "claim": claim.statement,
                "criterion": CRITERIA[claim.by, claim.present],
                "networks": networks,
                "holds": holds,
                "figures": figures,
            }
            for claim, networks, holds, figures in verdicts
        ],
    }


def _observer(found: Measurements) -> list[list[str]]:
    return [[row.factor, row.measure, _number(row), f"{row.chance:.3f}"] for row in found.where(section="observer")]


def _reading(found: Measurements) -> str:
    """Rows: factor and probe; columns: code, trained and untrained."""
    networks = _measured(found)
    columns = [(code, of) for code in CODES for of in networks]
    lines = []
    for factor in found.values_of("factor", section="reading"):
        for probe in found.values_of("measure", section="reading"):
            cells = [
                _cell(found, section="reading", subject=code, factor=factor, measure=probe, networks=of)
                for code, of in columns
            ]
            chance = found.where(section="reading", factor=factor)[0].chance
            lines.append([factor, probe, *cells, f"{chance:.3f}"])
    return _table(["factor", "probe", *(f"{code}, {of}" for code, of in columns), "chance"], lines)


def _swap(found: Measurements) -> str:
    """A table a measure; rows: pairs and what was swapped; columns: what was read, trained and untrained."""
    parts = [Measurements(found.where(section="swap", measure=name)) for name in (TO_DONOR, KEPT)]
    networks = _measured(found)
    return "\n\n".join(
        _pivot(part, "swap", lambda row: f"{row.factor} {row.measure}", networks) for part in parts if list(part)
    )


def _quality(found: Measurements) -> str:
    """Rows: modality and kind of picture; columns: measure, trained and untrained."""
    return _pivot(found, "quality", lambda row: row.measure, _measured(found))


def _measured(found: Measurements) -> list[str]:
    """Which networks were measured."""
    return found.values_of("networks", section="reading")


def _pivot(found: Measurements, section: str, column: Callable[[Measurement], str], networks: Sequence[str]) -> str:
    """Rows: setting and subject; columns: `column` of each figure, a network each; real pictures' under both."""
    rows = found.where(section=section)
    lines = []
    columns = list(dict.fromkeys(map(column, rows)))
    for setting in found.values_of("setting", section=section):
        for subject in found.values_of("subject", section=section, setting=setting):
            values: dict[tuple[str, str], str] = {
                (column(row), row.networks): _number(row)
                for row in rows
                if (row.setting, row.subject) == (setting, subject)
            }
            real = {key[0] for key in values if key[1] == "real"}
            cells = [values.get((name, "real" if name in real else of), "") for name in columns for of in networks]
            lines.append([setting, subject, *cells])
    return _table(["of", "picture", *(f"{name}, {of}" for name in columns for of in networks)], lines)


def _claims(verdicts: Sequence[Verdict]) -> str:
    """Rows: claims; columns: verdict and figures, trained and untrained."""
    lines = []
    networks = [of for of in NETWORKS if any(verdict.networks == of for verdict in verdicts)]
    for claim in dict.fromkeys(verdict.claim for verdict in verdicts):
        of = {verdict.networks: verdict for verdict in verdicts if verdict.claim == claim}
        cells = [f"{'holds' if of[name].holds else 'does not hold'}: {of[name].figures}" for name in networks]
        lines.append([f"Sec. {claim.source}", claim.statement, *cells])
    criteria = "\n".join(f"* {text}" for text in CRITERIA.values())
    return f"{_table(['source', 'claim', *networks], lines)}\n\n{criteria}"


def _cell(found: Measurements, **fields: str) -> str:
    rows = found.where(**fields)
    return _number(rows[0]) if rows else ""


def _number(row: Measurement) -> str:
    return f"{row.value:.3f}" if row.deviation is None else f"{row.value:.3f} ± {row.deviation:.3f}"


def _table(head: list[str], lines: list[list[str]]) -> str:
    return tables.as_markdown([head, *lines], "<").rstrip()
