"""The report of a run: one page with figures, pictures, data and settings that opens from disk without a network."""

import json
import shlex
from collections.abc import Iterable, Iterator
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any, NamedTuple

from hicmd_tf.config import Config, flattened, load, to_dict
from hicmd_tf.config.loading import BASE
from hicmd_tf.data.samples import SPLITS, Samples, Split
from hicmd_tf.data.searches import Search
from hicmd_tf.errors import UserError
from hicmd_tf.files import read_json, write_text
from hicmd_tf.retrieval.evaluation import BOUNDED, FEW, Figures, Row, evaluate
from hicmd_tf.retrieval.report import COLUMNS, COMPARED, DIRECTIONS
from hicmd_tf.runs.folder import RunFolder
from hicmd_tf.runs.opened import OpenedRun
from hicmd_tf.visualize.figure import Figure
from hicmd_tf.visualize.pages import PAGES
from hicmd_tf.visualize.statistics import statistics

REPORT = "report.html"
ARROWS = {name: words.replace("->", "→") for name, words in DIRECTIONS.items()}


class Line(NamedTuple):
    """A row of the main table. figures: fractions by name. deviation: theirs over galleries, where there are several.
    multiple: rank-1 in multiples of chance, where that is known."""

    name: str
    figures: Figures
    deviation: Figures | None
    multiple: float | None


class Setting(NamedTuple):
    """One value of the configuration. base: what configs/base.yaml has instead; None when it is the same."""

    name: str
    value: str
    base: str | None


class Results(NamedTuple):
    """What metrics.json says. directions: the lines of the main table by direction. rows: every published setting.
    facts: the rest by name, such as steps and identities. warnings: what the run was warned of while it trained.
    lacking: whether there is no such file, or one without rows.
    """

    directions: dict[str, list[Line]]
    rows: list[Row]
    facts: dict[str, Any]
    warnings: list[str]

    @property
    def lacking(self) -> bool:
        """Whether there are no figures."""
        return not self.rows


def write_report(run: OpenedRun, figures: Iterable[Figure], folder: Path | None = None) -> Path:
    """Writes report.html into a folder, by default the run's, figures in the order given, and returns its path.

    What an older run lacks is said in the page. Raises UserError when a file of the run is damaged or the folder can't
    be written.
    """
    path = (folder or run.folder.path) / REPORT
    write_text(path, report_of(run, list(figures)))
    return path


def report_of(run: OpenedRun, figures: list[Figure]) -> str:
    """The page itself. Raises UserError when a file of the run is damaged."""
    results, environment = read_results(run.folder.metrics), _mapping(run.folder.environment)
    return PAGES.get_template("report.html").render(
        run=run,
        name=configuration_name(environment),
        step=run.model.step,
        results=results,
        environment=environment,
        lacking=list(_lacking(run, results, environment)),
        certainties=certainties(run),
        bounded={name: COLUMNS[name] for name in BOUNDED},
        few=FEW,
        groups=[(title, list(group)) for title, group in groupby(figures, lambda figure: figure.title)],
        scripts=any(figure.page for figure in figures),
        parts=statistics(run.data),
        skipped=skipped(run),
        sections=sections(run.config),
        changes=run.folder.changes(),
        commands=commands(run.folder),
        columns=COLUMNS,
        arrows=ARROWS,
    )


def read_results(file: Path) -> Results:
    """The figures of a metrics.json, none of them where it is missing or has other fields. Raises UserError when it is
    damaged."""
    metrics = _mapping(file)
    try:
        rows = [_row(row) for row in metrics.get("settings", [])]
        first = {row.direction: row for row in reversed(rows)}  # of each direction the first comes last, and stays
        directions = {name: _lines(metrics, first[name]) for name in dict.fromkeys(row.direction for row in rows)}
        warnings = [str(warning) for warning in metrics.get("warnings", [])]
        if "objective" in metrics:
            metrics["objective"] = float(metrics["objective"])
    except (TypeError, KeyError, AttributeError, ValueError):  # written by another version
        return Results({}, [], {}, [])
    facts = {key: value for key, value in metrics.items() if not isinstance(value, list | dict)}
    return Results(directions, rows, facts, warnings)


def _row(found: dict[str, Any]) -> Row:
    """One of the published settings. Raises TypeError, KeyError or ValueError for anything else."""
    row = Row(**found)
    if row.direction not in ARROWS or not all(
        type(count) is int for count in (row.trials, row.queries, row.unanswered)
    ):
        raise ValueError(f"{row} is no row")
    chance = _columns(row.chance) if row.chance is not None else None
    return row._replace(mean=_columns(row.mean), deviation=_columns(row.deviation), chance=chance)


def _lines(metrics: dict[str, Any], row: Row) -> list[Line]:
    """The main table of the direction of its main setting."""
    chance = metrics.get("chance", {}).get(row.direction, {}).get("rank1")
    found = [("Hi-CMD", row.mean, row.deviation if row.trials > 1 else None)]
    for key, name in COMPARED.items():
        if row.direction in metrics.get(key, {}):
            found.append((name, _columns(metrics[key][row.direction]), None))
    return [Line(*line, line[1]["rank1"] / chance if chance else None) for line in found]


def _columns(figures: Figures) -> Figures:
    """Those that a table shows. Raises KeyError when one is not there, ValueError or TypeError when it is none."""
    return {key: float(figures[key]) for key in COLUMNS}


def certainties(run: OpenedRun) -> list[Row]:
    """The main setting of each direction, which is its first, with its intervals over the people tested."""
    main: dict[str, Search] = {}
    for search in run.searches:
        main.setdefault(str(search.direction), search)
    return evaluate(run.descriptors, run.samples, main.values())


def skipped(run: OpenedRun) -> list[str]:
    """In words, how many pictures of the splits that the run has to do with can't be used and are left out."""
    if run.config.data.check == "stop":
        return []
    tested: Split = "held_out" if run.config.data.held_out else "test"
    parts: dict[Split, Samples] = {"train": run.data.train, tested: run.samples}
    counts = {split: len(run.data.unchecked[split]) - len(samples) for split, samples in parts.items()}
    return [f"{count} {SPLITS[split]} pictures" for split, count in counts.items() if count]


def configuration_name(environment: dict[str, Any]) -> str | None:
    """What --config named in the command that began or continued the run; None where it named nothing."""
    command = str(environment.get("command", ""))
    try:
        words = shlex.split(command)
    except ValueError:  # of an earlier version, which quoted nothing
        words = command.split()
    words = [part for word in words for part in (word.split("=", 1) if word.startswith("--config=") else [word])]
    named = [Path(value).stem for option, value in pairwise(words) if option == "--config"]
    return named[-1] if named else None


def sections(config: Config) -> list[tuple[str, list[Setting]]]:
    """All settings by section, those outside any section under "run"."""
    base = dict(flattened(to_dict(load(BASE))))
    found: dict[str, list[Setting]] = {}
    for key, value in flattened(to_dict(config)):
        section, _, name = key.rpartition(".")
        differs = None if value == base[key] else _shown(base[key])
        found.setdefault(section or "run", []).append(Setting(name, _shown(value), differs))
    return list(found.items())


def _shown(value: Any) -> str:
    """A setting's value as a configuration file has it."""
    return value or '""' if isinstance(value, str) else json.dumps(value)


def commands(folder: RunFolder) -> list[tuple[str, str]]:
    """What to type, and what it is for."""
    run = shlex.quote(str(folder.path))
    again = [
        ("the figures again", f"hicmd evaluate --run {run}"),
        ("this page and its pictures again", f"hicmd report --run {run}"),
    ]
    if not folder.untrained.is_file():
        return again
    if folder.changes():
        return [("the whole run again, with what changed", f"hicmd reproduce {run}"), *again]
    settings, other = shlex.quote(str(folder.config)), shlex.quote(f"{folder.path}-again")
    return [("the whole run again", f"hicmd fit --config {settings} --run {other}"), *again]


def _lacking(run: OpenedRun, results: Results, environment: dict[str, Any]) -> Iterator[str]:
    """In words, what an older, stopped or converted run has not, and what to do about it."""
    folder, step = run.folder, run.model.step
    evaluate = f"run hicmd evaluate --run {shlex.quote(str(folder.path))}"
    if results.lacking:
        state = "has no figures that this version reads" if folder.metrics.is_file() else "is missing"
        yield f"metrics.json {state}, so there is no table of figures: {evaluate}"
    elif results.facts.get("steps", step) != step:
        yield f"metrics.json is of step {results.facts['steps']}, the newest checkpoint of step {step}: {evaluate}"
    if not folder.losses.is_file():
        yield "losses.csv is missing, so there are no curves: it comes with training, and a converted run has none"
    if not folder.untrained.is_file():
        yield "untrained.json is missing, so nothing is compared with the initial weights: they came from elsewhere"
    if not environment:
        yield "environment.json is missing, so versions, machine and command are not known"
    if folder.untrained.is_file() and step < run.config.training.steps:
        yield f"training stopped at step {step} of {run.config.training.steps}: the same command with --resume goes on"


def _mapping(file: Path) -> dict[str, Any]:
    """A JSON file of the run folder; empty where it is missing. Raises UserError when it is damaged."""
    content = read_json(file) if file.is_file() else {}
    if not isinstance(content, dict):
        raise UserError(
            f"{file}: expected names and values, found {type(content).__name__}; delete it to have it made anew"
        )
    return content
